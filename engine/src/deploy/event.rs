//! What a deploy tells while it goes on.

use std::time::Duration;

use serde::Serialize;

use super::watch::WatchEvent;
use crate::plan::Plan;
use crate::plugin::{Change, Hook, LogRecord, Outcome};

/// Who is told. Called from any task; must not block for long.
pub trait Reporter: Send + Sync {
    /// Something happened.
    fn report(&self, event: Event);
}

/// Something that happened. With `--json`, one of these is written on each line.
#[derive(Debug, Clone, Serialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Event {
    /// The plugins are loaded.
    PluginsLoaded {
        /// Each of them, in the order in which they run.
        plugins: Vec<PluginSummary>,
        /// How long it took.
        #[serde(rename = "ms", serialize_with = "millis")]
        took: Duration,
    },
    /// How far the download of a plugin is.
    Download {
        /// What comes.
        what: String,
        /// Bytes that are here.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// plugins.lock has another plugin than before.
    PluginLocked {
        /// Its name in plugins.toml.
        plugin: String,
        /// The tag that was picked, if it is one.
        version: Option<String>,
        /// The digest of its artifact.
        digest: String,
    },
    /// A plugin logged something.
    PluginLog(LogRecord),
    /// The plan is made. Told by `plan`, and by `deploy` before it carries it out.
    Planned {
        /// The plan.
        plan: Plan,
        /// What plugins changed on the way to it.
        changes: Vec<Change>,
    },
    /// An operation of the plan starts.
    StepStarted {
        /// Its place in the plan, from 0.
        step: usize,
        /// Its name, such as `build`.
        operation: &'static str,
        /// The service that it is for.
        service: Option<String>,
        /// What it acts on.
        object: Option<String>,
    },
    /// A line of output of an operation, such as a builder's; as it came, so it may hold
    /// control characters.
    StepOutput {
        /// The operation's place in the plan.
        step: usize,
        /// The line.
        line: String,
    },
    /// How far an operation is that moves bytes, such as a pull.
    StepProgress {
        /// The operation's place in the plan.
        step: usize,
        /// Bytes done.
        done: u64,
        /// Bytes to do, as far as the daemon has said by now.
        total: u64,
    },
    /// An operation ended well.
    StepFinished {
        /// Its place in the plan.
        step: usize,
        /// How long it took.
        #[serde(rename = "ms", serialize_with = "millis")]
        took: Duration,
        /// What is worth telling of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// An operation failed.
    StepFailed {
        /// Its place in the plan.
        step: usize,
        /// How long it took.
        #[serde(rename = "ms", serialize_with = "millis")]
        took: Duration,
    },
    /// Something is amiss, and the deploy goes on.
    Warning {
        /// What.
        message: String,
        /// What can be done about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
    /// The app's lock is held by another.
    Lock {
        /// What is done about it.
        news: LockStep,
        /// Who holds it, or held it, where that can be read.
        holder: Option<String>,
    },
    /// The last lines of output of a container that failed.
    ContainerOutput {
        /// The container.
        container: String,
        /// The lines, as they came.
        lines: Vec<String>,
    },
    /// A new container that failed is taken back.
    RolledBack {
        /// The service.
        service: String,
        /// The container that was removed.
        removed: String,
        /// The container that runs again or still; `None` if there was none before.
        running: Option<String>,
    },
    /// A watcher saw or did something.
    Watch(WatchEvent),
    /// The deploy ended.
    Finished {
        /// How.
        outcome: Outcome,
        /// The release that was made, or was to be.
        release: String,
        /// The release that it brought back, or was to, where it is a rollback.
        #[serde(skip_serializing_if = "Option::is_none")]
        rollback_to: Option<String>,
        /// How long it took.
        #[serde(rename = "ms", serialize_with = "millis")]
        took: Duration,
        /// The services that run now, and where they answer.
        services: Vec<ServiceSummary>,
    },
}

/// What is done about a lock that another holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockStep {
    /// It is waited for.
    Waiting,
    /// Its holder gave no sign of life for too long, and is watched for a moment.
    Watching,
    /// Its holder is no more, and it was taken over.
    TakenOver,
}

/// A plugin that takes part.
#[derive(Debug, Clone, Serialize)]
pub struct PluginSummary {
    /// Its name in plugins.toml.
    pub name: String,
    /// The sha256 of its file.
    pub digest: String,
    /// The hooks that it exports.
    pub hooks: Vec<Hook>,
    /// True if it was compiled just now.
    pub compiled: bool,
    /// How long loading took.
    #[serde(rename = "ms", serialize_with = "millis")]
    pub took: Duration,
}

/// A service that runs.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceSummary {
    /// Its name.
    pub service: String,
    /// Its container.
    pub container: String,
    /// Its published ports, each as an address that can be opened: `http://localhost:8080` for
    /// TCP, `udp://localhost:53`.
    pub addresses: Vec<String>,
}

fn millis<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
