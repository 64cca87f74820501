//! `.dockerignore` and the paths of a build context: what is ignored is ignored however it is
//! asked for, and no path leaves the folder.
//!
//! The first line of the input is a path, the rest is the ignore file.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use rengine::app::{GeneratedFile, ImageBuild};
use rengine::context::{Context, Ignore};

const OUTSIDE: &[u8] = b"outside";
const FILES: [&str; 9] = [
    "a",
    "b.txt",
    "sub/a",
    "sub/b.txt",
    "sub/deep/a",
    "sub/deep/.env",
    "other/a",
    ".env",
    "Dockerfile",
];
const LINKS: [(&str, &str); 6] = [
    ("a", "link"),
    ("../secret", "out"),
    ("..", "up"),
    ("sub", "folder"),
    ("/", "root"),
    ("../../secret", "sub/out"),
];

/// A tree with links in it, and a file beside it.
fn tree() -> &'static Path {
    static TREE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, root) = TREE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("context");
        for file in FILES {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, b"inside").expect("a file");
        }
        for (target, link) in LINKS {
            symlink(target, root.join(link)).expect("a link");
        }
        std::fs::write(folder.path().join("secret"), OUTSIDE).expect("a file");
        (folder, root)
    });
    root
}

fn build(path: &str, generated: bool) -> ImageBuild {
    let file = GeneratedFile {
        contents: b"generated".to_vec(),
        executable: false,
    };
    ImageBuild {
        context: tree().to_owned(),
        dockerfile_path: "Dockerfile".to_owned(),
        dockerfile: Some("FROM scratch\n".to_owned()),
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
        generated: generated
            .then(|| (path.to_owned(), file))
            .into_iter()
            .collect(),
    }
}

/// True for a path of plain names, which is the one way in which contexts write paths.
fn is_plain(path: &str) -> bool {
    path.split('/')
        .all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'))
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else {
        return Corpus::Reject;
    };
    let (path, patterns) = text.split_once('\n').unwrap_or((text, ""));
    std::fs::write(tree().join(".dockerignore"), patterns).expect("the ignore file");

    let context = Context::load(&build(path, false));
    let ignore = Ignore::parse(patterns);
    assert_eq!(context.is_ok(), ignore.is_ok(), "{:?}", context.err());
    let (Ok(context), Ok(ignore)) = (context, ignore) else {
        return Corpus::Keep;
    };
    agrees(&context, &ignore);
    stays_inside(&context, path);

    // A file that a plugin generates, at any path.
    if let Ok(context) = Context::load(&build(path, true)) {
        assert!(is_plain(path), "{path}");
        let contents = context.read_file(path, 1 << 20).expect("it is there");
        let expected: &[u8] = match path {
            // The Dockerfile is what the build says.
            "Dockerfile" => b"FROM scratch\n",
            _ => b"generated",
        };
        assert_eq!(contents, expected);
        stays_inside(&context, path);
    }
    Corpus::Keep
});

/// The walk, which looks at each folder once, says of each file what the file's path alone says.
fn agrees(context: &Context, ignore: &Ignore) {
    let listed: BTreeSet<&str> = context.files().collect();
    let links = LINKS.iter().map(|(_, link)| *link);
    for file in FILES.into_iter().chain(links) {
        assert_eq!(listed.contains(file), !ignore.excludes_path(file), "{file}");
        assert_eq!(context.has_file(file), listed.contains(file), "{file}");
    }
}

fn stays_inside(context: &Context, path: &str) {
    for file in context.files().chain([path]) {
        match context.read_file(file, 1 << 20) {
            Ok(contents) => {
                assert!(context.has_file(file), "{file}");
                assert!(is_plain(file), "{file}");
                assert_ne!(contents, OUTSIDE, "{file}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    for folder in context.folders().chain(context.files()) {
        assert!(is_plain(folder), "{folder}");
    }
}
