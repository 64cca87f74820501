//! New containers that get some of the requests before all: how they do is measured at the edge, and
//! what they got is given back if they do badly.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, select_all};
use tokio::time::{Instant, sleep};

use super::steps::{Execution, Place};
use super::{DeployError, Event};
use crate::app::{Canary, HealthCheck, Name, Service};
use crate::edge::State;
use crate::plan::EdgeRoutes;

mod figures;

use figures::{Figures, Sample};

/// How often figures are looked at while new containers are tried out; at least ten times in all.
const INTERVAL: Duration = Duration::from_secs(1);
/// Time between two looks, at least.
const SHORTEST: Duration = Duration::from_millis(50);
/// Time between two words on how they do.
const TELL: Duration = Duration::from_secs(5);
/// How long an edge may not answer meanwhile.
const SILENCE: Duration = Duration::from_secs(15);
/// Time for what ran before to be well again when a release is taken back.
const RETURN: Duration = Duration::from_secs(30);
/// Time between two checks of a container that is watched, at least.
const WATCH: Duration = Duration::from_millis(500);

impl Execution<'_> {
    /// Has some of the requests go to others. First noted, then done: what is half told is taken
    /// back, too.
    pub(super) async fn shift(
        &self,
        edges: &[EdgeRoutes],
        back: &[EdgeRoutes],
    ) -> Result<(), DeployError> {
        for edge in back {
            let name = edge.container.clone();
            self.lock_shifted().insert(name, edge.clone());
        }
        for edge in edges {
            self.route(edge).await?;
        }
        Ok(())
    }

    /// Watches new containers for a time.
    pub(super) async fn settle(
        &self,
        service: &Service,
        replicas: &[u32],
        time: Duration,
    ) -> Result<Option<String>, DeployError> {
        let own = |place: &Place| replicas.contains(&place.1);
        let ids = self.candidates(service, own);
        let watched = self.stay_well(service, &ids);
        let outcome: BoxFuture<'_, _> = Box::pin(async {
            tokio::select! {
                error = watched => Err(error),
                () = sleep(time) => Ok(None),
            }
        });
        self.interruptible(outcome).await?
    }

    /// Compares new containers with the old ones while they get their share of the requests.
    pub(super) async fn judge(
        &self,
        step: usize,
        service: &Service,
        trial: Trial<'_>,
    ) -> Result<Option<String>, DeployError> {
        let canary = trial.canary;
        let ids = self.candidates(service, |_| true);
        let outcome: BoxFuture<'_, _> = Box::pin(async {
            tokio::select! {
                // Ends only if one is not well.
                error = self.stay_well(service, &ids) => Err(error),
                figures = self.measured(step, service, &trial) => figures,
            }
        });
        let (new, old) = self.interruptible(outcome).await??;
        Ok(Some(match new.requests < canary.min_requests {
            true if new.requests == 0 => "no requests came, and it stayed healthy".to_owned(),
            true => format!("{new}: too few to compare them, and it stayed healthy"),
            false => format!("{new}; before: {old}"),
        }))
    }

    /// The figures of both at the end, if the new ones were good enough all the time.
    async fn measured(
        &self,
        step: usize,
        service: &Service,
        trial: &Trial<'_>,
    ) -> Result<(Figures, Figures), DeployError> {
        let canary = trial.canary;
        let begun = Instant::now();
        let interval = INTERVAL.min(canary.time / 10).max(SHORTEST);
        let mut answered = begun;
        let mut told = begun;
        let mut first = None;
        loop {
            if first.is_some() {
                let left = canary.time.saturating_sub(begun.elapsed());
                sleep(interval.min(left).max(SHORTEST)).await;
            }
            let (own, others) = match self.samples(trial).await {
                Ok(samples) => samples,
                // It may be that its process is replaced, or its container started again.
                Err(error) if answered.elapsed() > SILENCE => return Err(error),
                Err(_) => {
                    sleep(SHORTEST).await;
                    continue;
                }
            };
            answered = Instant::now();
            // What the old ones did before is none of this; the new ones did nothing.
            let Some(first) = &first else {
                first = Some(others);
                continue;
            };
            let own = Figures::between(&Sample::default(), &own);
            let others = Figures::between(first, &others);
            if let Some(why) = own.fails(canary, &others) {
                return Err(DeployError::Canary {
                    service: service.name.to_string(),
                    why,
                });
            }
            let left = canary.time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok((own, others));
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                let left = humantime::format_duration(Duration::from_secs(left.as_secs()));
                let line = format!("{own}; old containers: {others}; {left} left");
                self.reporter.report(Event::StepOutput { step, line });
            }
        }
    }

    /// What the edges have counted by now: of the new ones, and of the old ones.
    async fn samples(&self, trial: &Trial<'_>) -> Result<(Sample, Sample), DeployError> {
        let (mut own, mut others) = (Sample::default(), Sample::default());
        for (container, id) in trial.edges {
            let state = self.edge_state(container, id).await?;
            own.add(&state, trial.new);
            others.add(&state, trial.old);
        }
        Ok((own, others))
    }

    async fn edge_state(&self, container: &str, id: &str) -> Result<State, DeployError> {
        let json = self.ask_edge(id, container, &["state"]).await?;
        serde_json::from_str(&json).map_err(|error| DeployError::Edge {
            container: container.to_owned(),
            reason: format!("what it says of itself can't be read: {error}"),
            away: false,
        })
    }

    /// Ends when one of a service's new containers is not well.
    async fn stay_well(&self, service: &Service, ids: &[String]) -> DeployError {
        let mut watched: Vec<BoxFuture<'_, DeployError>> = Vec::new();
        for id in ids {
            watched.push(Box::pin(self.watched(service, id)));
        }
        match watched.is_empty() {
            true => pending().await,
            false => select_all(watched).await.0,
        }
    }

    async fn watched(&self, service: &Service, id: &str) -> DeployError {
        // It has had its time to start.
        let check = service.container.health.as_ref();
        let check = check.map(|check| HealthCheck {
            start_period: Duration::ZERO,
            ..check.clone()
        });
        let pause = check
            .as_ref()
            .map_or(WATCH, |check| check.interval.max(WATCH));
        loop {
            sleep(pause).await;
            if let Err(error) = self.is_well(service, check.as_ref(), id).await {
                return error;
            }
        }
    }

    /// Starts a container that was stopped, and waits until it is well.
    async fn bring_back(&self, service: &Name, old: &(String, String)) {
        self.start_again(std::slice::from_ref(old)).await;
        let Some(service) = self.prepared.app.services.get(service) else {
            return;
        };
        let check = service.container.health.clone();
        let well = self.is_well(service, check.as_ref(), &old.0);
        let well = tokio::time::timeout(RETURN, well).await;
        let why = match well {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it had 30s".to_owned(),
        };
        self.warn(format!("{}, which ran before, is not well: {why}", old.1));
    }

    /// Gives requests back to those that had them before; what was stopped meanwhile runs again
    /// first. False if an edge can't be told: then nobody may be taken away.
    pub(super) async fn unshift(&self) -> bool {
        let retired = self.retired();
        let mut again: Vec<BoxFuture<'_, ()>> = Vec::new();
        for (name, old) in &retired {
            again.push(Box::pin(self.bring_back(name, old)));
        }
        futures_util::future::join_all(again).await;
        let edges = self.shifted_back();
        let mut all = true;
        for edge in &edges {
            if let Err(error) = self.route(edge).await {
                self.warn(format!(
                    "requests could not be given back, so the new containers stay: {error}"
                ));
                all = false;
                continue;
            }
            let Some(id) = &edge.id else { continue };
            let limit = format!("{}ms", self.prepared.drain.as_millis());
            let words = ["drain", "--timeout", limit.as_str()];
            if let Err(error) = self.ask_edge(id, &edge.container, &words).await {
                self.reporter.report(Event::Warning {
                    message: format!("what new containers had to do may be cut off: {error}"),
                    help: None,
                });
            }
        }
        all
    }

    /// What edges are told if requests are given back.
    pub(super) fn lock_shifted(&self) -> MutexGuard<'_, Shifted> {
        self.shifted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What edges are to be told, since requests are given back.
    fn shifted_back(&self) -> Vec<EdgeRoutes> {
        std::mem::take(&mut *self.lock_shifted())
            .into_values()
            .collect()
    }

    /// The old containers that were stopped though new ones can run beside them: id and name, with
    /// their service.
    fn retired(&self) -> Vec<(Name, (String, String))> {
        let mut places = self.lock_places();
        let retired = places.iter_mut().flat_map(|((name, _), progress)| {
            let retired = std::mem::take(&mut progress.retired);
            retired.into_iter().map(|old| (name.clone(), old))
        });
        retired.collect()
    }

    /// The new containers of a service that were started.
    fn candidates(&self, service: &Service, own: impl Fn(&Place) -> bool) -> Vec<String> {
        let places = self.lock_places();
        let new = places.iter().filter(|(place, progress)| {
            place.0 == service.name && progress.candidate.is_some() && own(place)
        });
        new.filter_map(|(_, progress)| progress.started.clone())
            .collect()
    }
}

/// What is compared.
pub(super) struct Trial<'a> {
    pub canary: &'a Canary,
    /// The edges: name and id.
    pub edges: &'a [(String, String)],
    /// The names under which edges find the new containers.
    pub new: &'a [String],
    /// The same of the old ones.
    pub old: &'a [String],
}

/// What is to be told to edges, by their names, to give requests back.
pub(super) type Shifted = BTreeMap<String, EdgeRoutes>;
