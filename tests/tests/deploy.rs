//! Deploying against a real daemon.

use rengine_tests::{Project, plugin};

#[test]
fn a_first_deploy_answers_and_a_second_does_nothing() {
    let project = Project::new("first", "hello one", "");
    let first = project.rengine(&["deploy"]);
    assert_eq!(first.code, 0, "{first:?}");
    let address = format!("http://localhost:{}", project.port);
    assert!(first.stdout.contains(&address), "{first:?}");
    assert!(project.get().expect("an answer").contains("hello one"));
    let container = project.containers();

    let second = project.rengine(&["deploy"]);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.stderr.contains("nothing to do"), "{second:?}");
    assert_eq!(project.containers(), container);

    project.write("index.html", "hello two");
    let changed = project.rengine(&["deploy"]);
    assert_eq!(changed.code, 0, "{changed:?}");
    assert!(project.get().expect("an answer").contains("hello two"));
    assert_eq!(project.containers().len(), 1);

    let down = project.rengine(&["down"]);
    assert_eq!(down.code, 0, "{down:?}");
    assert!(project.containers().is_empty());
}

#[test]
fn a_changed_limit_reaches_the_container() {
    let project = Project::new("limit", "hello", "memory = \"32MiB\"");
    // plugins.toml is in the build context, as any file there, unless it is ignored.
    project.write(".dockerignore", "plugins.toml\n");
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    assert_eq!(project.inspect()["HostConfig"]["Memory"], 32 << 20);
    project.configure("memory = \"48MiB\"");
    let plan = project.rengine(&["plan"]);
    assert!(
        plan.stdout.contains("memory \"32MiB\" → \"48MiB\""),
        "{plan:?}"
    );
    assert!(!plan.stdout.contains("build"), "{plan:?}");
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    assert_eq!(project.inspect()["HostConfig"]["Memory"], 48 << 20);
}

#[test]
fn an_unhealthy_release_is_taken_back() {
    let project = Project::new("unhealthy", "the good one", "");
    let first = project.rengine(&["deploy"]);
    assert_eq!(first.code, 0, "{first:?}");
    let good = project.containers();
    project.configure("command = [\"sh\", \"-c\", \"echo last words; exit 7\"]");
    let failed = project.rengine(&["deploy"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("last words"), "{failed:?}");
    assert!(failed.stderr.contains("rolled back"), "{failed:?}");
    assert_eq!(project.containers(), good, "{failed:?}");
    assert!(project.get().expect("an answer").contains("the good one"));
}

#[test]
fn plugins_change_the_container_and_can_say_no() {
    let harden = plugin("harden.wasm");
    let table = format!("[plugins.harden]\npath = \"{}\"", harden.display());
    let project = Project::new("harden", "hello", &table);
    let deployed = project.rengine(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:?}");
    let container = project.inspect();
    assert_eq!(container["Config"]["User"], "65532:65532");
    assert_eq!(container["HostConfig"]["ReadonlyRootfs"], true);
    let containers = project.containers();

    project.configure(&format!("privileged = true\n{table}"));
    let refused = project.rengine(&["deploy"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("harden"), "{refused:?}");
    assert_eq!(project.containers(), containers, "nothing was touched");
}

#[test]
fn bad_input_is_told_and_touches_nothing() {
    let project = Project::new("bad", "hello", "memroy = \"1m\"");
    let typo = project.rengine(&["deploy"]);
    assert_eq!(typo.code, 2, "{typo:?}");
    assert!(typo.stderr.contains("did you mean `memory`?"), "{typo:?}");
    project.configure("build = { dockerfile = \"None\" }");
    let missing = project.rengine(&["deploy"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(missing.stderr.contains("has no Dockerfile"), "{missing:?}");
    let usage = project.rengine(&["depoly"]);
    assert_eq!(usage.code, 2, "{usage:?}");
    project.configure("");
    let unreachable = project.rengine(&["-H", "unix:///no/such.sock", "status"]);
    assert_eq!(unreachable.code, 4, "{unreachable:?}");
    assert!(project.containers().is_empty());
}
