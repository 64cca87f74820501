//! plugins.toml: text in, [`Manifest`] out. Reads files, and does nothing else.
//!
//! A file may extend bases, and those others. [`Draft`] is a project's file before they are there: it says which
//! ones are wanted, whoever calls has them, and [`Draft::finish`] puts all of it together.

mod base;
mod compose;
mod container;
mod convert;
mod deploy;
mod draft;
mod edge;
mod edit;
mod env;
mod error;
mod init;
mod merge;
mod plugin;
mod policy;
mod raw;
mod rollout;
mod secrets;
mod trust;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;

use crate::app::{App, BuildSecret, ByteSize, Name};
use crate::compose::Project;
use crate::edge::Network;
use crate::grants::Grants;
use crate::plugin::Limits;
use crate::registry::{RegistrySettings, Source, Trust};
use crate::secrets::{Redactor, Secret};

pub use base::{Base, BaseFrom, Bases, Extended, Fragment, Head, Target};
pub(crate) use convert::Reader;
pub use draft::Draft;
pub use edit::{Edit, EditError};
pub use error::ManifestError;
pub use init::{InitFile, init};
pub(crate) use plugin::config_text;
pub use policy::{BaseFacts, Override, Policy};
pub(crate) use raw::{AppTable, LimitsTable};
pub use secrets::Secrets;

/// The file that is read where none is named.
pub const FILE_NAME: &str = "plugins.toml";
/// Time for a new container to become healthy, where plugins.toml does not say.
pub const DEFAULT_DEPLOY_TIMEOUT: Duration = Duration::from_secs(60);
/// How many releases are kept, where plugins.toml does not say.
pub const DEFAULT_KEEP: usize = 5;
/// How many releases can be kept: each has a record, which every deploy reads.
const MAX_KEEP: u32 = 100;
/// The largest file that is taken for a plugins.toml, a Dockerfile or a file of variables, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What plugins.toml says, with defaults for what it does not say.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The folder of the app, absolute.
    pub dir: PathBuf,
    /// The file, where there is one.
    pub path: Option<PathBuf>,
    /// The app.
    pub app: App,
    /// The Compose project that the app was made from; `None` for one of plugins.toml alone.
    pub project: Option<Project>,
    /// Where the strategies of services are written that say one: file, line and column.
    pub strategies: BTreeMap<Name, String>,
    /// False if ports are to be taken from what the image exposes.
    pub ports_declared: bool,
    /// The plugins, in the order in which they run.
    pub plugins: IndexMap<Name, PluginEntry>,
    /// Which daemon.
    pub docker: DockerSection,
    /// How to deploy.
    pub deploy: DeploySection,
    /// `[edge]`.
    pub edge: EdgeSection,
    /// `[registries."HOST"]`, by host.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// `[trust]`.
    pub trust: Trust,
    /// `[watch]`.
    pub watch: WatchSection,
    /// The secrets that plugins are granted.
    pub secrets: Secrets,
    /// What comes from bases, and what of it is required.
    pub policy: Policy,
    /// What is odd and no error.
    pub warnings: Vec<String>,
}

impl Manifest {
    /// What takes secrets out of all that is told: those of plugins, and those of builds, which a
    /// step may print.
    pub fn redactor(&self) -> Redactor {
        let services = self.app.services.values();
        let builds = services.filter_map(|service| service.image.build());
        let built = builds.flat_map(|build| build.run.secrets.values());
        let built = built.filter_map(|BuildSecret(contents)| {
            // A file ends with a line's end, which a step may print or not.
            let text = std::str::from_utf8(contents).ok()?.trim_end();
            Some(Secret::new(text.to_owned()))
        });
        let built: Vec<Secret> = built.collect();
        Redactor::new(self.secrets.values.values().chain(&built))
    }
}

/// `[docker]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DockerSection {
    /// The daemon's URL; found by itself if `None`.
    pub host: Option<String>,
}

/// `[deploy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploySection {
    /// Time for a new container to become healthy.
    pub timeout: Duration,
    /// How many releases that succeeded are kept, with their images.
    pub keep: usize,
}

/// `[edge]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeSection {
    /// How long a request waits while no container can take it; the edge's own default if `None`.
    pub hold: Option<Duration>,
    /// How long old containers may take to end what they do; the edge's own default if `None`.
    pub drain: Option<Duration>,
    /// Other proxies, whose word is taken for who asked them.
    pub trust: Vec<Network>,
    /// Certificates for ports on which TLS is spoken.
    pub tls: Vec<TlsSection>,
}

