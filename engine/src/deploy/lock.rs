//! Taking an app's lock, and telling of who has it.

use std::sync::Arc;

use super::{DeployError, Event, LockStep, Reporter};
use crate::app::Name;
use crate::docker::{Docker, Lock, LockHolder, LockNews, Wait};

/// Takes an app's lock for a command, as `rengine deploy`.
///
/// # Errors
///
/// If another holds it, also after `wait`, or the daemon can't be asked.
pub async fn take_lock(
    docker: &Docker,
    app: &Name,
    command: &str,
    wait: Wait,
    reporter: &Arc<dyn Reporter>,
) -> Result<Lock, DeployError> {
    let tell = |news| tell_lock(news, &**reporter);
    Ok(docker.lock(app, &lock_holder(command), wait, &tell).await?)
}

/// Tells of a lock that is not free.
pub fn tell_lock(news: LockNews, reporter: &dyn Reporter) {
    let (news, holder) = match news {
        LockNews::Waiting(holder) => (LockStep::Waiting, holder),
        LockNews::Watching(holder, _) => (LockStep::Watching, holder),
        LockNews::TakenOver(holder) => (LockStep::TakenOver, holder),
    };
    let holder = holder.map(|holder| holder.to_string());
    reporter.report(Event::Lock { news, holder });
}

/// This process, as the holder of an app's lock.
pub fn lock_holder(command: &str) -> LockHolder {
    LockHolder::this_process(user(), command.to_owned(), jiff::Timestamp::now())
}

/// The person who runs this process, as the holder of a lock for others to see.
pub fn lock_person(message: String) -> LockHolder {
    LockHolder::person(user(), message, jiff::Timestamp::now())
}

fn user() -> String {
    let user = std::env::var("USER");
    user.unwrap_or_else(|_| format!("user {}", rustix::process::getuid().as_raw()))
}
