//! The operations of a plan, one function for each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::access::RunningContainer;
use super::labels::Labels;
use super::output::{channel, transfer, with_output};
use super::prepare::note_pull;
use super::trial::{Shifted, Trial};
use super::walk::walk;
use super::{DeployError, Event, Prepared, Reporter};
use crate::app::{Name, PullPolicy};
use crate::docker::Docker;
use crate::plan::{Cause, Operation, OperationKind, Start};
use crate::plugin::CallContext;
use stop::Course;

mod back;
mod container;
mod image;
mod stop;
mod well;

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
    /// How far it has come, and whether it is to stop.
    course: Course,
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
            course: Course::new(cancel),
            labels: Labels { prepared },
            places: Mutex::default(),
            images: Mutex::default(),
            edges: Mutex::default(),
            edge_programs: Mutex::default(),
            stopped_edges: Mutex::default(),
            shifted: Mutex::default(),
        }
    }

    /// Does all that the plan says, or takes back what was begun.
    pub async fn run(&self) -> Result<(), DeployError> {
        let operations = &self.prepared.plan.operations;
        let work = |step| self.timed(step);
        let interrupted = || self.course.interrupted();
        let walked = walk(operations, work, interrupted, || self.course.halt());
        let too_late = || {
            self.reporter.report(Event::Warning {
                message: "the new release has taken over already, so it is brought to its end"
                    .to_owned(),
                help: (self.prepared.rollback.is_none())
                    .then(|| "`rengine rollback` brings back the one before".to_owned()),
            });
        };
        match self.course.telling(walked, too_late).await {
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

    pub(super) fn labels(&self) -> &Labels<'a> {
        &self.labels
    }

    /// Tells of what the daemon did not do.
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
}
