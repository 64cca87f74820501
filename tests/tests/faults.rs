//! What goes wrong while an app is deployed: each ends with an error that says what and where, loses
//! nothing, and the next deploy does what this one could not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rengine_tests::compose::App;
use rengine_tests::dockerd::{Dockerd, SmallDisk};
use rengine_tests::proxy::{Line, Proxy};
use rengine_tests::{Outcome, Project, docker, until};

/// A service that others build on, and one that waits for it.
const TWO: &str = "
services:
  db:
    image: rengine/busybox:local
    command: [\"sh\", \"-c\", \"echo ${WORD:-first} >> /data/words; sleep 100000 & wait\"]
    stop_grace_period: 0s
    volumes: [\"data:/data\"]
  web:
    image: rengine/busybox:local
    command: sleep 100000
    stop_grace_period: 0s
    depends_on: [db]
volumes: { data: {} }
";

#[track_caller]
fn fails(outcome: &Outcome, code: i32, texts: &[&str]) {
    assert_eq!(outcome.code, code, "{outcome:#?}");
    for text in texts {
        assert!(outcome.stderr.contains(text), "{text}: {outcome:#?}");
    }
}

/// What runs of an app: each service with its container, and what it has written.
fn running(app: &App) -> (Vec<serde_json::Value>, String) {
    let ids = ["db", "web"].map(|service| {
        let container = app.inspect(service);
        assert_eq!(container["State"]["Running"], true, "{container:#}");
        container["Id"].clone()
    });
    let words = docker(&[
        "exec",
        ids[0].as_str().expect("an id"),
        "cat",
        "/data/words",
    ]);
    (ids.into(), words)
}

/// A release that can't be is taken back as a whole, and the next one is deployed.
fn goes_back(name: &str, bad: &str, code: i32, texts: &[&str]) {
    let app = App::new(name, TWO);
    app.deployed();
    let before = running(&app);
    app.write(&TWO.replace("command: sleep 100000", bad));
    fails(&app.0.rengine(&["deploy"]), code, texts);
    assert_eq!(running(&app), before);
    assert_eq!(app.0.containers().len(), 2);
    app.write(&TWO.replace("command: sleep 100000", "command: sleep 200000"));
    app.deployed();
    assert!(app.deployed().stderr.contains("nothing to do"));
    assert_eq!(running(&app).1, before.1);
}

#[test]
fn a_container_that_exits_at_once() {
    goes_back(
        "exits",
        "command: sh -c 'echo no such option; exit 64'",
        1,
        &[
            "`web` is not healthy",
            "exit status 64",
            "no such option",
            "rolled back",
        ],
    );
}

#[test]
fn a_container_that_never_becomes_healthy() {
    goes_back(
        "sick",
        "command: sleep 100000\n    healthcheck: { test: \"echo still loading; exit 1\", interval: 100ms, retries: 3 }",
        1,
        &["`web` is not healthy", "still loading", "rolled back"],
    );
}

#[test]
fn a_container_that_is_not_healthy_in_time() {
    let app = App::new("slow", TWO);
    app.deployed();
    let before = running(&app);
    app.0.write("plugins.toml", "[deploy]\ntimeout = \"2s\"\n");
    // The daemon does not ask before that.
    let check = "command: sleep 100000\n    healthcheck: { test: \"exit 1\", interval: 10m }";
    app.write(&TWO.replace("command: sleep 100000", check));
    fails(&app.0.rengine(&["deploy"]), 1, &["web", "2s"]);
    assert_eq!(running(&app), before);
    app.write(&TWO.replace("first", "second"));
    app.deployed();
    assert_eq!(running(&app).1, "first\nsecond\n");
}

#[test]
fn services_that_wait_for_each_other() {
    let app = App::new("circle", TWO);
    app.deployed();
    let before = running(&app);
    app.write(&TWO.replace("    volumes: [", "    depends_on: [web]\n    volumes: ["));
    let place = "compose.yaml:14:18";
    fails(
        &app.0.rengine(&["deploy"]),
        2,
        &["need each other in a circle", place, "db → web → db"],
    );
    assert_eq!(running(&app), before);
    app.write(TWO);
    assert!(app.deployed().stderr.contains("nothing to do"));
}

#[test]
fn a_name_of_a_network_that_another_has() {
    let app = App::new("foreign", TWO);
    let network = format!("{}_default", app.0.app);
    docker(&["network", "create", &network]);
    let refused = app.0.rengine(&["deploy"]);
    let still = docker(&["network", "inspect", "-f", "{{.Name}}", &network]);
    docker(&["network", "rm", &network]);
    fails(
        &refused,
        1,
        &[&network, "that is not this app's", "`external`"],
    );
    assert_eq!(still.trim(), network);
    assert!(app.0.containers().is_empty());
    app.deployed();
    running(&app);
}

#[test]
fn two_deploys_at_once() {
    let app = App::new("twice", TWO);
    let gate = "command: sleep 100000\n    healthcheck: { test: \"test -e /go\", interval: 100ms, retries: 1000 }";
    app.write(&TWO.replace("command: sleep 100000", gate));
    let mut first = app.0.start(&["deploy"]);
    first.wait_for("✔ start web");
    fails(
        &app.0.rengine(&["deploy"]),
        5,
        &["is being deployed by", "`rengine deploy`"],
    );
    let id = app.inspect("web")["Id"].as_str().expect("an id").to_owned();
    docker(&["exec", &id, "touch", "/go"]);
    let first = first.finish();
    assert_eq!(first.code, 0, "{first:#?}");
    assert!(app.deployed().stderr.contains("nothing to do"));
    running(&app);
}

/// Ten services in a chain, of which each has a word of its own.
fn ten(word: &str) -> String {
    let mut text = "services:\n".to_owned();
    for number in 0..10 {
        let after = match number {
            0 => String::new(),
            _ => format!("    depends_on: [s{}]\n", number - 1),
        };
        text += &format!(
            "  s{number}:\n    image: rengine/busybox:local\n    environment: {{ WORD: {word} }}\n    \
             command: [\"sh\", \"-c\", \"echo {word} >> /data/{number}; sleep 100000 & wait\"]\n    \
             stop_grace_period: 0s\n    volumes: [\"data:/data\"]\n{after}"
        );
    }
    text + "volumes: { data: {} }\n"
}

/// `rengine` with a daemon of the test's own.
fn with(app: &App, daemon: &Dockerd, args: &[&str]) -> Outcome {
    let mut command = app.0.command(args);
    let output = command.env("DOCKER_HOST", &daemon.host).output();
    Outcome::from(output.expect("rengine runs"))
}

#[test]
fn a_deploy_that_can_give_no_signs_of_life_stops_when_its_lock_is_taken() {
    let never = "stop-signal = \"KILL\"\nhealth = { command = [\"false\"], interval = \"200ms\" }";
    let project = Project::new("fault-mute", "hello", never);
    let mute = Arc::new(AtomicBool::new(false));
    let judge = mute.clone();
    let proxy = Proxy::before_shared(move |call| {
        let sign = call.what == "POST /volumes/create" && !call.done;
        match sign && judge.load(Ordering::SeqCst) {
            true => Line::Lost,
            false => Line::Good,
        }
    });
    let mut deploy = project.start(&["--host", &proxy.url(), "deploy", "-v"]);
    deploy.wait_for("✔ start");
    mute.store(true, Ordering::SeqCst);
    let released = project.rengine(&["lock", "release", "--force"]);
    assert_eq!(released.code, 0, "{released:?}");
    fails(&deploy.finish(), 5, &["another took it over"]);
    project.configure("stop-signal = \"KILL\"");
    let next = project.rengine(&["deploy"]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!(project.containers().len(), 1);
}

#[test]
fn a_daemon_that_is_killed_in_the_middle_of_ten_services() {
    let mut daemon = Dockerd::new(None);
    let app = App::new("killed", &ten("first"));
    let done = |daemon: &Dockerd, args: &[&str]| {
        let outcome = with(&app, daemon, args);
        assert_eq!(outcome.code, 0, "{outcome:#?}");
        outcome
    };
    done(&daemon, &["deploy"]);
    app.write(&ten("second"));
    let mut deploy = app
        .0
        .start_with(&["deploy"], &[("DOCKER_HOST", &daemon.host)]);
    deploy.wait_for("✔ start s4");
    daemon.kill();
    let ended = deploy.finish();
    assert!(matches!(ended.code, 1 | 4), "{ended:#?}");
    assert!(ended.stderr.contains("daemon"), "{ended:#?}");
    assert!(ended.stderr.contains("rengine deploy"), "{ended:#?}");
    daemon.begin();
    done(&daemon, &["deploy"]);
    let filter = format!("label=dev.rengine.app={}", app.0.app);
    let format = ["--filter", &filter, "--format", "{{.Names}}"];
    let all = daemon.docker(&[&["ps", "-a"][..], &format].concat());
    let running = daemon.docker(&[&["ps"][..], &format].concat());
    assert_eq!(running.lines().count(), 10, "{all}");
    assert_eq!(all.lines().count(), 10, "{all}");
    assert!(!all.contains("candidate") && !all.contains("lock"), "{all}");
    assert!(done(&daemon, &["deploy"]).stderr.contains("nothing to do"));
    // Nothing of what was written is lost.
    for number in 0..10 {
        let file = format!("/data/{number}");
        let words = done(&daemon, &["exec", "-T", "s0", "cat", &file]).stdout;
        assert!(
            words.starts_with("first\n") && words.ends_with("second\n"),
            "{words}"
        );
    }
}

#[test]
fn a_disk_that_is_full() {
    let disk = SmallDisk::new(96);
    let daemon = Dockerd::new(Some(&disk.path()));
    let app = App::new("full", "services: {}");
    let compose = |size: u32| {
        app.write(&format!(
            "services:\n  web:\n    build:\n      context: .\n      dockerfile_inline: |\n        \
             FROM rengine/busybox:local\n        RUN dd if=/dev/zero of=/data bs=1M count={size}\n        \
             CMD [\"sleep\", \"100000\"]\n    stop_grace_period: 0s\n"
        ));
    };
    compose(1);
    let first = with(&app, &daemon, &["deploy"]);
    assert_eq!(first.code, 0, "{first:#?}");
    let running = || daemon.docker(&["ps", "-q", "--no-trunc"]);
    let before = running();
    compose(200);
    let full = with(&app, &daemon, &["deploy"]);
    fails(
        &full,
        1,
        &["No space left on device", "docker system prune"],
    );
    assert_eq!(running(), before);
    compose(2);
    let next = with(&app, &daemon, &["deploy"]);
    assert_eq!(next.code, 0, "{next:#?}");
    assert_ne!(running(), before);
    let again = with(&app, &daemon, &["deploy"]);
    assert!(again.stderr.contains("nothing to do"), "{again:#?}");
    let down = with(&app, &daemon, &["down"]);
    assert_eq!(down.code, 0, "{down:#?}");
    until("it has gone", || running().is_empty());
}
