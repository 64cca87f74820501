//! Releases: their records, going back to one, and what becomes of old ones.

use std::process::Command;

use rengine_tests::{Outcome, Project, docker, on_podman, plugin};
use serde_json::Value;

fn done(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome
}

/// The records, the oldest first.
fn history(project: &Project) -> Vec<Value> {
    let told = done(project.rengine(&["history", "--json"]));
    let lines = told.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn page(project: &Project) -> String {
    let answer = project.get().expect("an answer");
    let (_, page) = answer.split_once("\r\n\r\n").expect("a body");
    page.trim().to_owned()
}

/// Makes a release that serves this page.
fn deploy(project: &Project, page: &str) -> Outcome {
    project.write("index.html", page);
    done(project.rengine(&["deploy"]))
}

fn volumes(project: &Project) -> Vec<String> {
    let filter = format!("label=dev.rengine.app={}", project.app);
    let names = docker(&["volume", "ls", "-q", "--filter", &filter]);
    names.lines().map(str::to_owned).collect()
}

fn images(project: &Project) -> usize {
    let filter = format!("label=dev.rengine.app={}", project.app);
    // Podman has an image of each step, which goes with the last one.
    let all = if on_podman() { "-q" } else { "-aq" };
    let ids = docker(&["images", all, "--no-trunc", "--filter", &filter]);
    ids.lines().collect::<std::collections::BTreeSet<_>>().len()
}

const FAST: &str = "stop-signal = \"KILL\"\nhealth = { http = \"/\" }\n";

#[test]
fn a_release_is_recorded_and_brought_back() {
    let table = format!(
        "{FAST}[plugins.harden]\npath = \"{}\"",
        plugin("harden.wasm").display()
    );
    let project = Project::new("rb", "one", &table);
    project.write(".dockerignore", "plugins.toml\n.git\n");
    let none = done(project.rengine(&["history"]));
    assert!(none.stdout.contains("has no releases yet"), "{none:?}");
    for (command, expected) in [
        ("rollback", "no release of"),
        ("show", "no release that succeeded"),
        ("diff", "no release that succeeded"),
    ] {
        let nothing = project.rengine(&[command]);
        assert_eq!(nothing.code, 2, "{nothing:?}");
        assert!(nothing.stderr.contains(expected), "{nothing:?}");
    }
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(project.path());
        git.args(["-c", "user.name=a", "-c", "user.email=a@b.c"])
            .args(args);
        assert!(git.output().expect("git runs").status.success(), "{args:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    deploy(&project, "one");
    let again = done(project.rengine(&["deploy"]));
    assert!(again.stderr.contains("nothing to do"), "{again:?}");
    let alone = project.rengine(&["diff"]);
    assert_eq!(alone.code, 2, "{alone:?}");
    let words: Vec<_> = alone.stderr.split_whitespace().collect();
    assert!(words.join(" ").contains("could be compared"), "{alone:?}");
    project.configure(&format!("memory = \"48MiB\"\n{table}"));
    deploy(&project, "two");
    let records = history(&project);
    assert_eq!(records.len(), 2, "one for each deploy that did something");
    let [first, second] = &records[..] else {
        unreachable!()
    };
    for (record, dirty) in [(first, false), (second, true)] {
        assert_eq!(record["outcome"], "succeeded");
        assert_eq!(record["git"]["dirty"], dirty, "{record}");
        assert_eq!(text(&record["git"]["commit"]).len(), 40);
        assert_eq!(record["plugins"][0]["name"], "harden");
        assert!(!text(&record["user"]).is_empty() && !text(&record["host"]).is_empty());
        let service = &record["services"]["web"];
        assert!(
            text(&service["image"]["id"]).starts_with("sha256:"),
            "{service}"
        );
        assert_eq!(
            service["container"]["cap-drop"], "[\"ALL\"]",
            "as the plugin made it"
        );
        let changes = record["changes"].as_array().expect("a list");
        assert!(changes.iter().any(|change| change["field"] == "cap-drop"));
        let steps = record["steps"].as_array().expect("a list");
        assert!(steps.iter().any(|step| step["operation"] == "build"));
    }
    let (one, two) = (text(&first["release"]), text(&second["release"]));
    assert_eq!(project.inspect()["HostConfig"]["Memory"], 48 << 20);
    let image = text(&project.inspect()["Image"]);
    assert_eq!(second["services"]["web"]["image"]["id"], image);

    let diff = done(project.rengine(&["diff"]));
    let expected = [
        "build.context",
        "memory \"256MiB\" → \"48MiB\" by harden",
        "image sha256:",
    ];
    for expected in expected {
        assert!(diff.stdout.contains(expected), "{expected}: {diff:?}");
    }
    let same = done(project.rengine(&["diff", &two, &two]));
    assert!(same.stdout.contains("nothing differs"), "{same:?}");

    // Sources that could not even be built are no matter.
    project.write("Dockerfile", "FROM no/such:image\n");
    let back = done(project.rengine(&["rollback"]));
    assert_eq!(page(&project), "one");
    assert!(!back.stderr.contains("build"), "{back:?}");
    let told = format!("back at release {one}");
    assert!(back.stderr.contains(&told), "{back:?}");
    assert_eq!(project.inspect()["HostConfig"]["Memory"], 256 << 20);
    assert_eq!(
        text(&project.inspect()["Image"]),
        text(&first["services"]["web"]["image"]["id"])
    );
    let latest = format!("{}-web:latest", project.app);
    let latest = docker(&["image", "inspect", "-f", "{{.Id}}", &latest]);
    assert_eq!(
        latest.trim(),
        text(&project.inspect()["Image"]),
        "latest goes back, too"
    );
    let records = history(&project);
    assert_eq!(records.len(), 3);
    assert_eq!(records[2]["rollback-to"], one.as_str());
    assert_eq!(
        records[2]["services"]["web"]["container"],
        first["services"]["web"]["container"]
    );
    assert_eq!(records[2]["git"], first["git"]);
    let again = project.rengine(&["rollback"]);
    assert_eq!(
        again.code, 2,
        "there is nothing before the first: {again:?}"
    );

    // Forth again, by the beginning of its id.
    let forth = done(project.rengine(&["rollback", &two[..8.min(two.len())]]));
    assert_eq!(page(&project), "two", "{forth:?}");
    let nothing = done(project.rengine(&["rollback", &two]));
    assert!(nothing.stderr.contains("nothing to do"), "{nothing:?}");
    assert_eq!(project.rengine(&["rollback", "zzz"]).code, 2);
    assert_eq!(project.rengine(&["show", "zzz"]).code, 2);
    let shown = done(project.rengine(&["show", &one]));
    for expected in ["cap-drop", "harden", "succeeded", "steps"] {
        assert!(shown.stdout.contains(expected), "{expected}: {shown:?}");
    }
    let shown = done(project.rengine(&["show", "--json", &one]));
    let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(&shown, first);
}

#[test]
fn what_fails_is_recorded_and_not_gone_back_to() {
    let project = Project::new("rbfail", "one", FAST);
    deploy(&project, "one");
    deploy(&project, "two");
    project.configure("stop-signal = \"KILL\"\nhealth = { command = [\"false\"], interval = \"100ms\", start-period = \"1ms\" }");
    project.write("index.html", "three");
    let failed = project.rengine(&["deploy"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let records = history(&project);
    assert_eq!(records.len(), 3);
    assert_eq!(records[2]["outcome"], "rolled-back");
    assert!(
        text(&records[2]["error"]).contains("not healthy"),
        "{}",
        records[2]
    );
    let steps = records[2]["steps"].as_array().expect("a list");
    assert!(steps.iter().any(|step| step["succeeded"] == false));
    done(project.rengine(&["rollback"]));
    assert_eq!(page(&project), "one");
    let unfit = project.rengine(&["rollback", &text(&records[2]["release"])]);
    // It has its image, and its health check fails again: the same gate as for a deploy.
    assert_eq!(unfit.code, 1, "{unfit:?}");
    assert_eq!(page(&project), "one", "taken back");
    assert_eq!(history(&project)[4]["outcome"], "rolled-back");
}

#[test]
fn a_killed_deploy_leaves_a_record_that_the_next_one_closes() {
    let project = Project::new("rbkill", "one", FAST);
    deploy(&project, "one");
    project.configure(
        "stop-signal = \"KILL\"\nhealth = { command = [\"false\"], interval = \"100ms\" }",
    );
    project.write("index.html", "two");
    let mut killed = project.start(&["deploy", "-v"]);
    killed.wait_for("✔ start");
    killed.signal("KILL");
    killed.finish();
    assert_eq!(
        history(&project)[1]["outcome"],
        "unfinished",
        "nobody makes it any more"
    );
    project.configure(FAST);
    deploy(&project, "three");
    let outcomes: Vec<_> = history(&project)
        .iter()
        .map(|record| text(&record["outcome"]))
        .collect();
    assert_eq!(outcomes, ["succeeded", "unfinished", "succeeded"]);
    assert_eq!(volumes(&project).len(), 3, "a volume for each record");
}

#[test]
fn old_releases_go_with_their_images() {
    let project = Project::new("rbkeep", "0", &format!("{FAST}[deploy]\nkeep = 2\n"));
    for number in 0..4 {
        deploy(&project, &number.to_string());
    }
    assert_eq!(history(&project).len(), 2);
    assert_eq!(images(&project), 2);
    done(project.rengine(&["rollback"]));
    assert_eq!(page(&project), "2");
    let records = history(&project);
    assert_eq!(records.len(), 2);
    assert_eq!(images(&project), 2);
    // A name that somebody gave keeps an image.
    let mine = format!("{}-mine:1", project.app);
    docker(&["tag", &format!("{}-web:latest", project.app), &mine]);
    for number in 5..8 {
        deploy(&project, &number.to_string());
    }
    assert_eq!(images(&project), 3);
    assert!(!docker(&["images", "-q", &mine]).is_empty());
    let gone = text(&records[0]["services"]["web"]["image"]["id"]);
    assert_eq!(
        docker(&["images", "-q", "--no-trunc"])
            .matches(&gone)
            .count(),
        0
    );
    docker(&["rmi", &mine]);

    done(project.rengine(&["down"]));
    assert_eq!(history(&project).len(), 2, "down forgets nothing");
    done(project.rengine(&["rollback"]));
    assert_eq!(page(&project), "7", "back to what ran last");
    done(project.rengine(&["down", "--images"]));
    let gone = project.rengine(&["rollback"]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.stderr.contains("is gone"), "{gone:?}");
    done(project.rengine(&["down", "--history"]));
    assert_eq!(volumes(&project), [""; 0]);
}

#[test]
fn a_secret_is_in_no_record_and_comes_back_as_it_is_now() {
    let compose = |app: &str, page: &str| {
        format!(
            "name: {app}\nservices:\n  web:\n    build: .\n    stop_signal: KILL\n    \
             secrets: [key]\n    environment: {{ PAGE: \"{page}\" }}\n    \
             command: [\"sh\", \"-c\", \"sleep 1000\"]\n\
             secrets:\n  key: {{ file: ./key.txt }}\n"
        )
    };
    let project = Project::new("rbsecret", "one", "");
    std::fs::remove_file(project.path().join("plugins.toml")).expect("it is there");
    project.write(".dockerignore", "*\n");
    project.write("Dockerfile", "FROM rengine/busybox:local\n");
    project.write("compose.yaml", &compose(&project.app, "one"));
    project.write("key.txt", "the first key");
    done(project.rengine(&["deploy"]));
    project.write("compose.yaml", &compose(&project.app, "two"));
    project.write("key.txt", "the second key");
    done(project.rengine(&["deploy"]));
    for volume in volumes(&project) {
        let kept = docker(&["volume", "inspect", &volume]);
        assert!(
            kept.contains("dev.rengine.record") && !kept.contains(" key\""),
            "{kept}"
        );
    }
    done(project.rengine(&["rollback"]));
    let env = project.inspect()["Config"]["Env"].to_string();
    assert!(env.contains("PAGE=one"), "{env}");
    let id = &project.containers()[0];
    assert_eq!(
        docker(&["exec", id, "cat", "/run/secrets/key"]),
        "the second key"
    );
    project.write(
        "compose.yaml",
        &compose(&project.app, "three")
            .replace("secrets: [key]", "labels: {}")
            .replace("secrets:\n  key: { file: ./key.txt }\n", ""),
    );
    done(project.rengine(&["deploy"]));
    let without = project.rengine(&["rollback"]);
    assert_eq!(without.code, 2, "{without:?}");
    assert!(without.stderr.contains("/run/secrets/key"), "{without:?}");
}
