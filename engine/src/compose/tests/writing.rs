//! An app that is written as a Compose file is the same app when that is read.

use std::path::{Path, PathBuf};

use super::super::{ComposeError, Options, Project, load, write};
use super::{Folder, told};
use crate::app::App;

/// The Compose projects that the tests have.
fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/compose");
    let entries = std::fs::read_dir(folder).expect("the projects");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    folders
}

fn options(dir: &Path) -> Options {
    Options {
        dir: dir.canonicalize().expect("a folder"),
        env: [("HOME".to_owned(), "/home/me".to_owned())].into(),
        profiles: vec!["*".into()],
        ..Options::default()
    }
}

/// The app of a project, and what it is when it is written and read.
fn there_and_back(project: &Project, env: &Options) -> Result<(App, App), ComposeError> {
    let app = project.to_app()?;
    let written = write(&app, Some(project));
    assert_eq!(written.lost, Vec::<String>::new());
    let folder = Folder::new(&[("compose.yaml", &written.to_yaml())]);
    let options = Options {
        dir: folder.dir(),
        ..env.clone()
    };
    let again = load(&options).and_then(|project| project.to_app());
    let again = again.unwrap_or_else(|error| panic!("{}\n{}", told(&error), written.to_yaml()));
    Ok((app, again))
}

#[test]
fn every_project_that_can_be_deployed_comes_back() {
    let mut count = 0;
    for folder in fixtures() {
        let options = options(&folder);
        let Ok(project) = load(&options) else {
            continue;
        };
        // What can't be had can't be an app.
        let Ok((app, again)) = there_and_back(&project, &options) else {
            continue;
        };
        assert_eq!(app, again, "{}", folder.display());
        count += 1;
    }
    assert!(count >= 30, "{count} projects");
}

#[test]
fn what_is_usual_in_no_project_comes_back() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "services:\n  web:\n    image: 'r/web:1'\n    build:\n      context: .\n      tags: ['r/web:2']\n      \
             additional_contexts: {a: ./a, lib: 'service:lib', c: 'docker-image://c'}\n      cache_to: [type=inline]\n      \
             platforms: [linux/arm64]\n    volumes_from: ['lib:ro', 'container:x']\n    external_links: ['y:z']\n    \
             environment: {DOLLAR: 'a$$b', GONE: }\n    pull_policy: daily\n    ports: ['1-3:9/sctp', {target: 8, app_protocol: grpc}]\n    x-rengine: {strategy: canary, canary: {share: 12.5%, for: 90s, max-latency: 20ms}}\n    command: ''\n    \
             healthcheck: {disable: true}\n    secrets: [s]\n    configs: [c]\n  \
             lib:\n    build: {context: ., dockerfile_inline: \"FROM a\\nRUN b\\n\"}\n    deploy: {replicas: 3, update_config: {parallelism: 2, order: stop-first, delay: 5s}}\n    x-rengine: {strategy: rolling}\n    gpus: all\n\
             secrets: {s: {file: ./s}}\nconfigs: {c: {content: 'x $$ y'}}\n",
        ),
        ("s", "hush-hush"),
        ("Dockerfile", "FROM x\n"),
    ]);
    let project = folder
        .load()
        .unwrap_or_else(|error| panic!("{}", told(&error)));
    let (app, again) = there_and_back(&project, &folder.options()).expect("an app");
    assert_eq!(app, again);
    let text = write(&app, Some(&project)).to_yaml();
    assert!(!text.contains("hush-hush"), "{text}");
    // As it is after a plugin: another Dockerfile, and a file that Compose has no place for.
    let mut changed = app;
    let build = changed.services["web"].image.build_mut().expect("a build");
    build.dockerfile = Some("FROM another\n".into());
    let file = crate::app::GeneratedFile {
        contents: Vec::new(),
        executable: false,
    };
    build.generated.insert("made".into(), file);
    let written = write(&changed, Some(&project));
    assert!(
        written
            .to_yaml()
            .contains("dockerfile_inline: |\n        FROM another")
    );
    assert!(written.lost[0].contains("`made`"), "{:?}", written.lost);
}
