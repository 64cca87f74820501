use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;

use super::*;
use crate::app::GeneratedFile;

pub(super) fn build(root: &Path) -> ImageBuild {
    ImageBuild {
        context: root.to_owned(),
        dockerfile_path: "Dockerfile".to_owned(),
        dockerfile: fs::read_to_string(root.join("Dockerfile")).ok(),
        args: BTreeMap::new(),
        labels: BTreeMap::new(),
        target: None,
        platform: None,
        cache_from: Vec::new(),
        no_cache: false,
        pull: false,
        inline_cache: false,
        run: crate::app::BuildRun::default(),
        tags: Vec::new(),
        contexts: BTreeMap::new(),
        generated: BTreeMap::new(),
    }
}

pub(super) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn files(context: &Context) -> Vec<&str> {
    context.files().collect()
}

/// The archive's entries: path, type, mode, contents or link.
async fn unpack(context: &Context) -> Vec<(String, u8, u32, String)> {
    let mut stream = context.tar();
    let report = stream.report();
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece.expect("a piece"));
    }
    assert_eq!(report.bytes_sent(), bytes.len() as u64);
    let mut archive = ::tar::Archive::new(&bytes[..]);
    let mut entries = Vec::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let link = entry
            .link_name()
            .expect("a link")
            .map(|link| link.to_string_lossy().into_owned());
        let kind = entry.header().entry_type().as_byte();
        let mode = entry.header().mode().expect("a mode");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).expect("text");
        entries.push((path, kind, mode, link.unwrap_or(text)));
    }
    entries
}

#[test]
fn an_ignore_file_beside_the_dockerfile_has_precedence() {
    let folder = folder(&[
        ("Dockerfile", "FROM scratch"),
        (".dockerignore", "a"),
        ("Dockerfile.dockerignore", "b"),
        ("a", ""),
        ("b", ""),
    ]);
    let context = Context::load(&build(folder.path())).expect("a context");
    assert_eq!(
        files(&context),
        [
            ".dockerignore",
            "Dockerfile",
            "Dockerfile.dockerignore",
            "a"
        ]
    );
}

#[test]
fn an_excluded_folder_is_there_for_what_an_exception_keeps() {
    let folder = folder(&[
        (".dockerignore", "*\n!keep/this\n!**/that"),
        ("keep/this", ""),
        ("keep/other", ""),
        ("drop/other", ""),
        ("deep/er/that", ""),
    ]);
    let context = Context::load(&build(folder.path())).expect("a context");
    assert_eq!(files(&context), ["deep/er/that", "keep/this"]);
    assert_eq!(
        context.folders().collect::<Vec<_>>(),
        ["deep", "deep/er", "keep"]
    );
    assert!(!context.has_dockerfile());
}

#[test]
fn a_folder_that_cannot_be_read_is_no_trouble_if_it_is_ignored() {
    let folder = folder(&[(".dockerignore", "private"), ("private/x", "")]);
    fs::set_permissions(
        folder.path().join("private"),
        fs::Permissions::from_mode(0o000),
    )
    .expect("chmod");
    assert!(Context::load(&build(folder.path())).is_ok());
    fs::set_permissions(
        folder.path().join("private"),
        fs::Permissions::from_mode(0o755),
    )
    .expect("chmod");
}

#[test]
fn a_bad_pattern_is_an_error_with_its_place() {
    let folder = folder(&[(".dockerignore", "a\n[b")]);
    let error = Context::load(&build(folder.path()))
        .expect_err("a bad pattern")
        .to_string();
    assert!(error.ends_with(".dockerignore, line 2: a character class isn't complete: write it like `[a-z]`, or `\\[` for a bracket"), "{error}");
}

#[tokio::test]
async fn what_plugins_changed_is_what_is_sent() {
    let folder = folder(&[
        ("Dockerfile", "FROM disk"),
        ("a", "disk"),
        (".dockerignore", "ignored"),
    ]);
    let mut build = build(folder.path());
    build.dockerfile = Some("FROM plugin".to_owned());
    let generated = |contents: &str, executable| GeneratedFile {
        contents: contents.into(),
        executable,
    };
    build
        .generated
        .insert("a".to_owned(), generated("plugin", false));
    build
        .generated
        .insert("new/tool".to_owned(), generated("#!", true));
    let context = Context::load(&build).expect("a context");
    let sent = unpack(&context).await;
    let text = |path: &str| {
        sent.iter()
            .find(|entry| entry.0 == path)
            .map(|entry| (entry.2, entry.3.as_str()))
    };
    assert_eq!(
        text("Dockerfile").map(|(_, text)| text),
        Some("FROM plugin")
    );
    assert_eq!(text("a"), Some((0o644, "plugin")));
    assert_eq!(text("new/tool"), Some((0o755, "#!")));
    assert_eq!(context.read_file("a", 100).expect("a"), b"plugin");
    assert_eq!(
        fs::read_to_string(folder.path().join("Dockerfile")).expect("text"),
        "FROM disk"
    );

    for path in ["../x", "/x", "x//y", "", "x/..", "Dockerfile/x"] {
        build.generated = BTreeMap::from([(path.to_owned(), generated("", false))]);
        assert!(
            Context::load(&build).is_err(),
            "`{path}` can't be generated"
        );
    }
}

