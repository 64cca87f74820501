//! What a daemon has of an app, and whether that is what it needs and nothing else.

use std::collections::BTreeSet;

use crate::{Outcome, Project};

/// Kinds of things, as `docker` lists them.
pub const CONTAINERS: [&str; 3] = ["ps", "-aq", "--no-trunc"];
/// Networks.
pub const NETWORKS: [&str; 3] = ["network", "ls", "-q"];
/// Volumes.
pub const VOLUMES: [&str; 3] = ["volume", "ls", "-q"];
const IMAGES: [&str; 4] = ["images", "-aq", "--no-trunc", "--format={{.ID}}"];
const TAGS: [&str; 3] = ["images", "-a", "--format={{.Repository}}:{{.Tag}}"];

/// What an app has beside its container and its releases.
#[derive(Debug, Default, Clone, Copy)]
pub struct Beside {
    /// Edges.
    pub edges: usize,
    /// Volumes.
    pub volumes: usize,
}

/// It ended well.
#[track_caller]
pub fn done(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.code, 0, "{outcome:#?}");
    outcome
}

/// The ids of what the daemon has of this kind for the app, or beside it.
pub fn all(project: &Project, kind: &[&str]) -> BTreeSet<String> {
    let filter = format!("label=dev.rengine.app={}", project.app);
    let ids = project.docker(&[kind, &["--filter", &filter]].concat());
    ids.lines().map(str::to_owned).collect()
}

/// There is what the app needs, what its releases need, and nothing else.
#[track_caller]
pub fn tidy(project: &Project, keep: usize, beside: Beside, after: &str) {
    let containers = all(project, &CONTAINERS);
    let wanted = 1 + beside.edges;
    assert_eq!(
        containers.len(),
        wanted,
        "after {after}: the one, and no lock"
    );
    assert_eq!(all(project, &NETWORKS).len(), 1, "after {after}");
    let history = done(project.rengine(&["history", "--json"])).stdout;
    let releases: Vec<serde_json::Value> = history
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for release in &releases {
        assert_ne!(release["outcome"], "running", "after {after}");
    }
    let volumes = all(project, &VOLUMES);
    let wanted = releases.len() + beside.volumes;
    assert_eq!(volumes.len(), wanted, "after {after}: {volumes:?}");
    let needed: BTreeSet<_> = releases
        .iter()
        .filter_map(|release| release["services"]["web"]["image"]["id"].as_str())
        .collect();
    let images = all(project, &IMAGES);
    assert!(
        images.iter().all(|image| needed.contains(image.as_str())),
        "after {after}: {images:?} where {needed:?} are needed"
    );
    assert!(images.len() <= 2 * keep, "after {after}");
    // A name by its fingerprint for each, and `latest`.
    let tags = all(project, &TAGS);
    let named = tags.iter().filter(|tag| !tag.contains("<none>")).count();
    assert!(named <= images.len() + 1, "after {after}: {tags:?}");
}
