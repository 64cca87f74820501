//! From a manifest to a plan, without touching anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::attribute::attribute;
use super::contexts::{Contexts, NamedFolder};
use super::edge::certify;
use super::hooks::Hooks;
use super::output::{channel, transfer, with_output};
use super::transform::{Transform, Transformed};
use super::{Asker, DeployError, Event, Reporter, SavedPlan};
use crate::app::{App, ContainerFile, Fields, ImageSource, MountSource, Name, PullPolicy, Volume};
use crate::context::Context;
use crate::docker::Docker;
use crate::dockerfile::Dockerfile;
use crate::edge::DRAIN;
use crate::manifest::Manifest;
use crate::plan::edge::{EdgeService, Reach, take};
use crate::plan::observed::Observed;
use crate::plan::{Plan, Wanted, WantedService, build_inputs, plan};
use crate::plugin::{Change, Hook};
use crate::release::Record;
use crate::secrets::Redactor;

/// What a person asked for beyond the manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Options {
    /// Build and replace even what did not change.
    pub rebuild: bool,
    /// Remove the containers of services that are not in the app any more.
    pub remove_orphans: bool,
}

/// A deploy that is ready to be carried out.
pub struct Prepared {
    /// The app as plugins made it.
    pub app: App,
    /// The same before the edge took its ports: what a release is, wherever it runs.
    pub(super) whole: App,
    /// What they changed.
    pub changes: Vec<Change>,
    /// What is to be done.
    pub plan: Plan,
    pub(super) wanted: Wanted,
    pub(super) contexts: BTreeMap<Name, Arc<Context>>,
    pub(super) folders: BTreeMap<Name, Vec<NamedFolder>>,
    pub(super) hooks: Hooks,
    pub(super) references: Vec<String>,
    pub(super) observed: Observed,
    /// The release that is brought back, where that is what is prepared.
    pub(super) rollback: Option<Record>,
    /// What asks for it, where that is no person.
    pub(super) asker: Option<Asker>,
    /// The file whose plan it has to be, where there is one.
    pub(super) saved: Option<SavedPlan>,
    /// Files that edges read, by their paths there.
    pub(super) edge_files: BTreeMap<String, ContainerFile>,
    /// Time for old containers to end what they do.
    pub(super) drain: Duration,
}

/// Runs the hooks that change the app, and gives it as they leave it, with what they changed.
///
/// # Errors
///
/// If a plugin refuses or fails, or there is no Dockerfile.
pub async fn effective(
    manifest: &Manifest,
    docker: &Docker,
    hooks: &Hooks,
    release: &str,
    reporter: &Arc<dyn Reporter>,
) -> Result<(App, Vec<Change>), DeployError> {
    let transform = Transform {
        hooks,
        docker,
        reporter,
        release,
        ports_declared: manifest.ports_declared,
    };
    let Transformed { mut app, changes } = transform.run(manifest.app.clone()).await?;
    name_volumes(&mut app);
    Ok((app, changes))
}

/// Runs the hooks that change the app, looks at the daemon, and plans what makes `release`.
///
/// # Errors
///
/// If a plugin refuses or fails, if there is no Dockerfile or the context can't be read, or if
/// the daemon can't be asked.
pub async fn prepare(
    manifest: &Manifest,
    docker: &Docker,
    hooks: Hooks,
    release: &str,
    options: Options,
    reporter: &Arc<dyn Reporter>,
) -> Result<Prepared, DeployError> {
    for warning in &manifest.warnings {
        reporter.report(Event::Warning {
            message: warning.to_string(),
            help: None,
        });
    }
    super::policy::tell(manifest, &**reporter);
    super::policy::check(manifest, &hooks)?;
    let (mut app, changes) = effective(manifest, docker, &hooks, release, reporter).await?;
    super::limits::check(&app, docker.facts(), &**reporter)?;
    let whole = app.clone();
    let redactor = manifest.secrets.redactor();
    let contexts = Contexts::place(&mut app, &redactor).await?;
    let mut edges = take_ports(&mut app, docker, reporter).await?;
    super::canary::check(&whole, &edges, docker, manifest).await?;
    let edge_files = certify(&mut edges, &manifest.edge)?;
    let references = references(&app);
    let load = contexts.load(&app);
    let (contexts, observed) = tokio::join!(load, docker.observe_app(&app, &references));
    let contexts = contexts?;
    let mut observed = observed?;
    let wanted = Wanted {
        app: app.name.clone(),
        redactor: redactor.clone(),
        release: release.to_owned(),
        rebuild: options.rebuild,
        remove_orphans: options.remove_orphans,
        unwell: Default::default(),
        networks: app.networks.clone(),
        volumes: app.volumes.clone(),
        services: app
            .services
            .values()
            .map(|service| WantedService {
                edge: edges.get(&service.name).cloned(),
                ..wanted_service(service, &contexts, &hooks, &changes, &redactor)
            })
            .collect(),
    };
    observed
        .containers
        .sort_by_key(|container| container.created);
    let mut plan = plan(&wanted, &observed);
    attribute(&mut plan, &changes);
    Ok(Prepared {
        app,
        whole,
        changes,
        plan,
        wanted,
        contexts: contexts
            .own
            .into_iter()
            .map(|(name, (context, _))| (name, context))
            .collect(),
        folders: contexts.folders,
        hooks,
        references,
        observed,
        rollback: None,
        asker: None,
        saved: None,
        edge_files,
        drain: manifest.edge.drain.unwrap_or(DRAIN),
    })
}

