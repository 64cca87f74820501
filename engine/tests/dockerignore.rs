//! The files that rengine sends are those that `docker build` sends: the real command says so,
//! with both of its builders.

mod daemon;

use std::collections::BTreeSet;
use std::path::Path;

use rengine::context::Context;

/// The tree that the ignore files are tried on.
const TREE: [&str; 24] = [
    "README.md",
    "README-secret.md",
    "main.go",
    "a.txt",
    "b.txt",
    "[x].txt",
    "with space",
    "docs/README.md",
    "docs/guide.md",
    "docs/deep/er/page.md",
    "docs/deep/notes.txt",
    "src/main.go",
    "src/main_test.go",
    "src/lib/lib.go",
    "src/lib/lib_test.go",
    "web/node_modules/left/pad.js",
    "web/app.js",
    "node_modules/right/pad.js",
    "build/out.bin",
    "build/keep/this",
    ".env",
    ".git/config",
    "x1/f",
    "x22/f",
];

/// Ignore files, and whether every client follows the rule: before Docker 23 they did not look
/// into a folder that is left out for an exception that starts with a wildcard, and the classic
/// builder's client still does not.
const IGNORE_FILES: [(&str, bool); 31] = [
    ("", true),
    ("# a comment\n\n  \n", true),
    ("*.md\n!README.md", true),
    ("*.md\n!README*.md\nREADME-secret.md", true),
    ("**/*.md", true),
    ("**/*.md\n!docs/README.md", true),
    ("node_modules", true),
    ("**/node_modules", true),
    ("/docs/\n", true),
    ("docs/*\n!docs/deep", true),
    ("docs\n!docs/deep/er", true),
    ("*\n!src", true),
    ("*\n!src/lib/lib.go", true),
    ("**\n!web/app.js", true),
    ("*\n!**/*.go", false),
    ("build\n!**/this", false),
    ("build/**\n!build/keep", true),
    ("?.txt", true),
    ("[ab].txt", true),
    ("[^a].txt", true),
    ("\\[x\\].txt", true),
    ("x?/f\nx??", true),
    ("**/*_test.go\nsrc/**/lib.go", true),
    (".*\n!.env", true),
    ("./a.txt\nsrc//main.go\ndocs/../b.txt", true),
    ("! main.go\n*.go\n!  src", true),
    ("\u{feff}a.txt\r\nb.txt\r\n", true),
    ("with space", true),
    ("Dockerfile", true),
    (".dockerignore\nDockerfile", true),
    (
        "*\n!docs/deep/er/page.md\ndocs/deep/er\n!docs/deep/**",
        true,
    ),
];

#[test]
fn the_classic_builder_is_sent_the_same_files() {
    compare("0");
}

#[test]
fn buildkit_is_sent_the_same_files() {
    compare("1");
}

fn compare(buildkit: &str) {
    let program = daemon::docker_with(buildkit);
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    plant(root);

    for (ignore, _) in IGNORE_FILES.iter().filter(|(_, every)| *every) {
        std::fs::write(root.join(".dockerignore"), ignore).expect("a file");
        let ours = our_files(root);
        let theirs = their_files(program, buildkit, root);
        assert_eq!(
            ours, theirs,
            "ignore file {ignore:?}, DOCKER_BUILDKIT={buildkit}"
        );
    }
}

#[test]
fn exceptions_with_a_wildcard_reach_into_folders_as_newer_clients_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    plant(root);
    let files = |ignore: &str| {
        std::fs::write(root.join(".dockerignore"), ignore).expect("a file");
        our_files(root)
    };
    let go = files("*\n!**/*.go");
    assert!(
        go.contains("src/lib/lib.go") && !go.contains("web/app.js"),
        "{go:?}"
    );
    let this = files("build\n!**/this");
    assert!(
        this.contains("build/keep/this") && !this.contains("build/out.bin"),
        "{this:?}"
    );
}

/// Makes [`TREE`], with a link, an empty folder and a Dockerfile.
fn plant(root: &Path) {
    for path in TREE {
        std::fs::create_dir_all(root.join(path).parent().expect("a parent")).expect("a folder");
        std::fs::write(root.join(path), path).expect("a file");
    }
    std::fs::create_dir(root.join("empty")).expect("a folder");
    std::os::unix::fs::symlink("main.go", root.join("link.go")).expect("a link");
    std::fs::write(root.join("Dockerfile"), "FROM scratch\nCOPY . /\n").expect("a file");
}

/// Files, and folders with a `/` at their end.
fn our_files(root: &Path) -> BTreeSet<String> {
    let build = daemon::image_build(root, "FROM scratch\nCOPY . /\n");
    let context = Context::load(&build).expect("a context");
    let folders = context.folders().map(|path| format!("{path}/"));
    context.files().map(str::to_owned).chain(folders).collect()
}

fn their_files(program: &str, buildkit: &str, root: &Path) -> BTreeSet<String> {
    let docker = |arguments: &[&str]| {
        let output = daemon::cli(program, arguments, &[("DOCKER_BUILDKIT", buildkit)]);
        output.unwrap_or_else(|error| panic!("docker {arguments:?}: {error}"))
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text").trim().to_owned();
    let path = root.to_str().expect("a path");
    let mut cleanup = daemon::Cleanup::default();
    // Looking for a layer in the cache, the classic builder reads every image of the daemon, and
    // fails if one is removed meanwhile, as by the test beside this one.
    let image = text(docker(&["build", "-q", "--no-cache", path]));
    cleanup.image(&image);
    let container = text(docker(&["create", "--label", "dk=1", &image, "none"]));
    cleanup.container(&container);
    let mut archive = docker(&["export", &container]);
    drop(cleanup);

    let mut files = BTreeSet::new();
    for entry in tar::Archive::new(&mut &archive[..])
        .entries()
        .expect("an archive")
    {
        let entry = entry.expect("an entry");
        files.insert(String::from_utf8_lossy(&entry.path_bytes()).into_owned());
    }
    archive.clear();
    // What every container has, whatever its image.
    let own = ["dev/", "etc/", "proc/", "sys/", ".dockerenv"];
    files.retain(|path| !own.iter().any(|own| path.starts_with(own)));
    files
}
