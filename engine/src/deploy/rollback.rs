//! From the record of a release to a plan that brings it back.

use std::sync::Arc;

use super::edge::certify;
use super::ledger::releases;
use super::prepare::take_ports;
use super::{DeployError, Hooks, Prepared, Reporter};
use crate::app::{App, Name, PullPolicy, Strategy};
use crate::docker::Docker;
use crate::edge::DRAIN;
use crate::manifest::Manifest;
use crate::plan::observed::{Observed, ObservedContainer};
use crate::plan::{Wanted, WantedService, plan};
use crate::plugin::Hook;
use crate::release::{self, Record, Unseal};

/// Plans how to go back to a release: the one whose id begins with `target`, or the last before the
/// one that runs that succeeded. That one need not have succeeded itself: the deploy that made it may have been
/// killed, or have failed, when requests had gone to its containers already. Nothing is built, and no hook changes anything: images are those
/// of that release, and containers as they were made then. Secrets, which records do not hold,
/// are those of the manifest. The container of the id `unwell` is replaced even if it is as it was
/// then.
///
/// # Errors
///
/// If there is no such release, if its images or what it needs of secrets are gone, or if the
/// daemon can't be asked.
pub async fn prepare_rollback(
    manifest: &Manifest,
    docker: &Docker,
    hooks: Hooks,
    release: &str,
    target: Option<&str>,
    unwell: Option<&str>,
    reporter: &Arc<dyn Reporter>,
) -> Result<Prepared, DeployError> {
    let mut records = releases(docker, &manifest.app.name).await?;
    // By the time that this one has the lock nobody makes any of them any more.
    release::close(&mut records);
    let observed = docker.observe(&manifest.app.name, &[]).await?;
    let mut target = choose(&records, &manifest.app.name, target, &observed)?.clone();
    add_missing_images(&mut target, &observed);
    let target = &target;
    super::policy::tell_back(manifest, target, &**reporter);
    let whole = restore(target, manifest)?;
    let mut app = whole.clone();
    let mut edges = take_ports(&mut app, docker, reporter).await?;
    // A port that came later is no part of that release.
    let mut section = manifest.edge.clone();
    section.tls.retain(|tls| {
        let mut ports = edges.values().flat_map(|edge| &edge.ports);
        ports.any(|port| port.host_port == tls.port)
    });
    let edge_files = certify(&mut edges, &section)?;
    let images = images(target, &app)?;
    let mut references: Vec<String> = images.iter().map(|(_, image)| image.clone()).collect();
    references.sort_unstable();
    references.dedup();
    let mut observed = docker.observe_app(&app, &references).await?;
    for (service, image) in &images {
        if !observed.references.contains_key(image) {
            return Err(DeployError::ImageGone {
                release: target.release.clone(),
                service: service.to_string(),
                image: image.clone(),
            });
        }
    }
    observed
        .containers
        .sort_by_key(|container| container.created);
    let mut wanted = wanted(target, &app, images, manifest, &hooks, release, unwell);
    for service in &mut wanted.services {
        service.edge = edges.get(&service.name).cloned();
    }
    let plan = plan(&wanted, &observed);
    Ok(Prepared {
        changes: Vec::new(),
        plan,
        wanted,
        contexts: Default::default(),
        folders: Default::default(),
        hooks,
        references,
        observed,
        rollback: Some(target.clone()),
        asker: None,
        saved: None,
        edge_files,
        drain: manifest.edge.drain.unwrap_or(DRAIN),
        whole,
        app,
    })
}

/// The release that is meant. Where nothing runs, as after `rengine down`, that is the last one that
/// did.
fn choose<'a>(
    records: &'a [Record],
    app: &Name,
    target: Option<&str>,
    observed: &Observed,
) -> Result<&'a Record, DeployError> {
    if let Some(prefix) = target {
        return find(records, app, prefix);
    }
    let running = release::running(records, &observed.serving());
    let mut containers = observed.containers.iter();
    let target = match containers.any(ObservedContainer::is_running) {
        true => running.and_then(|running| release::previous(records, running)),
        false => running,
    };
    target.ok_or_else(|| DeployError::NothingBefore {
        app: app.to_string(),
    })
}

