//! What a watcher decides: a function of what it knew, what it sees, and the time.
//!
//! Nothing here waits, asks or does anything, so a test can let hours go by in no time.

mod judge;
mod remedy;
mod terms;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backoff::Backoff;
use super::news::News;
use super::slot::{Facts, Phase, Remedy, Slot, Verdict};
use crate::manifest::{OnBad, WatchSection};

pub use terms::{Act, Failure, Holder, Running, Seen};

/// Time since the watch began, by a steady clock.
pub type Now = Duration;

/// Time before what could not be done, as another held the lock, is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// The same where the project could not be read.
const UNREAD: Duration = Duration::from_secs(60);

/// What is being done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Doing {
    Remedy(Key, Remedy),
    RollBack(String),
}

/// A place: the service, and the number there.
type Key = (String, u32);

/// All that a watcher knows.
#[derive(Debug)]
pub struct Core {
    settings: WatchSection,
    backoff: Backoff,
    slots: BTreeMap<Key, Slot>,
    /// The release that runs, and when that was seen.
    running: Option<(Running, Now)>,
    /// True if nothing is ever to be done.
    looks_on: bool,
    /// True once anything was seen.
    begun: bool,
    doing: Option<Doing>,
    locked: bool,
    /// True if who has the lock, or had it until the last look, is another watch: what it does counts
    /// as if this one had done it, so that two do not try twice as often.
    another: bool,
    lost: bool,
    /// True if what is known is old, as when whoever had the lock has changed it: nothing is decided
    /// before the next look, and what is gone then was taken away by who may.
    stale: bool,
    out: BTreeSet<String>,
    /// The services of which all containers are unhealthy, as told.
    hopeless: BTreeSet<String>,
    /// Releases that turned bad, with which nothing more is done.
    judged: BTreeSet<String>,
    acts: Vec<Act>,
}

impl Core {
    /// One that has seen nothing yet. `seed` is any number.
    pub fn new(settings: WatchSection, seed: u64) -> Self {
        Self {
            settings,
            backoff: Backoff::new(seed),
            slots: BTreeMap::new(),
            running: None,
            looks_on: false,
            begun: false,
            doing: None,
            locked: false,
            another: false,
            lost: false,
            stale: false,
            out: BTreeSet::new(),
            hopeless: BTreeSet::new(),
            judged: BTreeSet::new(),
            acts: Vec::new(),
        }
    }

    /// The same, but it only tells, and never has anything done.
    #[must_use]
    pub fn looking_on(mut self) -> Self {
        self.looks_on = true;
        self
    }

    /// The places, in order.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// The release that runs.
    pub fn running(&self) -> Option<&Running> {
        self.running.as_ref().map(|(running, _)| running)
    }

    /// What is to be left out of the edge.
    pub fn out(&self) -> &BTreeSet<String> {
        &self.out
    }

    /// True while the daemon does not answer.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// How long the release has been there.
    pub fn age(&self, now: Now) -> Duration {
        let age = |(running, seen): &(Running, Now)| running.age + now.saturating_sub(*seen);
        self.running.as_ref().map(age).unwrap_or_default()
    }

    /// True while somebody else holds the lock.
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// When the next thing is due; `None` if nothing is but what is seen.
    pub fn next(&self, now: Now) -> Option<Now> {
        if self.locked || self.lost || self.stale || self.doing.is_some() {
            return None;
        }
        let due = self.slots.values().filter_map(|slot| match slot.phase {
            Phase::Due(at, _) => Some(at),
            _ => None,
        });
        let bad = self.slots.values().filter_map(|slot| slot.unwell);
        let bad = bad.map(|since| since + self.settings.bad_after);
        due.chain(bad.filter(|at| *at > now)).min()
    }

    /// For how much longer the release is on probation.
    pub fn probation(&self, now: Now) -> Option<Duration> {
        self.running.as_ref()?;
        let left = self.settings.probation?.checked_sub(self.age(now))?;
        (!left.is_zero()).then_some(left)
    }

    /// Takes in what was seen, and gives what is to be done.
    pub fn see(&mut self, seen: Seen, now: Now) -> Vec<Act> {
        if !matches!(seen, Seen::Lost(_) | Seen::Done(_)) && std::mem::take(&mut self.lost) {
            self.tell(None, News::DaemonBack);
        }
        match seen {
            Seen::Roster(containers, running) => self.roster(containers, running, now),
            Seen::Checked(id, verdict) => self.checked(&id, verdict, now),
            Seen::Ended { id, why, fine } => self.ended(&id, why, fine, now),
            Seen::Stopped(id) => {
                // A restart of its own is a stop and a start, too.
                if let Some((_, slot)) = self.find(&id)
                    && !matches!(slot.phase, Phase::Busy(_))
                {
                    slot.stopped = true;
                    slot.deaths.pop_back();
                    // Whether it is well is for its checks to say, should it be started again.
                    slot.phase = Phase::Idle;
                }
            }
            Seen::Removed(id) => self.removed(&id, now),
            Seen::Began(id, at) => self.began(&id, at, now),
            Seen::Locked(holder) => {
                if self.doing.is_none() {
                    self.yield_to(holder);
                }
            }
            Seen::Unlocked => {
                if self.doing.is_none() && std::mem::take(&mut self.locked) {
                    self.tell(None, News::Resuming);
                    self.stale = true;
                }
            }
            Seen::Done(result) => self.done(result, now),
            Seen::Lost(why) => {
                if !std::mem::replace(&mut self.lost, true) {
                    // Nobody knows what happened meanwhile.
                    self.stale = true;
                    self.tell(None, News::DaemonLost { why });
                }
            }
        }
        self.decide(now);
        std::mem::take(&mut self.acts)
    }

