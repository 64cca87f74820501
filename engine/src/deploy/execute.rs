//! Carrying out a plan, and taking it back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::access::{BuiltImage, RunningContainer};
use super::health::{HealthGate, last_output};
use super::hooks::{log_sink, or_warn};
use super::run::Done;
use super::{DeployError, Event, Outcome, Prepared, Reporter, ServiceSummary};
use crate::app::{Fields, ImageSource, Name, Protocol, Service};
use crate::docker::{BuildEvent, Docker, LockHolder, PullEvent, StepState};
use crate::plan::observed::{ObservedContainer, PublishedPort, label};
use crate::plan::{Operation, OperationKind, Start};
use crate::plugin::{CallContext, Hook};

/// Carries out the plan under the app's lock. What fails is taken back: the new container is
/// removed, and the one that ran before runs again.
///
/// # Errors
///
/// Whatever ended it; by then it is taken back as far as the daemon can be reached.
pub async fn execute(
    mut prepared: Prepared,
    docker: &Docker,
    deadline: Duration,
    reporter: &Arc<dyn Reporter>,
    cancel: &CancellationToken,
) -> Result<Done, DeployError> {
    if prepared.plan.is_empty() {
        report_plan(&prepared, reporter);
        return Ok(Done {
            outcome: Outcome::NothingToDo,
            services: services(&prepared, docker).await?,
        });
    }
    let holder = lock_holder("rengine deploy");
    let lock = docker.lock(&prepared.app.name, &holder).await?;
    let run = async {
        prepared.refresh(docker).await?;
        report_plan(&prepared, reporter);
        if let Some(conflict) = prepared.plan.conflicts.first() {
            return Err(conflict.clone().into());
        }
        let mut execution = Execution {
            prepared: &prepared,
            docker,
            deadline,
            reporter,
            cancel,
            services: BTreeMap::new(),
        };
        execution.run().await?;
        services(&prepared, docker).await
    };
    let result = run.await;
    let released = lock.release().await;
    let services = result?;
    released?;
    Ok(Done {
        outcome: Outcome::Succeeded,
        services,
    })
}

fn report_plan(prepared: &Prepared, reporter: &Arc<dyn Reporter>) {
    reporter.report(Event::Planned {
        plan: prepared.plan.clone(),
        changes: prepared.changes.clone(),
    });
}

/// What a deploy has done for one service so far; what is needed to take it back.
#[derive(Default)]
struct Progress {
    /// The id of the image that was pulled or built.
    image: Option<String>,
    /// The new container: id, and name while it is unproven.
    candidate: Option<(String, String)>,
    /// Containers that were stopped for it: id and name.
    stopped: Vec<(String, String)>,
    /// The container that was started, for the steps that follow.
    started: Option<String>,
    running: Option<Arc<RunningContainer>>,
}

struct Execution<'a> {
    prepared: &'a Prepared,
    docker: &'a Docker,
    deadline: Duration,
    reporter: &'a Arc<dyn Reporter>,
    cancel: &'a CancellationToken,
    services: BTreeMap<Name, Progress>,
}

