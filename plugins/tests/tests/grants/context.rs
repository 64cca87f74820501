//! The files of the build context, and the environment.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rengine::app::ImageBuild;
use rengine::context::Context;
use rengine::plugin::{ContextAccess, NoContext, Settings};

use crate::lab::{Log, context, host, load, pre_run, settings};

/// A folder, as far as the mount goes, and which of its files are sent.
struct Folder(PathBuf, Context);

impl ContextAccess for Folder {
    fn files(&self) -> Result<Vec<String>, String> {
        NoContext.files()
    }
    fn has_file(&self, path: &str) -> bool {
        NoContext.has_file(path)
    }
    fn read_file(&self, path: &str, limit: usize) -> Result<Vec<u8>, String> {
        NoContext.read_file(path, limit)
    }
    fn folder(&self) -> Option<&Path> {
        Some(&self.0)
    }
    fn sends(&self, file: &File) -> bool {
        self.1.sends(file)
    }
}

async fn pre_build(folder: &Path, settings: Settings) -> Vec<String> {
    let mut build = ImageBuild {
        context: folder.to_owned(),
        dockerfile_path: "Dockerfile".to_owned(),
        dockerfile: None,
        args: BTreeMap::new(),
        labels: BTreeMap::new(),
        target: None,
        platform: None,
        cache_from: Vec::new(),
        no_cache: false,
        pull: false,
        inline_cache: false,
        run: rengine::app::BuildRun::default(),
        tags: Vec::new(),
        contexts: BTreeMap::new(),
        generated: BTreeMap::new(),
    };
    let (plugin, log) = (load(&host(), settings).await, Log::default());
    let files = Context::load(&build).expect("a context");
    let files = Arc::new(Folder(folder.to_owned(), files));
    plugin
        .pre_build(&context(), &mut build, files, log.sink())
        .await
        .expect("it goes well");
    log.lines()
}

/// A context in a folder that also has a secret beside it, with links from one to the other.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let context = folder.path().join("context");
    std::fs::create_dir_all(context.join("sub")).expect("a folder");
    std::fs::write(context.join("file"), "inside").expect("a file");
    std::fs::write(folder.path().join("secret"), "outside").expect("a file");
    for (target, link) in [
        ("file", "good"),
        ("../secret", "relative"),
        ("..", "up"),
        ("/", "root"),
        ("/etc/passwd", "absolute"),
        ("sub/../../secret", "winding"),
    ] {
        symlink(target, context.join(link)).expect("a link");
    }
    symlink(folder.path().join("secret"), context.join("exact")).expect("a link");
    folder
}

#[tokio::test]
async fn the_context_is_read_and_nothing_else_is() {
    let folder = tree();
    let context = folder.path().join("context");
    let secret = folder.path().join("secret").display().to_string();
    let good: &[&[&str]] = &[
        &["read", "/context/file"],
        &["read", "/context/sub/../file"],
        &["read", "/context/good"],
    ];
    let lines = pre_build(&context, settings("context = \"read\"", good)).await;
    assert_eq!(lines, ["ok: inside"; 3]);

    let bad: &[&[&str]] = &[
        &["read", "/context/../secret"],
        &["read", "/context/sub/../../secret"],
        &["read", "/context/relative"],
        &["read", "/context/exact"],
        &["read", "/context/absolute"],
        &["read", "/context/winding"],
        &["read", "/context/up/secret"],
        &["read", "/context/root/etc/passwd"],
        &["read", "/etc/passwd"],
        &["read", &secret],
        &["list", "/context/.."],
        &["list", "/context/up"],
        &["list", "/context/root"],
        &["list", "/"],
        &["write", "/context/new"],
        &["write", "/context/file"],
        &["write", "/context/relative"],
        &["remove", "/context/file"],
        &["link", "/context/file", "/context/hard"],
        &["link", "/context/relative", "/context/hard"],
    ];
    let lines = pre_build(&context, settings("context = \"read\"", bad)).await;
    assert_eq!(lines.len(), bad.len());
    for (step, line) in bad.iter().zip(&lines) {
        assert!(line.starts_with("error: "), "{step:?}: {line}");
        assert!(!line.contains("there is no step"), "{step:?}: {line}");
    }
    let read = |name: &str| std::fs::read_to_string(context.join(name));
    assert_eq!(read("file").expect("it is still there"), "inside");
    assert!(read("new").is_err() && read("hard").is_err());
}

