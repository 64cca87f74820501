//! What plugins log.

use std::sync::Arc;

use serde::Serialize;

use super::Hook;

/// How much a message matters; the levels of `wasi:logging`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Step by step.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For everybody.
    Info,
    /// Something may be wrong.
    Warn,
    /// Something is wrong.
    Error,
    /// The plugin can't go on.
    Critical,
}

/// One message, attributed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRecord {
    /// The plugin's name in plugins.toml.
    pub plugin: String,
    /// The hook that was running.
    pub hook: Hook,
    /// The service it was running for.
    pub service: String,
    /// How much it matters.
    pub level: Level,
    /// What part of the plugin it is about; may be empty.
    pub context: String,
    /// The message, as the plugin wrote it: it may hold control characters, so it must not
    /// reach a terminal as it is.
    pub message: String,
}

/// Where messages go.
pub type LogSink = Arc<dyn Fn(LogRecord) + Send + Sync>;
