//! The operations of a plan, one function for each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::access::{BuiltImage, RunningContainer};
use super::contexts::built_tag;
use super::health::{HealthGate, last_output};
use super::hooks::{log_sink, or_warn};
use super::labels::Labels;
use super::output::{channel, transfer, with_output};
use super::prepare::note_pull;
use super::trial::{Shifted, Trial};
use super::walk::walk;
use super::{DeployError, Event, Prepared, Reporter};
use crate::app::{
    ContainerSpec, Fields, HealthCheck, ImageSource, Name, Probe, PullPolicy, SERVICE_MODE,
    Service, VolumesOwner,
};
use crate::docker::{Docker, Joined, NewContainer};
use crate::plan::edge::target_name;
use crate::plan::observed::ObservedContainer;
use crate::plan::{Cause, Operation, OperationKind, Start};
use crate::plugin::{CallContext, Hook};

/// Time for a command that is to run in a container after its start or before its stop.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// What a deploy has done for one container so far; what is needed to take it back.
#[derive(Clone, Default)]
pub(super) struct Progress {
    /// The new container: id, and name while it is unproven.
    pub candidate: Option<(String, String)>,
    /// Containers that were stopped for it: id and name.
    pub stopped: Vec<(String, String)>,
    /// Containers that were stopped though a new one could have run beside them: they come back
    /// first.
    pub retired: Vec<(String, String)>,
    /// Containers that were given another name: id, and the name that they had.
    pub renamed: Vec<(String, String)>,
    /// The container that was started, for the steps that follow.
    pub started: Option<String>,
    pub running: Option<Arc<RunningContainer>>,
}

/// A place for a container: its service, and its number there.
pub(super) type Place = (Name, u32);

pub(super) struct Execution<'a> {
    pub prepared: &'a Prepared,
    pub docker: &'a Docker,
    deadline: Duration,
    pub reporter: &'a Arc<dyn Reporter>,
    cancel: &'a CancellationToken,
    /// Ends long steps when another failed.
    halt: CancellationToken,
    labels: Labels<'a>,
    places: Mutex<BTreeMap<Place, Progress>>,
    /// The ids of images that were pulled or built.
    images: Mutex<BTreeMap<Name, String>>,
    /// The edges that were made: name and id.
    edges: Mutex<BTreeMap<String, String>>,
    /// The programs of those that were upgraded, by their ids.
    edge_programs: Mutex<BTreeMap<String, Vec<String>>>,
    /// Those that were stopped.
    stopped_edges: Mutex<Vec<(String, String)>>,
    /// What edges are told if requests are given back.
    pub(super) shifted: Mutex<Shifted>,
    /// True once requests go to the new containers: from then on nothing is taken back.
    switched: AtomicBool,
}

impl<'a> Execution<'a> {
    pub fn new(
        prepared: &'a Prepared,
        docker: &'a Docker,
        deadline: Duration,
        reporter: &'a Arc<dyn Reporter>,
        cancel: &'a CancellationToken,
    ) -> Self {
        Self {
            prepared,
            docker,
            deadline,
            reporter,
            cancel,
            halt: cancel.child_token(),
            labels: Labels { prepared },
            places: Mutex::default(),
            images: Mutex::default(),
            edges: Mutex::default(),
            edge_programs: Mutex::default(),
            stopped_edges: Mutex::default(),
            shifted: Mutex::default(),
            switched: AtomicBool::new(false),
        }
    }

