//! Plans for reviewers: grouped, in JSON, and in a file that is carried out as it is or not at all.

use rengine_tests::{Outcome, Project, plugin};
use serde_json::Value;

fn done(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome
}

const FAST: &str = "stop-signal = \"KILL\"\nhealth = { http = \"/\" }\n";

fn harden() -> String {
    let path = plugin("harden.wasm");
    format!("[plugins.harden]\npath = \"{}\"\n", path.display())
}

fn file(project: &Project, name: &str) -> Value {
    let text = std::fs::read_to_string(project.path().join(name)).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_plan_in_a_file_is_carried_out_as_it_is() {
    let project = Project::new("plfile", "one", &format!("{FAST}{}", harden()));
    project.write(".dockerignore", "*\n!index.html\n");
    let planned = done(project.rengine(&["plan", "--out", "plan.json"]));
    assert!(planned.stdout.contains("+ build"), "{planned:?}");
    let plan = file(&project, "plan.json");
    let release = plan["release"].as_str().expect("an id").to_owned();
    let operations = plan["plan"]["operations"].as_array().expect("a list");
    assert!(operations.iter().any(|one| one["operation"] == "build"));
    let deployed = done(project.rengine(&["deploy", "plan.json"]));
    assert!(deployed.stderr.contains(&release), "{deployed:?}");
    assert_eq!(
        project.inspect()["Config"]["Labels"]["dev.rengine.release"],
        release.as_str()
    );
    let again = project.rengine(&["deploy", "plan.json"]);
    assert_eq!(again.code, 2, "{again:?}");
    let moved = format!(
        "the daemon's container {}-web-{release} is new",
        project.app
    );
    assert!(again.stderr.contains(&moved), "{again:?}");
    done(project.rengine(&["plan", "--out", "plan.json"]));
    let nothing = done(project.rengine(&["deploy", "plan.json"]));
    assert!(nothing.stderr.contains("nothing to do"), "{nothing:?}");
}

#[test]
fn what_moved_is_named_and_nothing_is_touched() {
    let project = Project::new("plmoved", "one", &format!("{FAST}{}", harden()));
    project.write(".dockerignore", "*\n!index.html\n");
    done(project.rengine(&["deploy"]));
    let own = project.path().join("own.wasm");
    std::fs::copy(plugin("harden.wasm"), &own).expect("a copy");
    let own = "[plugins.harden]\npath = \"own.wasm\"\n";
    project.configure(&format!("memory = \"48MiB\"\n{FAST}{own}"));
    let planned = done(project.rengine(&["plan", "--out", "plan.json"]));
    assert!(
        planned.stdout.contains("memory \"256MiB\" → \"48MiB\""),
        "{planned:?}"
    );
    let refused = |expected: &str| {
        let before = project.containers();
        let refused = project.rengine(&["deploy", "plan.json"]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains(expected), "{expected}: {refused:?}");
        assert_eq!(project.containers(), before);
    };
    project.write("index.html", "two");
    refused("service web: build.context is another");
    project.write("index.html", "one");
    project.configure(&format!("memory = \"64MiB\"\n{FAST}{own}"));
    refused("service web: memory is another");
    project.configure(&format!(
        "memory = \"48MiB\"\n{FAST}{own}timeout = \"9s\"\n"
    ));
    refused("plugin harden: settings is another");
    project.configure(&format!("memory = \"48MiB\"\n{FAST}{own}"));
    let copied = std::fs::copy(plugin("http_check.wasm"), project.path().join("own.wasm"));
    copied.expect("a copy");
    refused("plugin harden is another");
    let copied = std::fs::copy(plugin("harden.wasm"), project.path().join("own.wasm"));
    copied.expect("a copy");
    done(project.rengine(&["stop"]));
    refused("the daemon's container");
    done(project.rengine(&["start"]));
    done(project.rengine(&["deploy", "plan.json"]));
    assert_eq!(project.inspect()["HostConfig"]["Memory"], 48 << 20);
    let mut plan = file(&project, "plan.json");
    plan["app"] = "other".into();
    project.write("plan.json", &plan.to_string());
    refused("it is a plan of `other`");
    project.write("plan.json", "{}");
    refused("it is no plan");
}

#[test]
fn several_services_are_told_one_after_the_other() {
    let project = Project::new("plgroup", "one", "");
    let app = &project.app;
    let compose = format!(
        "name: {app}\nservices:\n  web:\n    image: rengine/busybox:local\n    depends_on: [db]\n  \
         db:\n    image: rengine/busybox:local\n"
    );
    project.write("compose.yaml", &compose);
    project.write("plugins.toml", &harden());
    let plan = done(project.rengine(&["plan"])).stdout;
    let lines: Vec<&str> = plan.lines().map(str::trim_end).collect();
    let place = |line: &str| lines.iter().position(|one| *one == line);
    let (web, db) = (place("  web").expect("web"), place("  db").expect("db"));
    let network = lines.iter().position(|line| line.contains("+ network"));
    assert!(network < Some(web.min(db)), "{plan}");
    let creates = |name: &str| {
        lines
            .iter()
            .position(|line| line.contains(&format!("{app}-{name}-")))
    };
    assert_eq!(creates("web"), Some(web + 1), "{plan}");
    assert_eq!(creates("db"), Some(db + 1), "{plan}");
}

/// The names of all members, but of those whose members are the app's own names.
fn members(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                into.push(name.clone());
                let own = ["basis", "spec", "build", "container", "edges", "slots"];
                if !own.contains(&name.as_str()) {
                    match name.as_str() {
                        "services" => value
                            .as_object()
                            .into_iter()
                            .flatten()
                            .for_each(|(_, one)| members(one, into)),
                        _ => members(value, into),
                    }
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, into)),
        _ => {}
    }
}

#[test]
fn the_reference_has_every_member() {
    let project = Project::new("pldocs", "one", &format!("{FAST}{}", harden()));
    done(project.rengine(&["deploy"]));
    project.configure(&format!("memory = \"48MiB\"\n{FAST}{}", harden()));
    done(project.rengine(&["plan", "--out", "plan.json"]));
    done(project.rengine(&["deploy"]));
    let diff = done(project.rengine(&["diff", "--json"]));
    done(project.rengine(&["rollback"]));
    done(project.rengine(&["lock", "hold", "-m", "text"]));
    let history = done(project.rengine(&["history", "--json"]));
    let lock = done(project.rengine(&["lock", "--json"]));
    let mut names = Vec::new();
    members(&file(&project, "plan.json"), &mut names);
    for told in [history, diff, lock] {
        for line in told.stdout.lines() {
            members(&serde_json::from_str(line).expect("JSON"), &mut names);
        }
    }
    done(project.rengine(&["lock", "release"]));
    let reference = include_str!("../../engine/JSON.md");
    // How the holder is found again is nobody else's.
    let inner = ["boot-id", "pid-start", "pid-namespace", "lease-ms"];
    for name in names.iter().filter(|name| !inner.contains(&name.as_str())) {
        assert!(
            reference.contains(&format!("`{name}`")),
            "{name} is not in engine/JSON.md"
        );
    }
}
