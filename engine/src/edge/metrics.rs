//! What the edge counts, and how Prometheus reads it.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::histogram::Histogram;
use super::routes::TargetState;
use super::service::Service;
use super::table::Table;
use super::target::Target;

/// The upper ends of the buckets that Prometheus is told of, in microseconds: some of those that are
/// counted.
const BUCKETS: [u64; 12] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];

/// What is counted of the process.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Connections of clients that are open.
    pub connections: AtomicU64,
    /// Connections of clients that were opened.
    pub accepted: AtomicU64,
    /// Requests that were not passed on, since they are not fit to be.
    pub unfit: AtomicU64,
    /// Lines of the log that were left out.
    pub log_dropped: AtomicU64,
}

/// What is counted of a service.
#[derive(Debug, Default)]
pub struct ServiceMetrics {
    /// Answers by the first digit of their status, from 1: those of targets, and the edge's own.
    pub answers: [AtomicU64; 5],
    /// Requests that waited for a target.
    pub held: AtomicU64,
    /// Requests that were sent again.
    pub resent: AtomicU64,
    /// Connections that were proxied as such, after an upgrade or from the start.
    pub tunnels: AtomicU64,
    seconds: Histogram,
}

impl ServiceMetrics {
    /// Takes down an answer, and how long the client waited for it to begin.
    pub fn answered(&self, status: http::StatusCode, waited: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.answers[class].fetch_add(1, Ordering::Relaxed);
        self.seconds.add(waited);
    }
}

/// The text that Prometheus reads, in its format 0.0.4.
pub fn render(metrics: &Metrics, table: &Table) -> String {
    let mut text = String::new();
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let mut family = |name: &str, kind: &str, help: &str, lines: &[(String, String)]| {
        let _ = writeln!(
            text,
            "# HELP rengine_edge_{name} {help}\n# TYPE rengine_edge_{name} {kind}"
        );
        for (labels, value) in lines {
            let _ = writeln!(text, "rengine_edge_{name}{labels} {value}");
        }
    };
    let one = |value: u64| [(String::new(), value.to_string())];
    family(
        "generation",
        "gauge",
        "How often the routes have changed.",
        &one(table.generation),
    );
    family(
        "connections",
        "gauge",
        "Open connections of clients.",
        &one(load(&metrics.connections)),
    );
    family(
        "connections_total",
        "counter",
        "Connections of clients.",
        &one(load(&metrics.accepted)),
    );
    family(
        "unfit_total",
        "counter",
        "Requests that were not passed on.",
        &one(load(&metrics.unfit)),
    );
    family(
        "log_dropped_total",
        "counter",
        "Lines of the log that were left out.",
        &one(load(&metrics.log_dropped)),
    );

    let services = || table.services.values();
    let each = |value: &dyn Fn(&ServiceMetrics) -> u64| -> Vec<_> {
        let line = |service: &Arc<Service>| {
            let labels = format!("{{service=\"{}\"}}", escape(&service.name));
            (labels, value(&service.gate.metrics).to_string())
        };
        services().map(line).collect()
    };
    let held: Vec<_> = services()
        .map(|service| {
            (
                format!("{{service=\"{}\"}}", escape(&service.name)),
                service.gate.held().to_string(),
            )
        })
        .collect();
    family("held", "gauge", "Requests that wait for a target.", &held);
    family(
        "held_total",
        "counter",
        "Requests that waited for a target.",
        &each(&|metrics| load(&metrics.held)),
    );
    family(
        "resent_total",
        "counter",
        "Requests that were sent again.",
        &each(&|metrics| load(&metrics.resent)),
    );
    family(
        "tunnels_total",
        "counter",
        "Connections proxied as such.",
        &each(&|metrics| load(&metrics.tunnels)),
    );

    let mut answers = Vec::new();
    let mut seconds = Vec::new();
    for service in services() {
        let name = escape(&service.name);
        for (class, count) in service.gate.metrics.answers.iter().enumerate() {
            answers.push((
                format!("{{service=\"{name}\",code=\"{}xx\"}}", class + 1),
                load(count).to_string(),
            ));
        }
        let labels = format!("service=\"{name}\"");
        histogram(&service.gate.metrics.seconds, &labels, &mut seconds);
    }
    family("answers_total", "counter", "Answers to clients.", &answers);
    family(
        "answer_seconds",
        "histogram",
        "Time until an answer began.",
        &seconds,
    );

    let targets = || {
        services().flat_map(|service| {
            let targets = service.targets.iter();
            targets.map(move |(target, state)| (service, target, *state))
        })
    };
    let of_each = |value: &dyn Fn(&Target, TargetState) -> u64| -> Vec<_> {
        let line = |(service, target, state): (&Arc<Service>, &Arc<Target>, _)| {
            let labels = format!("{{{}}}", labels(service, target));
            (labels, value(target, state).to_string())
        };
        targets().map(line).collect()
    };
    family(
        "target_up",
        "gauge",
        "Whether a target gets requests.",
        &of_each(&|target, state| {
            let here = state == TargetState::Active && !target.is_out();
            u64::from(here && target.health().is_well())
        }),
    );
    family(
        "target_outstanding",
        "gauge",
        "What a target has to do.",
        &of_each(&|target, _| target.outstanding() as u64),
    );
    family(
        "target_failures_total",
        "counter",
        "Requests that a target did not answer.",
        &of_each(&|target, _| load(&target.counts.failures)),
    );
    family(
        "target_refused_total",
        "counter",
        "Connections that a target did not take.",
        &of_each(&|target, _| load(&target.counts.refused)),
    );
    family(
        "target_connections_total",
        "counter",
        "Connections to a target that were proxied as such.",
        &of_each(&|target, _| load(&target.counts.connections)),
    );
    let mut answers = Vec::new();
    let mut seconds = Vec::new();
    for (service, target, _) in targets() {
        let labels = labels(service, target);
        for (class, count) in target.counts.answers.iter().enumerate() {
            answers.push((
                format!("{{{labels},code=\"{}xx\"}}", class + 1),
                load(count).to_string(),
            ));
        }
        histogram(&target.counts.times, &labels, &mut seconds);
    }
    family(
        "target_answers_total",
        "counter",
        "Answers of a target.",
        &answers,
    );
    family(
        "target_answer_seconds",
        "histogram",
        "Time until an answer of a target began.",
        &seconds,
    );
    text
}

/// What tells a target from others.
fn labels(service: &Service, target: &Target) -> String {
    format!(
        "service=\"{}\",target=\"{}\"",
        escape(&service.name),
        target.address
    )
}

/// The lines of a histogram.
fn histogram(times: &Histogram, labels: &str, lines: &mut Vec<(String, String)>) {
    for end in BUCKETS {
        let seconds = end as f64 / 1e6;
        let bucket = format!("_bucket{{{labels},le=\"{seconds}\"}}");
        lines.push((bucket, times.up_to(end).to_string()));
    }
    let total = times.count().to_string();
    lines.push((format!("_bucket{{{labels},le=\"+Inf\"}}"), total.clone()));
    let sum = times.sum_us() as f64 / 1e6;
    lines.push((format!("_sum{{{labels}}}"), sum.to_string()));
    lines.push((format!("_count{{{labels}}}"), total));
}

/// A label's value: names of services come from people.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
