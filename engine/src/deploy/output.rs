//! What builders and registries tell while they work.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{Event, Reporter};
use crate::docker::{BuildEvent, StepState, TransferEvent};

/// Time between two words on how far a transfer is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// A channel for the events of one step, and the future that passes them on.
pub fn channel<E>(
    reporter: &Arc<dyn Reporter>,
    step: usize,
    mut said: impl FnMut(E) -> Vec<Said>,
) -> (mpsc::Sender<E>, impl Future<Output = ()>) {
    const WAITING_EVENTS: usize = 256;
    let (sender, mut receiver) = mpsc::channel(WAITING_EVENTS);
    let reporter = reporter.clone();
    let pass_on = async move {
        while let Some(event) = receiver.recv().await {
            for said in said(event) {
                reporter.report(match said {
                    Said::Line(line) => Event::StepOutput { step, line },
                    Said::Progress { done, total } => Event::StepProgress { step, done, total },
                });
            }
        }
    };
    (sender, pass_on)
}

/// Runs `work`, which sends events, beside what passes them on, until both are done.
pub async fn with_output<T>(work: impl Future<Output = T>, output: impl Future<Output = ()>) -> T {
    tokio::join!(work, output).0
}

/// What is told of an event.
pub enum Said {
    /// A line of output.
    Line(String),
    /// How far it is.
    Progress {
        /// Bytes done.
        done: u64,
        /// Bytes to do, as far as that is known.
        total: u64,
    },
}

/// What is told of a pull or a push: lines for what comes to its end, and from time to time the
/// sum of the bytes, which daemons tell for each layer and many times a second.
pub fn transfer() -> impl FnMut(TransferEvent) -> Vec<Said> {
    /// Words for a layer that come once, or that its bytes say better.
    const PASSING: [&str; 8] = [
        "Pulling fs layer",
        "Waiting",
        "Preparing",
        "Downloading",
        "Extracting",
        "Pushing",
        "Verifying Checksum",
        "Download complete",
    ];
    let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
    let mut told: Option<Instant> = None;
    move |event| {
        let passing = PASSING.contains(&event.status.as_str());
        if !passing {
            let line = match &event.layer {
                Some(layer) => format!("{layer}: {}", event.status),
                None => event.status,
            };
            return match line.trim().is_empty() {
                true => Vec::new(),
                false => vec![Said::Line(line)],
            };
        }
        // To unpack a layer counts its bytes once more.
        let moves = matches!(event.status.as_str(), "Downloading" | "Pushing");
        let (true, Some(current), Some(total)) = (moves, event.current, event.total) else {
            return Vec::new();
        };
        // A push does not say which layer it is; its size tells them apart well enough.
        let layer = event.layer.unwrap_or_else(|| total.to_string());
        layers.insert(layer, (current.min(total), total));
        let sum = |part: fn(&(u64, u64)) -> u64| layers.values().map(part).sum();
        let (done, total): (u64, u64) = (sum(|layer| layer.0), sum(|layer| layer.1));
        if done < total && told.is_some_and(|told| told.elapsed() < PROGRESS_INTERVAL) {
            return Vec::new();
        }
        told = Some(Instant::now());
        vec![Said::Progress { done, total }]
    }
}

pub fn build(event: BuildEvent) -> Vec<Said> {
    build_line(event).map(Said::Line).into_iter().collect()
}

fn build_line(event: BuildEvent) -> Option<String> {
    match event {
        BuildEvent::Step { name, state, .. } => match state {
            StepState::Started => Some(name),
            StepState::Cached => Some(format!("{name} (cached)")),
            StepState::Failed(_) | StepState::Done(_) => None,
        },
        BuildEvent::Log { line, .. } => Some(format!("  {line}")),
        BuildEvent::ContextSent { .. } => None,
    }
}
