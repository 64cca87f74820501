//! What happened in a deploy, for who is told of it at the end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Event, Reporter};
use crate::plugin::{Change, FinishedStep};

/// Passes events on, and remembers what `post-deploy` is told.
pub struct Recorder {
    to: Arc<dyn Reporter>,
    record: Mutex<Record>,
}

/// What was recorded.
#[derive(Debug, Clone, Default)]
pub struct Record {
    pub steps: Vec<FinishedStep>,
    pub changes: Vec<Change>,
    /// The place in the plan of each of the steps.
    begun: Vec<usize>,
    /// True if a container that ran before runs again, or still.
    pub rolled_back: bool,
}

impl Recorder {
    pub fn new(to: Arc<dyn Reporter>) -> Self {
        Self {
            to,
            record: Mutex::default(),
        }
    }

    pub fn record(&self) -> Record {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_step(&self, step: usize, took: Duration, succeeded: bool) {
        let mut record = self.lock();
        let at = record.begun.iter().position(|begun| *begun == step);
        if let Some(step) = at.and_then(|at| record.steps.get_mut(at)) {
            step.took = took;
            step.succeeded = succeeded;
        }
    }
}

impl Reporter for Recorder {
    fn report(&self, event: Event) {
        match &event {
            Event::Planned { changes, .. } => self.lock().changes.clone_from(changes),
            Event::StepStarted {
                step,
                operation,
                service,
                ..
            } => {
                let mut record = self.lock();
                record.begun.push(*step);
                record.steps.push(FinishedStep {
                    operation,
                    service: service.clone(),
                    took: Duration::ZERO,
                    succeeded: false,
                });
            }
            Event::StepFinished { step, took, .. } => self.end_step(*step, *took, true),
            Event::StepFailed { step, took } => self.end_step(*step, *took, false),
            Event::RolledBack { running, .. } => self.lock().rolled_back |= running.is_some(),
            _ => {}
        }
        self.to.report(event);
    }
}