impl Execution<'_> {
    async fn run(&mut self) -> Result<(), DeployError> {
        let operations = &self.prepared.plan.operations;
        for (step, operation) in operations.iter().enumerate() {
            if self.cancel.is_cancelled() {
                return self.take_back(DeployError::Interrupted).await;
            }
            self.reporter.report(Event::StepStarted {
                step,
                operation: operation.kind.name(),
                service: operation.service.as_ref().map(Name::to_string),
                object: operation.kind.object().map(str::to_owned),
            });
            let started = Instant::now();
            match self.step(step, operation).await {
                Ok(detail) => self.reporter.report(Event::StepFinished {
                    step,
                    took: started.elapsed(),
                    detail,
                }),
                Err(error) => {
                    let took = started.elapsed();
                    self.reporter.report(Event::StepFailed { step, took });
                    return self.take_back(error).await;
                }
            }
        }
        Ok(())
    }

    /// Carries out one operation; returns what is worth telling of it.
    ///
    /// Long steps end when the person who deploys stops them. Short ones are let end: a call
    /// that is dropped half way would leave unknown what the daemon made of it.
    async fn step(
        &mut self,
        step: usize,
        operation: &Operation,
    ) -> Result<Option<String>, DeployError> {
        let name = match &operation.service {
            Some(name) => name.clone(),
            None => return self.remove_orphan(&operation.kind).await,
        };
        let prepared = self.prepared;
        let Some(service) = prepared.app.services.get(&name) else {
            return Ok(None);
        };
        match &operation.kind {
            OperationKind::Pull { reference } => {
                let (events, output) = self.output(step, pull_line);
                let pull = self.docker.pull(reference, events);
                let facts = self.interruptible(with_output(pull, output)).await??;
                self.progress(&name).image = Some(facts.id);
                Ok(None)
            }
            OperationKind::Build { inputs, bases } => {
                let built = self.build(step, service, inputs, bases).await?;
                let size = crate::app::ByteSize(built.size);
                self.progress(&name).image = Some(built.id);
                Ok(Some(size.to_string()))
            }
            OperationKind::PostBuild { image } => self.post_build(&name, image.as_deref()).await,
            OperationKind::Create {
                container,
                image,
                inputs,
            } => {
                self.create(&name, service, container, image.as_deref(), inputs)
                    .await?;
                Ok(None)
            }
            OperationKind::Stop { id, container } => {
                let context = self.context(&name);
                let hooks = &prepared.hooks;
                let drained = hooks.pre_stop(self.docker, &context, &name, id, self.reporter);
                self.interruptible(drained).await?;
                // First noted, then done: what is half stopped is started again, too.
                let stopped = (id.clone(), container.clone());
                self.progress(&name).stopped.push(stopped);
                self.docker.stop(id, service.container.stop_timeout).await?;
                Ok(None)
            }
            OperationKind::Start { what } => {
                let id = match what {
                    Start::Existing { id, .. } => Some(id.clone()),
                    Start::Created => {
                        let candidate = &self.progress(&name).candidate;
                        candidate.as_ref().map(|(id, _)| id.clone())
                    }
                };
                if let Some(id) = id {
                    self.docker.start(&id).await?;
                    self.progress(&name).started = Some(id);
                }
                Ok(None)
            }
            OperationKind::Health => self.health(&name, service).await,
            OperationKind::PostRun => self.post_run(&name).await,
            OperationKind::Commit { container } => {
                if let Some((id, _)) = self.progress(&name).candidate.clone() {
                    self.docker.rename(&id, container).await?;
                    // It is proven: from here on it is not taken back.
                    let progress = self.progress(&name);
                    progress.candidate = None;
                    progress.stopped.clear();
                    if service.image.build().is_some() {
                        self.tag_latest(&name, &id).await;
                    }
                }
                Ok(None)
            }
            OperationKind::Remove { id, .. } => {
                self.docker.remove(id, true).await?;
                Ok(None)
            }
        }
    }

    async fn remove_orphan(&self, kind: &OperationKind) -> Result<Option<String>, DeployError> {
        if let OperationKind::Remove { id, .. } = kind {
            self.docker.stop(id, None).await?;
            self.docker.remove(id, true).await?;
        }
        Ok(None)
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
        let app = &self.prepared.app.name;
        let fingerprint = inputs.fingerprint();
        // `latest` is given to what has proven healthy, see `tag_latest`.
        let tags = [format!("{app}-{}:{}", service.name, &fingerprint[..12])];
        let mut labels = self.labels(&service.name, inputs);
        labels.remove(label::RELEASE);
        labels.insert(label::BASES.to_owned(), json(bases));
        let (events, output) = self.output(step, build_line);
        let build = self.docker.build(build, context, &tags, &labels, events);
        Ok(self.interruptible(with_output(build, output)).await??)
    }

    async fn create(
        &mut self,
        name: &Name,
        service: &Service,
        container: &str,
        image: Option<&str>,
        inputs: &Fields,
    ) -> Result<(), DeployError> {
        let made = self.progress(name).image.clone();
        let image = match (image.map(str::to_owned).or(made), &service.image) {
            (Some(id), _) => id,
            // Pulled by a step before; its name serves as well.
            (None, ImageSource::Image(reference)) => reference.clone(),
            (None, ImageSource::Build(_)) => format!("{}:latest", self.repository(name)),
        };
        let unproven = format!("{container}{}", ObservedContainer::CANDIDATE_SUFFIX);
        let mut labels = service.container.labels.clone();
        labels.extend(self.labels(name, inputs));
        let id = self
            .docker
            .create_container(&unproven, &image, &service.container, &labels, None)
            .await?;
        self.progress(name).candidate = Some((id, unproven));
        Ok(())
    }

    async fn health(
        &mut self,
        name: &Name,
        service: &Service,
    ) -> Result<Option<String>, DeployError> {
        let Some(id) = self.progress(name).started.clone() else {
            return Ok(None);
        };
        let context = self.context(name);
        let gate = HealthGate {
            docker: self.docker,
            hooks: &self.prepared.hooks,
            reporter: self.reporter,
            context: &context,
            service: name,
            check: service.container.health.as_ref(),
            deadline: self.deadline,
        };
        let running = self.interruptible(gate.wait(&id)).await??;
        self.progress(name).running = Some(running);
        Ok(None)
    }

    /// Lets plugins judge the image, one after the other; then gives it the names that they want.
    async fn post_build(
        &mut self,
        name: &Name,
        image: Option<&str>,
    ) -> Result<Option<String>, DeployError> {
        let built = self.progress(name).image.clone();
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

    async fn post_run(&mut self, name: &Name) -> Result<Option<String>, DeployError> {
        let Some(container) = self.progress(name).running.clone() else {
            return Ok(None);
        };
        let context = self.context(name);
        let plugins: Vec<_> = self.prepared.hooks.having(Hook::PostRun, name).collect();
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

    /// The service's image is the one that this container was made from, whenever it was built.
    async fn tag_latest(&self, name: &Name, container: &str) {
        let tag = format!("{}:latest", self.repository(name));
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
        format!("{}-{service}", self.prepared.app.name)
    }

    /// Takes back what was begun for every service, and returns why.
    async fn take_back<T>(&mut self, error: DeployError) -> Result<T, DeployError> {
        for (name, progress) in std::mem::take(&mut self.services) {
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
        Err(error)
    }

    /// Starts what was stopped; returns the name of one that runs again.
    async fn start_again(&self, stopped: &[(String, String)]) -> Option<String> {
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

    fn warn(&self, message: String) {
        self.reporter.report(Event::Warning {
            message,
            help: Some("when the daemon is well again, run `rengine deploy`".to_owned()),
        });
    }

    fn progress(&mut self, name: &Name) -> &mut Progress {
        self.services.entry(name.clone()).or_default()
    }

    fn context(&self, service: &Name) -> CallContext {
        CallContext {
            app: self.prepared.app.name.to_string(),
            service: service.to_string(),
            release: self.prepared.plan.release.clone(),
            planning: false,
        }
    }

    /// rengine's own labels.
    fn labels(&self, service: &Name, inputs: &Fields) -> BTreeMap<String, String> {
        [
            (label::APP, self.prepared.app.name.to_string()),
            (label::SERVICE, service.to_string()),
            (label::RELEASE, self.prepared.plan.release.clone()),
            (label::FINGERPRINT, inputs.fingerprint()),
            (label::INPUTS, json(inputs)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    async fn interruptible<T>(&self, work: impl Future<Output = T>) -> Result<T, DeployError> {
        tokio::select! {
            done = work => Ok(done),
            () = self.cancel.cancelled() => Err(DeployError::Interrupted),
        }
    }

    /// A channel for a builder's events, and the future that passes them on.
    fn output<E>(
        &self,
        step: usize,
        line: fn(E) -> Option<String>,
    ) -> (mpsc::Sender<E>, impl Future<Output = ()> + use<E>) {
        const WAITING_EVENTS: usize = 256;
        let (sender, mut receiver) = mpsc::channel(WAITING_EVENTS);
        let reporter = self.reporter.clone();
        let pass_on = async move {
            while let Some(event) = receiver.recv().await {
                if let Some(line) = line(event) {
                    reporter.report(Event::StepOutput { step, line });
                }
            }
        };
        (sender, pass_on)
    }
}

/// Runs `work`, which sends events, beside what passes them on, until both are done.
async fn with_output<T>(work: impl Future<Output = T>, output: impl Future<Output = ()>) -> T {
    tokio::join!(work, output).0
}

/// This process, as the holder of an app's lock.
pub fn lock_holder(command: &str) -> LockHolder {
    let user = std::env::var("USER");
    let user = user.unwrap_or_else(|_| format!("user {}", rustix::process::getuid().as_raw()));
    LockHolder::this_process(user, command.to_owned(), jiff::Timestamp::now())
}

fn pull_line(event: PullEvent) -> Option<String> {
    // Layers tell their progress many times a second; what concerns the image is enough.
    event.layer.is_none().then_some(event.status)
}

fn build_line(event: BuildEvent) -> Option<String> {
    match event {
        BuildEvent::Step { name, state, .. } => match state {
            StepState::Started => Some(name),
            StepState::Cached => Some(format!("{name} (cached)")),
            StepState::Failed(_) | StepState::Done(_) => None,
        },
        BuildEvent::Log { line, .. } => Some(format!("  {line}")),
        BuildEvent::ContextSent { .. } => None,
    }
}

fn json(value: &impl serde::Serialize) -> String {
    // Maps of strings to strings: there is nothing in them that JSON can't hold.
    serde_json::to_string(value).unwrap_or_default()
}

async fn services(
    prepared: &Prepared,
    docker: &Docker,
) -> Result<Vec<ServiceSummary>, DeployError> {
    let names: Vec<Name> = prepared.app.services.keys().cloned().collect();
    summaries(&prepared.app.name, &names, docker).await
}

/// Where these services of an app answer now; those that do not run are left out.
pub async fn summaries(
    app: &Name,
    services: &[Name],
    docker: &Docker,
) -> Result<Vec<ServiceSummary>, DeployError> {
    let observed = docker.observe(app, &[]).await?;
    let running = services.iter().filter_map(|name| {
        let container =
            observed.containers.iter().rev().find(|container| {
                container.service.as_ref() == Some(name) && container.is_running()
            })?;
        Some(ServiceSummary {
            service: name.to_string(),
            container: container.name.clone(),
            addresses: addresses(&container.ports, docker.endpoint().host_address()),
        })
    });
    Ok(running.collect())
}

/// Published ports as addresses that a person can open.
pub fn addresses(ports: &[PublishedPort], host: &str) -> Vec<String> {
    let mut addresses: Vec<String> = ports
        .iter()
        .map(|port| {
            let everywhere = matches!(port.host_address.as_str(), "" | "0.0.0.0" | "::");
            let host = match (everywhere, host) {
                (true, "127.0.0.1" | "::1") => "localhost",
                (true, host) => host,
                (false, _) => port.host_address.as_str(),
            };
            let host = if host.contains(':') {
                format!("[{host}]")
            } else {
                host.to_owned()
            };
            let scheme = match port.protocol {
                Protocol::Tcp => "http",
                Protocol::Udp => "udp",
            };
            format!("{scheme}://{host}:{}", port.host_port)
        })
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}
