//! What a daemon has of an app, and whether that is what it needs and nothing else.

use std::collections::BTreeSet;

use crate::world::World;
use crate::{Outcome, Project};

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

/// There is what the app needs, what its releases need, and nothing else.
#[track_caller]
pub fn tidy(project: &Project, keep: usize, beside: Beside, after: &str) {
    let world = World::of(project);
    let wanted = 1 + beside.edges;
    assert_eq!(
        world.containers.len(),
        wanted,
        "after {after}: the one, and no lock: {:#?}",
        world.containers
    );
    assert_eq!(world.networks.len(), 1, "after {after}");
    let history = done(project.rengine(&["history", "--json"])).stdout;
    let releases: Vec<serde_json::Value> = history
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for release in &releases {
        assert_ne!(release["outcome"], "running", "after {after}");
    }
    let volumes = &world.volumes;
    let wanted = releases.len() + beside.volumes;
    assert_eq!(volumes.len(), wanted, "after {after}: {volumes:?}");
    let needed: BTreeSet<_> = releases
        .iter()
        .filter_map(|release| release["services"]["web"]["image"]["id"].as_str())
        .collect();
    let images = &world.images;
    assert!(
        images.keys().all(|image| needed.contains(image.as_str())),
        "after {after}: {images:?} where {needed:?} are needed"
    );
    assert!(images.len() <= 2 * keep, "after {after}");
    // A name by its fingerprint for each, and `latest`.
    let named: usize = images.values().map(BTreeSet::len).sum();
    assert!(named <= images.len() + 1, "after {after}: {images:?}");
}
