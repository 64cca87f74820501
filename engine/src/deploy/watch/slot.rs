//! One of a service's places, through all containers that it has had.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::core::Now;

/// So many ends of a container within [`CRASH_WINDOW`] are a crash loop.
pub const CRASHES: usize = 3;
/// In which time.
pub const CRASH_WINDOW: Duration = Duration::from_secs(120);

/// A container of the app, as the daemon lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The daemon's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: String,
    /// Its number among the service's containers, from 1.
    pub replica: u32,
    /// The release that made it.
    pub release: String,
    /// The name under which the edge knows it, if it does.
    pub target: Option<String>,
    /// True if it runs, or is about to.
    pub running: bool,
    /// Failed checks in a row that make it unhealthy.
    pub retries: u32,
    /// False for what is to end by itself, as a job.
    pub lasts: bool,
}

/// What one look at a container says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is well.
    Healthy,
    /// It is too early to say; why.
    Starting(String),
    /// It is not well.
    Failing {
        /// Why.
        why: String,
        /// True if this is no slip: whoever says so has looked more than once.
        certain: bool,
    },
}

/// What is to be done for a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same container, started again.
    Restart,
    /// A new one in its place.
    Replace,
}

/// Where a remedy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is to be done.
    Idle,
    /// Something is, at this time.
    Due(Now, Remedy),
    /// It is being done.
    Busy(Remedy),
    /// Nothing helped.
    GivenUp,
}

/// A place and what happened there.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The container that has it.
    pub facts: Facts,
    /// When its process began, as far as it was looked at.
    pub began: Option<Timestamp>,
    /// Checks that failed in a row.
    pub failures: u32,
    /// True if it passed a check since it was started last.
    pub passed: bool,
    /// Since when it is not well; until it passes a check, whatever is done for it.
    pub unwell: Option<Now>,
    /// What it failed with last.
    pub why: String,
    /// What is done about it.
    pub phase: Phase,
    /// True if the container is gone, and nobody who has the lock took it away.
    pub gone: bool,
    /// True if somebody stopped it on purpose.
    pub stopped: bool,
    /// When it was restarted.
    pub restarts: VecDeque<Now>,
    /// When it was last replaced.
    pub replaced: Option<Now>,
    /// True if this watcher has put a new container here, which was not seen yet.
    pub renewed: bool,
    /// When its process ended by itself.
    pub deaths: VecDeque<Now>,
    /// True once it was told that it ends again and again.
    pub loop_told: bool,
}

impl Slot {
    /// One of which nothing is known but what the daemon lists.
    pub fn new(facts: Facts) -> Self {
        Self {
            began: None,
            failures: 0,
            passed: false,
            unwell: None,
            why: String::new(),
            phase: Phase::Idle,
            gone: false,
            // What is found not to run was stopped before anybody watched.
            stopped: !facts.running,
            restarts: VecDeque::new(),
            replaced: None,
            renewed: false,
            deaths: VecDeque::new(),
            loop_told: false,
            facts,
        }
    }

    /// Forgets what is so long ago that it does not count any more.
    pub fn forget(&mut self, now: Now, window: Duration) {
        let old = |times: &mut VecDeque<Now>, window: Duration| {
            while times.front().is_some_and(|time| *time + window <= now) {
                times.pop_front();
            }
        };
        old(&mut self.restarts, window);
        old(&mut self.deaths, CRASH_WINDOW);
        self.replaced = self.replaced.filter(|time| *time + window > now);
        self.loop_told &= self.is_looping();
    }

    /// True if it ends again and again.
    pub fn is_looping(&self) -> bool {
        self.deaths.len() >= CRASHES
    }

    /// True if it has been unwell for so long, or ends again and again.
    pub fn is_bad(&self, now: Now, after: Duration) -> bool {
        let unwell = self.unwell.is_some_and(|since| since + after <= now);
        !self.stopped && (unwell || self.is_looping())
    }

    /// True if the edge may be asked to leave it out.
    pub fn is_to_be_out(&self) -> bool {
        self.unwell.is_some() && self.facts.target.is_some()
    }
}