    /// Lets time go by, and gives what is to be done.
    pub fn tick(&mut self, now: Now) -> Vec<Act> {
        self.decide(now);
        std::mem::take(&mut self.acts)
    }

    fn tell(&mut self, slot: Option<&Facts>, news: News) {
        let service = slot.map(|facts| facts.service.clone());
        let container = slot.map(|facts| facts.name.clone());
        self.acts.push(Act::Tell(service, container, news));
    }

    fn find(&mut self, id: &str) -> Option<(Key, &mut Slot)> {
        let mut slots = self.slots.iter_mut();
        slots
            .find(|(_, slot)| slot.facts.id == id)
            .map(|(key, slot)| (key.clone(), slot))
    }

    fn roster(&mut self, containers: Vec<Facts>, running: Option<Running>, now: Now) {
        if matches!(
            self.doing,
            Some(Doing::Remedy(_, Remedy::Replace) | Doing::RollBack(_))
        ) {
            // In the middle of it old and new are there.
            return;
        }
        let release = |running: Option<&Running>| running.map(|one| one.release.clone());
        let before = release(self.running());
        let other = !self.begun || release(running.as_ref()) != before;
        self.begun = true;
        let mut seen = BTreeSet::new();
        for facts in containers {
            let key = (facts.service.clone(), facts.replica);
            seen.insert(key.clone());
            match self.slots.get_mut(&key) {
                Some(slot) if slot.facts.id == facts.id => {
                    if facts.running {
                        slot.stopped = false;
                    }
                    slot.facts = facts;
                }
                Some(slot) => {
                    let mut next = Slot::new(facts);
                    let renewed = std::mem::take(&mut slot.renewed);
                    if renewed || self.another {
                        // What was tried for the one before counts for the one in its place.
                        (next.restarts, next.replaced) = (slot.restarts.clone(), slot.replaced);
                    }
                    if self.another {
                        next.replaced = Some(now);
                    }
                    *slot = next;
                }
                None => {
                    self.slots.insert(key, Slot::new(facts));
                }
            }
        }
        let meant = std::mem::take(&mut self.stale) || self.locked || self.doing.is_some();
        let missing = self
            .slots
            .iter()
            .filter(|(key, slot)| !seen.contains(*key) && !slot.gone);
        let missing: Vec<String> = missing.map(|(_, slot)| slot.facts.id.clone()).collect();
        if meant {
            self.slots.retain(|key, _| seen.contains(key));
        } else {
            missing.iter().for_each(|id| self.removed(id, now));
            // One that is gone has its place until there is another.
            self.slots
                .retain(|key, slot| seen.contains(key) || slot.gone);
        }
        self.another &= self.locked;
        self.see_to_ended(now);
        self.running = running.map(|running| (running, now));
        if other {
            let news = News::Watching {
                release: release(self.running()),
                containers: self.slots.len(),
                probation: self.may_go_back(now).map(|left| left.as_secs().max(1)),
            };
            self.tell(None, news);
        }
    }

    /// For how much longer the release is taken back if it turns bad.
    fn may_go_back(&self, now: Now) -> Option<Duration> {
        let back = self.running()?.back.is_ok() && self.settings.on_bad == OnBad::Rollback;
        self.probation(now).filter(|_| back)
    }

    fn checked(&mut self, id: &str, verdict: Verdict, now: Now) {
        let Some((_, slot)) = self.find(id) else {
            return;
        };
        match verdict {
            Verdict::Healthy => {
                slot.failures = 0;
                slot.passed = true;
                if matches!(slot.phase, Phase::Due(..) | Phase::GivenUp) {
                    slot.phase = Phase::Idle;
                }
                if slot.unwell.take().is_some() {
                    let facts = slot.facts.clone();
                    self.tell(Some(&facts), News::Healthy);
                }
            }
            Verdict::Starting(why) => slot.why = why,
            Verdict::Failing { why, certain } => {
                slot.failures = match certain {
                    true => slot.facts.retries.max(1),
                    false => slot.failures.saturating_add(1),
                };
                slot.why = why;
                if slot.failures >= slot.facts.retries.max(1) {
                    self.unwell(id, now);
                }
            }
        }
    }

    fn done(&mut self, result: Result<(), Failure>, now: Now) {
        let Some(doing) = self.doing.take() else {
            return;
        };
        let moved = matches!(result, Err(Failure::Moved(_)));
        let begun = !matches!(result, Err(Failure::Unread(_)));
        let restart = matches!(doing, Doing::Remedy(_, Remedy::Restart));
        self.stale = moved || begun && !restart;
        match doing {
            Doing::Remedy(key, remedy) => self.remedied(&key, remedy, result, now),
            Doing::RollBack(to) => match result {
                Ok(()) => self.tell(None, News::RolledBack { to }),
                Err(Failure::Locked(holder)) => {
                    // Whoever has the lock may mend it; if not, it is bad still.
                    if let Some(release) = self.running().map(|one| one.release.clone()) {
                        self.judged.remove(&release);
                    }
                    self.yield_to(holder);
                }
                Err(Failure::Moved(why)) => self.tell(None, News::LeftAlone { why }),
                Err(Failure::Unread(why) | Failure::Other(why)) => {
                    self.tell(None, News::Failed { why });
                }
            },
        }
    }

    fn yield_to(&mut self, holder: Holder) {
        self.another = holder.watch;
        if !std::mem::replace(&mut self.locked, true) {
            let holder = holder.who;
            self.tell(None, News::Yielding { holder });
        }
    }
}
