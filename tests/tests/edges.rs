//! The edge when rengine itself changes, and what it leaves in its container.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rengine_tests::load::Load;
use rengine_tests::tidy::done;
use rengine_tests::{Outcome, Project, docker, free_port, rengine};

/// The version that is tested, as programs have it inside.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// rengine as a later release: another program, which says of itself that it is newer. Only the
/// digits of its version differ, so everything else of it is what is tested here.
fn newer(folder: &Path, version: &str) -> PathBuf {
    assert_eq!(version.len(), VERSION.len());
    let mut program = std::fs::read(rengine()).expect("a program");
    let (old, new) = (VERSION.as_bytes(), version.as_bytes());
    let mut at = 0;
    while let Some(found) = find(&program[at..], old) {
        at += found;
        program[at..at + new.len()].copy_from_slice(new);
    }
    let path = folder.join(format!("rengine-{version}"));
    std::fs::write(&path, program).expect("a program");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    path
}

/// Where bytes are in others. The first of them is looked for fast.
fn find(all: &[u8], part: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += all.get(at..)?.iter().position(|byte| *byte == part[0])?;
        if all[at..].starts_with(part) {
            return Some(at);
        }
        at += 1;
    }
}

fn run(project: &Project, program: &Path, args: &[&str]) -> Outcome {
    let output = project.command_of(program, args).output();
    Outcome::from(output.expect("rengine runs"))
}

/// The names of the files in an edge's folder.
fn files(project: &Project) -> Vec<String> {
    let copy = tempfile::tempdir().expect("a folder");
    let from = format!("{}:/var/lib/rengine-edge", project.edges()[0]);
    docker(&["cp", &from, &copy.path().display().to_string()]);
    let entries = std::fs::read_dir(copy.path().join("rengine-edge")).expect("its folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The release of the edge that runs, as it says itself.
fn edge_version(project: &Project) -> String {
    let edge = &project.edges()[0];
    let said = docker(&["exec", edge, "/rengine", "edge", "ctl", "version"]);
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    said["version"].as_str().expect("a version").to_owned()
}

const SERVE: &str = "#!/bin/sh
nc -ll -p 9000 -e cat &
exec httpd -f -p 8080 -h /www
";

#[test]
fn a_newer_rengine_upgrades_the_edge_while_it_deploys() {
    let programs = tempfile::tempdir().expect("a folder");
    let [second, third] = ["0.1.1", "0.1.2"].map(|version| newer(programs.path(), version));
    let project = Project::new("edge-upgrade", "hello", "");
    let tcp = free_port();
    project.write(
        "Dockerfile",
        "FROM rengine/busybox:local\nCOPY index.html /www/\nCOPY --chmod=755 serve.sh /\n\
         CMD [\"/serve.sh\"]\n",
    );
    project.write("serve.sh", SERVE);
    project.write(".dockerignore", "plugins.toml\n");
    let release = |number: u32| {
        project.write(
            "plugins.toml",
            &format!(
                "[app]\nname = \"{}\"\nports = [\"{}:8080\", \"{tcp}:9000\"]\n\
                 env = {{ NUMBER = {number} }}\nstop-signal = \"KILL\"\nhealth = {{ http = \"/\" }}\n",
                project.app, project.port
            ),
        );
    };
    release(0);
    done(run(&project, &rengine(), &["deploy"]));
    let edge = project.edges();
    assert_eq!(edge_version(&project), VERSION);

    let loads = [
        ("HTTP", Load::http(project.port, 4)),
        ("TCP", Load::tcp(tcp, 2)),
    ];
    let upgraded = |program: &Path, number: u32, version: &str| {
        release(number);
        let deployed = done(run(&project, program, &["deploy"]));
        let step = deployed.stderr.contains("✔ upgrade");
        assert_eq!(edge_version(&project), version, "{deployed:?}");
        assert_eq!(project.edges(), edge, "{deployed:?}");
        step
    };
    assert!(upgraded(&second, 1, "0.1.1"));
    assert!(!upgraded(&second, 2, "0.1.1"), "once is enough");
    let again = done(run(&project, &second, &["deploy"]));
    assert!(again.stderr.contains("nothing to do"), "{again:?}");
    assert!(upgraded(&third, 3, "0.1.2"));
    // Who has the older one still deploys, and leaves the edge as it is.
    assert!(!upgraded(&second, 4, "0.1.2"));
    assert!(!upgraded(&rengine(), 5, "0.1.2"));
    done(run(&project, &third, &["rollback"]));
    for (what, load) in loads {
        let counts = load.stop();
        let told = format!(
            "{what}: {} well through two upgrades of the edge in six deploys, {} failed\n",
            counts.fine,
            counts.failed.len()
        );
        let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
        assert!(counts.failed.is_empty(), "{what}: {:?}", counts.failed);
        assert!(counts.fine > 100, "{what}: {counts:?}");
    }
    let files = files(&project);
    let programs = files.iter().filter(|name| name.starts_with("rengine-"));
    assert_eq!(programs.count(), 1, "only the one that runs: {files:?}");

    // The container's own program is the first one, and gives way to what it was upgraded to.
    docker(&["restart", "-t", "1", &edge[0]]);
    rengine_tests::until("it answers", || project.get().is_ok());
    assert_eq!(edge_version(&project), "0.1.2");
    release(6);
    let next = done(run(&project, &third, &["deploy"]));
    assert!(!next.stderr.contains("✔ upgrade"), "{next:?}");
    assert!(project.get().expect("an answer").contains("hello"));
}
