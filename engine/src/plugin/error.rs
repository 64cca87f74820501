//! What can go wrong with a plugin.

use std::path::PathBuf;
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::Hook;
use super::limits::Exceeded;

/// A plugin can't be loaded: bad input, found before anything runs.
#[derive(Debug, Error, Diagnostic)]
#[error("plugin `{plugin}` ({}) can't be loaded: {cause}", path.display())]
pub struct LoadError {
    /// Its name in plugins.toml.
    pub plugin: String,
    /// Its file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub cause: String,
    /// What to do about it.
    #[help]
    pub help: Option<String>,
}

/// A call of a hook did not go well.
#[derive(Debug, Error, Diagnostic)]
pub enum PluginError {
    /// The plugin said no.
    #[error("plugin `{plugin}` refused in {}: {}", place(*hook, service), refusal.reason)]
    Refused {
        /// Its name in plugins.toml.
        plugin: String,
        /// The hook that was running.
        hook: Hook,
        /// The service it was running for; empty in a hook for the whole app.
        service: String,
        /// What it said.
        refusal: Refusal,
        /// The hint, for who renders this.
        #[help]
        help: Option<String>,
    },
    /// It took too long.
    #[error(
        "plugin `{plugin}` was stopped in {}: it took longer than its limit of {}",
        place(*hook, service),
        humantime::format_duration(*limit)
    )]
    #[diagnostic(help(
        "if it needs more time, raise `timeout` under [plugins.{plugin}] in plugins.toml"
    ))]
    Timeout {
        /// Its name in plugins.toml.
        plugin: String,
        /// The hook that was running.
        hook: Hook,
        /// The service it was running for; empty in a hook for the whole app.
        service: String,
        /// The limit.
        limit: Duration,
    },
    /// It asked for more than it may have.
    #[error("plugin `{plugin}` was stopped in {}: {cause}", place(*hook, service))]
    Limit {
        /// Its name in plugins.toml.
        plugin: String,
        /// The hook that was running.
        hook: Hook,
        /// The service it was running for; empty in a hook for the whole app.
        service: String,
        /// The limit.
        cause: Exceeded,
        /// What to do about it.
        #[help]
        help: Option<String>,
    },
    /// It broke.
    #[error("plugin `{plugin}` failed in {}: {cause}", place(*hook, service))]
    #[diagnostic(help(
        "this is a bug in the plugin: tell its author; `on-error = \"warn\"` under \
         [plugins.{plugin}] deploys without it"
    ))]
    Failed {
        /// Its name in plugins.toml.
        plugin: String,
        /// The hook that was running.
        hook: Hook,
        /// The service it was running for; empty in a hook for the whole app.
        service: String,
        /// Why, with the last lines that it wrote to standard error.
        cause: String,
    },
}

/// Where a plugin was: `pre-run of service `web``, or `configure`.
fn place(hook: Hook, service: &str) -> String {
    match service {
        "" => hook.to_string(),
        service => format!("{hook} of service `{service}`"),
    }
}

/// What a plugin says when it says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl PluginError {
    /// True if the plugin said no, rather than broke.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// The plugin's name in plugins.toml.
    pub fn plugin(&self) -> &str {
        match self {
            Self::Refused { plugin, .. }
            | Self::Timeout { plugin, .. }
            | Self::Limit { plugin, .. }
            | Self::Failed { plugin, .. } => plugin,
        }
    }
}
