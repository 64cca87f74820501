//! Whether the services that are to have a canary can have one.

use std::collections::BTreeMap;

use super::DeployError;
use crate::app::{App, Name, Strategy};
use crate::docker::Docker;
use crate::manifest::Manifest;
use crate::plan::edge::{EdgeService, why_no_edge};

/// Sees that an edge is there to share out the requests of each service that asks for it. `app` is
/// as it was before the edge took its ports.
pub async fn check(
    app: &App,
    edges: &BTreeMap<Name, EdgeService>,
    docker: &Docker,
    manifest: &Manifest,
) -> Result<(), DeployError> {
    let without = app.services.values().find(|service| {
        let canary = matches!(service.strategy, Some(Strategy::Canary(_)));
        canary && !edges.contains_key(&service.name)
    });
    let Some(service) = without else {
        return Ok(());
    };
    let why = match super::edge::why_none(docker).await? {
        Some((why, _)) => why,
        None => why_no_edge(service, &app.networks)
            .unwrap_or("it can't be behind one")
            .to_owned(),
    };
    let place = manifest.strategies.get(&service.name);
    Err(DeployError::NoCanary {
        place: place.map_or_else(String::new, |place| format!("{place}: ")),
        service: service.name.to_string(),
        why,
    })
}
