//! What clients of the edge see: rates and times, from two looks at its counts.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::edge::metrics;
use super::picture::Picture;
use crate::docker::Docker;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// What clients saw of a service, or of one container, between two looks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Traffic {
    /// Answers a second.
    pub rate: f64,
    /// Which part of them was a 5xx, from 0 to 1.
    pub errors: f64,
    /// Time until half of the answers began; `None` if there were none.
    pub p50: Option<Duration>,
    /// Time until 99 of 100 of them did.
    pub p99: Option<Duration>,
}

/// The traffic of all services by name, and of containers by the names that the edge has for them,
/// as far as it tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// By service.
    pub services: BTreeMap<String, Traffic>,
    /// By target.
    pub targets: BTreeMap<String, Traffic>,
}

/// Counts of one edge, as it tells them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    services: BTreeMap<String, Counted>,
    targets: BTreeMap<String, Counted>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Counted {
    answers: f64,
    errors: f64,
    /// Answers that began within so many microseconds.
    within: BTreeMap<u64, f64>,
}

impl Counts {
    /// Reads what Prometheus would. What is not known is left out.
    pub fn parse(text: &str) -> Self {
        let mut counts = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            counts.line(line);
        }
        counts
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let (head, value) = line.rsplit_once(' ')?;
        let value: f64 = value.parse().ok()?;
        let (name, labels) = head.split_once('{')?;
        let name = name.strip_prefix("rengine_edge_")?;
        let labels = labels.strip_suffix('}')?;
        // Values have no commas: names of services and targets, codes, and numbers.
        let label = |wanted: &str| {
            let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(key, _)| *key == wanted)?;
            Some(value.trim_matches('"'))
        };
        // They have the port at their end.
        let named = |text: &str| {
            text.rsplit_once(':')
                .map_or(text, |(name, _)| name)
                .to_owned()
        };
        let (counted, what) = match name.strip_prefix("target_") {
            Some(what) => (
                self.targets.entry(named(label("target")?)).or_default(),
                what,
            ),
            None => (
                self.services.entry(named(label("service")?)).or_default(),
                name,
            ),
        };
        match what {
            "answers_total" => {
                counted.answers += value;
                if label("code")? == "5xx" {
                    counted.errors += value;
                }
            }
            "answer_seconds_bucket" => {
                let end = match label("le")? {
                    "+Inf" => u64::MAX,
                    seconds => (seconds.parse::<f64>().ok()? * 1e6).round() as u64,
                };
                *counted.within.entry(end).or_default() += value;
            }
            _ => {}
        }
        Some(())
    }

    /// Adds those of another edge.
    pub fn add(&mut self, other: Self) {
        for (to, from) in [
            (&mut self.services, other.services),
            (&mut self.targets, other.targets),
        ] {
            for (name, counted) in from {
                let sum = to.entry(name).or_default();
                sum.answers += counted.answers;
                sum.errors += counted.errors;
                for (end, count) in counted.within {
                    *sum.within.entry(end).or_default() += count;
                }
            }
        }
    }

    /// What came between these and later ones. Of an edge that has begun anew in between, nothing is
    /// known for once.
    pub fn until(&self, later: &Self, time: Duration) -> Stats {
        let traffic = |before: &BTreeMap<String, Counted>, after: &BTreeMap<String, Counted>| {
            let each = after.iter().filter_map(|(name, after)| {
                let traffic = match before.get(name) {
                    Some(before) => before.until(after, time),
                    None => Traffic::default(),
                };
                // A name without answers to count is no target of HTTP.
                (!after.within.is_empty()).then(|| (name.clone(), traffic))
            });
            each.collect()
        };
        Stats {
            services: traffic(&self.services, &later.services),
            targets: traffic(&self.targets, &later.targets),
        }
    }
}

impl Counted {
    fn until(&self, after: &Self, time: Duration) -> Traffic {
        let answers = after.answers - self.answers;
        if answers <= 0.0 || time.is_zero() {
            return Traffic::default();
        }
        let within = after.within.iter().map(|(end, count)| {
            let before = self.within.get(end).copied().unwrap_or_default();
            (*end, count - before)
        });
        let within: Vec<(u64, f64)> = within.collect();
        Traffic {
            rate: answers / time.as_secs_f64(),
            errors: ((after.errors - self.errors) / answers).clamp(0.0, 1.0),
            p50: quantile(&within, 0.5),
            p99: quantile(&within, 0.99),
        }
    }
}