/// What the builder is not sent is not for plugins, whatever leads to it: secrets are in there.
#[tokio::test]
async fn files_that_are_ignored_can_not_be_opened() {
    let folder = tree();
    let context = folder.path().join("context");
    for (file, text) in [
        (".env", "TOKEN=hunter2"),
        ("sub/.env", "TOKEN=hunter2"),
        ("sub/kept.env", "kept"),
        ("keys/private", "hunter2"),
        ("keys/public", "kept"),
        (".dockerignore", "**/.env\nkeys\n!keys/public\n"),
    ] {
        std::fs::create_dir_all(context.join("keys")).expect("a folder");
        std::fs::write(context.join(file), text).expect("a file");
    }
    symlink("../.env", context.join("sub/to-env")).expect("a link");
    symlink("keys", context.join("to-keys")).expect("a link");

    let good: &[&[&str]] = &[
        &["read", "/context/sub/kept.env"],
        &["read", "/context/keys/public"],
        &["read", "/context/to-keys/public"],
    ];
    let lines = pre_build(&context, settings("context = \"read\"", good)).await;
    assert_eq!(lines, ["ok: kept"; 3]);

    let bad: &[&[&str]] = &[
        &["read", "/context/.env"],
        &["read", "/context/./sub/../.env"],
        &["read", "/context/sub/.env"],
        &["read", "/context/sub/to-env"],
        &["read", "/context/keys/private"],
        &["read", "/context/to-keys/private"],
    ];
    let lines = pre_build(&context, settings("context = \"read\"", bad)).await;
    assert_eq!(lines.len(), bad.len());
    for (step, line) in bad.iter().zip(&lines) {
        assert!(
            line.starts_with("error: Permission denied"),
            "{step:?}: {line}"
        );
    }

    // A hard link is the file itself, under a name that is sent.
    std::fs::hard_link(context.join(".env"), context.join("sent")).expect("a link");
    let steps: &[&[&str]] = &[&["read", "/context/sent"]];
    let lines = pre_build(&context, settings("context = \"read\"", steps)).await;
    assert_eq!(lines, ["ok: TOKEN=hunter2"]);
}

#[tokio::test]
async fn without_the_grant_there_are_no_files() {
    let folder = tree();
    let steps: &[&[&str]] = &[&["read", "/context/file"], &["list", "/context"]];
    let lines = pre_build(&folder.path().join("context"), settings("", steps)).await;
    for line in lines {
        assert!(line.starts_with("error: "), "{line}");
    }
}

#[tokio::test]
async fn the_context_is_there_for_the_build_alone() {
    let steps: &[&[&str]] = &[&["list", "/context"]];
    let tried = pre_run(&host(), settings("context = \"read\"", steps)).await;
    assert!(tried.line().starts_with("error: "), "{}", tried.line());
}

#[tokio::test]
async fn of_the_environment_only_what_is_granted_is_seen() {
    let steps: &[&[&str]] = &[&["env", "GRANTED"], &["env", "PATH"], &["env", "HOME"]];
    let settings = Settings {
        env: [("GRANTED".to_owned(), "here".to_owned())].into(),
        ..settings("", steps)
    };
    let tried = pre_run(&host(), settings).await;
    assert_eq!(tried.lines[0], "ok: here");
    for line in &tried.lines[1..] {
        assert!(line.starts_with("error: "), "{line}");
    }
}
