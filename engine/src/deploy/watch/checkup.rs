//! Looking at a container again and again, as its check and the plugins' hooks say.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::core::Seen;
use super::slot::Verdict;
use crate::app::{HealthCheck, Name, Probe};
use crate::deploy::access::RunningContainer;
use crate::deploy::health::probe;
use crate::deploy::hooks::log_sink;
use crate::deploy::{Event, Hooks, Reporter};
use crate::docker::{ContainerDetail, Docker, DockerError, HealthStatus as DaemonStatus};
use crate::plugin::{CallContext, ContainerAccess, HealthStatus, Hook};

/// Time for a container that publishes a port and has no check to take a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// What is known of a container that is looked at.
pub struct Checkup {
    /// The daemon that it is on.
    pub docker: Docker,
    /// The plugins that have a say.
    pub hooks: Hooks,
    /// Who is told what plugins log.
    pub reporter: Arc<dyn Reporter>,
    /// The app, the service and the release.
    pub context: CallContext,
    /// The service.
    pub service: Name,
    /// Its check.
    pub check: Option<HealthCheck>,
    /// Time between two looks, where the check does not say, and between two calls of hooks.
    pub interval: Duration,
    /// How long after its start a container may be starting.
    pub patience: Duration,
    /// The container's id.
    pub id: String,
}

/// What was found so far.
#[derive(Default)]
struct Memory {
    /// When the process started that was looked at last.
    began: Option<Timestamp>,
    /// When the process started that has passed once.
    passed: Option<Timestamp>,
    /// When hooks were called last, and what they said.
    hooks: Option<(Instant, Verdict)>,
    /// The plugins that broke, as told.
    broken: Vec<String>,
}

/// What came of a look at a container.
pub struct Looked {
    /// When it began: it may say what has been another way since.
    pub began: Instant,
    /// What was seen.
    pub seen: Seen,
}