/// The time within which a part of all was, as Prometheus works it out: evenly spread in each bucket.
fn quantile(within: &[(u64, f64)], part: f64) -> Option<Duration> {
    let (_, all) = within.last()?;
    if *all <= 0.0 {
        return None;
    }
    let wanted = all * part;
    let (mut from, mut below) = (0, 0.0);
    for (end, count) in within {
        if *count >= wanted {
            if *end == u64::MAX {
                // Longer than the longest that is told apart.
                return Some(Duration::from_micros(from));
            }
            let share = (wanted - below) / (count - below).max(f64::MIN_POSITIVE);
            let time = from as f64 + (end - from) as f64 * share;
            return Some(Duration::from_micros(time as u64));
        }
        (from, below) = (*end, *count);
    }
    None
}

/// Looks at the edges of an app again and again, until the other end is gone.
pub async fn follow(
    docker: Docker,
    mut pictures: watch::Receiver<Picture>,
    to: watch::Sender<Stats>,
) {
    let mut last: Option<(Counts, Instant)> = None;
    while !to.is_closed() {
        let edges = pictures.borrow_and_update().edges.clone();
        let mut counts = Counts::default();
        let at = Instant::now();
        let mut whole = true;
        for (id, name) in &edges {
            match metrics(&docker, id, name).await {
                Ok(text) => counts.add(Counts::parse(&text)),
                Err(_) => whole = false,
            }
        }
        if whole {
            if let Some((before, then)) = &last {
                to.send_replace(before.until(&counts, at.duration_since(*then)));
            }
            last = Some((counts, at));
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = to.closed() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answers: u64, errors: u64, within: [u64; 3]) -> String {
        let [first, second, all] = within;
        format!(
            "# HELP rengine_edge_answers_total Answers to clients.\n\
             # TYPE rengine_edge_answers_total counter\n\
             rengine_edge_generation 3\n\
             rengine_edge_answers_total{{service=\"web:8080\",code=\"2xx\"}} {answers}\n\
             rengine_edge_answers_total{{service=\"web:8080\",code=\"5xx\"}} {errors}\n\
             rengine_edge_answer_seconds_bucket{{service=\"web:8080\",le=\"0.001\"}} {first}\n\
             rengine_edge_answer_seconds_bucket{{service=\"web:8080\",le=\"0.01\"}} {second}\n\
             rengine_edge_answer_seconds_bucket{{service=\"web:8080\",le=\"+Inf\"}} {all}\n\
             rengine_edge_answer_seconds_sum{{service=\"web:8080\"}} 0.5\n\
             rengine_edge_target_answers_total{{service=\"web:8080\",target=\"web-1-r:8080\",code=\"2xx\"}} 7\n\
             rengine_edge_target_up{{service=\"web:8080\",target=\"web-1-r:8080\"}} 1\n"
        )
    }

    #[test]
    fn rates_and_times_are_those_in_between() {
        let before = Counts::parse(&text(100, 0, [100, 100, 100]));
        let after = Counts::parse(&text(180, 20, [150, 200, 200]));
        let stats = before.until(&after, Duration::from_secs(2));
        let web = stats.services["web"];
        assert_eq!(web.rate, 50.0);
        assert_eq!(web.errors, 0.2);
        assert_eq!(web.p50, Some(Duration::from_millis(1)));
        assert_eq!(web.p99, Some(Duration::from_micros(9_820)));
        // Nothing is told of its times, so it has none to be shown.
        assert!(stats.targets.is_empty());
    }

    #[test]
    fn without_answers_there_are_no_times() {
        let counts = Counts::parse(&text(100, 0, [100, 100, 100]));
        let stats = counts.until(&counts, Duration::from_secs(2));
        assert_eq!(stats.services["web"], Traffic::default());
        // An edge that begins anew counts from 0.
        let fewer = Counts::parse(&text(5, 0, [5, 5, 5]));
        let stats = counts.until(&fewer, Duration::from_secs(2));
        assert_eq!(stats.services["web"], Traffic::default());
    }

    #[test]
    fn edges_are_summed_up_and_what_is_longest_has_no_end() {
        let mut sum = Counts::parse(&text(1, 0, [0, 0, 1]));
        sum.add(Counts::parse(&text(1, 0, [0, 0, 1])));
        let stats = Counts::parse(&text(0, 0, [0, 0, 0])).until(&sum, Duration::from_secs(1));
        let web = stats.services["web"];
        assert_eq!((web.rate, web.p99), (2.0, Some(Duration::from_millis(10))));
    }

    #[test]
    fn what_is_no_metric_is_left_out() {
        for text in [
            "",
            "x",
            "rengine_edge_x{ 1",
            "rengine_edge_answers_total{service=\"a\"} x",
        ] {
            assert_eq!(Counts::parse(text), Counts::default(), "{text}");
        }
    }
}
