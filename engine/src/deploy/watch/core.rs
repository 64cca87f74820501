//! What a watcher decides: a function of what it knew, what it sees, and the time.
//!
//! Nothing here waits, asks or does anything, so a test can let hours go by in no time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backoff::Backoff;
use super::news::News;
use super::slot::{Facts, Phase, Remedy, Slot, Verdict};
use crate::manifest::{OnBad, WatchSection};

/// Time since the watch began, by a steady clock.
pub type Now = Duration;

/// Time before what could not be done, as another held the lock, is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// The release that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub release: String,
    /// How long it has been there.
    pub age: Duration,
    /// The release to go back to, or why there is no going back from this one.
    pub back: Result<String, String>,
}

/// What is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// All containers of the app, and the release that runs.
    Roster(Vec<Facts>, Option<Running>),
    /// What a look at a container says.
    Checked(String, Verdict),
    /// A container's process ended, by itself or not.
    Ended {
        /// The container's id.
        id: String,
        /// How.
        why: String,
        /// True if it has done what it was for.
        fine: bool,
    },
    /// Somebody asked a container to stop.
    Stopped(String),
    /// A container was removed.
    Removed(String),
    /// The app's lock is held by somebody else.
    Locked(String),
    /// The lock was given back.
    Unlocked,
    /// What was asked for is done, or why not.
    Done(Result<(), Failure>),
    /// The daemon does not answer.
    Lost(String),
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Somebody has the lock.
    Locked(String),
    /// It did not succeed.
    Other(String),
}

