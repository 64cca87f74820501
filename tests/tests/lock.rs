//! The app's lock: who has it, who waits for it, and who takes it over.

use rengine_tests::{Outcome, Project, docker, until};

fn done(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome
}

const FAST: &str = "stop-signal = \"KILL\"";
const NEVER_HEALTHY: &str =
    "stop-signal = \"KILL\"\nhealth = { command = [\"false\"], interval = \"200ms\" }";

/// Makes the lock of somebody on another machine, who gives a sign of life each sixth of `lease`
/// milliseconds, or gave.
fn foreign_lock(project: &Project, lease: u64) -> String {
    let holder = format!(
        "{{\"user\":\"alice\",\"host\":\"elsewhere\",\"pid\":7,\"boot-id\":\"b\",\"pid-start\":1,\
         \"since\":\"2026-01-01T00:00:00Z\",\"command\":\"rengine deploy\",\"lease-ms\":{lease}}}"
    );
    let id = docker(&[
        "create",
        "--name",
        &format!("rengine-lock-{}", project.app),
        "--label",
        &format!("dev.rengine.lock={holder}"),
        "--label",
        &format!("dev.rengine.app={}", project.app),
        "rengine/busybox:local",
        "lock",
    ]);
    id.trim().to_owned()
}

fn beats(project: &Project) -> usize {
    // Of several filters, one is enough for Podman.
    let own = format!("{}_rengine-beat-", project.app);
    let beats = docker(&["volume", "ls", "-q", "--filter", "label=dev.rengine.beat"]);
    beats.lines().filter(|name| name.starts_with(&own)).count()
}

#[test]
fn a_person_holds_and_releases_it() {
    let project = Project::new("lkhold", "hello", FAST);
    let free = done(project.rengine(&["lock"]));
    assert!(free.stdout.contains("is not locked"), "{free:?}");
    let held = done(project.rengine(&["lock", "hold", "--message", "database migration"]));
    assert!(held.stdout.contains("database migration"), "{held:?}");
    for command in [
        &["deploy"][..],
        &["down"],
        &["stop"],
        &["lock", "hold", "-m", "me, too"],
    ] {
        let locked = project.rengine(command);
        assert_eq!(locked.code, 5, "{locked:?}");
        assert!(locked.stderr.contains("database migration"), "{locked:?}");
        assert!(locked.stderr.contains("since"), "{locked:?}");
    }
    let shown = done(project.rengine(&["lock", "--json"]));
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(shown["held"], true);
    assert_eq!(shown["gone"], false);
    assert_eq!(shown["holder"]["message"], "database migration");
    done(project.rengine(&["lock", "release"]));
    done(project.rengine(&["deploy"]));
    done(project.rengine(&["lock", "release"]));
}

