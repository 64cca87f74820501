//! `rengine watch` twice for one app, and beside people who do what it would do: nothing is done twice.

use std::sync::{Arc, Condvar, Mutex};

use rengine_tests::compose::App;
use rengine_tests::proxy::{Line, Proxy};
use rengine_tests::watching::{TWO, containers, history, release, sicken, slow, stop, watch};
use rengine_tests::{docker, until};

/// How often a container of [`slow`] was started: it says so itself, since the daemon forgets its events.
fn starts(container: &str) -> usize {
    docker(&["exec", container, "cat", "/starts"])
        .lines()
        .count()
}

#[test]
fn a_replica_is_restarted_by_one_of_two() {
    let app = App::new("watches-restart", &slow());
    app.deployed();
    let before = containers(&app);
    let mut two = [0, 1].map(|_| watch(&app.0, &[]));
    sicken(&before[0]);
    for watch in &mut two {
        watch.wait_for("healthy again");
        watch.wait_for("back in the edge");
    }
    let outcomes = two.map(stop);
    assert_eq!(starts(&before[0]), 2, "{outcomes:#?}");
    assert_eq!(containers(&app), before, "the same containers");
    let told: String = outcomes.into_iter().map(|one| one.stderr).collect();
    let looked_on = "looking on while the app is locked";
    assert!(
        told.contains(looked_on) || told.contains("left alone: it was restarted meanwhile"),
        "{told}"
    );
}

#[test]
fn what_is_gone_is_replaced_by_one_of_two() {
    let app = App::new("watches-replace", TWO);
    let deployed = app.deployed();
    let place = format!("web  http://localhost:{}  2 containers\n", app.0.port);
    assert!(deployed.stdout.contains(&place), "{deployed:?}");
    let before = containers(&app);
    let mut two = [0, 1].map(|_| watch(&app.0, &[]));
    docker(&["rm", "-f", &before[0]]);
    until("one of them has replaced it", || {
        two.iter().any(|watch| watch.output().contains("replaced"))
    });
    let new = release(&app.0, 2);
    for watch in &mut two {
        watch.wait_for(&format!("watching release {new}, 2 containers"));
    }
    let outcomes = two.map(stop);
    assert_eq!(history(&app.0).len(), 2, "{outcomes:#?}");
    let after = containers(&app);
    assert_eq!(after.len(), 2);
    assert!(after.contains(&before[1]), "the other one stays");
}

/// An app whose second release runs, and counts as bad soon.
fn second_release(name: &str) -> App {
    let app = App::new(name, TWO);
    app.0.write(
        "plugins.toml",
        "[watch]\nbad-after = \"1s\"\nrestarts = 100\n",
    );
    app.deployed();
    app.write(&TWO.replace("first", "second"));
    app.deployed();
    app
}

#[test]
fn a_release_is_taken_back_by_one_of_two() {
    let app = second_release("watches-back");
    app.write(&TWO.replace("first", "third"));
    app.deployed();
    let mut two = [0, 1].map(|_| watch(&app.0, &["--rollback-within", "10m"]));
    for container in containers(&app) {
        sicken(&container);
    }
    until("one of them has taken it back", || {
        two.iter()
            .any(|watch| watch.output().contains("rolled back to release"))
    });
    let back = release(&app.0, 4);
    for watch in &mut two {
        watch.wait_for(&format!("watching release {back}, 2 containers"));
    }
    let outcomes = two.map(stop);
    let records = history(&app.0);
    assert_eq!(records.len(), 4, "{outcomes:#?}");
    assert_eq!(records[3]["rollback-to"], records[1]["release"]);
    assert_eq!(records[3]["by"], "rengine watch");
    for container in containers(&app) {
        let env = docker(&["inspect", "-f", "{{.Config.Env}}", &container]);
        assert!(env.contains("RELEASE=second"), "{env}");
    }
}

#[test]
fn what_a_person_has_restarted_is_not_restarted_again() {
    let app = App::new("watches-hand", &slow());
    app.deployed();
    let before = containers(&app);
    let mut watch = watch(&app.0, &[]);
    app.done(&["lock", "hold", "-m", "maintenance"]);
    watch.wait_for("looking on while the app is locked");
    sicken(&before[0]);
    watch.wait_for("unhealthy");
    docker(&["restart", &before[0]]);
    app.done(&["lock", "release"]);
    watch.wait_for("healthy again");
    let outcome = stop(watch);
    assert_eq!(starts(&before[0]), 2, "{outcome:#?}");
    assert!(!outcome.stderr.contains("restarting"), "{outcome:#?}");
}

#[test]
fn a_release_that_came_meanwhile_is_not_taken_back_for_the_one_before() {
    let app = second_release("watches-came");
    // Between the decision to go back and the lock it looks at the images of the release.
    let gate = Arc::new((Mutex::new((false, false)), Condvar::new()));
    let inside = gate.clone();
    let proxy = Proxy::before_shared(move |call| {
        let of_one = call.what.starts_with("GET /images/") && call.what.ends_with("/json");
        if call.done && of_one && call.what != "GET /images/json" {
            let (state, changed) = &*inside;
            let mut state = state.lock().expect("no panic");
            state.0 = true;
            changed.notify_all();
            while !state.1 {
                state = changed.wait(state).expect("no panic");
            }
        }
        Line::Good
    });
    let args = ["--host", &proxy.url(), "--rollback-within", "10m"];
    let mut watch = watch(&app.0, &args);
    for container in containers(&app) {
        sicken(&container);
    }
    watch.wait_for("rolling back to");
    let (state, changed) = &*gate;
    let mut held = state.lock().expect("no panic");
    while !held.0 {
        held = changed.wait(held).expect("no panic");
    }
    drop(held);
    app.write(&TWO.replace("first", "third"));
    app.deployed();
    state.lock().expect("no panic").1 = true;
    changed.notify_all();
    let third = release(&app.0, 3);
    watch.wait_for(&format!("left alone: release {third} runs by now"));
    watch.wait_for(&format!("watching release {third}, 2 containers"));
    let outcome = stop(watch);
    assert_eq!(history(&app.0).len(), 3, "{outcome:#?}");
    for container in containers(&app) {
        let env = docker(&["inspect", "-f", "{{.Config.Env}}", &container]);
        assert!(env.contains("RELEASE=third"), "{env}");
    }
}
