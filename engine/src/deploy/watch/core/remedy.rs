//! What is done for a container that is not well, and when.

use jiff::Timestamp;

use super::{AGAIN, Core, Doing, Failure, Key, News, Now, Phase, Remedy, UNREAD};

impl Core {
    /// Takes note of containers that ended, and that the daemon does not start again.
    pub(super) fn see_to_ended(&mut self, now: Now) {
        let ended = self.slots.values().filter(|slot| {
            let facts = &slot.facts;
            !facts.running && !slot.stopped && facts.lasts && slot.phase == Phase::Idle
        });
        let ended: Vec<String> = ended.map(|slot| slot.facts.id.clone()).collect();
        ended.iter().for_each(|id| self.unwell(id, now));
    }

    /// A container is not well, and something is to be done for it.
    pub(super) fn unwell(&mut self, id: &str, now: Now) {
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
    pub(super) fn plan_remedy(&mut self, key: &Key, now: Now) {
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

    pub(super) fn ended(&mut self, id: &str, why: String, fine: bool, now: Now) {
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

    /// A container's process has begun. If this watcher did not see to that, somebody else did: what was
    /// to be done is done, and whether that helped is for the next checks to say.
    pub(super) fn began(&mut self, id: &str, at: Option<Timestamp>, now: Now) {
        let counts = self.another && at.is_none();
        let Some((_, slot)) = self.find(id) else {
            return;
        };
        let other = match (slot.began, at) {
            (Some(before), Some(at)) => before != at,
            (_, at) => at.is_none(),
        };
        slot.began = at.or(slot.began);
        if !other || matches!(slot.phase, Phase::Busy(_)) {
            return;
        }
        (slot.failures, slot.passed) = (0, false);
        if counts {
            slot.restarts.push_back(now);
        }
        if matches!(slot.phase, Phase::Due(_, Remedy::Restart)) {
            slot.phase = Phase::Idle;
        }
    }

    pub(super) fn removed(&mut self, id: &str, now: Now) {
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

    pub(super) fn remedied(
        &mut self,
        key: &Key,
        remedy: Remedy,
        result: Result<(), Failure>,
        now: Now,
    ) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let facts = slot.facts.clone();
        if let Err(Failure::Locked(holder)) = result {
            slot.phase = Phase::Due(now + AGAIN, remedy);
            return self.yield_to(holder);
        }
        if let Err(Failure::Unread(why)) = result {
            // Nothing was tried: it is as soon as that can be read.
            slot.phase = Phase::Due(now + UNREAD, remedy);
            return self.tell(Some(&facts), News::Failed { why });
        }
        slot.phase = Phase::Idle;
        slot.failures = 0;
        match (remedy, &result) {
            // Whoever restarted it, it was restarted.
            (Remedy::Restart, _) => slot.restarts.push_back(now),
            (Remedy::Replace, Err(Failure::Moved(_))) => {}
            (Remedy::Replace, _) => slot.replaced = Some(now),
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
            (Err(Failure::Moved(why)), _) => self.tell(Some(&facts), News::LeftAlone { why }),
            (Err(Failure::Locked(_) | Failure::Unread(_)), _) => {}
        }
    }
}