/// What is to be done. But for the first two, there is one at a time, and [`Seen::Done`] says that
/// it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Somebody is to be told: of a service, of a container, what.
    Tell(Option<String>, Option<String>, News),
    /// The edge is to leave these out, and no others, by the names that it knows them by.
    KeepOut(BTreeSet<String>),
    /// This container is to be restarted.
    Restart(Facts),
    /// This container is to be replaced by a new one.
    Replace(Facts),
    /// The release before is to be brought back.
    RollBack {
        /// Which one that is.
        to: String,
        /// Why.
        why: String,
    },
}

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
                    (slot.unwell, slot.phase) = (None, Phase::Idle);
                }
            }
            Seen::Removed(id) => self.removed(&id, now),
            Seen::Locked(holder) => {
                if self.doing.is_none() && !std::mem::replace(&mut self.locked, true) {
                    self.tell(None, News::Yielding { holder });
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
                    if std::mem::take(&mut slot.renewed) {
                        // What was tried for the one before counts for the one in its place.
                        (next.restarts, next.replaced) = (slot.restarts.clone(), slot.replaced);
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

    /// Takes note of containers that ended, and that the daemon does not start again.
    fn see_to_ended(&mut self, now: Now) {
        let ended = self.slots.values().filter(|slot| {
            let facts = &slot.facts;
            !facts.running && !slot.stopped && facts.lasts && slot.phase == Phase::Idle
        });
        let ended: Vec<String> = ended.map(|slot| slot.facts.id.clone()).collect();
        ended.iter().for_each(|id| self.unwell(id, now));
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

    /// A container is not well, and something is to be done for it.
    fn unwell(&mut self, id: &str, now: Now) {
        let Some((key, slot)) = self.find(id) else {
            return;
        };
        let first = slot.unwell.is_none();
        slot.unwell.get_or_insert(now);
        let (facts, why) = (slot.facts.clone(), slot.why.clone());
        if first {
            self.tell(Some(&facts), News::Unhealthy { why });
        }
        if facts.lasts {
            self.plan_remedy(&key, now);
        }
    }

    /// Decides what is to be done for a container that is not well, and when.
    fn plan_remedy(&mut self, key: &Key, now: Now) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        slot.forget(now, self.settings.window);
        if slot.phase != Phase::Idle || self.looks_on {
            return;
        }
        let tried = slot.restarts.len();
        let remedy = match tried < self.settings.restarts && !slot.gone {
            true => Remedy::Restart,
            false => Remedy::Replace,
        };
        if remedy == Remedy::Replace && slot.replaced.is_some() {
            slot.phase = Phase::GivenUp;
            let window = humantime::format_duration(self.settings.window);
            let last = match slot.why.as_str() {
                "" => "it was removed again",
                why => why,
            };
            let why = format!(
                "{tried} restarts and a new container within {window} did not help: {last}; it needs somebody to \
                 look at it, or another release"
            );
            let facts = slot.facts.clone();
            self.tell(Some(&facts), News::GaveUp { why });
            return;
        }
        let delay = self.backoff.delay(tried);
        slot.phase = Phase::Due(now + delay, remedy);
    }

    fn ended(&mut self, id: &str, why: String, fine: bool, now: Now) {
        let doing = self.doing.clone();
        let locked = self.locked;
        let Some((key, slot)) = self.find(id) else {
            return;
        };
        (slot.failures, slot.passed) = (0, false);
        // What this watcher, or who has the lock, stops is no crash, and a job ends when it is done.
        let own = matches!(doing, Some(Doing::RollBack(_)))
            || matches!(doing, Some(Doing::Remedy(of, _)) if of == key);
        if own || locked || !slot.facts.lasts {
            return;
        }
        if fine {
            (slot.stopped, slot.unwell, slot.phase) = (true, None, Phase::Idle);
            return;
        }
        slot.deaths.push_back(now);
        slot.why.clone_from(&why);
        let facts = slot.facts.clone();
        self.tell(Some(&facts), News::Ended { why });
    }

    fn removed(&mut self, id: &str, now: Now) {
        if self.locked || self.doing.is_some() {
            return;
        }
        let Some((key, slot)) = self.find(id) else {
            return;
        };
        if !slot.facts.lasts || slot.stopped || slot.gone {
            return;
        }
        "it was removed".clone_into(&mut slot.why);
        slot.gone = true;
        slot.phase = Phase::Idle;
        slot.unwell.get_or_insert(now);
        let facts = slot.facts.clone();
        let why = "it was removed, and not by rengine".to_owned();
        self.tell(Some(&facts), News::Ended { why });
        self.plan_remedy(&key, now);
    }

    fn done(&mut self, result: Result<(), Failure>, now: Now) {
        let Some(doing) = self.doing.take() else {
            return;
        };
        self.stale = !matches!(doing, Doing::Remedy(_, Remedy::Restart));
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
                Err(Failure::Other(why)) => self.tell(None, News::Failed { why }),
            },
        }
    }

    fn yield_to(&mut self, holder: String) {
        self.locked = true;
        self.tell(None, News::Yielding { holder });
    }

    fn remedied(&mut self, key: &Key, remedy: Remedy, result: Result<(), Failure>, now: Now) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let facts = slot.facts.clone();
        if let Err(Failure::Locked(holder)) = result {
            slot.phase = Phase::Due(now + AGAIN, remedy);
            return self.yield_to(holder);
        }
        slot.phase = Phase::Idle;
        slot.failures = 0;
        match remedy {
            Remedy::Restart => slot.restarts.push_back(now),
            Remedy::Replace => slot.replaced = Some(now),
        }
        match (result, remedy) {
            (Ok(()), Remedy::Restart) => self.tell(Some(&facts), News::Restarted),
            (Ok(()), Remedy::Replace) => {
                // It went through the gate: it is well.
                (slot.unwell, slot.gone) = (None, false);
                slot.renewed = true;
                self.tell(Some(&facts), News::Replaced);
            }
            (Err(Failure::Other(why)), _) => {
                slot.why.clone_from(&why);
                self.tell(Some(&facts), News::Failed { why });
                self.plan_remedy(key, now);
            }
            (Err(Failure::Locked(_)), _) => {}
        }
    }

    /// What follows from all that is known.
    fn decide(&mut self, now: Now) {
        let window = self.settings.window;
        for slot in self.slots.values_mut() {
            slot.forget(now, window);
        }
        if self.lost || self.stale {
            return;
        }
        self.tell_loops();
        if self.looks_on {
            return;
        }
        if !self.locked {
            self.keep_out();
        }
        if self.locked || self.doing.is_some() {
            return;
        }
        if self.judge(now) {
            return;
        }
        let due = self
            .slots
            .iter()
            .filter_map(|(key, slot)| match slot.phase {
                Phase::Due(at, remedy) if at <= now => Some((at, key.clone(), remedy)),
                _ => None,
            });
        // One at a time: of several replicas the others serve meanwhile.
        let Some((_, key, remedy)) = due.min_by_key(|(at, ..)| *at) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        slot.phase = Phase::Busy(remedy);
        let (facts, why) = (slot.facts.clone(), slot.why.clone());
        let attempt = slot.restarts.len() + 1;
        let (news, act) = match remedy {
            Remedy::Restart => (News::Restarting { attempt }, Act::Restart(facts.clone())),
            Remedy::Replace => (News::Replacing { why }, Act::Replace(facts.clone())),
        };
        self.doing = Some(Doing::Remedy(key, remedy));
        self.tell(Some(&facts), news);
        self.acts.push(act);
    }

    fn tell_loops(&mut self) {
        let looping = self.slots.values_mut();
        let looping = looping.filter(|slot| slot.is_looping() && !slot.loop_told);
        let told: Vec<(Facts, usize)> = looping
            .map(|slot| {
                slot.loop_told = true;
                (slot.facts.clone(), slot.deaths.len())
            })
            .collect();
        for (facts, times) in told {
            self.tell(Some(&facts), News::CrashLoop { times });
        }
    }

    /// Decides who is to be left out of the edge: who is not well, but never all of a service.
    fn keep_out(&mut self) {
        let mut out = BTreeSet::new();
        let mut hopeless = BTreeSet::new();
        let mut changed = Vec::new();
        let services: BTreeSet<&String> = self.slots.keys().map(|(service, _)| service).collect();
        for service in services {
            let behind = self.slots.values().filter(|slot| {
                slot.facts.service == *service && slot.facts.target.is_some() && !slot.gone
            });
            let behind: Vec<&Slot> = behind.collect();
            let all = behind.iter().all(|slot| slot.is_to_be_out());
            if all && !behind.is_empty() {
                hopeless.insert(service.clone());
            }
            for slot in behind {
                let Some(target) = &slot.facts.target else {
                    continue;
                };
                let stays_out = slot.is_to_be_out() && !all;
                if stays_out {
                    out.insert(target.clone());
                }
                match (stays_out, self.out.contains(target)) {
                    (true, false) => changed.push((slot.facts.clone(), News::Out)),
                    (false, true) => changed.push((slot.facts.clone(), News::In)),
                    _ => {}
                }
            }
        }
        if out != self.out {
            self.out.clone_from(&out);
            self.acts.push(Act::KeepOut(out));
        }
        for (facts, news) in changed {
            self.tell(Some(&facts), news);
        }
        for service in hopeless.difference(&self.hopeless) {
            let act = Act::Tell(Some(service.clone()), None, News::AllUnhealthy);
            self.acts.push(act);
        }
        self.hopeless = hopeless;
    }

    /// Decides whether the release has turned bad; true if it is taken back.
    fn judge(&mut self, now: Now) -> bool {
        let Some((running, _)) = &self.running else {
            return false;
        };
        let (Some(_), false) = (
            self.settings.probation,
            self.judged.contains(&running.release),
        ) else {
            return false;
        };
        let Some(why) = self.why_bad(&running.release, now) else {
            return false;
        };
        let (release, back) = (running.release.clone(), running.back.clone());
        if self.probation(now).is_none() {
            // It was good for long enough: what is bad now has other reasons.
            return false;
        }
        self.judged.insert(release);
        let left = match (self.settings.on_bad, back) {
            (OnBad::Rollback, Ok(to)) => {
                self.doing = Some(Doing::RollBack(to.clone()));
                let news = News::RollingBack {
                    why: why.clone(),
                    to: to.clone(),
                };
                self.tell(None, news);
                self.acts.push(Act::RollBack { to, why });
                return true;
            }
            (OnBad::Rollback, Err(left)) => left,
            (OnBad::Warn, _) => "`on-bad` says that it is only told".to_owned(),
        };
        self.tell(None, News::Bad { why, left });
        false
    }

    /// How the release is bad: by a service most of whose containers are, if it made one of them.
    fn why_bad(&self, release: &str, now: Now) -> Option<String> {
        let services: BTreeSet<&String> = self.slots.keys().map(|(service, _)| service).collect();
        services.into_iter().find_map(|service| {
            let slots = self.slots.values();
            let slots = slots.filter(|slot| slot.facts.service == *service && slot.facts.lasts);
            let slots: Vec<&Slot> = slots.collect();
            let bad = slots.iter();
            let bad = bad.filter(|slot| slot.is_bad(now, self.settings.bad_after));
            let bad: Vec<&&Slot> = bad.collect();
            let made = slots.iter().any(|slot| slot.facts.release == release);
            if !made || bad.len() * 2 <= slots.len() {
                return None;
            }
            let last = bad.last().map_or("", |slot| slot.why.as_str());
            let (count, all) = (bad.len(), slots.len());
            Some(format!(
                "{count} of {all} containers of {service} are unhealthy: {last}"
            ))
        })
    }
}
