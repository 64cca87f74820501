//! Stopping rengine in the middle: what ran before runs on, and the next deploy converges.

use std::os::unix::net::UnixListener;

use rengine_tests::compose::App;
use rengine_tests::tidy::done;
use rengine_tests::watching::{history, release};
use rengine_tests::{Project, Running, docker, until};

/// The port answers with a page, even if the server needs a moment.
fn answers(project: &Project, page: &str) {
    until(&format!("the app answers {page}"), || {
        project.get().is_ok_and(|text| text.contains(page))
    });
}

/// Names of the app's containers, its lock among them, but not its edge.
fn names(project: &Project) -> String {
    let filter = format!("name={}", project.app);
    let listed = docker(&["ps", "-a", "--format", "{{.Names}}", "--filter", &filter]);
    let edge = format!("{}-edge", project.app);
    let others = listed.lines().filter(|name| *name != edge);
    others.map(|name| format!("{name}\n")).collect()
}

/// Deploys again as it should be, and finds one container and no lock.
fn converges(project: &Project) {
    project.write("index.html", "the next one");
    project.configure("stop-timeout = \"1s\"");
    let next = project.rengine(&["deploy"]);
    assert_eq!(next.code, 0, "{next:?}");
    answers(project, "the next one");
    let names = names(project);
    assert_eq!(names.lines().count(), 1, "{names}");
    assert!(
        !names.contains("candidate") && !names.contains("lock"),
        "{names}"
    );
}

#[test]
fn ctrl_c_in_a_build_leaves_the_old_one_alone() {
    let project = Project::new("int-build", "the old one", "stop-timeout = \"1s\"");
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    let old = project.containers();
    let dockerfile = "FROM rengine/busybox:local\nRUN echo began; sleep 50\n";
    project.write("Dockerfile", dockerfile);
    let mut deploy = project.start(&["deploy"]);
    deploy.wait_for("sleep 50");
    deploy.signal("INT");
    let ended = deploy.finish();
    assert_eq!(ended.code, 130, "{ended:?}");
    assert!(ended.stderr.contains("interrupted"), "{ended:?}");
    assert_eq!(project.containers(), old);
    answers(&project, "the old one");
    project.write(
        "Dockerfile",
        "FROM rengine/busybox:local\nCOPY index.html /www/\n\
         CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n",
    );
    converges(&project);
}

#[test]
fn ctrl_c_does_not_wait_for_a_daemon_that_does_not_answer() {
    let project = Project::new("int-mute", "hello", "");
    for command in ["deploy", "rollback"] {
        // One for each, since it asks more than once.
        let socket = project.path().join(format!("{command}.sock"));
        let mute = UnixListener::bind(&socket).expect("a socket");
        let url = format!("unix://{}", socket.display());
        let waiting = project.start(&["--host", &url, command]);
        let _asked = mute.accept().expect("it connects");
        waiting.signal("INT");
        // Not 4, as when the daemon's time is over.
        let ended = waiting.finish();
        assert_eq!(ended.code, 130, "{command}: {ended:?}");
        let told = ended.stderr.contains("interrupted");
        assert!(told, "{command}: {ended:?}");
    }
}

/// A deploy that waits for health.
const NEVER_HEALTHY: &str =
    "stop-timeout = \"1s\"\nhealth = { command = [\"false\"], interval = \"200ms\" }";
/// The same where the new container has the port, and the old one is stopped.
const ALONE: &str = "strategy = \"recreate\"\nstop-timeout = \"1s\"\nhealth = { command = [\"false\"], interval = \"200ms\" }";
const HEALTHY: &str = "stop-timeout = \"1s\"";

#[test]
fn ctrl_c_while_it_waits_for_health_takes_the_new_one_back() {
    let project = Project::new("int-health", "the old one", "stop-timeout = \"1s\"");
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    let old = project.containers();
    for (signal, config) in [("INT", NEVER_HEALTHY), ("TERM", ALONE)] {
        project.configure(config);
        project.write("index.html", signal);
        let mut deploy = project.start(&["deploy", "-v"]);
        deploy.wait_for("✔ start");
        deploy.signal(signal);
        let ended = deploy.finish();
        assert_eq!(ended.code, 130, "{ended:?}");
        assert_eq!(project.containers(), old, "{ended:?}");
        answers(&project, "the old one");
    }
    converges(&project);
}

