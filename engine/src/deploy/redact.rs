//! What a deploy tells, without the secrets in it.

use std::sync::Arc;

use super::watch::News;
use super::{Event, Reporter};
use crate::plan::{Cause, OperationKind, Plan};
use crate::plugin::{Change, LogRecord};
use crate::secrets::Redactor;

/// Passes events on without the secrets in them: all that a deploy tells comes through here, so
/// nobody who shows it has to think of them. It is done before texts are cut or escaped, which
/// would leave a part.
pub struct RedactingReporter {
    /// Who shows them.
    pub inner: Arc<dyn Reporter>,
    /// What takes secrets out.
    pub redactor: Redactor,
}

impl Reporter for RedactingReporter {
    fn report(&self, mut event: Event) {
        clean(&mut event, &self.redactor);
        self.inner.report(event);
    }
}

/// Every text that does not come from rengine alone. A new event does not compile until it is
/// decided here which of its texts these are.
fn clean(event: &mut Event, redactor: &Redactor) {
    match event {
        Event::PluginLog(record) => {
            let LogRecord {
                context, message, ..
            } = record;
            redactor.clean(context);
            redactor.clean(message);
        }
        Event::Planned { plan, changes } => {
            clean_plan(plan, redactor);
            clean_changes(changes, redactor);
        }
        Event::StepOutput { line, .. } => redactor.clean(line),
        Event::StepStarted { object, .. } => clean_some(object, redactor),
        Event::StepFinished { detail, .. } => clean_some(detail, redactor),
        Event::Warning { message, help } => {
            redactor.clean(message);
            clean_some(help, redactor);
        }
        Event::Lock { holder, .. } => clean_some(holder, redactor),
        Event::ContainerOutput { lines, .. } => {
            lines.iter_mut().for_each(|line| redactor.clean(line));
        }
        Event::Watch(told) => match &mut told.news {
            News::Unhealthy { why }
            | News::Ended { why }
            | News::Replacing { why }
            | News::Failed { why }
            | News::GaveUp { why }
            | News::LeftAlone { why }
            | News::DaemonLost { why } => redactor.clean(why),
            News::Bad { why, left } => {
                redactor.clean(why);
                redactor.clean(left);
            }
            News::RollingBack { why, .. } => redactor.clean(why),
            News::Yielding { holder } => redactor.clean(holder),
            News::Watching { .. }
            | News::Healthy
            | News::CrashLoop { .. }
            | News::Out
            | News::In
            | News::AllUnhealthy
            | News::Restarting { .. }
            | News::Restarted
            | News::Replaced
            | News::RolledBack { .. }
            | News::Resuming
            | News::DaemonBack
            | News::Stopped => {}
        },
        Event::Bases { policy } => {
            for one in &mut policy.overrides {
                clean_some(&mut one.old, redactor);
                redactor.clean(&mut one.new);
            }
        }
        Event::PluginsLoaded { .. }
        | Event::BaseLocked { .. }
        | Event::Download { .. }
        | Event::PluginLocked { .. }
        | Event::StepProgress { .. }
        | Event::StepFailed { .. }
        | Event::RolledBack { .. }
        | Event::Finished { .. } => {}
    }
}

/// Takes the secrets out of a plan.
pub fn clean_plan(plan: &mut Plan, redactor: &Redactor) {
    for operation in &mut plan.operations {
        if let OperationKind::Pull { reference } = &mut operation.kind {
            redactor.clean(reference);
        }
        match &mut operation.cause {
            Cause::Changed { differences } => {
                for difference in differences {
                    redactor.clean(&mut difference.field);
                    clean_some(&mut difference.old, redactor);
                    clean_some(&mut difference.new, redactor);
                }
            }
            Cause::BaseChanged { reference } => redactor.clean(reference),
            _ => {}
        }
    }
}

/// Takes the secrets out of what plugins changed.
pub fn clean_changes(changes: &mut [Change], redactor: &Redactor) {
    for change in changes {
        redactor.clean(&mut change.field);
        clean_some(&mut change.old, redactor);
        clean_some(&mut change.new, redactor);
    }
}

fn clean_some(text: &mut Option<String>, redactor: &Redactor) {
    if let Some(text) = text {
        redactor.clean(text);
    }
}
