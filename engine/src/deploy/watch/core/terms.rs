//! What a watcher sees, and what it has done.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::deploy::watch::news::News;
use crate::deploy::watch::slot::{Facts, Verdict};
use crate::secrets::Redactor;

/// The release that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub release: String,
    /// How long it has been there.
    pub age: Duration,
    /// The release to go back to, or why there is no going back from this one.
    pub back: Result<String, String>,
}

/// What is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// All containers of the app, and the release that runs.
    Roster(Vec<Facts>, Option<Running>),
    /// What a look at a container says.
    Checked(String, Verdict),
    /// A container's process ended, by itself or not.
    Ended {
        /// The container's id.
        id: String,
        /// How.
        why: String,
        /// True if it has done what it was for.
        fine: bool,
    },
    /// Somebody asked a container to stop.
    Stopped(String),
    /// A container was removed.
    Removed(String),
    /// A container's process began: when, if who tells knows that, as the events do not.
    Began(String, Option<Timestamp>),
    /// The app's lock is held by somebody else.
    Locked(Holder),
    /// The lock was given back.
    Unlocked,
    /// What was asked for is done, or why not.
    Done(Result<(), Failure>),
    /// The daemon does not answer.
    Lost(String),
}

/// Who has the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// In words.
    pub who: String,
    /// True if that is another watch, which does what this one would do.
    pub watch: bool,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Somebody has the lock.
    Locked(Holder),
    /// By the time that the lock was free, there was no need any more; why.
    Moved(String),
    /// It was not even tried: what the project says can't be read.
    Unread(String),
    /// It did not succeed.
    Other(String),
}

impl Failure {
    /// The same without secrets.
    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        match &mut self {
            Self::Locked(holder) => redactor.clean(&mut holder.who),
            Self::Moved(why) | Self::Unread(why) | Self::Other(why) => redactor.clean(why),
        }
        self
    }
}

/// What is to be done. But for the first two, there is one at a time, and [`Seen::Done`] says that
/// it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Somebody is to be told: of a service, of a container, what.
    Tell(Option<String>, Option<String>, News),
    /// The edge is to leave these out, and no others, by the names that it knows them by.
    KeepOut(BTreeSet<String>),
    /// This container is to be restarted.
    Restart(Facts),
    /// This container is to be replaced by a new one.
    Replace(Facts),
    /// The release before is to be brought back.
    RollBack {
        /// Which one that is.
        to: String,
        /// Why.
        why: String,
    },
}