#[tokio::test]
async fn an_ignored_dockerfile_is_sent_all_the_same() {
    let folder = folder(&[
        ("Dockerfile", "FROM scratch"),
        (".dockerignore", "Docker*\n.docker*"),
        ("a", ""),
    ]);
    let context = Context::load(&build(folder.path())).expect("a context");
    assert_eq!(files(&context), ["a"]);
    assert!(context.has_dockerfile());
    let names = |sent: Vec<(String, u8, u32, String)>| {
        sent.into_iter().map(|entry| entry.0).collect::<Vec<_>>()
    };
    let classic = unpack(&context).await;
    assert_eq!(classic[2].3, ".dockerignore\nDockerfile\n");
    assert_eq!(names(classic), ["a", "Dockerfile", ".dockerignore"]);
}

#[tokio::test]
async fn links_modes_and_long_names_are_kept() {
    let long = format!("{}/{}", "folder".repeat(20), "name".repeat(30));
    let folder = folder(&[("tool", "x"), (&long, "long")]);
    fs::set_permissions(
        folder.path().join("tool"),
        fs::Permissions::from_mode(0o750),
    )
    .expect("chmod");
    symlink("../outside", folder.path().join("link")).expect("a link");
    let _socket =
        std::os::unix::net::UnixListener::bind(folder.path().join("socket")).expect("a socket");
    let context = Context::load(&build(folder.path())).expect("a context");
    let sent = unpack(&context).await;
    assert!(sent.contains(&("tool".to_owned(), b'0', 0o750, "x".to_owned())));
    assert!(
        sent.iter()
            .any(|entry| entry.0 == "link" && entry.1 == b'2' && entry.3 == "../outside")
    );
    assert!(
        sent.iter()
            .any(|entry| entry.0 == long && entry.3 == "long")
    );
    assert!(!sent.iter().any(|entry| entry.0 == "socket"));
}

#[tokio::test]
async fn a_file_that_is_gone_ends_the_stream() {
    let folder = folder(&[("a", "a"), ("z", "z")]);
    let context = Context::load(&build(folder.path())).expect("a context");
    fs::remove_file(folder.path().join("z")).expect("removed");
    let mut stream = context.tar();
    let report = stream.report();
    let mut last = None;
    while let Some(piece) = stream.next().await {
        last = Some(piece);
    }
    assert!(last.is_some_and(|piece| piece.is_err()));
    let error = report.take_error().expect("an error").to_string();
    assert!(error.contains("/z"), "{error}");
}

#[test]
fn the_digest_is_of_what_a_builder_sees() {
    let digest = |root: &Path| {
        Context::load(&build(root))
            .and_then(|c| c.digest())
            .expect("a digest")
    };
    let text: Vec<(String, String)> = (0..100)
        .map(|n| (format!("f/{n}"), n.to_string()))
        .collect();
    let text: Vec<(&str, &str)> = text
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let folder = folder(&text);
    let root = folder.path();
    let first = digest(root);
    assert!(first.to_string().starts_with("sha256:") && first.to_string().len() == 71);

    let file = fs::File::options()
        .write(true)
        .open(root.join("f/1"))
        .expect("a file");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
        .expect("a time");
    fs::set_permissions(root.join("f/1"), fs::Permissions::from_mode(0o600)).expect("chmod");
    assert_eq!(digest(root), first, "times and reading rights don't count");

    fs::set_permissions(root.join("f/1"), fs::Permissions::from_mode(0o700)).expect("chmod");
    assert_ne!(digest(root), first, "the executable bit does");
    fs::set_permissions(root.join("f/1"), fs::Permissions::from_mode(0o644)).expect("chmod");
    assert_eq!(digest(root), first);

    fs::write(root.join("f/1"), "2").expect("written");
    assert_ne!(digest(root), first, "contents do");
    fs::write(root.join("f/1"), "1").expect("written");
    fs::rename(root.join("f/1"), root.join("f/x")).expect("renamed");
    assert_ne!(digest(root), first, "names do");
    fs::rename(root.join("f/x"), root.join("f/1")).expect("renamed");
    symlink("a", root.join("link")).expect("a link");
    let linked = digest(root);
    fs::remove_file(root.join("link")).expect("removed");
    symlink("b", root.join("link")).expect("a link");
    assert_ne!(digest(root), linked, "where a link leads does");
}

#[test]
fn only_what_is_sent_can_be_read() {
    let outside = folder(&[("secret", "x")]);
    let folder = folder(&[
        (".dockerignore", ".env"),
        (".env", "SECRET"),
        ("a/b", "text"),
    ]);
    let root = folder.path();
    symlink(outside.path().join("secret"), root.join("out")).expect("a link");
    symlink(".env", root.join("env")).expect("a link");
    symlink("a/b", root.join("in")).expect("a link");
    symlink(outside.path(), root.join("folder")).expect("a link");
    let context = Context::load(&build(root)).expect("a context");
    assert_eq!(context.read_file("a/b", 4).expect("text"), b"text");
    assert_eq!(context.read_file("in", 4).expect("text"), b"text");
    assert!(matches!(
        context.read_file("a/b", 3),
        Err(ContextError::TooLarge { .. })
    ));
    for path in [
        ".env",
        "env",
        "out",
        "folder/secret",
        "../x",
        "/etc/passwd",
        "a",
        "a/../a/b",
        "",
    ] {
        assert!(
            matches!(
                context.read_file(path, 100),
                Err(ContextError::NoSuchFile { .. })
            ),
            "`{path}`"
        );
    }
}