#[test]
fn another_s_is_released_by_force_alone() {
    let project = Project::new("lkforce", "hello", FAST);
    foreign_lock(&project, 3_600_000);
    let refused = project.rengine(&["lock", "release"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("alice on elsewhere"), "{refused:?}");
    let locked = project.rengine(&["deploy", "--wait=1s"]);
    assert_eq!(locked.code, 5, "{locked:?}");
    assert!(locked.stderr.contains("waiting for the lock"), "{locked:?}");
    done(project.rengine(&["lock", "release", "--force"]));
    done(project.rengine(&["deploy"]));
}

#[test]
fn of_many_at_once_one_gets_it_and_the_others_are_told_who() {
    let project = Project::new("lkmany", "hello", FAST);
    let many: Vec<_> = (0..8)
        .map(|number| project.start(&["lock", "hold", "-m", &format!("number {number}")]))
        .collect();
    let outcomes: Vec<Outcome> = many.into_iter().map(|one| one.finish()).collect();
    let (got, told): (Vec<_>, Vec<_>) = outcomes.iter().partition(|one| one.code == 0);
    assert_eq!(got.len(), 1, "{outcomes:#?}");
    for one in told {
        assert_eq!(one.code, 5, "{one:?}");
        assert!(one.stderr.contains(": number "), "who and why: {one:?}");
    }
    done(project.rengine(&["lock", "release"]));
}

#[test]
fn who_waits_comes_next() {
    let project = Project::new("lkwait", "hello", NEVER_HEALTHY);
    let mut first = project.start(&["deploy", "-v"]);
    first.wait_for("✔ start");
    project.configure(FAST);
    project.write("index.html", "the second");
    let mut second = project.start(&["deploy", "--wait"]);
    second.wait_for("waiting for the lock");
    first.signal("INT");
    assert_eq!(first.finish().code, 130);
    done(second.finish());
    assert_eq!(project.containers().len(), 1);
}

#[test]
fn a_killed_holder_s_is_taken_over_by_one_of_two() {
    let project = Project::new("lktwo", "hello", NEVER_HEALTHY);
    let mut first = project.start(&["deploy", "-v"]);
    first.wait_for("✔ start");
    first.signal("KILL");
    first.finish();
    let shown = done(project.rengine(&["lock"]));
    assert!(shown.stdout.contains("no sign of life"), "{shown:?}");
    project.configure(FAST);
    let two = [0, 1].map(|_| project.start(&["deploy", "--wait=1m"]));
    let took_over: Vec<_> = two
        .map(|deploy| done(deploy.finish()))
        .iter()
        .map(|outcome| outcome.stderr.matches("took over").count())
        .collect();
    assert!(took_over.iter().sum::<usize>() >= 1, "{took_over:?}");
    assert_eq!(project.containers().len(), 1);
    let free = done(project.rengine(&["lock"]));
    assert!(free.stdout.contains("is not locked"), "{free:?}");
}

#[test]
fn a_silent_holder_elsewhere_is_watched_and_taken_over() {
    let project = Project::new("lksilent", "hello", FAST);
    let lock = foreign_lock(&project, 600);
    // A sign of life that is left, as of a machine that lost its power.
    docker(&[
        "volume",
        "create",
        "--label",
        &format!("dev.rengine.app={}", project.app),
        "--label",
        &format!("dev.rengine.beat={lock}"),
        &format!("{}_rengine-beat-1", project.app),
    ]);
    assert_eq!(beats(&project), 1);
    until("the lock is silent", || {
        project
            .rengine(&["lock", "--json"])
            .stdout
            .contains("\"gone\":true")
    });
    let two = [0, 1].map(|_| project.start(&["deploy", "--wait=1m"]));
    let outcomes = two.map(|deploy| done(deploy.finish()));
    let all: String = outcomes
        .iter()
        .map(|outcome| outcome.stderr.as_str())
        .collect();
    assert!(all.contains("watching the lock"), "{all}");
    assert!(
        all.contains("took over the lock that was held by alice on elsewhere"),
        "{all}"
    );
    assert_eq!(beats(&project), 0);
    assert_eq!(project.containers().len(), 1);
}

#[test]
fn a_holder_elsewhere_that_lives_keeps_it() {
    let project = Project::new("lklive", "hello", FAST);
    let lock = foreign_lock(&project, 6_000);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                number += 1;
                let name = |number: u32| format!("{}_rengine-beat-{number}", project.app);
                docker(&[
                    "volume",
                    "create",
                    "--label",
                    &format!("dev.rengine.app={}", project.app),
                    "--label",
                    &format!("dev.rengine.beat={lock}"),
                    &name(number),
                ]);
                docker(&["volume", "rm", &name(number - 1)]);
                std::thread::sleep(std::time::Duration::from_millis(700));
            }
            docker(&[
                "volume",
                "rm",
                &format!("{}_rengine-beat-{number}", project.app),
            ]);
        });
        // Longer than its lease.
        let locked = project.rengine(&["deploy", "--wait=8s"]);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(locked.code, 5, "{locked:?}");
        assert!(!locked.stderr.contains("took over"), "{locked:?}");
    });
    done(project.rengine(&["lock", "release", "--force"]));
}

#[test]
fn a_long_deploy_gives_signs_of_life_and_stops_when_it_is_robbed() {
    let project = Project::new("lkrob", "hello", NEVER_HEALTHY);
    let mut deploy = project.start(&["deploy", "-v"]);
    deploy.wait_for("✔ start");
    until("a sign of life", || beats(&project) > 0);
    done(project.rengine(&["lock", "release", "--force"]));
    let robbed = deploy.finish();
    assert_eq!(robbed.code, 5, "{robbed:?}");
    assert!(robbed.stderr.contains("another took it over"), "{robbed:?}");
    assert_eq!(beats(&project), 0);
    project.configure(FAST);
    done(project.rengine(&["deploy"]));
    assert_eq!(project.containers().len(), 1);
}

#[test]
fn whose_lock_is_taken_away_is_told() {
    let project = Project::new("lktold", "hello", FAST);
    foreign_lock(&project, 3_600_000);
    let deployed = done(project.rengine(&["deploy", "--break-lock"]));
    let took = "took over the lock that was held by alice on elsewhere";
    assert!(deployed.stderr.contains(took), "{deployed:?}");
    // Whoever gave the last sign of life long ago is watched first.
    foreign_lock(&project, 600);
    until("the lock is silent", || {
        let lock = project.rengine(&["lock", "--json"]);
        lock.stdout.contains("\"gone\":true")
    });
    let held = done(project.rengine(&["lock", "hold", "-m", "maintenance"]));
    for told in ["watching the lock", took] {
        assert!(held.stderr.contains(told), "{held:?}");
    }
    done(project.rengine(&["lock", "release"]));
}
