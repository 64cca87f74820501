//! Carrying out a plan, under the app's lock.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::run::Done;
use super::steps::Execution;
use super::summary::{seen, services};
use super::{DeployError, Event, Outcome, Prepared, Reporter};
use crate::docker::{Docker, LockHolder};

/// Carries out the plan under the app's lock. What fails is taken back: the new container is
/// removed, and the one that ran before runs again.
///
/// # Errors
///
/// Whatever ended it; by then it is taken back as far as the daemon can be reached.
pub async fn execute(
    mut prepared: Prepared,
    docker: &Docker,
    deadline: Duration,
    reporter: &Arc<dyn Reporter>,
    cancel: &CancellationToken,
) -> Result<Done, DeployError> {
    if prepared.plan.is_empty() && !prepared.pulls_again() {
        report_plan(&prepared, reporter);
        return Ok(Done {
            outcome: Outcome::NothingToDo,
            services: seen(&prepared, docker),
        });
    }
    let holder = lock_holder("rengine deploy");
    let lock = docker.lock(&prepared.app.name, &holder).await?;
    let run = async {
        prepared.pull_again(docker, reporter, cancel).await?;
        prepared.refresh(docker).await?;
        report_plan(&prepared, reporter);
        if let Some(conflict) = prepared.plan.conflicts.first() {
            return Err(conflict.clone().into());
        }
        let execution = Execution::new(&prepared, docker, deadline, reporter, cancel);
        if !prepared.plan.is_empty() {
            execution.run().await?;
        }
        services(&prepared, docker).await
    };
    let result = run.await;
    let released = lock.release().await;
    let services = result?;
    released?;
    let outcome = match prepared.plan.is_empty() {
        true => Outcome::NothingToDo,
        false => Outcome::Succeeded,
    };
    Ok(Done { outcome, services })
}

fn report_plan(prepared: &Prepared, reporter: &Arc<dyn Reporter>) {
    reporter.report(Event::Planned {
        plan: prepared.plan.clone(),
        changes: prepared.changes.clone(),
    });
}

/// This process, as the holder of an app's lock.
pub fn lock_holder(command: &str) -> LockHolder {
    let user = std::env::var("USER");
    let user = user.unwrap_or_else(|_| format!("user {}", rustix::process::getuid().as_raw()));
    LockHolder::this_process(user, command.to_owned(), jiff::Timestamp::now())
}
