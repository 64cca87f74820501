//! Waiting until a started container is healthy.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::try_join_all;

use super::access::RunningContainer;
use super::hooks::{Hooks, log_sink, or_warn};
use super::{DeployError, Reporter};
use crate::app::{HealthCheck, Name, Probe};
use crate::docker::{ContainerDetail, DaemonHealth, Docker, HealthStatus as DaemonStatus};
use crate::plugin::{CallContext, ContainerAccess, HealthStatus, Hook, HttpRequest, HttpResponse};

/// How long a container without any check, which has not answered itself either, has to run before
/// it counts as healthy: what is misconfigured usually ends at once.
const MIN_UPTIME: Duration = Duration::from_secs(1);
/// Time between the first two probes of a new container; it doubles up to the check's interval.
const FIRST_INTERVAL: Duration = Duration::from_millis(50);
/// Time between two looks at what the daemon says.
const DAEMON_INTERVAL: Duration = Duration::from_millis(100);
/// Time between two calls of plugins' `health` hooks.
const PLUGIN_INTERVAL: Duration = Duration::from_millis(250);

/// What is waited for.
pub struct HealthGate<'a> {
    pub docker: &'a Docker,
    pub hooks: &'a Hooks,
    pub reporter: &'a Arc<dyn Reporter>,
    pub context: &'a CallContext,
    pub service: &'a Name,
    /// The check of the effective specification.
    pub check: Option<&'a HealthCheck>,
    /// Time for all of it.
    pub deadline: Duration,
}

/// Where one of the checks stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Waiting(String),
    Healthy,
    Unhealthy(String),
}

