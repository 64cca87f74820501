//! Releases that get some of the requests first, and go on or are taken back by how they do.

use rengine_tests::compose::App;
use rengine_tests::load::Load;
use rengine_tests::{Project, docker, until};

/// A server that is well at `/up`, and whose other answers are what `BAD` says: every second one of
/// a connection is 500. With `FLAG` it is well as long as nobody has put a file there.
const SERVER: &str = r#"#!/bin/sh
end=$(printf '\r')
count=0
while read -r _ path _; do
  while read -r line && [ "$line" != "$end" ]; do :; done
  count=$((count + 1))
  status='200 OK'
  case $path in
    /up) [ -n "$FLAG" ] && [ -e /flags/bad ] && status='500 Not Well' ;;
    *) [ -n "$BAD" ] && [ $((count % 2)) = 0 ] && status='500 Bad' ;;
  esac
  printf 'HTTP/1.1 %s\r\ncontent-length: 3\r\n\r\nhi\n' "$status"
done
"#;
const DOCKERFILE: &str = r#"FROM rengine/busybox:local
COPY --chmod=755 server.sh /
CMD ["nc", "-ll", "-p", "8080", "-e", "/server.sh"]
"#;

fn serve(project: &Project) {
    project.write("Dockerfile", DOCKERFILE);
    project.write("server.sh", SERVER);
    // Files of the project that change are no reason to build.
    project.write(".dockerignore", "*\n!server.sh\n");
}

/// One that is tried out as `canary` says, with these variables; not judged by its latency, which depends on what
/// else the machine does.
fn tried(project: &Project, canary: &str, env: &str) {
    project.configure(&format!(
        "strategy = \"canary\"\ncanary = {{ {canary}, max-latency = \"1m\" }}\nenv = {{ {env} }}\nstop-timeout = \"1s\"\n\
         health = {{ http = \"/up\" }}"
    ));
}

fn edge(project: &Project) -> String {
    let filter = format!("label=dev.rengine.app={}", project.app);
    let with = "label=dev.rengine.edge.slots";
    let id = docker(&["ps", "-q", "--filter", &filter, "--filter", with]);
    id.trim().to_owned()
}

fn state(project: &Project) -> serde_json::Value {
    let words = ["exec", &edge(project), "/rengine", "edge", "ctl", "state"];
    serde_json::from_str(&docker(&words)).unwrap_or_default()
}

/// True while a group gets a share of the requests.
fn is_on_trial(project: &Project) -> bool {
    let state = state(project);
    let mut services = state["routes"]["services"]
        .as_object()
        .into_iter()
        .flatten();
    services.any(|(_, service)| service["shares"].is_object())
}