/// `[[edge.tls]]`.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsSection {
    /// The host's port.
    pub port: u16,
    /// The names that it is for; all that no other is for, if there are none.
    pub names: Vec<String>,
    /// PEM: the certificate, and those that signed it.
    pub certificate: Vec<u8>,
    /// PEM: its key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for TlsSection {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSection")
            .field("port", &self.port)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// `[watch]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchSection {
    /// Time between two looks at a container that has no check of its own, and two calls of
    /// `health` hooks.
    pub interval: Duration,
    /// How often a container is restarted within [`Self::window`] before it is replaced.
    pub restarts: usize,
    /// How long restarts and replacements count.
    pub window: Duration,
    /// How long after its deploy a release is taken back if it turns bad; never, if `None`.
    pub probation: Option<Duration>,
    /// How long most of a service's containers have to be unhealthy for the release to be bad.
    pub bad_after: Duration,
    /// What is done with a release that turned bad.
    pub on_bad: OnBad,
}

/// What is done with a release that turned bad while it was on probation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBad {
    /// The one before it is brought back.
    #[default]
    Rollback,
    /// It is told.
    Warn,
}

/// `[plugins.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginEntry {
    /// Where the component is.
    pub from: PluginSource,
    /// The services it is for; all if `None`.
    pub services: Option<BTreeSet<Name>>,
    /// What it reads through `wasi:config`: scalars as text, arrays and tables as JSON.
    pub config: BTreeMap<String, String>,
    /// What it may do beyond its sandbox.
    pub grants: Grants,
    /// The environment variables that it is granted, those that are set.
    pub env: BTreeMap<String, String>,
    /// What its refusal or failure does.
    pub on_error: OnError,
    /// Time for one call.
    pub timeout: Duration,
    /// Linear memory of one instance.
    pub memory: ByteSize,
    /// The other limits of one call.
    pub limits: Limits,
}

/// Where a plugin's component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// A file, absolute: `path`.
    File(PathBuf),
    /// In a registry: `source`.
    Registry(Source),
}

/// What a plugin's refusal or failure does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It ends the deploy.
    #[default]
    Fail,
    /// It is told, and the deploy goes on as if the plugin had done nothing.
    Warn,
}

/// Where among the plugins one of a base runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Before those of whoever extends the base.
    #[default]
    First,
    /// After them.
    Last,
}

/// Reads only `[registries]` of a plugins.toml: commands that are about no app need no more of it.
///
/// # Errors
///
/// If the file can't be read, or says what can't be meant.
pub fn registries(path: &Path) -> Result<BTreeMap<String, RegistrySettings>, ManifestError> {
    let text = read(path)?;
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    let reader = Reader::new(&text, Some(path), folder, &|_| None);
    reader.registries_alone()
}

/// Reads the text of a plugins.toml of the folder `dir`, an absolute path. `env` gives environment
/// variables.
///
/// # Errors
///
/// If it says what can't be meant, with its place in the text; or if a file that it names can't be
/// read, or if it extends a base.
pub fn parse(
    text: &str,
    dir: PathBuf,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Manifest, ManifestError> {
    parse_with(text, dir, &Bases::none(), env)
}

/// The same for a text that extends these bases.
///
/// # Errors
///
/// Those of [`parse`]; also if it changes what a base requires.
pub fn parse_with(
    text: &str,
    dir: PathBuf,
    bases: &Bases,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Manifest, ManifestError> {
    convert::manifest(text, None, dir, None, bases, env)
}

fn read(path: &Path) -> Result<String, ManifestError> {
    let facts = std::fs::metadata(path).map_err(|error| ManifestError::read(path, &error))?;
    let problem = |reason: String| ManifestError::Read {
        path: path.to_owned(),
        reason,
    };
    if !facts.is_file() {
        return Err(problem("it is not a file".into()));
    }
    if facts.len() > MAX_FILE_BYTES {
        let limit = ByteSize(MAX_FILE_BYTES);
        return Err(problem(format!("it is larger than {limit}")));
    }
    let bytes = std::fs::read(path).map_err(|error| ManifestError::read(path, &error))?;
    String::from_utf8(bytes).map_err(|_| problem("it is not UTF-8 text".into()))
}

#[cfg(test)]
mod tests;