impl Prepared {
    /// What the edge does for a service.
    pub(super) fn edge_of(&self, service: &Name) -> Option<&EdgeService> {
        let mut services = self.wanted.services.iter();
        let service = services.find(|wanted| wanted.name == *service)?;
        service.edge.as_ref()
    }

    /// True if there are images to be fetched again, whatever the daemon has.
    pub(super) fn pulls_again(&self) -> bool {
        self.due().next().is_some()
    }

    /// The images to be fetched again. What the daemon does not have is in the plan.
    fn due(&self) -> impl Iterator<Item = &str> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        // What ran before is brought back from what is kept, and a plan of a file was made from it.
        let here = self.rollback.is_none() && self.saved.is_none();
        let services = self.app.services.values().filter(move |_| here);
        services.filter_map(move |service| {
            let reference = service.image.reference()?;
            if self.app.builder_of(reference).is_some() {
                return None;
            }
            let facts = self.observed.references.get(reference);
            let due = match service.pull {
                PullPolicy::Always => true,
                // By its digest it is the same for ever.
                PullPolicy::Every(_) if reference.contains('@') => false,
                PullPolicy::Every(time) => facts.is_some_and(|facts| facts.is_older(time, now)),
                PullPolicy::Missing | PullPolicy::Never => false,
            };
            due.then_some(reference)
        })
    }

    /// Fetches them: only then is it known what has to be done.
    pub(super) async fn pull_again(
        &self,
        docker: &Docker,
        reporter: &Arc<dyn Reporter>,
        cancel: &CancellationToken,
    ) -> Result<(), DeployError> {
        for reference in self.due() {
            let (events, output) = channel(reporter, 0, transfer());
            let pull = with_output(docker.pull(reference, events), output);
            tokio::select! {
                pulled = pull => note_pull(docker, reference, &pulled?.id).await?,
                () = cancel.cancelled() => return Err(DeployError::Interrupted),
            }
        }
        Ok(())
    }

    /// Looks at the daemon again, and plans anew: what was seen without the lock may be old.
    pub(super) async fn refresh(&mut self, docker: &Docker) -> Result<(), DeployError> {
        self.observed = docker.observe_app(&self.app, &self.references).await?;
        self.plan = plan(&self.wanted, &self.observed);
        attribute(&mut self.plan, &self.changes);
        Ok(())
    }
}

/// Has the daemon take note of the time at which an image was fetched, as it does when an image
/// gets a name: one that it had already would count as old for ever.
pub(super) async fn note_pull(
    docker: &Docker,
    reference: &str,
    id: &str,
) -> Result<(), DeployError> {
    match reference.contains('@') {
        true => Ok(()),
        false => Ok(docker.tag(id, reference).await?),
    }
}

