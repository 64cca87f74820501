//! What builders get of a context is what is in it, and BuildKit only what it has not; and what they make
//! of it: asked of real daemons.

mod daemon;

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rengine::app::{GeneratedFile, ImageBuild};
use rengine::context::{Context, ContextError};
use rengine::docker::{BuildEvent, BuilderChoice, Docker, DockerError};
use tokio::sync::mpsc;

use daemon::{Facts, files};

/// Builds, and gives the image and the bytes of files that the daemon asked for.
async fn build(docker: &Docker, build: &ImageBuild) -> (String, u64) {
    let (built, events) = daemon::build(docker, build, &[]).await;
    let image = built.expect("an image").id;
    let sent = |event: &BuildEvent| match event {
        BuildEvent::ContextSent { bytes } => Some(*bytes),
        _ => None,
    };
    (image, events.iter().filter_map(sent).max().unwrap_or(0))
}

#[track_caller]
fn same(some: &BTreeMap<String, Facts>, other: &BTreeMap<String, Facts>, what: &str) {
    assert!(some.keys().eq(other.keys()), "{what}: {some:?}, {other:?}");
    for (path, facts) in some {
        assert_eq!(Some(facts), other.get(path), "{path}, {what}");
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn set_time(path: &Path, seconds: u64) {
    let file = File::options().write(true).open(path).expect("a file");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    file.set_modified(time).expect("a time");
}

/// A folder with everything that folders have.
fn plant(root: &Path) {
    let long = format!("{}/{}", "folder".repeat(20), "name".repeat(60));
    let names = [
        "a/z",
        "a-b",
        "a.c/x",
        "a!",
        "é ü",
        "with space",
        "deep/er/file",
        "left/out",
        &long,
    ];
    for name in names {
        write(&root.join(name), name);
    }
    write(&root.join("empty-file"), "");
    write(&root.join("large"), &"7".repeat(100_000));
    fs::create_dir(root.join("empty")).expect("a folder");
    for (name, mode) in [
        ("a!", 0o600),
        ("a-b", 0o4755),
        ("deep/er/file", 0o755),
        ("deep/er", 0o2750),
    ] {
        fs::set_permissions(root.join(name), Permissions::from_mode(mode)).expect("chmod");
    }
    for (link, target) in [
        ("link", "deep/er/file"),
        ("to-folder", "./deep"),
        ("dangling", "/no/such"),
        ("deep/up", "../a"),
    ] {
        symlink(target, root.join(link)).expect("a link");
    }
    fs::hard_link(root.join("large"), root.join("again")).expect("a link");
    set_time(&root.join("a-b"), 1_000_000_000);
    let socket = std::os::unix::net::UnixListener::bind(root.join("socket"));
    drop(socket.expect("a socket"));
    write(&root.join(".dockerignore"), "left\nDockerfile\n");
    write(&root.join("Dockerfile"), "FROM scratch\nCOPY . /\n");
}

#[tokio::test]
async fn an_image_has_what_the_docker_command_and_the_classic_builder_put_into_it() {
    let folder = tempfile::tempdir().expect("a folder");
    plant(folder.path());
    let mut ours = daemon::image_build(folder.path(), "FROM scratch\nCOPY . /\n");
    // A layer that is there already may be of files with other times.
    ours.no_cache = true;
    let mut cleanup = daemon::Cleanup::default();

    let (image, _) = build(&daemon::connect().await, &ours).await;
    cleanup.image(&image);
    let sent = files(&image);
    assert!(sent.contains_key("deep/er/file") && sent.contains_key("empty/"));
    assert!(!sent.contains_key("Dockerfile") && !sent.contains_key("left/out"));

    let classic = daemon::connect_with(BuilderChoice::Classic).await;
    let (image, _) = build(&classic, &ours).await;
    cleanup.image(&image);
    let mut classic = sent.clone();
    for (kind, mode, .., contents) in classic.values_mut() {
        // Its own copying loses this.
        *mode &= !0o4000;
        // An archive has such a file twice.
        if *kind == b'1' {
            let first = String::from_utf8_lossy(contents).into_owned();
            (*kind, *contents) = (b'0', sent[&first].5.clone());
        }
    }
    same(
        &classic,
        &files(&image),
        "beside a tar for the classic builder",
    );

    let path = folder.path().to_str().expect("a path");
    let built = daemon::cli(
        daemon::docker_with("1"),
        &["build", "-q", "--no-cache", path],
        &[("DOCKER_BUILDKIT", "1")],
    );
    let image = String::from_utf8(built.expect("an image")).expect("text");
    cleanup.image(image.trim());
    let mut theirs = files(image.trim());
    // It makes an empty file of it, which no image has a use for.
    theirs.remove("socket");
    same(&sent, &theirs, "beside `docker build`");
}

#[tokio::test]
async fn only_what_is_copied_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    plant(folder.path());
    let text = "FROM scratch\nCOPY link to-folder/er/fil* /\n";
    let (image, sent) = build(
        &daemon::connect().await,
        &daemon::image_build(folder.path(), text),
    )
    .await;
    let mut cleanup = daemon::Cleanup::default();
    cleanup.image(&image);
    let names: Vec<_> = files(&image).into_keys().collect();
    assert_eq!(names, ["file", "link"]);
    assert!(sent < 1000, "{sent} bytes");
}

#[tokio::test]
async fn of_ten_thousand_files_those_that_changed_are_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    for number in 0..10_000 {
        write(
            &path(&format!("{}/{number}", number % 100)),
            &format!("{number:050}"),
        );
    }
    set_time(&path("1/101"), 1_000_000_000);
    let docker = daemon::connect().await;
    let of_folder = daemon::image_build(folder.path(), "FROM scratch\nCOPY . /\n");
    // BuildKit as of Docker 23 asks for the whole Dockerfile each time.
    let dockerfile = match docker.facts().has_api((1, 42)) {
        true => of_folder.dockerfile.as_deref().map_or(0, str::len) as u64,
        false => 0,
    };
    let mut cleanup = daemon::Cleanup::default();
    let (image, sent) = build(&docker, &of_folder).await;
    cleanup.image(&image);
    assert!(sent > 500_000, "{sent} bytes");

    fs::write(path("7/107"), "changed").expect("written");
    // An archive that is unpacked sets times: here the same one, for other contents of that size.
    let other = format!("{:050}", 5);
    fs::write(path("1/101"), &other).expect("written");
    set_time(&path("1/101"), 1_000_000_000);
    let (image, sent) = build(&docker, &of_folder).await;
    cleanup.image(&image);
    assert_eq!(sent, 57 + dockerfile, "bytes");
    let files = files(&image);
    assert_eq!(files["7/107"].5, b"changed");
    let (.., time, contents) = &files["1/101"];
    assert_eq!((*time, &contents[..]), (1_000_000_000, other.as_bytes()));

    let (_, sent) = build(&docker, &of_folder).await;
    assert_eq!(sent, dockerfile, "bytes");
}

