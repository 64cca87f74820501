use std::fs::{File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::*;
use crate::app::GeneratedFile;
use crate::context::tests::{build, folder};

fn load(root: &Path) -> Context {
    Context::load(&build(root)).expect("a context")
}

fn paths(context: &Context, part: Part, wanted: &[&str]) -> Vec<String> {
    let wanted: Vec<_> = wanted.iter().map(|&path| path.to_owned()).collect();
    let listed = context.list(part, &wanted).expect("a list");
    listed.iter().map(|one| one.path.to_owned()).collect()
}

/// The times that a builder is told.
fn times(root: &Path, generated: &str) -> Vec<(String, i64)> {
    let mut build = build(root);
    let file = GeneratedFile {
        contents: generated.as_bytes().into(),
        executable: false,
    };
    build.generated.insert("made".to_owned(), file);
    let context = Context::load(&build).expect("a context");
    let listed = context.list(Part::Context, &[]).expect("a list");
    let pair = |one: &Listed<'_>| (one.path.to_owned(), one.modified);
    listed.iter().map(pair).collect()
}

fn set(path: &Path, nanoseconds: u64) {
    let file = File::options().write(true).open(path).expect("a file");
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds);
    file.set_modified(time).expect("a time");
}

#[test]
fn folders_come_before_what_is_in_them_and_everything_in_the_order_of_a_walk() {
    let folder = folder(&[
        ("a/z", ""),
        ("a-b", ""),
        ("a.c/x", ""),
        ("a!", ""),
        ("é", ""),
    ]);
    let context = load(folder.path());
    let walk = ["a", "a/z", "a!", "a-b", "a.c", "a.c/x", "é"];
    assert_eq!(paths(&context, Part::Context, &[]), walk);
    let some = ["a", "a/z", "a.c", "a.c/x"];
    assert_eq!(paths(&context, Part::Context, &["a.c/x", "a", "a/z"]), some);
}

#[test]
fn an_ignored_dockerfile_is_in_its_own_list_alone() {
    let folder = folder(&[
        ("docker/file", "FROM scratch"),
        (".dockerignore", "docker\n.d*"),
        ("a", ""),
    ]);
    let mut build = build(folder.path());
    build.dockerfile_path = "docker/file".to_owned();
    build.dockerfile = Some("FROM plugin".to_owned());
    let context = Context::load(&build).expect("a context");
    assert_eq!(paths(&context, Part::Context, &[]), ["a"]);
    let own = ["docker", "docker/file"];
    assert_eq!(
        paths(&context, Part::Dockerfile, &["./docker/file", "x"]),
        own
    );
    assert_eq!(paths(&context, Part::Dockerfile, &["a"]), ["a"]);
    let listed = context.list(Part::Dockerfile, &[]).expect("a list");
    let file = listed.iter().find(|one| one.path == "docker/file");
    let file = file.expect("the Dockerfile");
    let mut text = String::new();
    let mut open = context.open_listed(file).expect("it opens");
    open.read_to_string(&mut text).expect("it is read");
    assert_eq!((text.as_str(), file.size), ("FROM plugin", 11));
}

#[test]
fn what_is_listed_is_what_there_is() {
    let folder = folder(&[("tool", "12345")]);
    let tool = folder.path().join("tool");
    std::fs::set_permissions(&tool, Permissions::from_mode(0o4750)).expect("chmod");
    symlink("../out", folder.path().join("link")).expect("a link");
    std::fs::hard_link(&tool, folder.path().join("tool-2")).expect("a link");
    set(&tool, 7_000_000_009);
    let context = load(folder.path());
    let listed = context.list(Part::Context, &[]).expect("a list");
    let [link, tool, again] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!((link.kind, link.size), (ListedKind::Link("../out"), 6));
    assert_eq!((tool.kind, tool.size), (ListedKind::File, 5));
    assert_eq!((tool.mode, tool.modified), (0o4750, 7_000_000_009));
    assert_eq!((again.kind, again.size), (ListedKind::Again("tool"), 0));
    assert_eq!((again.mode, again.modified), (tool.mode, tool.modified));
}

#[test]
fn whole_seconds_get_a_fraction_that_says_what_changed() {
    let folder = folder(&[("clock", "x"), ("old", "x"), ("older", "x")]);
    let path = |name: &str| folder.path().join(name);
    let age = || {
        set(&path("clock"), 5_000_000_001);
        set(&path("old"), 5_000_000_000);
        set(&path("older"), 4_000_000_000);
    };
    age();
    let first = times(folder.path(), "1");
    let [(_, clock), (_, made), (_, old), (_, older)] = first[..] else {
        panic!("{first:?}")
    };
    assert_eq!(clock, 5_000_000_001, "a clock's time is left alone");
    assert_eq!((made / SECOND, old / SECOND, older / SECOND), (0, 5, 4));
    assert_eq!(old % SECOND, older % SECOND, "the order stays");
    assert_eq!(times(folder.path(), "1"), first, "nothing changed");

    let other = times(folder.path(), "2");
    assert_ne!(other[1], first[1], "what a plugin wrote did");
    assert_eq!((&other[0], &other[2..]), (&first[0], &first[2..]));

    std::fs::write(path("old"), "y").expect("written");
    age();
    let other = times(folder.path(), "1");
    assert_ne!(
        other[2], first[2],
        "a file did, though its time and size did not"
    );
    assert_eq!(other[..2], first[..2]);
}

#[test]
fn a_file_that_is_gone_or_changed_is_an_error_with_its_path() {
    let folder = folder(&[("a", "a"), ("z", "z")]);
    let z = folder.path().join("z");
    let context = load(folder.path());
    let listed = context.list(Part::Context, &[]).expect("a list");
    std::fs::write(&z, "longer").expect("written");
    let error = context.open_listed(&listed[1]).expect_err("it grew");
    assert!(matches!(error, ContextError::Changed { path } if path == z));

    std::fs::write(&z, "z").expect("written");
    let mut open = context.open_listed(&listed[1]).expect("it opens");
    std::fs::write(&z, "").expect("written");
    let error = open.read_to_end(&mut Vec::new()).expect_err("it shrank");
    let error = context.reading_failed(&listed[1], error);
    assert!(matches!(error, ContextError::Changed { path } if path == z));

    std::fs::remove_file(&z).expect("removed");
    for error in [
        context.open_listed(&listed[1]).expect_err("it is gone"),
        context.list(Part::Context, &[]).expect_err("it is gone"),
    ] {
        assert!(matches!(error, ContextError::Read { path, .. } if path == z));
    }
    std::fs::create_dir(&z).expect("a folder");
    let error = context.list(Part::Context, &[]).expect_err("a folder");
    assert!(matches!(error, ContextError::Changed { path } if path == z));
}