#[test]
fn a_bad_canary_is_taken_back_and_a_good_one_promoted() {
    let project = Project::new("canary", "", "");
    serve(&project);
    let quick = "share = \"20%\", for = \"3s\", min-requests = 20";
    tried(&project, quick, "NUMBER = 1");
    let first = project.rengine(&["deploy", "-v"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(
        !first.stderr.contains("judge"),
        "nothing to compare: {first:?}"
    );
    let old = project.containers();

    let load = Load::http(project.port, 4);
    let patient = "share = \"20%\", for = \"10m\", max-errors = \"2%\", min-requests = 50";
    tried(&project, patient, "NUMBER = 2, BAD = 1");
    let bad = project.rengine(&["deploy", "-v"]);
    assert_eq!(bad.code, 1, "{bad:?}");
    for text in [
        "the canary of service `web` is taken back",
        "requests failed",
        "limit 2%",
        "old containers: 0 of",
    ] {
        assert!(bad.stderr.contains(text), "{text}: {bad:?}");
    }
    assert_eq!(project.containers(), old, "{bad:?}");
    assert!(!is_on_trial(&project));
    let counts = load.stop();
    let failed = counts.failed.len();
    println!("{} well, {failed} failed of a bad canary", counts.fine);
    assert!(failed > 0, "nobody saw it");
    // Half of the answers of a fifth.
    assert!(
        failed * 5 <= counts.fine + failed,
        "{failed} of {}",
        counts.fine
    );
    let own = |text: &String| text.to_ascii_lowercase().contains("500 bad");
    assert!(counts.failed.iter().all(own), "{:?}", counts.failed);

    let load = Load::http(project.port, 4);
    tried(&project, quick, "NUMBER = 3");
    let plan = project.rengine(&["plan"]);
    assert!(
        plan.stdout.contains("20% of the requests for 3s"),
        "{plan:?}"
    );
    let good = project.rengine(&["deploy", "-v"]);
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.stderr.contains("✔ judge"), "{good:?}");
    assert!(good.stderr.contains("; before: "), "{good:?}");
    let counts = load.stop();
    println!(
        "{} well, {} failed of a good one",
        counts.fine,
        counts.failed.len()
    );
    assert!(counts.failed.is_empty(), "{:?}", counts.failed);
    assert_ne!(project.containers(), old);
    assert!(!is_on_trial(&project));
    // What ran before was judged once: it is back at once.
    let back = project.rengine(&["rollback", "-v"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert!(!back.stderr.contains("judge"), "{back:?}");
}

#[test]
fn a_canary_that_nobody_asks_is_promoted_if_it_stays_healthy() {
    let project = Project::new("canary-quiet", "", "");
    serve(&project);
    let canary = "for = \"2s\"";
    tried(&project, canary, "NUMBER = 1");
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    tried(&project, canary, "NUMBER = 2");
    let quiet = project.rengine(&["deploy", "-v"]);
    assert_eq!(quiet.code, 0, "{quiet:?}");
    assert!(quiet.stderr.contains("no requests came"), "{quiet:?}");
    // One that ends meanwhile is not healthy, whatever its figures.
    let old = project.containers();
    tried(&project, "for = \"10m\"", "NUMBER = 3");
    let deploy = project.start(&["deploy", "-v"]);
    until("it is tried out", || is_on_trial(&project));
    // The other one that is new is the lock, which does not run.
    for id in project.containers() {
        if !old.contains(&id) {
            docker(&["kill", &id]);
        }
    }
    let ended = deploy.finish();
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("is not healthy"), "{ended:?}");
    assert_eq!(project.containers(), old);
    assert!(!is_on_trial(&project));
    // An edge that was killed is started again, to be told who is to answer.
    tried(&project, "for = \"10m\"", "NUMBER = 4");
    let deploy = project.start(&["deploy", "-v"]);
    until("it is tried out", || is_on_trial(&project));
    docker(&["kill", &edge(&project)]);
    deploy.signal("INT");
    let ended = deploy.finish();
    assert_eq!(ended.code, 130, "{ended:?}");
    assert!(ended.stderr.contains("rolled back"), "{ended:?}");
    assert_eq!(project.containers(), old, "{ended:?}");
    tried(&project, canary, "NUMBER = 2");
    let next = project.rengine(&["deploy", "-v"]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!(project.containers(), old, "{next:?}");
    assert!(!is_on_trial(&project));
    assert!(project.get().is_ok_and(|answer| answer.contains("200")));
}

#[test]
fn a_deploy_that_ends_while_it_tries_out_loses_nothing() {
    let project = Project::new("canary-end", "", "");
    serve(&project);
    tried(&project, "for = \"1s\"", "NUMBER = 1");
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    let old = project.containers();
    let load = Load::http(project.port, 4);
    for (signal, code) in [("INT", 130), ("KILL", 137)] {
        tried(&project, "for = \"10m\", share = \"50%\"", "NUMBER = 2");
        let deploy = project.start(&["deploy", "-v"]);
        until("it is tried out", || is_on_trial(&project));
        deploy.signal(signal);
        let ended = deploy.finish();
        assert_eq!(ended.code, code, "{ended:?}");
        assert_eq!(is_on_trial(&project), signal == "KILL");
        if signal == "INT" {
            assert_eq!(project.containers(), old, "{ended:?}");
            continue;
        }
        // Killed: what is tried out is not taken for proven, and the old one is what is meant now.
        let status = project.rengine(&["status", "--json"]);
        assert_eq!(status.code, 0, "{status:?}");
        tried(&project, "for = \"1s\"", "NUMBER = 1");
        let back = project.rengine(&["deploy", "-v"]);
        assert_eq!(back.code, 0, "{back:?}");
        assert!(back.stderr.contains("✔ shift"), "{back:?}");
        assert_eq!(project.containers(), old, "{back:?}");
        assert!(!is_on_trial(&project));
    }
    // The same again, and then on to the new one.
    tried(&project, "for = \"10m\"", "NUMBER = 2");
    let deploy = project.start(&["deploy", "-v"]);
    until("it is tried out", || is_on_trial(&project));
    deploy.signal("KILL");
    deploy.finish();
    tried(&project, "for = \"1s\"", "NUMBER = 2");
    let on = project.rengine(&["deploy", "-v"]);
    assert_eq!(on.code, 0, "{on:?}");
    assert!(
        on.stderr.contains("✔ judge"),
        "it has proven nothing: {on:?}"
    );
    assert_eq!(project.containers().len(), 1, "{on:?}");
    let counts = load.stop();
    assert!(counts.failed.is_empty(), "{:?}", counts.failed);
    assert!(counts.fine > 100, "{counts:?}");
    let nothing = project.rengine(&["deploy"]);
    assert!(nothing.stderr.contains("nothing to do"), "{nothing:?}");
}

#[test]
fn who_has_no_edge_has_no_canary() {
    let project = Project::new("canary-none", "hello", "");
    project.configure("strategy = \"canary\"\nvolumes = [\"/data\"]\nnetwork = \"host\"");
    let none = project.rengine(&["deploy"]);
    assert_eq!(none.code, 2, "{none:?}");
    let text = none.stderr.replace("\n  │ ", " ");
    for part in ["plugins.toml:4:12", "`web`", "network mode"] {
        assert!(text.contains(part), "{part}: {none:?}");
    }
    assert!(project.containers().is_empty());
}

/// A Compose app of three containers that are replaced as `config` says.
fn three(app: &App, flags: &std::path::Path, config: &str, env: &str) {
    app.write(&format!(
        "services:\n  web:\n    build: .\n    ports: ['PORT:8080']\n    stop_grace_period: 1s\n    \
         environment: {{{env}}}\n    volumes: ['{}:/flags:ro']\n    \
         healthcheck: {{test: [CMD, wget, -q, -O, '-', 'http://127.0.0.1:8080/up'], interval: 500ms, retries: 2}}\n    \
         deploy: {{replicas: 3, update_config: {{{config}}}}}\n",
        flags.display()
    ));
}

fn running(project: &Project) -> usize {
    let filter = format!("label=dev.rengine.app={}", project.app);
    let listed = docker(&[
        "ps",
        "--filter",
        &filter,
        "--filter",
        "label=dev.rengine.service=web",
        "-q",
    ]);
    listed.lines().count()
}

/// Deploys, and gives the most and the fewest containers that were seen to run meanwhile.
fn watched(app: &App) -> (rengine_tests::Outcome, usize, usize) {
    let deploy = app.0.start(&["deploy", "-v"]);
    let (mut most, mut least) = (0, usize::MAX);
    until("it ends", || {
        let now = running(&app.0);
        most = most.max(now);
        least = least.min(now);
        let output = deploy.output();
        output.contains("✔ remove") || output.contains("Error") || output.contains("×")
    });
    (deploy.finish(), most, least)
}

#[test]
fn containers_are_replaced_a_few_at_a_time_and_all_come_back_if_one_fails() {
    let flags = tempfile::tempdir().expect("a folder");
    let app = App::new("batches", "");
    serve(&app.0);
    let more = "parallelism: 1, order: start-first";
    three(&app, flags.path(), more, "NUMBER: 1");
    app.deployed();
    let load = Load::http(app.0.port, 4);
    three(&app, flags.path(), more, "NUMBER: 2");
    let (done, most, least) = watched(&app);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!((most, least), (4, 3), "{done:?}");

    three(
        &app,
        flags.path(),
        "parallelism: 1, order: stop-first",
        "NUMBER: 3",
    );
    let (done, most, least) = watched(&app);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!((most, least), (3, 2), "{done:?}");

    // Killed in the middle: what is new and gets requests stays, and the rest follows.
    three(&app, flags.path(), more, "NUMBER: 4");
    let mut deploy = app.0.start(&["deploy", "-v"]);
    deploy.wait_for("✔ stop");
    deploy.signal("KILL");
    deploy.finish();
    app.deployed();
    assert_eq!(app.0.containers().len(), 3);
    assert_eq!(running(&app.0), 3);

    // The second one is not well any more when it comes.
    let before = app.0.containers();
    three(
        &app,
        flags.path(),
        "parallelism: 1, monitor: 1s",
        "NUMBER: 5, FLAG: 1",
    );
    let deploy = app.0.start(&["deploy", "-v"]);
    until("the first one is replaced", || {
        deploy.output().contains("✔ stop")
    });
    std::fs::write(flags.path().join("bad"), "").expect("a file");
    let failed = deploy.finish();
    assert_eq!(failed.code, 1, "{failed:?}");
    let mut after = app.0.containers();
    after.sort();
    let mut expected = before;
    expected.sort();
    assert_eq!(after, expected, "{failed:?}");
    assert_eq!(
        running(&app.0),
        3,
        "what was stopped runs again: {failed:?}"
    );
    let counts = load.stop();
    println!("{} well, {} failed", counts.fine, counts.failed.len());
    assert!(counts.failed.is_empty(), "{:?}", counts.failed);
    assert!(counts.fine > 100, "{counts:?}");
    let state = state(&app.0);
    let targets = &state["routes"]["services"]["web:8080"]["targets"];
    let active = targets.as_array().into_iter().flatten();
    let active = active.filter(|target| target["state"] == "active");
    assert_eq!(active.count(), 3, "{state}");
}
