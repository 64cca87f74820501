//! The commands that work on an app as it runs: exec, run, start, stop, restart, top, stats, events.

use std::io::Write;
use std::process::Stdio;

use rengine_tests::{Outcome, Project, docker, until};

fn deployed(name: &str) -> Project {
    let project = Project::new(name, "hello", "stop-timeout = \"1s\"");
    done(&project, &["deploy", "--quiet"]);
    project
}

#[track_caller]
fn done(project: &Project, args: &[&str]) -> Outcome {
    let outcome = project.rengine(args);
    assert_eq!(outcome.code, 0, "{args:?}: {outcome:#?}");
    outcome
}

/// Runs `rengine` with something to read.
fn piped(project: &Project, args: &[&str], input: &str) -> Outcome {
    let mut child = project
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rengine runs");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    Outcome::from(child.wait_with_output().expect("it ends"))
}

#[test]
fn a_command_runs_in_a_container_that_runs() {
    let project = deployed("exec");
    let said = done(&project, &["exec", "web", "echo", "a b", "-n"]);
    assert_eq!(said.stdout, "a b -n\n");
    let args = [
        "exec",
        "-u",
        "7:8",
        "-w",
        "/www",
        "-e",
        "NAME=x y",
        "web",
        "sh",
        "-c",
        "id -u; pwd; echo $NAME; echo wrong >&2; exit 9",
    ];
    let ended = project.rengine(&args);
    assert_eq!((ended.code, ended.stdout.as_str()), (9, "7\n/www\nx y\n"));
    assert_eq!(ended.stderr, "wrong\n");
    let counted = piped(&project, &["exec", "web", "wc", "-c"], "12345");
    assert_eq!(counted.stdout.trim(), "5", "{counted:#?}");
    done(&project, &["exec", "-d", "web", "touch", "/www/there"]);
    until("the file is there", || {
        project.rengine(&["exec", "web", "ls", "/www/there"]).code == 0
    });

    let unknown = project.rengine(&["exec", "wbe", "true"]);
    assert_eq!(unknown.code, 2, "{unknown:#?}");
    assert!(
        unknown.stderr.contains("has no service `wbe`"),
        "{unknown:#?}"
    );
    let second = project.rengine(&["exec", "--index", "2", "web", "true"]);
    assert!(
        second.stderr.contains("no running container 2"),
        "{second:#?}"
    );
    let bad = project.rengine(&["exec", "-e", "=x", "web", "true"]);
    assert!(bad.stderr.contains("`=x` is no variable"), "{bad:#?}");
}

#[test]
fn a_command_runs_in_a_container_of_its_own() {
    let project = Project::new("run", "hello", "env = { COLOUR = \"red\" }");
    // Nothing is deployed: the image is built for it.
    let said = done(
        &project,
        &["run", "web", "sh", "-c", "echo $COLOUR; hostname"],
    );
    assert!(said.stdout.starts_with("red\n"), "{said:#?}");
    assert!(said.stderr.contains("✔ build web"), "{said:#?}");
    assert!(
        project.containers().is_empty(),
        "it is no container of the service's"
    );
    let counted = piped(&project, &["run", "web", "wc", "-c"], "1234567");
    assert_eq!(counted.stdout.trim(), "7", "{counted:#?}");
    assert!(!counted.stderr.contains("build"), "{counted:#?}");
    let ended = project.rengine(&["run", "--entrypoint", "sh", "web", "-c", "exit 5"]);
    assert_eq!(ended.code, 5, "{ended:#?}");
    let filter = format!("label=dev.rengine.oneoff={}", project.app);
    assert_eq!(
        docker(&["ps", "-aq", "--filter", &filter]),
        "",
        "they are removed"
    );

    // Beside the one that runs, whose port it does not take.
    done(&project, &["deploy", "--quiet"]);
    let mut going_on = project.start(&["run", "web", "sh", "-c", "echo begun; sleep 1000"]);
    going_on.wait_for("begun");
    // Nor is one that somebody made by hand, which has the labels of the image.
    let latest = format!("{}-web:latest", project.app);
    let by_hand = docker(&["run", "-d", &latest, "sleep", "1000"]);
    let plan = done(&project, &["plan"]);
    docker(&["rm", "-f", by_hand.trim()]);
    assert!(plan.stdout.contains("nothing to do"), "{plan:#?}");
    going_on.signal("INT");
    assert_eq!(going_on.finish().code, 130);
    assert_eq!(docker(&["ps", "-aq", "--filter", &filter]), "");
    assert_eq!(project.containers().len(), 1);
}

#[test]
fn containers_are_stopped_started_and_started_again() {
    let project = deployed("control");
    let state = || project.inspect()["State"]["StartedAt"].to_string();
    let first = state();
    let again = done(&project, &["restart", "-t", "1"]);
    assert!(again.stderr.contains("✔ restarted"), "{again:#?}");
    assert_ne!(state(), first);
    done(&project, &["stop", "-t", "1", "web"]);
    assert_eq!(project.inspect()["State"]["Running"], false);
    assert_eq!(done(&project, &["stop"]).stdout, "nothing to do\n");
    done(&project, &["start"]);
    assert_eq!(project.inspect()["State"]["Running"], true);
    assert_eq!(done(&project, &["start", "web"]).stdout, "nothing to do\n");
    let unknown = project.rengine(&["restart", "db"]);
    assert_eq!(unknown.code, 2, "{unknown:#?}");
}

#[test]
fn what_goes_on_is_shown() {
    let project = deployed("watch");
    let top = done(&project, &["top"]);
    assert!(
        top.stdout.contains("PID") && top.stdout.contains("httpd"),
        "{top:#?}"
    );
    let stats = done(&project, &["stats", "--no-stream", "--json"]);
    let stats: serde_json::Value = serde_json::from_str(&stats.stdout).expect("JSON");
    assert!(stats["memory"].as_u64().expect("bytes") > 0, "{stats}");
    let table = done(&project, &["stats", "--no-stream", "web"]);
    assert!(table.stdout.starts_with("CONTAINER"), "{table:#?}");

    // The daemon remembers 256 events, which others have, too: what is past may be forgotten, and the
    // first restart may be over before anybody listens.
    let events = project.start(&["events", "--json", "--since", "1h"]);
    until("a restart is told", || {
        done(&project, &["restart", "-t", "0"]);
        events.output().contains("\"action\":\"restart\"")
    });
    let output = events.output();
    let line = output.lines().find(|line| line.contains("\"die\""));
    let event: serde_json::Value = serde_json::from_str(line.expect("its end")).expect("JSON");
    assert_eq!(event["service"], "web");
    assert!(event["exit-code"].is_number(), "{event}");
}