/// Takes the ports from services that the app's edge is to have in their stead.
pub(super) async fn take_ports(
    app: &mut App,
    docker: &Docker,
    reporter: &Arc<dyn Reporter>,
) -> Result<BTreeMap<Name, EdgeService>, DeployError> {
    let reach = match docker.reaches_containers() {
        true => Reach::Addresses,
        false => Reach::Ports,
    };
    let before = app.clone();
    let App {
        name,
        services,
        networks,
        ..
    } = app;
    let taken = services.values_mut().filter_map(|service| {
        let edge = take(service, networks, name, reach)?;
        Some((service.name.clone(), edge))
    });
    let edges: BTreeMap<Name, EdgeService> = taken.collect();
    if edges.is_empty() {
        *app = before;
        return Ok(edges);
    }
    if let Some((why, help)) = super::edge::why_none(docker).await? {
        reporter.report(Event::Warning {
            message: format!("{why}, so old containers stop before new ones start"),
            help: Some(help),
        });
        *app = before;
        return Ok(BTreeMap::new());
    }
    Ok(edges)
}

/// Gives volumes their names on the daemon. They belong to their app: as in Compose, its name goes
/// before theirs, where the app does not say another.
fn name_volumes(app: &mut App) {
    let prefix = app.name.to_string();
    let mounts = app
        .services
        .values_mut()
        .flat_map(|service| &mut service.container.mounts);
    for mount in mounts {
        if let MountSource::Volume(name) = &mut mount.source {
            // A Compose app has named them already.
            if app.volumes.values().any(|volume| volume.name == *name) {
                continue;
            }
            let volume = app.volumes.entry(name.clone()).or_insert_with(|| Volume {
                name: format!("{prefix}_{name}"),
                ..Volume::default()
            });
            name.clone_from(&volume.name);
        }
    }
}

/// The images of which the plan needs to know what the daemon has.
fn references(app: &App) -> Vec<String> {
    let mut references: Vec<String> = app
        .services
        .values()
        .flat_map(|service| match &service.image {
            // One that the app builds need not be there yet, nor anywhere else.
            ImageSource::Image(reference) if app.builder_of(reference).is_some() => Vec::new(),
            ImageSource::Image(reference) => vec![reference.clone()],
            image @ ImageSource::Build(_) => bases(image),
        })
        .collect();
    references.sort_unstable();
    references.dedup();
    references
}

fn bases(image: &ImageSource) -> Vec<String> {
    image.build().map_or_else(Vec::new, |build| {
        let text = build.dockerfile.as_deref().unwrap_or_default();
        Dockerfile::parse(text).external_bases(build.target.as_deref(), &build.args)
    })
}

fn wanted_service(
    service: &crate::app::Service,
    contexts: &Contexts,
    hooks: &Hooks,
    changes: &[Change],
    redactor: &Redactor,
) -> WantedService {
    // `configure` changes both: fields of the build have its name before theirs there.
    let changed_by = |hooks: &[Hook], build: bool| {
        let mut names: Vec<String> = Vec::new();
        for change in changes {
            let part =
                change.hook != Hook::Configure || build == change.field.starts_with("build.");
            let here = hooks.contains(&change.hook) && change.service == service.name.as_str();
            if here && part && !names.contains(&change.plugin) {
                names.push(change.plugin.clone());
            }
        }
        names
    };
    WantedService {
        name: service.name.clone(),
        edge: None,
        strategy: service.strategy,
        batches: service.batches,
        build_inputs: match (service.image.build(), contexts.own.get(&service.name)) {
            (Some(build), Some((_, digest))) => build_inputs(build, digest, redactor),
            _ => Fields::default(),
        },
        bases: bases(&service.image),
        image: service.image.clone(),
        image_id: None,
        container: service.container.clone(),
        replicas: service.replicas,
        container_name: service.container_name.clone(),
        pull: service.pull,
        depends_on: service.depends_on.clone(),
        shares_with: service
            .shares_with()
            .filter_map(|name| Name::parse(name).ok())
            .collect(),
        builds_on: contexts
            .builds_on
            .get(&service.name)
            .cloned()
            .unwrap_or_default(),
        build_plugins: changed_by(&[Hook::Configure, Hook::PreBuild], true),
        run_plugins: changed_by(&[Hook::Configure, Hook::PreRun], false),
        post_build_plugins: hooks.names(Hook::PostBuild, &service.name),
        health_plugins: hooks.names(Hook::Health, &service.name),
        post_run_plugins: hooks.names(Hook::PostRun, &service.name),
        pre_stop_plugins: hooks.names(Hook::PreStop, &service.name),
    }
}
