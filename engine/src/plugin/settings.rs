//! What plugins.toml says of one plugin.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::limits::{DEFAULT_MEMORY, DEFAULT_TIMEOUT};
use super::{Limits, PluginState};
use crate::app::ByteSize;
use crate::grants::{Grants, Variable};
use crate::secrets::{Redactor, Secret};

/// What plugins.toml says of one plugin, as far as the host is concerned.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in plugins.toml.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// What it reads through `wasi:config`.
    pub config: BTreeMap<String, String>,
    /// What it may do beyond the sandbox.
    pub grants: Grants,
    /// Time for one call.
    pub timeout: Duration,
    /// Linear memory of one instance.
    pub memory: ByteSize,
    /// The other limits of one call.
    pub limits: Limits,
    /// The environment variables that it sees.
    pub env: BTreeMap<String, String>,
    /// The values of the secrets that it may read.
    pub secrets: BTreeMap<Variable, Secret>,
    /// Takes the app's secrets out of what the plugin says.
    pub redactor: Redactor,
    /// What is kept for it between deploys, where that is granted.
    pub state: Option<PluginState>,
}

impl Settings {
    /// A plugin with a name and a file, and otherwise what holds where plugins.toml says nothing.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            config: BTreeMap::new(),
            grants: Grants::default(),
            timeout: DEFAULT_TIMEOUT,
            memory: DEFAULT_MEMORY,
            limits: Limits::default(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            redactor: Redactor::default(),
            state: None,
        }
    }
}
