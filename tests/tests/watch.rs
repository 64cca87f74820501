//! `rengine watch` beside real containers: what it heals, what it takes back, and what it leaves alone.

use rengine_tests::authority::Authority;
use rengine_tests::compose::App;
use rengine_tests::gate::Gate;
use rengine_tests::load::Load;
use rengine_tests::watching::{TWO, containers, history, release, sicken, slow, stop, watch};
use rengine_tests::{Project, docker, plugin, until};

#[test]
fn an_unhealthy_replica_is_taken_out_restarted_and_put_back() {
    let app = App::new("watch-heals", TWO);
    app.deployed();
    let before = containers(&app);
    let load = Load::http(app.0.port, 4);
    let mut watch = watch(&app.0, &["--json"]);
    sicken(&before[0]);
    watch.wait_for("\"what\":\"in\"");
    let outcome = stop(watch);
    let counts = load.stop();
    assert!(counts.failed.is_empty(), "{:?}", counts.failed);
    assert!(counts.fine > 0);
    assert_eq!(containers(&app), before, "the same containers");
    assert_eq!(history(&app.0).len(), 1, "no release");
    let whats: Vec<String> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .inspect(|event| assert_eq!(event["event"], "watch", "{event}"))
        .map(|event| event["what"].as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(
        whats,
        [
            "watching",
            "unhealthy",
            "out",
            "restarting",
            "restarted",
            "healthy",
            "in",
            "stopped"
        ],
        "{outcome:#?}"
    );
}

#[test]
fn a_release_that_turns_bad_on_probation_is_taken_back_once() {
    let app = App::new("watch-back", TWO);
    app.0.write(
        "plugins.toml",
        "[watch]\nbad-after = \"1s\"\nrestarts = 100\n",
    );
    app.deployed();
    let good = history(&app.0)[0]["release"].clone();
    let mut watch = watch(&app.0, &["--rollback-within", "10m"]);
    // A deploy while it watches is as any other.
    app.write(&TWO.replace("first", "second"));
    let deployed = app.deployed();
    assert!(
        !deployed.stderr.contains("waiting for the lock"),
        "{deployed:?}"
    );
    let bad = history(&app.0)[1]["release"]
        .as_str()
        .expect("an id")
        .to_owned();
    watch.wait_for(&format!(
        "watching release {bad}, 2 containers, on probation"
    ));
    for container in containers(&app) {
        sicken(&container);
    }
    watch.wait_for("rolled back to release");
    let records = history(&app.0);
    assert_eq!(records.len(), 3, "{records:#?}");
    let last = &records[2];
    assert_eq!(last["outcome"], "succeeded", "{last:#}");
    assert_eq!(last["rollback-to"], good, "{last:#}");
    assert_eq!(last["by"], "rengine watch", "{last:#}");
    let reason = last["reason"].as_str().expect("a text");
    assert!(
        reason.starts_with("2 of 2 containers of web are unhealthy"),
        "{reason}"
    );
    for container in containers(&app) {
        let env = docker(&["inspect", "-f", "{{.Config.Env}}", &container]);
        assert!(env.contains("RELEASE=first"), "{env}");
    }
    // What was brought back is not taken back, though it turns bad, too.
    watch.wait_for(&format!(
        "watching release {}",
        last["release"].as_str().expect("an id")
    ));
    for container in containers(&app) {
        sicken(&container);
    }
    watch.wait_for("the release is bad");
    let outcome = stop(watch);
    assert!(
        outcome.stderr.contains("it is a rollback to"),
        "{outcome:?}"
    );
    assert_eq!(history(&app.0).len(), 3);
    let shown = app.0.rengine(&["history"]);
    assert!(
        shown.stdout.contains("by rengine watch: 2 of 2"),
        "{shown:?}"
    );
}

#[test]
fn what_is_removed_by_hand_is_made_again_and_what_goes_with_down_is_not() {
    let app = App::new("watch-gone", TWO);
    app.deployed();
    let before = containers(&app);
    let mut watch = watch(&app.0, &[]);
    docker(&["rm", "-f", &before[0]]);
    watch.wait_for("replaced");
    let after = containers(&app);
    assert_eq!(after.len(), 2);
    assert!(after.contains(&before[1]), "the other one stays");
    let records = history(&app.0);
    assert_eq!(records[1]["by"], "rengine watch", "{records:#?}");
    app.done(&["down"]);
    watch.wait_for("not deployed");
    let outcome = stop(watch);
    assert!(app.0.containers().is_empty());
    assert!(!outcome.stderr.contains("GIVEN UP"), "{outcome:?}");
}

#[test]
fn secrets_and_certificates_are_those_of_the_day() {
    let with_key = format!("{TWO}    secrets: [key]\nsecrets:\n  key: {{ file: ./key.txt }}\n");
    let app = App::new("watch-fresh", &with_key);
    let authority = Authority::new();
    let turn = |name: &str| {
        let folder = authority.sign(name, "DNS:localhost", "30");
        for file in ["cert.pem", "key.pem"] {
            std::fs::copy(folder.join(file), app.0.path().join(file)).expect("a copy");
        }
        app.0.write("key.txt", name);
        app.deployed();
    };
    let edge = format!(
        "[[edge.tls]]\nport = {}\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n",
        app.0.port
    );
    app.0.write("plugins.toml", &edge);
    app.0.write(".dockerignore", "*\n!index.html\n");
    turn("the first");
    let mut watch = watch(&app.0, &[]);
    turn("the second");
    let second = release(&app.0, 2);
    watch.wait_for(&format!("watching release {second}, 2 containers"));
    let before = containers(&app);
    docker(&["rm", "-f", &before[0]]);
    watch.wait_for("replaced");
    let after = containers(&app);
    assert_eq!(after.len(), 2);
    assert!(after.contains(&before[1]), "the other one stays");
    for container in &after {
        let key = docker(&["exec", container, "cat", "/run/secrets/key"]);
        assert_eq!(key, "the second");
    }
    // The edge has the second certificate, or it would get it now.
    let again = app.deployed();
    assert!(again.stderr.contains("nothing to do"), "{again:?}");

    app.write("services: [");
    // The other one: who is gone twice is given up.
    docker(&["rm", "-f", &before[1]]);
    watch.wait_for("the project can't be used");
    stop(watch);
    let new = after.into_iter().filter(|one| *one != before[1]);
    assert_eq!(containers(&app), new.collect::<Vec<_>>());
    app.write(&with_key);
}

#[test]
fn what_a_restart_does_not_mend_is_replaced() {
    let page = "hello";
    let check = format!(
        "stop-timeout = \"1s\"\n[plugins.check]\npath = \"{}\"\nconfig = {{ path = \"/index.html\", strict = true }}\n\
         [watch]\ninterval = \"200ms\"\nrestarts = 1\n",
        plugin("http_check.wasm").display()
    );
    let project = Project::new("watch-replace", page, &check);
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    let before = project.containers();
    let mut watch = watch(&project, &[]);
    docker(&["exec", &before[0], "rm", "/www/index.html"]);
    watch.wait_for("check says:");
    watch.wait_for("restarting, try 1");
    watch.wait_for("replaced");
    let outcome = stop(watch);
    assert_ne!(project.containers(), before);
    assert!(project.get().expect("an answer").contains("hello"));
    assert!(
        outcome.stderr.contains("replacing by a new container"),
        "{outcome:?}"
    );
}

#[test]
fn a_daemon_that_is_away_for_a_while_is_waited_for() {
    let app = App::new("watch-lost", TWO);
    app.deployed();
    let before = containers(&app);
    let gate = Gate::open();
    let mut watch = watch(&app.0, &["--host", &gate.url()]);
    gate.cut();
    watch.wait_for("the daemon does not answer");
    gate.reopen();
    watch.wait_for("the daemon answers again");
    sicken(&before[1]);
    watch.wait_for("back in the edge");
    stop(watch);
    assert_eq!(containers(&app), before);
}

#[test]
fn one_that_has_the_lock_is_left_in_peace() {
    let app = App::new("watch-lock", TWO);
    app.deployed();
    let before = containers(&app);
    let mut watch = watch(&app.0, &[]);
    app.done(&["lock", "hold", "-m", "maintenance"]);
    watch.wait_for("looking on while the app is locked");
    sicken(&before[0]);
    watch.wait_for("unhealthy");
    // What somebody does while they have the lock is theirs.
    docker(&["rm", "-f", &before[1]]);
    until("it is gone", || !app.0.containers().contains(&before[1]));
    app.done(&["lock", "release"]);
    watch.wait_for("restarted");
    watch.wait_for("healthy again");
    let outcome = stop(watch);
    assert_eq!(containers(&app), before[..1], "{outcome:?}");
}

#[test]
fn a_deploy_waits_while_a_container_is_restarted() {
    let slow = slow();
    let app = App::new("watch-waits", &slow);
    app.deployed();
    let mut watch = watch(&app.0, &[]);
    sicken(&containers(&app)[0]);
    watch.wait_for("restarting, try 1");
    until("the watch has the lock", || {
        let lock = app.0.rengine(&["lock"]);
        lock.stdout.contains("`rengine watch`")
    });
    app.write(&slow.replace("first", "second"));
    let deployed = app.deployed();
    assert!(
        deployed.stderr.contains("waiting for the lock"),
        "{deployed:?}"
    );
    let second = history(&app.0)[1]["release"]
        .as_str()
        .expect("an id")
        .to_owned();
    watch.wait_for(&format!("watching release {second}, 2 containers"));
    let outcome = stop(watch);
    assert!(!outcome.stderr.contains("GIVEN UP"), "{outcome:?}");
}

#[test]
fn looking_on_changes_nothing() {
    let app = App::new("watch-view", TWO);
    app.deployed();
    let before = containers(&app);
    let mut watch = watch(&app.0, &["--view-only"]);
    sicken(&before[0]);
    watch.wait_for("unhealthy");
    let outcome = stop(watch);
    assert!(!outcome.stderr.contains("restart"), "{outcome:?}");
    let sick = docker(&["exec", &before[0], "ls", "/tmp/sick"]);
    assert_eq!(sick.trim(), "/tmp/sick", "it runs on");
}
