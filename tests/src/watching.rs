//! `rengine watch` of a test's own app, and what it is to find there.

use crate::compose::App;
use crate::{Outcome, Project, Running, docker};

/// Two replicas behind the edge. One that has a file at /tmp/sick is not well; a restart mends that.
pub const TWO: &str = r#"
services:
  web:
    build: .
    ports: ["PORT:8080"]
    environment: { RELEASE: "first" }
    tmpfs: /tmp
    stop_grace_period: 1s
    deploy: { replicas: 2 }
    healthcheck: { test: "test ! -e /tmp/sick", interval: 200ms, retries: 2 }
"#;

/// The same, and they do not end when they are asked to, so that a restart takes its time. Each start
/// is a line in /starts.
pub fn slow() -> String {
    TWO.replace(
        "tmpfs: /tmp\n    stop_grace_period: 1s",
        "tmpfs: /tmp\n    command: [\"sh\", \"-c\", \"echo >> /starts; trap '' TERM; httpd -f -p 8080 -h /www\"]\n    stop_grace_period: 4s",
    )
}

/// The ids of an app's containers, in order.
pub fn containers(app: &App) -> Vec<String> {
    let mut containers = app.0.containers();
    containers.sort();
    containers
}

/// Has a container's check fail.
pub fn sicken(container: &str) {
    docker(&["exec", container, "touch", "/tmp/sick"]);
}

/// Starts `rengine watch`, which has seen what runs by then.
pub fn watch(project: &Project, args: &[&str]) -> Running {
    let mut running = project.start(&[&["watch"], args].concat());
    let begun = match args.contains(&"--json") {
        true => "\"what\":\"watching\"",
        false => "watching release",
    };
    running.wait_for(begun);
    running
}

/// Ends a watch as a service manager does.
#[track_caller]
pub fn stop(watch: Running) -> Outcome {
    watch.signal("TERM");
    let outcome = watch.finish();
    assert_eq!(outcome.code, 0, "{outcome:#?}");
    outcome
}

/// The app's releases.
pub fn history(project: &Project) -> Vec<serde_json::Value> {
    let told = project.rengine(&["history", "--json"]);
    assert_eq!(told.code, 0, "{told:?}");
    let lines = told.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// The id of the app's release of this number, from 1.
#[track_caller]
pub fn release(project: &Project, number: usize) -> String {
    let records = history(project);
    let id = records
        .get(number - 1)
        .and_then(|one| one["release"].as_str());
    id.unwrap_or_else(|| panic!("no release {number}: {records:#?}"))
        .to_owned()
}