impl Checkup {
    /// Looks until the other end is gone, or this is dropped.
    pub async fn go_on(self, to: UnboundedSender<Looked>) {
        let interval = self
            .check
            .as_ref()
            .map_or(self.interval, |check| check.interval);
        let mut memory = Memory::default();
        loop {
            let before = memory.began;
            let looked = Instant::now();
            // A daemon that does not answer is noticed by who follows its events.
            let verdict = self.look(&mut memory).await.ok().flatten();
            let began =
                (memory.began != before).then(|| Seen::Began(self.id.clone(), memory.began));
            let checked = verdict.map(|verdict| Seen::Checked(self.id.clone(), verdict));
            for seen in began.into_iter().chain(checked) {
                let looked = Looked {
                    began: looked,
                    seen,
                };
                if to.send(looked).is_err() {
                    return;
                }
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// One look; `None` if there is nothing to say.
    async fn look(&self, memory: &mut Memory) -> Result<Option<Verdict>, DockerError> {
        let Some(detail) = self.docker.inspect(&self.id).await? else {
            return Ok(None);
        };
        if !detail.running {
            return Ok(None);
        }
        memory.began = detail.started_at;
        let container = RunningContainer::new(self.docker.clone(), detail.clone());
        let uptime = uptime(&detail);
        let own = match self.own(&detail, &container).await? {
            // As in a deploy: until it has passed once, it has its time to start.
            Verdict::Failing { why, certain }
                if memory.passed != detail.started_at
                    && uptime < self.start_period()
                    && !certain =>
            {
                Verdict::Starting(why)
            }
            own => own,
        };
        if own != Verdict::Healthy {
            return Ok(Some(own));
        }
        let verdict = self.asked(&container, uptime, memory).await;
        if verdict == Some(Verdict::Healthy) {
            memory.passed = detail.started_at;
        }
        Ok(verdict)
    }

    fn start_period(&self) -> Duration {
        let check = self.check.as_ref();
        check.map_or(HealthCheck::START_PERIOD, |check| check.start_period)
    }

    /// What the declared check says, or what there is in its place.
    async fn own(
        &self,
        detail: &ContainerDetail,
        container: &Arc<RunningContainer>,
    ) -> Result<Verdict, DockerError> {
        let said = match &self.check {
            Some(check) if !matches!(check.probe, Probe::Shell(_) | Probe::Exec(_)) => {
                probe(check, container).await
            }
            _ if detail.health.is_some() => return self.daemons(detail).await,
            _ if self.has_hooks() => Ok(()),
            _ => match container.default_port() {
                Ok(port) => container.tcp_connect(port, CONNECT).await,
                // It runs, and more was never asked of it.
                Err(_) => Ok(()),
            },
        };
        Ok(match said {
            Ok(()) => Verdict::Healthy,
            Err(why) => Verdict::Failing {
                why,
                certain: false,
            },
        })
    }

    async fn daemons(&self, detail: &ContainerDetail) -> Result<Verdict, DockerError> {
        let mut health = detail.health.clone();
        if !self.docker.facts().runs_health_checks {
            self.docker.run_health_check(&detail.id).await?;
            let detail = self.docker.inspect(&detail.id).await?;
            health = detail.and_then(|detail| detail.health);
        }
        let Some(health) = health else {
            return Ok(Verdict::Healthy);
        };
        let output = health.last_output.trim();
        let said = |what: &str| match output {
            "" => what.to_owned(),
            output => format!("{what}: {output}"),
        };
        Ok(match health.status {
            DaemonStatus::Healthy => Verdict::Healthy,
            DaemonStatus::Starting => Verdict::Starting(said("its check has not succeeded yet")),
            // The daemon has counted.
            DaemonStatus::Unhealthy => Verdict::Failing {
                why: said("its check fails"),
                certain: true,
            },
        })
    }

    fn has_hooks(&self) -> bool {
        let mut plugins = self.hooks.having(Hook::Health, &self.service);
        plugins.next().is_some()
    }

    /// What the plugins say, if it is time to ask them.
    async fn asked(
        &self,
        container: &Arc<RunningContainer>,
        uptime: Duration,
        memory: &mut Memory,
    ) -> Option<Verdict> {
        if !self.has_hooks() {
            return Some(Verdict::Healthy);
        }
        if let Some((at, said)) = &memory.hooks
            && at.elapsed() < self.interval
        {
            // What they said last holds, but counts once.
            return (*said == Verdict::Healthy).then_some(Verdict::Healthy);
        }
        let calls = self.hooks.having(Hook::Health, &self.service);
        let calls = calls.map(|(plugin, _)| async move {
            let access: Arc<dyn ContainerAccess> = container.clone();
            let said = plugin.health(&self.context, access, log_sink(&self.reporter));
            (plugin.name().to_owned(), said.await)
        });
        let mut verdict = Verdict::Healthy;
        for (name, said) in join_all(calls).await {
            let next = match said {
                Ok(None | Some(HealthStatus::Healthy)) => {
                    memory.broken.retain(|broken| *broken != name);
                    continue;
                }
                Ok(Some(HealthStatus::Starting(why))) if uptime < self.patience => {
                    Verdict::Starting(format!("{name} says: {why}"))
                }
                Ok(Some(HealthStatus::Starting(why) | HealthStatus::Unhealthy(why))) => {
                    Verdict::Failing {
                        why: format!("{name} says: {why}"),
                        certain: false,
                    }
                }
                // That it is broken says nothing of the container.
                Err(error) => {
                    if !memory.broken.contains(&name) {
                        memory.broken.push(name);
                        self.reporter.report(Event::Warning {
                            help: miette::Diagnostic::help(&error).map(|help| help.to_string()),
                            message: error.to_string(),
                        });
                    }
                    continue;
                }
            };
            if !matches!(verdict, Verdict::Failing { .. }) {
                verdict = next;
            }
        }
        memory.hooks = Some((Instant::now(), verdict.clone()));
        Some(verdict)
    }
}

fn uptime(detail: &ContainerDetail) -> Duration {
    let since = detail
        .started_at
        .map(|at| Timestamp::now().duration_since(at));
    since
        .and_then(|since| since.try_into().ok())
        .unwrap_or_default()
}