/// Notes the images of a release that serves, where whoever made it did not come to write them down.
fn add_missing_images(record: &mut Record, observed: &Observed) {
    if !observed.serving().contains(record.release.as_str()) {
        return;
    }
    for (name, service) in &mut record.services {
        let own = |one: &&ObservedContainer| {
            let its = one.service.as_ref();
            its.is_some_and(|service| service.as_str() == name) && one.serves()
        };
        let serving = observed.containers.iter().filter(own);
        let newest = serving.max_by_key(|one| (one.routed, one.created));
        if let Some(container) = newest {
            let image = service.image.get_or_insert_default();
            if image.id.is_empty() {
                image.id.clone_from(&container.image_id);
            }
        }
    }
}

/// The release whose id begins so.
///
/// # Errors
///
/// If there is none, or more than one.
pub fn find<'a>(
    records: &'a [Record],
    app: &Name,
    prefix: &str,
) -> Result<&'a Record, DeployError> {
    release::find(records, prefix).map_err(|found| DeployError::NoRelease {
        app: app.to_string(),
        prefix: prefix.to_owned(),
        found: found.join(", "),
    })
}

/// The app of a record, with the secrets that the manifest has.
pub(super) fn restore(target: &Record, manifest: &Manifest) -> Result<App, DeployError> {
    let secret = |name: &str| {
        let mut secrets = manifest.secrets.values.iter();
        let (_, secret) = secrets.find(|(own, _)| own.as_str() == name)?;
        Some(secret.expose().to_owned())
    };
    let unseal = Unseal {
        secret: &secret,
        present: &manifest.app,
    };
    release::restore(&target.spec, &unseal).map_err(|damage| DeployError::Unusable {
        release: target.release.clone(),
        damage,
    })
}

/// Who goes back wants what ran before, all of it and now: that one was judged once.
fn at_once(strategy: Strategy) -> Strategy {
    match strategy {
        Strategy::Canary(_) => Strategy::Rolling,
        other => other,
    }
}

/// The image of each service.
fn images(target: &Record, app: &App) -> Result<Vec<(Name, String)>, DeployError> {
    let image = |name: &Name| {
        let service = target.services.get(name.as_str())?;
        let id = service.image.as_ref()?.id.clone();
        (!id.is_empty()).then_some(id)
    };
    let services = app.services.keys().map(|name| match image(name) {
        Some(id) => Ok((name.clone(), id)),
        None => Err(DeployError::NeverRan {
            release: target.release.clone(),
            outcome: target.outcome.to_string(),
        }),
    });
    services.collect()
}

fn wanted(
    target: &Record,
    app: &App,
    images: Vec<(Name, String)>,
    manifest: &Manifest,
    hooks: &Hooks,
    release: &str,
    unwell: Option<&str>,
) -> Wanted {
    let services = app.services.values().zip(images);
    let services = services.map(|(service, (name, image))| WantedService {
        image_id: Some(image),
        build_inputs: (target.services.get(name.as_str()))
            .map(|service| service.build.clone())
            .unwrap_or_default(),
        bases: Vec::new(),
        image: service.image.clone(),
        container: service.container.clone(),
        replicas: service.replicas,
        container_name: service.container_name.clone(),
        pull: PullPolicy::Missing,
        edge: None,
        strategy: service.strategy.map(at_once),
        batches: None,
        depends_on: service.depends_on.clone(),
        shares_with: service
            .shares_with()
            .filter_map(|name| Name::parse(name).ok())
            .collect(),
        builds_on: Vec::new(),
        build_plugins: Vec::new(),
        run_plugins: Vec::new(),
        post_build_plugins: Vec::new(),
        health_plugins: hooks.names(Hook::Health, &name),
        post_run_plugins: hooks.names(Hook::PostRun, &name),
        pre_stop_plugins: hooks.names(Hook::PreStop, &name),
        name,
    });
    Wanted {
        app: app.name.clone(),
        release: release.to_owned(),
        rebuild: false,
        // A service that came later is no part of that release.
        remove_orphans: unwell.is_none(),
        unwell: unwell.map(str::to_owned).into_iter().collect(),
        redactor: manifest.secrets.redactor(),
        services: services.collect(),
        networks: app.networks.clone(),
        volumes: app.volumes.clone(),
    }
}
