//! The app as a watcher sees it at one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use super::core::{Core, Now};
use super::slot::{Phase, Remedy, Slot};

/// What a view shows of an app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// The release that runs.
    pub release: Option<String>,
    /// How long it has been there.
    pub age: Duration,
    /// For how much longer it is on probation.
    pub probation: Option<Duration>,
    /// True while somebody else holds the lock.
    pub locked: bool,
    /// True while the daemon does not answer.
    pub lost: bool,
    /// Its containers, in the order of their services.
    pub rows: Vec<Row>,
    /// The edges: id and name.
    pub edges: Vec<(String, String)>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The daemon's id.
    pub id: String,
    /// Its name.
    pub container: String,
    /// Its service.
    pub service: String,
    /// Its number there.
    pub replica: u32,
    /// The release that made it.
    pub release: String,
    /// The name under which the edge knows it.
    pub target: Option<String>,
    /// The daemon's words for its state, as `Up 3 minutes`.
    pub status: String,
    /// How it is.
    pub condition: Condition,
    /// What it failed with last, while it is not well.
    pub why: String,
    /// True if the edge leaves it out.
    pub out: bool,
    /// Its restarts that count.
    pub restarts: usize,
}

impl Row {
    /// True if its process runs, or is about to.
    pub fn is_running(&self) -> bool {
        !matches!(self.condition, Condition::Stopped | Condition::Gone)
    }
}

/// How a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nobody has looked yet, or it starts.
    Unknown,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
    /// It is being restarted.
    Restarting,
    /// A new one is being put in its place.
    Replacing,
    /// Nothing helped.
    GivenUp,
    /// It does not run, and that is as it should be.
    Stopped,
    /// It is not there.
    Gone,
}

impl Condition {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Restarting => "restarting",
            Self::Replacing => "replacing",
            Self::GivenUp => "given up",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
        }
    }

    fn of(slot: &Slot) -> Self {
        match slot.phase {
            Phase::Busy(Remedy::Restart) => Self::Restarting,
            Phase::Busy(Remedy::Replace) => Self::Replacing,
            Phase::GivenUp => Self::GivenUp,
            _ if slot.gone => Self::Gone,
            _ if slot.stopped || (!slot.facts.running && !slot.facts.lasts) => Self::Stopped,
            _ if slot.unwell.is_some() => Self::Unhealthy,
            _ if slot.passed => Self::Healthy,
            _ => Self::Unknown,
        }
    }
}

impl Picture {
    /// Of what a watcher knows. `status` has the daemon's words, by the containers' ids.
    pub fn of(core: &Core, status: &BTreeMap<String, String>, now: Now) -> Self {
        let rows = core.slots().map(|slot| {
            let facts = &slot.facts;
            let target = facts.target.as_ref();
            Row {
                id: facts.id.clone(),
                container: facts.name.clone(),
                service: facts.service.clone(),
                replica: facts.replica,
                release: facts.release.clone(),
                target: facts.target.clone(),
                status: status.get(&facts.id).cloned().unwrap_or_default(),
                condition: Condition::of(slot),
                why: slot.why.clone(),
                out: target.is_some_and(|target| core.out().contains(target)),
                restarts: slot.restarts.len(),
            }
        });
        Self {
            release: core.running().map(|running| running.release.clone()),
            age: core.age(now),
            probation: core.probation(now),
            locked: core.is_locked(),
            lost: core.is_lost(),
            rows: rows.collect(),
            edges: Vec::new(),
        }
    }
}
