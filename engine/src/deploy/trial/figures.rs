//! Figures of containers, and whether new ones are as good as they have to be.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::app::{Canary, Share};
use crate::edge::State;

/// How much slower than the old ones new containers may be where no limit is set.
const SLOWER: u32 = 2;
/// What is never too slow then: of what takes so little time, twice as much says nothing.
const FAST: Duration = Duration::from_millis(100);
/// The percentile of latency that counts.
const PERCENTILE: u64 = 95;

/// What edges have counted of containers so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    requests: u64,
    errors: u64,
    /// How many answers took so many microseconds.
    times: BTreeMap<u64, u64>,
}

impl Sample {
    /// Adds what an edge says of those that it knows by these names.
    pub fn add(&mut self, state: &State, hosts: &[String]) {
        let targets = state.services.values().flat_map(|service| &service.targets);
        for target in targets.filter(|one| hosts.iter().any(|host| host == one.address.host())) {
            let answers: u64 = target.answers.iter().sum();
            let lost = target.failures + target.refused;
            self.requests += answers + lost + target.connections;
            self.errors += target.answers[4] + lost;
            for bucket in &target.times {
                let time = bucket.up_to_us.unwrap_or(u64::MAX);
                *self.times.entry(time).or_default() += bucket.count;
            }
        }
    }
}

/// What happened in a time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Requests and connections.
    pub requests: u64,
    /// Of those: answered with 5xx, not answered, or not taken.
    pub errors: u64,
    /// The time in which 95 of 100 answers began; `None` without any.
    pub latency: Option<Duration>,
}

impl Figures {
    /// What came between two samples. An edge whose process was replaced counts anew.
    pub fn between(first: &Sample, last: &Sample) -> Self {
        let nothing = Sample::default();
        let first = match last.requests < first.requests || last.errors < first.errors {
            true => &nothing,
            false => first,
        };
        let mut times = last.times.clone();
        for (time, count) in &first.times {
            if let Some(own) = times.get_mut(time) {
                *own = own.saturating_sub(*count);
            }
        }
        Self {
            requests: last.requests - first.requests,
            errors: last.errors - first.errors,
            latency: percentile(&times),
        }
    }

    fn error_rate(&self) -> f64 {
        match self.requests {
            0 => 0.0,
            requests => self.errors as f64 / requests as f64,
        }
    }

