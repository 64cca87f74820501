//! The pages in `plugins/docs`: their commands are run as printed, their code is what `rengine
//! plugin new` writes, and the plugin that comes of it is used by a real deploy.

use std::path::Path;
use std::process::Command;

use rengine_tests::{Project, rengine};

/// The first block of a page in this language.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, rest) = page
        .split_once(&format!("\n```{language}\n"))
        .unwrap_or_else(|| panic!("a block in {language}: {page}"));
    let (block, _) = rest.split_once("```").expect("its end");
    block
}

/// Follows a page, whose code is in this language.
fn follow(name: &str, language: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = root.join(format!("plugins/docs/{name}.md"));
    let page = std::fs::read_to_string(&page).expect("the page");
    let project = Project::new(&format!("guide-{name}"), "hello", "");
    let folder = project.path().join("work");
    std::fs::create_dir(&folder).expect("a folder");
    project.write(".dockerignore", "work\n");

    let binary = rengine();
    let mut path = std::ffi::OsString::from(binary.parent().expect("its folder"));
    path.push(":");
    path.push(std::env::var_os("PATH").expect("a PATH"));
    let output = Command::new("bash")
        .args(["-euc", block(&page, "sh")])
        .current_dir(&folder)
        .env("PATH", path)
        // Shared by all projects, so that what they need is compiled once.
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects"),
        )
        .output()
        .expect("bash runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");

    let (before, _) = page.split_once("` has the hook").expect("a path");
    let (_, file) = before.rsplit_once('`').expect("a path");
    let written = std::fs::read_to_string(folder.join("team").join(file)).expect("the hook");
    assert_eq!(written, block(&page, language), "{name}: {file}");

    let table = block(&page, "toml").replace("../team/", "work/team/");
    project.configure(&table);
    let refused = project.rengine(&["plan"]);
    assert_eq!(refused.code, 3, "{refused:#?}");
    assert!(
        refused.stderr.contains("plugin `team` refused"),
        "{refused:#?}"
    );
    project.configure(&format!("memory = \"64MiB\"\n{table}"));
    let plan = project.rengine(&["plan"]);
    assert!(plan.stdout.contains("team: no-new-privileges"), "{plan:#?}");
    let deployed = project.rengine(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:#?}");
    let options = &project.inspect()["HostConfig"]["SecurityOpt"];
    assert!(
        options.to_string().contains("no-new-privileges"),
        "{options}"
    );
}

#[test]
fn rust() {
    follow("rust", "rust");
}

#[test]
fn python() {
    follow("python", "python");
}

#[test]
fn typescript() {
    follow("typescript", "ts");
}

#[test]
fn javascript() {
    follow("javascript", "js");
}

#[test]
fn go() {
    follow("go", "go");
}

#[test]
fn c() {
    follow("c", "c");
}

#[test]
fn the_example_in_c_has_the_helpers_of_new_projects() {
    let helpers = include_str!("../../engine/src/author/templates/c/rengine.h");
    let example = include_str!("../../examples/plugins/port-guard/src/rengine.h");
    assert!(helpers == example, "copy the one over the other");
}