    /// Does all that the plan says, or takes back what was begun.
    pub async fn run(&self) -> Result<(), DeployError> {
        // What has been switched is brought to its end, which takes moments.
        let interrupted = || {
            let interrupted = self.cancel.is_cancelled() && !self.is_switched();
            interrupted.then_some(DeployError::Interrupted)
        };
        let operations = &self.prepared.plan.operations;
        let work = |step| self.timed(step);
        match walk(operations, work, interrupted, || self.halt.cancel()).await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.take_back(&error).await;
                Err(error)
            }
        }
    }

    pub(super) async fn timed(&self, step: usize) -> Result<(), DeployError> {
        let Some(operation) = self.prepared.plan.operations.get(step) else {
            return Ok(());
        };
        self.reporter.report(Event::StepStarted {
            step,
            operation: operation.kind.name(),
            service: operation.service.as_ref().map(Name::to_string),
            object: operation.kind.object().map(str::to_owned),
        });
        let started = Instant::now();
        let result = self.step(step, operation).await;
        let took = started.elapsed();
        match result {
            Ok(detail) => {
                self.reporter
                    .report(Event::StepFinished { step, took, detail });
                Ok(())
            }
            Err(error) => {
                self.reporter.report(Event::StepFailed { step, took });
                Err(error)
            }
        }
    }

    /// Carries out one operation; returns what is worth telling of it.
    ///
    /// Long steps end when the person who deploys stops them. Short ones are let end: a call
    /// that is dropped half way would leave unknown what the daemon made of it.
    async fn step(
        &self,
        step: usize,
        operation: &Operation,
    ) -> Result<Option<String>, DeployError> {
        let service = operation.service.as_ref();
        let service = service.and_then(|name| self.prepared.app.services.get(name));
        let Some(service) = service else {
            return self.of_the_app(&operation.kind).await;
        };
        let name = &service.name;
        let place = &(name.clone(), operation.replica);
        match &operation.kind {
            OperationKind::Pull { reference } => {
                let (events, output) = channel(self.reporter, step, transfer());
                let pull = self.docker.pull(reference, events);
                let facts = self.interruptible(with_output(pull, output)).await??;
                if matches!(service.pull, PullPolicy::Every(_)) {
                    note_pull(self.docker, reference, &facts.id).await?;
                }
                self.lock_images().insert(name.clone(), facts.id);
                Ok(None)
            }
            OperationKind::Build { inputs, bases } => {
                let built = self.build(step, service, inputs, bases).await?;
                let size = crate::app::ByteSize(built.size);
                self.lock_images().insert(name.clone(), built.id);
                Ok(Some(size.to_string()))
            }
            OperationKind::PostBuild { image } => self.post_build(name, image.as_deref()).await,
            OperationKind::Tag { image, tags } => {
                let built = self.lock_images().get(name).cloned();
                if let Some(id) = image.clone().or(built) {
                    for tag in tags {
                        self.docker.tag(&id, tag).await?;
                    }
                }
                Ok((tags.len() > 1).then(|| tags.join(", ")))
            }
            OperationKind::Create {
                container,
                image,
                inputs,
            } => {
                self.create(place, service, container, image.as_deref(), inputs)
                    .await?;
                Ok(None)
            }
            OperationKind::Stop { id, container } => {
                self.drain(service, id).await?;
                // First noted, then done: what is half stopped is started again, too.
                let stopped = (id.clone(), container.clone());
                let retires = operation.cause == Cause::InBatches;
                self.progress(place, |progress| match retires {
                    true => progress.retired.push(stopped),
                    false => progress.stopped.push(stopped),
                });
                self.docker.stop(id, service.container.stop_timeout).await?;
                Ok(None)
            }
            OperationKind::Start { what } => {
                let id = match what {
                    Start::Existing { id, .. } => Some(id.clone()),
                    Start::Created => self
                        .progress(place, |progress| progress.candidate.clone())
                        .map(|(id, _)| id),
                };
                if let Some(id) = id {
                    self.docker.start(&id).await?;
                    self.progress(place, |progress| progress.started = Some(id.clone()));
                    self.post_start(service, &id).await?;
                }
                Ok(None)
            }
            OperationKind::Health => self.health(place, service).await,
            OperationKind::Complete => self.complete(place).await,
            OperationKind::Await { id, .. } => {
                self.gate(service, id).await?;
                Ok(None)
            }
            OperationKind::Restart { id, .. } => {
                self.drain(service, id).await?;
                let timeout = service.container.stop_timeout;
                self.docker.restart(id, timeout).await?;
                Ok(None)
            }
            OperationKind::Rename { id, container, to } => {
                let renamed = (id.clone(), container.clone());
                self.progress(place, |progress| progress.renamed.push(renamed));
                self.docker.rename(id, to).await?;
                Ok(None)
            }
            OperationKind::PostRun => self.post_run(place).await,
            OperationKind::Judge {
                canary,
                edges,
                new,
                old,
            } => {
                let trial = Trial {
                    canary,
                    edges,
                    new,
                    old,
                };
                self.judge(step, service, trial).await
            }
            OperationKind::Settle { time, replicas } => self.settle(service, replicas, *time).await,
            OperationKind::Commit { container } => {
                self.commit(place, service, container).await?;
                Ok(None)
            }
            OperationKind::Remove { id, .. } => {
                self.docker.remove(id, true).await?;
                Ok(None)
            }
            kind => self.of_the_app(kind).await,
        }
    }

    /// What belongs to no service.
    async fn of_the_app(&self, kind: &OperationKind) -> Result<Option<String>, DeployError> {
        match kind {
            OperationKind::CreateNetwork { key, inputs, .. } => {
                if let Some(network) = self.prepared.app.networks.get(key) {
                    let labels = self.labels.network(key, inputs);
                    self.docker.create_network(network, labels).await?;
                }
            }
            OperationKind::RemoveNetwork { id, network } => {
                self.docker.remove_network(id, network).await?;
            }
            OperationKind::CreateVolume { volume, inputs } => {
                let volumes = &self.prepared.app.volumes;
                if let Some((key, volume)) = volumes.iter().find(|(_, one)| one.name == *volume) {
                    let labels = self.labels.volume(key, inputs);
                    self.docker.create_volume(volume, labels).await?;
                }
            }
            OperationKind::Remove { id, .. } => {
                self.docker.stop(id, None).await?;
                self.docker.remove(id, true).await?;
            }
            kind => return self.edge(kind).await,
        }
        Ok(None)
    }

    /// Notes an edge that was made.
    pub(super) fn made_edge(&self, name: &str, id: &str) {
        let mut edges = self.edges.lock().unwrap_or_else(PoisonError::into_inner);
        edges.insert(name.to_owned(), id.to_owned());
    }

    /// Notes an edge that is stopped.
    pub(super) fn stopped_edge(&self, name: &str, id: &str) {
        let stopped = self.stopped_edges.lock();
        let mut stopped = stopped.unwrap_or_else(PoisonError::into_inner);
        stopped.push((name.to_owned(), id.to_owned()));
    }

    /// The id of an edge that was made.
    pub(super) fn edge_made(&self, name: &str) -> Option<String> {
        let edges = self.edges.lock().unwrap_or_else(PoisonError::into_inner);
        edges.get(name).cloned()
    }

    /// Notes that an edge is another program now.
    pub(super) fn edge_upgraded(&self, id: &str, program: Vec<String>) {
        let programs = self.edge_programs.lock();
        let mut programs = programs.unwrap_or_else(PoisonError::into_inner);
        programs.insert(id.to_owned(), program);
    }

    /// The program that an edge was upgraded to.
    pub(super) fn upgraded_edge(&self, id: &str) -> Option<Vec<String>> {
        let programs = self.edge_programs.lock();
        let programs = programs.unwrap_or_else(PoisonError::into_inner);
        programs.get(id).cloned()
    }

    /// Notes that requests go to the new containers.
    pub(super) fn switched(&self) {
        self.switched.store(true, Ordering::SeqCst);
    }

    fn is_switched(&self) -> bool {
        self.switched.load(Ordering::SeqCst)
    }

    /// Ends when the deploy is to.
    pub(super) async fn halted(&self) {
        self.halt.cancelled().await;
    }

    async fn build(
        &self,
        step: usize,
        service: &Service,
        inputs: &Fields,
        bases: &BTreeMap<String, String>,
    ) -> Result<crate::docker::BuiltImage, DeployError> {
        let (ImageSource::Build(build), Some(context)) =
            (&service.image, self.prepared.contexts.get(&service.name))
        else {
            return Err(DeployError::NoDockerfile {
                service: service.name.to_string(),
                path: "Dockerfile".into(),
                help: "its build context was not read".to_owned(),
            });
        };
        let fingerprint = inputs.fingerprint();
        // `latest` is given to what has proven healthy, see `tag_latest`.
        let tags = [built_tag(&self.prepared.app, &service.name, &fingerprint)];
        let folders = self.prepared.folders.get(&service.name);
        for folder in folders.into_iter().flatten() {
            if self.docker.image(&folder.reference).await?.is_some() {
                continue;
            }
            let (reference, context) = (&folder.reference, &folder.context);
            let labels = self.labels.context();
            let platform = build.platform.as_deref();
            let import = self.docker.import(reference, context, platform, &labels);
            self.interruptible(import).await??;
        }
        let labels = self.labels.image(&service.name, inputs, bases);
        let (events, output) = channel(self.reporter, step, super::output::build);
        let build = self.docker.build(build, context, &tags, &labels, events);
        Ok(self.interruptible(with_output(build, output)).await??)
    }

    async fn create(
        &self,
        place: &Place,
        service: &Service,
        container: &str,
        image: Option<&str>,
        inputs: &Fields,
    ) -> Result<(), DeployError> {
        let (name, replica) = place;
        let made = self.image(name);
        let image = match (image.map(str::to_owned).or(made), &service.image) {
            (Some(id), _) => id,
            // Pulled by a step before; its name serves as well.
            (None, ImageSource::Image(reference)) => reference.clone(),
            (None, ImageSource::Build(_)) => self.latest(name),
        };
        let unproven = format!("{container}{}", ObservedContainer::CANDIDATE_SUFFIX);
        let mut labels = service.container.labels.clone();
        labels.extend(self.labels.container(service, *replica, inputs, &image));
        let spec = self.with_shared(service)?;
        let networks = self.networks(service, *replica, true);
        let new = NewContainer {
            name: &unproven,
            image: &image,
            spec: &spec,
            labels: &labels,
            networks: &networks,
            stdin_once: false,
        };
        let id = self.docker.create_container(new).await?;
        self.progress(place, |progress| progress.candidate = Some((id, unproven)));
        Ok(())
    }

    /// The specification with the containers of other services in the place of their names.
    pub(super) fn with_shared(&self, service: &Service) -> Result<ContainerSpec, DeployError> {
        let mut spec = service.container.clone();
        let modes = [
            &mut spec.network_mode,
            &mut spec.pid_mode,
            &mut spec.ipc_mode,
        ];
        for mode in modes.into_iter().flatten() {
            if let Some(other) = mode.strip_prefix(SERVICE_MODE) {
                let id = self.container_of(other);
                let id = id.ok_or_else(|| DeployError::NoSharedContainer {
                    service: service.name.to_string(),
                    other: other.to_owned(),
                })?;
                *mode = format!("container:{id}");
            }
        }
        for volumes in &mut spec.volumes_from {
            if let VolumesOwner::Service(other) = &volumes.owner {
                let id = self.container_of(other);
                let id = id.ok_or_else(|| DeployError::NoSharedContainer {
                    service: service.name.to_string(),
                    other: other.clone(),
                })?;
                volumes.owner = VolumesOwner::Container(id);
            }
        }
        Ok(spec)
    }

    /// The id of a service's first container: the new one, or the one that stays.
    fn container_of(&self, service: &str) -> Option<String> {
        let places = self.lock_places();
        let mut new = places.iter();
        let new = new
            .find(|((name, _), progress)| name.as_str() == service && progress.started.is_some());
        if let Some((_, progress)) = new {
            return progress.started.clone();
        }
        let mut there = self.prepared.observed.containers.iter().rev();
        let there = there.find(|container| {
            let its = container
                .service
                .as_ref()
                .is_some_and(|name| name.as_str() == service);
            its && !container.is_candidate() && container.is_running()
        });
        there.map(|container| container.id.clone())
    }

    /// The networks that a service's containers join, the one with the highest priority first.
    /// `serving` is false for a container that others are not to find under the service's name.
    pub(super) fn networks(&self, service: &Service, replica: u32, serving: bool) -> Vec<Joined> {
        let app = &self.prepared.app;
        let mut attachments: Vec<_> = service.container.networks.iter().collect();
        attachments.sort_by_key(|(_, attachment)| std::cmp::Reverse(attachment.priority));
        let networks = attachments.into_iter().filter_map(|(key, attachment)| {
            let name = app.networks.get(key)?.name.clone();
            if !serving {
                // Nor can it have an address that the service's own container has.
                return Some(Joined {
                    name,
                    ..Joined::default()
                });
            }
            let mut aliases = vec![service.name.to_string()];
            aliases.extend(attachment.aliases.iter().cloned());
            let edge = self.prepared.edge_of(&service.name);
            if edge.is_some_and(|edge| edge.network == *key) {
                let release = &self.prepared.plan.release;
                aliases.push(target_name(&service.name, replica, release));
            }
            aliases.dedup();
            Some(Joined {
                name,
                aliases,
                attachment: attachment.clone(),
            })
        });
        networks.collect()
    }

    /// Runs the commands that a service has for a container that was started.
    async fn post_start(&self, service: &Service, id: &str) -> Result<(), DeployError> {
        for command in &service.post_start {
            let failed = |why: String| DeployError::PostStart {
                service: service.name.to_string(),
                command: command.command.join(" "),
                why,
            };
            let run = self.docker.exec_as(id, command, COMMAND_TIMEOUT);
            let outcome = self.interruptible(run).await??;
            if outcome.exit_code != 0 {
                let output = outcome.output.trim_end();
                return Err(failed(format!("exit code {}\n{output}", outcome.exit_code)));
            }
        }
        Ok(())
    }

    /// Lets a container end what it does before it is stopped. Whatever comes of it, it is stopped.
    async fn drain(&self, service: &Service, id: &str) -> Result<(), DeployError> {
        let context = self.context(&service.name);
        let hooks = &self.prepared.hooks;
        let drained = hooks.pre_stop(self.docker, &context, &service.name, id, self.reporter);
        self.interruptible(drained).await?;
        for command in &service.pre_stop {
            let run = self.docker.exec_as(id, command, COMMAND_TIMEOUT);
            let why = match self.interruptible(run).await? {
                Ok(outcome) if outcome.exit_code == 0 => continue,
                Ok(outcome) => format!("exit code {}", outcome.exit_code),
                Err(error) => error.to_string(),
            };
            let command = command.command.join(" ");
            self.reporter.report(Event::Warning {
                message: format!(
                    "the pre_stop command `{command}` of service `{}` failed: {why}",
                    service.name
                ),
                help: None,
            });
        }
        Ok(())
    }

    async fn gate(
        &self,
        service: &Service,
        id: &str,
    ) -> Result<Arc<RunningContainer>, DeployError> {
        let check = service.container.health.as_ref();
        self.interruptible(self.is_well(service, check, id)).await?
    }

    /// Waits until a container is well by this check, whether the deploy is to end or not.
    pub(super) async fn is_well(
        &self,
        service: &Service,
        check: Option<&HealthCheck>,
        id: &str,
    ) -> Result<Arc<RunningContainer>, DeployError> {
        let context = self.context(&service.name);
        let gate = HealthGate {
            docker: self.docker,
            hooks: &self.prepared.hooks,
            reporter: self.reporter,
            context: &context,
            service: &service.name,
            check: check.filter(|check| check.probe != Probe::None),
            deadline: self.deadline,
        };
        gate.wait(id).await
    }

    async fn health(
        &self,
        place: &Place,
        service: &Service,
    ) -> Result<Option<String>, DeployError> {
        let Some(id) = self.progress(place, |progress| progress.started.clone()) else {
            return Ok(None);
        };
        let running = self.gate(service, &id).await?;
        self.progress(place, |progress| progress.running = Some(running));
        Ok(None)
    }

    /// Waits until a container has ended. There is no limit: nobody knows how long a migration
    /// takes, and the person who deploys can stop it.
    async fn complete(&self, place: &Place) -> Result<Option<String>, DeployError> {
        let Some(id) = self.progress(place, |progress| progress.started.clone()) else {
            return Ok(None);
        };
        match self.interruptible(self.docker.wait(&id)).await?? {
            0 => Ok(None),
            code => {
                let detail = self.docker.inspect(&id).await?;
                Err(DeployError::JobFailed {
                    service: place.0.to_string(),
                    container: detail.map_or(id, |detail| detail.name),
                    code,
                })
            }
        }
    }

    /// Lets plugins judge the image, one after the other; then gives it the names that they want.
    async fn post_build(
        &self,
        name: &Name,
        image: Option<&str>,
    ) -> Result<Option<String>, DeployError> {
        let built = self.lock_images().get(name).cloned();
        let Some(id) = image.map(str::to_owned).or(built) else {
            return Ok(None);
        };
        let Some(facts) = self.docker.image(&id).await? else {
            // Creating the container will say that it is gone.
            return Ok(None);
        };
        let image = BuiltImage::new(self.docker.clone(), facts);
        let context = self.context(name);
        let mut tags = Vec::new();
        for (plugin, on_error) in self.prepared.hooks.having(Hook::PostBuild, name) {
            let sink = log_sink(self.reporter);
            let call = plugin.post_build(&context, image.clone(), sink);
            let result = self.interruptible(call).await?;
            tags.extend(or_warn(result, on_error, Vec::new(), &**self.reporter)?);
        }
        for tag in &tags {
            self.docker.tag(&id, tag).await?;
        }
        Ok((!tags.is_empty()).then(|| format!("tagged {}", tags.join(", "))))
    }

    async fn post_run(&self, place: &Place) -> Result<Option<String>, DeployError> {
        let Some(container) = self.progress(place, |progress| progress.running.clone()) else {
            return Ok(None);
        };
        let context = self.context(&place.0);
        let plugins: Vec<_> = self
            .prepared
            .hooks
            .having(Hook::PostRun, &place.0)
            .collect();
        let calls = plugins.iter().map(|(plugin, _)| {
            let container: Arc<RunningContainer> = container.clone();
            plugin.post_run(&context, container, log_sink(self.reporter))
        });
        let results = self.interruptible(join_all(calls)).await?;
        for (result, (_, on_error)) in results.into_iter().zip(&plugins) {
            or_warn(result, *on_error, (), &**self.reporter)?;
        }
        Ok(None)
    }

    /// Gives the new container its name: from here on it is not taken back.
    async fn commit(
        &self,
        place: &Place,
        service: &Service,
        container: &str,
    ) -> Result<(), DeployError> {
        let candidate = self.progress(place, |progress| progress.candidate.clone());
        let Some((id, _)) = candidate else {
            return Ok(());
        };
        self.docker.rename(&id, container).await?;
        self.progress(place, |progress| {
            progress.candidate = None;
            progress.stopped.clear();
            progress.retired.clear();
            progress.renamed.clear();
        });
        if service.image.build().is_some() {
            self.tag_latest(&place.0, &id).await;
        }
        Ok(())
    }

    /// The service's image is the one that this container was made from, whenever it was built.
    async fn tag_latest(&self, name: &Name, container: &str) {
        let tag = self.latest(name);
        let tagged = async {
            match self.docker.inspect(container).await? {
                Some(detail) => self.docker.tag(&detail.image_id, &tag).await,
                None => Ok(()),
            }
        };
        if let Err(error) = tagged.await {
            self.warn(format!("the image could not be tagged {tag}: {error}"));
        }
    }

    fn repository(&self, service: &Name) -> String {
        self.prepared.app.repository(service)
    }

    /// The name of the service's image that was proven last.
    pub(super) fn latest(&self, service: &Name) -> String {
        format!("{}:latest", self.repository(service))
    }

    /// The image that was made for a service in this run, which another may have built.
    pub(super) fn image(&self, service: &Name) -> Option<String> {
        let app = &self.prepared.app;
        let reference = app.services.get(service)?.image.reference();
        let builder = reference.and_then(|reference| app.builder_of(reference));
        self.lock_images().get(builder.unwrap_or(service)).cloned()
    }

    pub(super) fn labels(&self) -> &Labels<'a> {
        &self.labels
    }

    /// Takes back what was begun: new containers go, and those that ran before run again.
    async fn take_back(&self, error: &DeployError) {
        if self.is_switched() {
            self.warn("requests go to the new containers already, so they stay".to_owned());
            return;
        }
        // To take away what requests go to would be worse than to leave more than is needed.
        if !self.unshift().await {
            return;
        }
        let places = std::mem::take(&mut *self.lock_places());
        // Before containers get ports back that it holds.
        let edges = std::mem::take(&mut *self.edges.lock().unwrap_or_else(PoisonError::into_inner));
        for (edge, id) in edges {
            if let Err(error) = self.docker.remove(&id, true).await {
                self.warn(format!("the edge {edge} could not be removed: {error}"));
            }
        }
        let mut places: Vec<_> = places.into_iter().collect();
        // Podman wants those that share namespaces to be removed before those they share them with.
        places.sort_by_key(|((name, _), _)| std::cmp::Reverse(self.sharing_depth(name)));
        for ((name, _), progress) in places {
            self.rename_back(&progress.renamed).await;
            let Some((id, container)) = progress.candidate else {
                // Nothing new is there yet, or it is proven; but something may be stopped.
                self.start_again(&progress.stopped).await;
                continue;
            };
            if progress.started.is_some() && !matches!(error, DeployError::Interrupted) {
                let lines = last_output(self.docker, &id).await;
                self.reporter.report(Event::ContainerOutput {
                    container: container.clone(),
                    lines,
                });
            }
            if let Err(error) = self.docker.remove(&id, true).await {
                self.warn(format!(
                    "the new container {container} could not be removed: {error}"
                ));
            }
            let restarted = self.start_again(&progress.stopped).await;
            let still = self.prepared.observed.containers.iter().find(|old| {
                old.service.as_ref() == Some(&name) && old.is_running() && !old.is_candidate()
            });
            self.reporter.report(Event::RolledBack {
                service: name.to_string(),
                removed: container,
                running: restarted.or_else(|| still.map(|old| old.name.clone())),
            });
        }
        self.start_edges_again().await;
    }

    /// Starts edges again whose ports nobody else has any more.
    async fn start_edges_again(&self) {
        let stopped = self.stopped_edges.lock();
        let stopped = std::mem::take(&mut *stopped.unwrap_or_else(PoisonError::into_inner));
        self.start_again(&stopped).await;
    }

    /// How many services stand behind the namespaces that a service shares, one behind the other.
    fn sharing_depth(&self, service: &Name) -> usize {
        let services = &self.prepared.app.services;
        let shared = |name: &str| {
            services
                .get(name)
                .and_then(|other| other.shares_with().next())
        };
        let chain = std::iter::successors(shared(service.as_str()), |name| shared(name));
        // It is no circle: that was an error when the file was read.
        chain.take(services.len()).count()
    }

    async fn rename_back(&self, renamed: &[(String, String)]) {
        for (id, name) in renamed {
            if let Err(error) = self.docker.rename(id, name).await {
                self.warn(format!("{name} could not be given its name back: {error}"));
            }
        }
    }

    /// Starts what was stopped; returns the name of one that runs again.
    pub(super) async fn start_again(&self, stopped: &[(String, String)]) -> Option<String> {
        let mut running = None;
        for (id, name) in stopped {
            match self.docker.start(id).await {
                Ok(()) => running = Some(name.clone()),
                Err(error) => {
                    self.warn(format!(
                        "{name}, which ran before, could not be started: {error}"
                    ));
                }
            }
        }
        running
    }

    pub(super) fn warn(&self, message: String) {
        self.reporter.report(Event::Warning {
            message,
            help: Some("when the daemon is well again, run `rengine deploy`".to_owned()),
        });
    }

    fn progress<T>(&self, place: &Place, act: impl FnOnce(&mut Progress) -> T) -> T {
        act(self.lock_places().entry(place.clone()).or_default())
    }

    pub(super) fn lock_places(&self) -> std::sync::MutexGuard<'_, BTreeMap<Place, Progress>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_images(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, String>> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn context(&self, service: &Name) -> CallContext {
        CallContext {
            app: self.prepared.app.name.to_string(),
            service: service.to_string(),
            release: self.prepared.plan.release.clone(),
            planning: false,
        }
    }

    pub(super) async fn interruptible<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, DeployError> {
        tokio::select! {
            done = work => Ok(done),
            () = self.halt.cancelled() => Err(DeployError::Interrupted),
        }
    }
}