impl HealthGate<'_> {
    /// Waits until every check that there is says healthy; returns the container as it is then.
    ///
    /// # Errors
    ///
    /// If the container ends, a check says unhealthy, or the time is over.
    pub async fn wait(&self, id: &str) -> Result<Arc<RunningContainer>, DeployError> {
        let started = Instant::now();
        let detail = self.running(id).await?;
        let container = RunningContainer::new(self.docker.clone(), detail.clone());
        let mut last = String::from("it has not answered yet");
        let probes = self.probes(&detail, &container, &mut last);
        let watch = self.watch(id);
        // Whatever the probes do, a container that ends is not waited for.
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(self.deadline, probes) => outcome,
            ended = watch => return Err(ended),
        };
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let time = humantime::format_duration(self.deadline);
                let why = format!("{last}; it had {time}");
                return Err(self.unhealthy(&detail.name, why));
            }
        }
        if self.check.is_none() && !self.has_own_check(&detail) && !container.answered() {
            tokio::time::sleep(MIN_UPTIME.saturating_sub(started.elapsed())).await;
        }
        // Healthy and then gone within a moment is not healthy.
        let detail = self.running(id).await?;
        Ok(RunningContainer::new(self.docker.clone(), detail))
    }

    fn has_own_check(&self, detail: &ContainerDetail) -> bool {
        detail.health.is_some()
            || self
                .hooks
                .having(Hook::Health, self.service)
                .next()
                .is_some()
    }

    /// Runs every check to its end, one after the other: all must agree.
    async fn probes(
        &self,
        detail: &ContainerDetail,
        container: &Arc<RunningContainer>,
        last: &mut String,
    ) -> Result<(), DeployError> {
        match self.check {
            Some(check) if !matches!(check.probe, Probe::Shell(_) | Probe::Exec(_)) => {
                self.own_probe(check, detail, container, last).await?;
            }
            // The daemon runs commands, and the image's own check.
            _ if detail.health.is_some() => self.daemon_health(detail, last).await?,
            _ if self.has_own_check(detail) => {}
            _ => {
                // Nothing was said about health: at least the port that people will use answers.
                if let Ok(port) = container.default_port() {
                    let check = HealthCheck {
                        interval: DAEMON_INTERVAL,
                        start_period: self.deadline,
                        ..HealthCheck::new(Probe::Tcp(port))
                    };
                    self.own_probe(&check, detail, container, last).await?;
                }
            }
        }
        self.plugin_health(detail, container, last).await
    }

    /// Probes by HTTP or TCP from here.
    async fn own_probe(
        &self,
        check: &HealthCheck,
        detail: &ContainerDetail,
        container: &RunningContainer,
        last: &mut String,
    ) -> Result<(), DeployError> {
        let started = Instant::now();
        let mut failed = 0;
        // Most apps are up long before one interval is over.
        let mut pause = FIRST_INTERVAL.min(check.interval);
        loop {
            match probe(check, container).await {
                Ok(()) => return Ok(()),
                Err(why) => *last = why,
            }
            if started.elapsed() > check.start_period {
                pause = check.interval;
                failed += 1;
                if failed >= check.retries {
                    let why = format!("{last} ({}, {failed} times in a row)", check.probe);
                    return Err(self.unhealthy(&detail.name, why));
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(check.interval);
        }
    }

    /// Follows what the daemon says of the health check that it runs.
    async fn daemon_health(
        &self,
        detail: &ContainerDetail,
        last: &mut String,
    ) -> Result<(), DeployError> {
        // Where nobody runs the check, it is run from here as Docker would.
        let mut due = (!self.docker.facts().runs_health_checks)
            .then(|| Instant::now() + detail.health_interval);
        loop {
            if let Some(time) = due
                && Instant::now() >= time
            {
                self.docker.run_health_check(&detail.id).await?;
                due = Some(Instant::now() + detail.health_interval);
            }
            let health = self.running(&detail.id).await?.health;
            match health.as_ref().map_or(Verdict::Healthy, daemon_verdict) {
                Verdict::Healthy => return Ok(()),
                Verdict::Unhealthy(why) => return Err(self.unhealthy(&detail.name, why)),
                Verdict::Waiting(why) => *last = why,
            }
            tokio::time::sleep(DAEMON_INTERVAL).await;
        }
    }

    /// Asks the plugins' `health` hooks, all at once, until each has decided.
    async fn plugin_health(
        &self,
        detail: &ContainerDetail,
        container: &Arc<RunningContainer>,
        last: &mut String,
    ) -> Result<(), DeployError> {
        let last = Mutex::new(last);
        let plugins = self.hooks.having(Hook::Health, self.service);
        let decisions = plugins.map(|(plugin, on_error)| {
            let last = &last;
            async move {
                loop {
                    let sink = log_sink(self.reporter);
                    let access: Arc<dyn ContainerAccess> = container.clone();
                    let result = plugin.health(self.context, access, sink).await;
                    // A check that is broken and may be, decides nothing.
                    let status = or_warn(result, on_error, None, &**self.reporter)?;
                    match status {
                        None | Some(HealthStatus::Healthy) => return Ok(()),
                        Some(HealthStatus::Starting(why)) => {
                            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                            **last = format!("{} says: {why}", plugin.name());
                        }
                        Some(HealthStatus::Unhealthy(why)) => {
                            let why = format!("{} says: {why}", plugin.name());
                            return Err(self.unhealthy(&detail.name, why));
                        }
                    }
                    tokio::time::sleep(PLUGIN_INTERVAL).await;
                }
            }
        });
        try_join_all(decisions).await.map(drop)
    }

    /// Ends when the container does, with why.
    async fn watch(&self, id: &str) -> DeployError {
        loop {
            tokio::time::sleep(DAEMON_INTERVAL).await;
            if let Err(error) = self.running(id).await {
                return error;
            }
        }
    }

    /// The container, which must be running.
    async fn running(&self, id: &str) -> Result<ContainerDetail, DeployError> {
        let Some(detail) = self.docker.inspect(id).await? else {
            return Err(self.unhealthy(id, "it was removed".to_owned()));
        };
        if detail.running && detail.restart_count == 0 {
            return Ok(detail);
        }
        let why = if detail.oom_killed {
            "it was killed because it reached its memory limit".to_owned()
        } else if detail.running {
            "it ended and was started again".to_owned()
        } else {
            format!("it ended with exit status {}", detail.exit_code)
        };
        Err(self.unhealthy(&detail.name, why))
    }

    fn unhealthy(&self, container: &str, why: String) -> DeployError {
        let help = if why.contains("memory limit") {
            "raise `memory` under [app] in plugins.toml"
        } else {
            "its last output is above; `health` and `[deploy] timeout` in plugins.toml say what \
             healthy means and how long it may take"
        };
        DeployError::Unhealthy {
            service: self.service.to_string(),
            container: container.to_owned(),
            why,
            help: help.to_owned(),
        }
    }
}

fn daemon_verdict(health: &DaemonHealth) -> Verdict {
    let output = health.last_output.trim();
    let said = |what: &str| match output {
        "" => what.to_owned(),
        output => format!("{what}: {output}"),
    };
    match health.status {
        DaemonStatus::Healthy => Verdict::Healthy,
        DaemonStatus::Unhealthy => Verdict::Unhealthy(said("its health check fails")),
        DaemonStatus::Starting => Verdict::Waiting(said("its health check has not succeeded yet")),
    }
}

/// Asks a container once what the check says; why it is not well, if it is not.
pub async fn probe(check: &HealthCheck, container: &RunningContainer) -> Result<(), String> {
    match &check.probe {
        Probe::Http { path, port, status } => {
            let request = HttpRequest {
                method: "GET".to_owned(),
                path: path.clone(),
                headers: Vec::new(),
                body: Vec::new(),
                port: *port,
                timeout: check.timeout,
            };
            expected(path, *status, &container.http(request).await?)
        }
        Probe::Tcp(port) => container.tcp_connect(*port, check.timeout).await,
        // Carried out by the daemon.
        Probe::Shell(_) | Probe::Exec(_) | Probe::None => Ok(()),
    }
}

fn expected(path: &str, wanted: Option<u16>, response: &HttpResponse) -> Result<(), String> {
    let status = response.status;
    match wanted {
        Some(wanted) if status == wanted => Ok(()),
        Some(wanted) => Err(format!("GET {path} answers {status} instead of {wanted}")),
        None if (200..400).contains(&status) => Ok(()),
        None => Err(format!("GET {path} answers {status}")),
    }
}

/// How many lines of a failed container's output are shown.
pub const SHOWN_LINES: u32 = 20;

/// The last output of a container; empty where there is none to be had.
pub async fn last_output(docker: &Docker, id: &str) -> Vec<String> {
    let options = crate::docker::LogOptions {
        tail: Some(SHOWN_LINES),
        ..Default::default()
    };
    let lines = docker.logs(id, options).map_ok(|line| line.text);
    lines.try_collect().await.unwrap_or_default()
}