    /// Why a canary with these figures is not good enough beside the old ones.
    pub fn fails(&self, canary: &Canary, old: &Self) -> Option<String> {
        let allowed = canary.max_errors.ratio().max(old.error_rate());
        // With few requests it takes as many errors as with the least that are judged: the first one
        // that fails is not half of them.
        let judged = self.requests.max(canary.min_requests);
        if self.errors as f64 > allowed * judged as f64 {
            let limit = match allowed > canary.max_errors.ratio() {
                true => "as many as the old containers".to_owned(),
                false => canary.max_errors.to_string(),
            };
            return Some(format!(
                "{} of {} requests failed ({}), limit {limit} of at least {}; old containers: {} of {} ({})",
                self.errors,
                self.requests,
                percent(self.error_rate()),
                canary.min_requests,
                old.errors,
                old.requests,
                percent(old.error_rate()),
            ));
        }
        if self.requests < canary.min_requests {
            return None;
        }
        let own = self.latency?;
        let slowest = match (canary.max_latency, old.latency) {
            (Some(limit), old) => limit.max(old.unwrap_or_default()),
            (None, Some(old)) => FAST.max(old.saturating_mul(SLOWER)),
            // There is nothing to compare it with.
            (None, None) => return None,
        };
        (own > slowest).then(|| {
            format!(
                "{PERCENTILE}% of {} requests took up to {}, limit {}; old containers: {}",
                self.requests,
                time(Some(own)),
                time(Some(slowest)),
                time(old.latency),
            )
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = percent(self.error_rate());
        write!(f, "{} requests, {rate} errors", self.requests)?;
        match self.latency {
            Some(latency) => write!(f, ", p{PERCENTILE} {}", time(Some(latency))),
            None => Ok(()),
        }
    }
}

fn percentile(times: &BTreeMap<u64, u64>) -> Option<Duration> {
    let total: u64 = times.values().sum();
    // Rounded up: of one answer it is the first.
    let wanted = (total * PERCENTILE).div_ceil(100);
    let mut counted = 0;
    let reached = times.iter().find(|(_, count)| {
        counted += **count;
        counted >= wanted && counted > 0
    });
    reached.map(|(time, _)| Duration::from_micros(*time))
}

fn percent(ratio: f64) -> String {
    let points = (ratio * f64::from(Share::WHOLE) / 10.0).round() / 10.0;
    format!("{points}%")
}

/// A time for people, in milliseconds.
fn time(time: Option<Duration>) -> String {
    match time {
        None => "none".to_owned(),
        Some(time) if time.as_micros() >= u128::from(u64::MAX) => "more than a minute".to_owned(),
        Some(time) => format!("{} ms", (time.as_secs_f64() * 10_000.0).round() / 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(requests: u64, errors: u64, ms: u64) -> Figures {
        Figures {
            requests,
            errors,
            latency: Some(Duration::from_millis(ms)),
        }
    }

    fn fails(own: Figures, old: Figures) -> Option<String> {
        own.fails(&Canary::default(), &old)
    }

    #[test]
    fn errors_beyond_the_limit_and_beyond_the_old_ones_fail() {
        let old = figures(2_160, 0, 10);
        assert_eq!(fails(figures(240, 2, 10), old), None);
        let why = fails(figures(240, 30, 10), old).expect("a failure");
        assert_eq!(
            why,
            "30 of 240 requests failed (12.5%), limit 1% of at least 100; old containers: 0 of 2160 (0%)"
        );
        // What both do is not the new ones' fault.
        assert_eq!(fails(figures(240, 30, 10), figures(2_160, 300, 10)), None);
        assert!(fails(figures(240, 40, 10), figures(2_160, 300, 10)).is_some());
    }

    #[test]
    fn few_requests_are_judged_by_what_many_could_still_be() {
        let old = figures(10, 0, 10);
        assert_eq!(fails(figures(2, 1, 10), old), None, "1 of at least 100");
        assert!(fails(figures(2, 2, 10), old).is_some());
        assert_eq!(fails(figures(20, 0, 9_000), old), None);
        assert_eq!(fails(Figures::default(), Figures::default()), None);
    }

    #[test]
    fn slow_ones_fail_by_the_limit_or_beside_the_old_ones() {
        assert_eq!(fails(figures(100, 0, 90), figures(900, 0, 1)), None);
        assert_eq!(fails(figures(100, 0, 190), figures(900, 0, 100)), None);
        let why = fails(figures(100, 0, 210), figures(900, 0, 100)).expect("a failure");
        assert_eq!(
            why,
            "95% of 100 requests took up to 210 ms, limit 200 ms; old containers: 100 ms"
        );
        let canary = Canary {
            max_latency: Some(Duration::from_millis(50)),
            ..Canary::default()
        };
        let old = figures(900, 0, 10);
        assert!(figures(100, 0, 60).fails(&canary, &old).is_some());
        assert_eq!(
            figures(100, 0, 60).fails(&canary, &figures(900, 0, 70)),
            None
        );
    }

    #[test]
    fn figures_are_what_came_between() {
        let sample = |requests, errors, times: &[(u64, u64)]| Sample {
            requests,
            errors,
            times: times.iter().copied().collect(),
        };
        let first = sample(100, 5, &[(1_000, 100)]);
        let last = sample(200, 6, &[(1_000, 190), (50_000, 10)]);
        let figures = Figures::between(&first, &last);
        assert_eq!((figures.requests, figures.errors), (100, 1));
        assert_eq!(figures.latency, Some(Duration::from_millis(50)));
        assert_eq!(figures.to_string(), "100 requests, 1% errors, p95 50 ms");
        // The edge's process is another one now.
        let anew = sample(10, 0, &[(1_000, 10)]);
        assert_eq!(Figures::between(&last, &anew).requests, 10);
    }
}
