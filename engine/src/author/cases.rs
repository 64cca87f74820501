//! Tests of plugins: hooks are run against what a file of cases gives them, without a daemon.

mod given;
mod outcome;
mod raw;
mod snapshot;
mod verdict;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::{AuthorError, check};
use crate::app::ByteSize;
use crate::grants::Grants;
use crate::plugin::{CallContext, Hook, Limits, Plugin, PluginHost, Settings};

pub use given::Given;
pub use outcome::Outcome;
pub(super) use raw::from_text;
pub use raw::load as load_cases;
pub use snapshot::SnapshotState;
pub use verdict::Expected;
use world::Around;
pub use world::World;

/// The file of cases in a project, where no other is named.
pub const CASES: &str = "tests.toml";

/// One case: what a hook is given, and what is expected of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is about, unique in its file.
    pub name: String,
    /// The hook that is called.
    pub hook: Hook,
    /// Where it runs.
    pub context: CallContext,
    /// Its settings.
    pub config: BTreeMap<String, String>,
    /// What it may do beyond its sandbox.
    pub grants: Grants,
    /// Time for the call.
    pub timeout: Duration,
    /// Linear memory of the instance.
    pub memory: ByteSize,
    /// The other limits of the call.
    pub limits: Limits,
    /// What it can reach by its grants.
    pub world: World,
    /// What the hook is handed.
    pub given: Given,
    /// What is expected.
    pub expected: Expected,
    /// True if all that comes of it is compared with a snapshot.
    pub snapshot: bool,
}

/// A plugin, in the world of a case.
pub(super) struct Loaded {
    plugin: Plugin,
    around: Around,
}

/// What came of one case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseResult {
    /// The case.
    pub name: String,
    /// Its hook.
    pub hook: Hook,
    /// How long the call took.
    #[serde(serialize_with = "super::micros", rename = "us")]
    pub took: Duration,
    /// What was other than expected, each with its lines.
    pub failures: Vec<String>,
    /// What became of its snapshot, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotState>,
}

impl CaseResult {
    /// True if all was as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// The file of cases that is meant for a component or a project.
pub fn cases_of(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => path.join(CASES),
        false => path.with_file_name(CASES),
    }
}

impl Case {
    /// Calls the hook.
    ///
    /// # Errors
    ///
    /// If the component can't be loaded, imports what the case does not grant, or does not have
    /// the hook. What the hook itself does is part of the outcome.
    pub async fn call(&self, host: &PluginHost, component: &Path) -> Result<Outcome, AuthorError> {
        Ok(self.call_on(&self.load(host, component).await?).await)
    }

    /// Loads the component with the case's settings, into the case's world.
    pub(super) async fn load(
        &self,
        host: &PluginHost,
        component: &Path,
    ) -> Result<Loaded, AuthorError> {
        let inspection = host.inspect(component).await?;
        let missing = inspection.missing_grants(&self.grants);
        if !missing.is_empty() {
            return Err(AuthorError::NotGranted {
                case: self.name.clone(),
                imports: missing
                    .iter()
                    .map(|(_, import)| *import)
                    .collect::<Vec<_>>()
                    .join(" and "),
                grants: missing
                    .into_iter()
                    .map(|(line, _)| line)
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        }
        let mut settings = Settings {
            config: self.config.clone(),
            grants: self.grants.clone(),
            timeout: self.timeout,
            memory: self.memory,
            limits: self.limits,
            ..check::settings(component)
        };
        let around = self.world.around(&mut settings);
        let host = host.clone().with_answers(around.outside.clone());
        let plugin = host.load(settings).await?;
        match plugin.has(self.hook) {
            true => Ok(Loaded { plugin, around }),
            false => Err(AuthorError::NoHook {
                case: self.name.clone(),
                hook: self.hook,
                hooks: plugin.hooks().iter().map(|hook| hook.name()).collect(),
            }),
        }
    }

    /// Calls the hook of a plugin that [`Self::load`] loaded.
    pub(super) async fn call_on(&self, loaded: &Loaded) -> Outcome {
        outcome::of(loaded, self).await
    }

    /// Calls the hook and compares. `snapshots` is the folder of the snapshots; with `update`
    /// they are written rather than compared.
    ///
    /// # Errors
    ///
    /// As for [`Self::call`], or if a snapshot can't be read or written.
    pub async fn run(
        &self,
        host: &PluginHost,
        component: &Path,
        snapshots: &Path,
        update: bool,
    ) -> Result<CaseResult, AuthorError> {
        let outcome = self.call(host, component).await?;
        let mut failures = self.expected.compare(&outcome);
        let mut snapshot = None;
        if self.snapshot {
            let path = snapshot::path(snapshots, &self.name);
            let (state, difference) = snapshot::compare(&path, &outcome.to_string(), update)?;
            failures.extend(difference);
            snapshot = Some(state);
        }
        Ok(CaseResult {
            name: self.name.clone(),
            hook: self.hook,
            took: outcome.took,
            failures,
            snapshot,
        })
    }
}

/// The folder of the snapshots of a file of cases: `tests.snap` for `tests.toml`.
pub fn snapshots_of(cases: &Path) -> PathBuf {
    cases.with_extension("snap")
}