#[tokio::test]
async fn what_plugins_write_is_new_though_it_is_as_long() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("disk"), "disk");
    let docker = daemon::connect().await;
    let mut cleanup = daemon::Cleanup::default();
    for word in ["one", "two"] {
        let text = format!("FROM scratch\nCOPY . /\nLABEL word={word}\n");
        let mut of_folder = daemon::image_build(folder.path(), &text);
        let file = GeneratedFile {
            contents: word.as_bytes().into(),
            executable: true,
        };
        of_folder
            .generated
            .insert("new/word".to_owned(), file.clone());
        of_folder.generated.insert("disk".to_owned(), file);
        let (image, _) = build(&docker, &of_folder).await;
        cleanup.image(&image);
        let files = files(&image);
        for path in ["new/word", "disk"] {
            let (_, mode, .., time, contents) = &files[path];
            assert_eq!(
                (*mode, *time, &contents[..]),
                (0o755, 0, word.as_bytes()),
                "{path}"
            );
        }
        assert_eq!(files["Dockerfile"].5, text.as_bytes());
        let label = ["inspect", "-f", "{{.Config.Labels.word}}", &image];
        let label = daemon::cli("docker", &label, &[]).expect("an image");
        assert_eq!(label.trim_ascii(), word.as_bytes());
    }
}

