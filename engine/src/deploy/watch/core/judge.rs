//! What follows from all that is known: who is left out, what is begun, and whether the release is bad.

use std::collections::BTreeSet;

use super::{Act, Core, Doing, Facts, News, Now, Phase, Remedy, Slot};
use crate::manifest::OnBad;

impl Core {
    /// What follows from all that is known.
    pub(super) fn decide(&mut self, now: Now) {
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

    pub(super) fn tell_loops(&mut self) {
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
    pub(super) fn keep_out(&mut self) {
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
    pub(super) fn judge(&mut self, now: Now) -> bool {
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
    pub(super) fn why_bad(&self, release: &str, now: Now) -> Option<String> {
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
