//! What builders and registries tell while they work.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Event, Reporter};
use crate::docker::{BuildEvent, PullEvent, StepState};

/// A channel for the events of one step, and the future that passes them on.
pub fn channel<E>(
    reporter: &Arc<dyn Reporter>,
    step: usize,
    line: fn(E) -> Option<String>,
) -> (mpsc::Sender<E>, impl Future<Output = ()> + use<E>) {
    const WAITING_EVENTS: usize = 256;
    let (sender, mut receiver) = mpsc::channel(WAITING_EVENTS);
    let reporter = reporter.clone();
    let pass_on = async move {
        while let Some(event) = receiver.recv().await {
            if let Some(line) = line(event) {
                reporter.report(Event::StepOutput { step, line });
            }
        }
    };
    (sender, pass_on)
}

/// Runs `work`, which sends events, beside what passes them on, until both are done.
pub async fn with_output<T>(work: impl Future<Output = T>, output: impl Future<Output = ()>) -> T {
    tokio::join!(work, output).0
}

pub fn pull_line(event: PullEvent) -> Option<String> {
    // Layers tell their progress many times a second; what concerns the image is enough.
    event.layer.is_none().then_some(event.status)
}

pub fn build_line(event: BuildEvent) -> Option<String> {
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