#[tokio::test]
async fn ignore_files_hold_wherever_they_are_and_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    plant(root);
    let docker = daemon::connect().await;
    let mut cleanup = daemon::Cleanup::default();
    let text = "FROM scratch\nCOPY . /\n";
    for (name, patterns) in [
        (".dockerignore", "*\n!**/x\n!deep"),
        (".dockerignore", "**\n!made"),
        // The one at the top does not count then, though the daemon reads it.
        ("docker/file.dockerignore", "*\n!large\n!left"),
    ] {
        write(&root.join(name), patterns);
        let mut of_folder = daemon::image_build(root, text);
        of_folder.dockerfile_path = "docker/file".to_owned();
        let file = GeneratedFile {
            contents: b"left out, but for who made it"[..].into(),
            executable: false,
        };
        of_folder.generated.insert("made".to_owned(), file);
        let context = Context::load(&of_folder).expect("a context");
        let (image, _) = build(&docker, &of_folder).await;
        cleanup.image(&image);
        let files = files(&image)
            .into_keys()
            .filter(|path| !path.ends_with('/'));
        let mut expected: Vec<_> = context.files().collect();
        expected.sort_unstable();
        assert_eq!(files.collect::<Vec<_>>(), expected, "{name}: {patterns}");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("a"), "a");
    write(&folder.path().join("gone"), "a");
    let of_folder = daemon::image_build(folder.path(), "FROM scratch\nCOPY . /\n");
    let context = Context::load(&of_folder).expect("a context");
    fs::remove_file(folder.path().join("gone")).expect("removed");
    let docker = daemon::connect().await;
    let (events, _) = mpsc::channel(16);
    let labels = BTreeMap::new();
    let built = docker
        .build(&of_folder, &context, &[], &labels, events)
        .await;
    let error = built.expect_err("a file is missing");
    let DockerError::Context(ContextError::Read { path, .. }) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*path, folder.path().join("gone"));
}

#[tokio::test]
async fn a_build_that_is_given_up_reads_nothing_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = folder.path().join("large");
    let file = File::create(&large).expect("a file");
    file.set_len(4 << 30).expect("a size");
    drop(file);
    let of_folder = daemon::image_build(folder.path(), "FROM scratch\nCOPY . /\n");
    let context = Context::load(&of_folder).expect("a context");
    let docker = daemon::connect().await;
    let (events, mut receiver) = mpsc::channel(16);
    let labels = BTreeMap::new();
    let building = docker.build(&of_folder, &context, &[], &labels, events);
    let sending = async {
        while let Some(event) = receiver.recv().await {
            if let BuildEvent::ContextSent { bytes: 1.. } = event {
                break;
            }
        }
    };
    tokio::select! {
        built = building => panic!("{built:?}"),
        () = sending => {}
    }
    let is_open = || {
        let open = fs::read_dir("/proc/self/fd").expect("a folder");
        let mut targets = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
        targets.any(|target| target == large)
    };
    while is_open() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn labels_are_one_step_of_the_classic_builder() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("a"), "a");
    let classic = daemon::connect_with(BuilderChoice::Classic).await;
    let mut cleanup = daemon::Cleanup::default();
    let given = |value: &str| {
        BTreeMap::from([
            ("dk.json".to_owned(), r#"{"a $b":"\"}"#.to_owned()),
            ("dk.own".to_owned(), value.to_owned()),
        ])
    };
    for (text, value, steps) in [
        ("LABEL dk.own=other", "one line", 2),
        ("LABEL dk.own=other", "two\nlines", 3),
        ("ONBUILD RUN false", "one line", 2),
    ] {
        let text = format!("FROM scratch\nCOPY a /\n{text}\n");
        let mut of_folder = daemon::image_build(folder.path(), &text);
        of_folder.labels = given(value);
        // Looking for a layer, the builder fails if somebody removes any image meanwhile.
        of_folder.no_cache = true;
        let (image, _) = build(&classic, &of_folder).await;
        cleanup.image(&image);
        let inspect = |format: &str| {
            let text = daemon::cli("docker", &["inspect", "-f", format, &image], &[]);
            String::from_utf8(text.expect("an image")).expect("text")
        };
        let labels: BTreeMap<String, String> =
            serde_json::from_str(&inspect("{{json .Config.Labels}}")).expect("labels");
        assert_eq!(labels, given(value), "{text}");
        let history = [
            "history",
            "--no-trunc",
            "--format",
            "{{.CreatedBy}}",
            &image,
        ];
        let history = daemon::cli("docker", &history, &[]).expect("a history");
        let history = String::from_utf8(history).expect("text");
        assert_eq!(history.matches("LABEL").count(), steps, "{history}");
    }
}