const WEB: &str = r#"
services:
  web:
    build: .
    ports: ["PORT:8080"]
    stop_signal: KILL
    healthcheck: { test: ["CMD", "true"], interval: 50ms }
"#;

/// An app of which a third release has taken over, and whose old container has not ended yet: it is told
/// to by a file. The deploy goes on.
fn taken_over(name: &str) -> (App, Running, String) {
    let app = App::new(name, WEB);
    for page in ["one", "two"] {
        app.0.write("index.html", page);
        app.deployed();
    }
    let old = app.0.containers().remove(0);
    app.0.write("index.html", "three");
    let wait = "until [ -e /go ]; do sleep 0.1; done";
    app.write(&format!(
        "{WEB}    pre_stop:\n      - command: [\"sh\", \"-c\", \"{wait}\"]\n"
    ));
    let mut deploy = app.0.start(&["deploy", "-v"]);
    deploy.wait_for("✔ drain");
    (app, deploy, old)
}

/// `rengine rollback` goes back from the third release to the second, and not to the first.
fn goes_back(app: &App, third: &str) {
    let records = history(&app.0);
    assert_eq!(records[2]["outcome"], third, "{records:#?}");
    let shown = done(app.0.rengine(&["show"])).stdout;
    assert!(shown.contains(&release(&app.0, 3)), "it runs: {shown}");
    app.done(&["rollback"]);
    answers(&app.0, "two");
    let records = history(&app.0);
    assert_eq!(records[3]["rollback-to"], records[1]["release"]);
    assert_eq!(names(&app.0).lines().count(), 1, "{}", names(&app.0));
}

#[test]
fn ctrl_c_once_it_has_taken_over_lets_it_come_to_its_end() {
    let (app, mut deploy, old) = taken_over("over-int");
    deploy.signal("INT");
    deploy.wait_for("brought to its end");
    docker(&["exec", &old, "touch", "/go"]);
    let deployed = done(deploy.finish());
    assert!(deployed.stdout.contains("web"), "{deployed:?}");
    answers(&app.0, "three");
    let new = app.0.containers();
    assert!(new.len() == 1 && new[0] != old, "{deployed:?}");
    goes_back(&app, "succeeded");
}

#[test]
fn what_was_killed_once_it_had_taken_over_is_gone_back_from() {
    let (app, deploy, _) = taken_over("over-kill");
    deploy.signal("KILL");
    deploy.finish();
    answers(&app.0, "three");
    goes_back(&app, "unfinished");
}

#[test]
fn after_a_kill_the_next_deploy_converges() {
    let project = Project::new("kill", "the old one", "stop-timeout = \"1s\"");
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    for (step, config) in [
        ("✔ build", ALONE),
        ("✔ create", ALONE),
        ("✔ stop", ALONE),
        ("✔ start", ALONE),
        ("✔ create", NEVER_HEALTHY),
        ("✔ start", NEVER_HEALTHY),
        ("✔ route", HEALTHY),
        ("✔ drain", HEALTHY),
        ("✔ commit", HEALTHY),
    ] {
        project.configure(config);
        project.write("index.html", step);
        let mut deploy = project.start(&["deploy", "-v"]);
        deploy.wait_for(step);
        deploy.signal("KILL");
        deploy.finish();
        converges(&project);
    }
}

#[test]
fn two_deploys_at_once_do_not_meet() {
    let project = Project::new("two", "the old one", NEVER_HEALTHY);
    let mut first = project.start(&["deploy", "-v"]);
    first.wait_for("✔ start");
    project.write("index.html", "another");
    let second = project.rengine(&["deploy"]);
    assert_eq!(second.code, 5, "{second:?}");
    for text in ["is being deployed by", "rengine deploy", "--break-lock"] {
        assert!(second.stderr.contains(text), "{text}: {second:?}");
    }
    first.signal("INT");
    assert_eq!(first.finish().code, 130);
    assert!(
        project.containers().is_empty(),
        "a first release leaves nothing"
    );
    converges(&project);
}
