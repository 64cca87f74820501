//! A plugin that is loaded.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::InstancePre;

use super::bindings::exports::rengine::plugin as exports;
use super::call::State;
use super::capability::http::Network;
use super::pool::{Room, Slot};
use super::{Hook, Settings};

/// A plugin that is loaded and ready to be called.
#[derive(Clone)]
pub struct Plugin {
    pub(super) settings: Arc<Settings>,
    pub(super) digest: String,
    pub(super) size: u64,
    pub(super) compiled: bool,
    pub(super) load_time: Duration,
    pub(super) pre: InstancePre<State>,
    pub(super) room: Room,
    pub(super) indices: Arc<Indices>,
    pub(super) network: Arc<Network>,
}

/// Where a component's hooks are; `None` for those that it does not export.
pub struct Indices {
    pub configure: Option<exports::configure::GuestIndices>,
    pub pre_build: Option<exports::pre_build::GuestIndices>,
    pub pre_run: Option<exports::pre_run::GuestIndices>,
    pub post_build: Option<exports::post_build::GuestIndices>,
    pub health: Option<exports::health::GuestIndices>,
    pub post_run: Option<exports::post_run::GuestIndices>,
    pub pre_stop: Option<exports::pre_stop::GuestIndices>,
    pub post_deploy: Option<exports::post_deploy::GuestIndices>,
}

impl Plugin {
    /// Its name in plugins.toml.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What plugins.toml says of it.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The sha256 of its file, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The size of its file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// True if it was compiled just now, false if the compiled code was in the cache.
    pub fn was_compiled(&self) -> bool {
        self.compiled
    }

    /// How long loading took.
    pub fn load_time(&self) -> Duration {
        self.load_time
    }

    /// True if it exports `hook`.
    pub fn has(&self, hook: Hook) -> bool {
        match hook {
            Hook::Configure => self.indices.configure.is_some(),
            Hook::PreBuild => self.indices.pre_build.is_some(),
            Hook::PreRun => self.indices.pre_run.is_some(),
            Hook::PostBuild => self.indices.post_build.is_some(),
            Hook::Health => self.indices.health.is_some(),
            Hook::PostRun => self.indices.post_run.is_some(),
            Hook::PreStop => self.indices.pre_stop.is_some(),
            Hook::PostDeploy => self.indices.post_deploy.is_some(),
        }
    }

    /// The hooks that it exports.
    pub fn hooks(&self) -> Vec<Hook> {
        Hook::ALL
            .into_iter()
            .filter(|&hook| self.has(hook))
            .collect()
    }

    pub(super) fn shared_settings(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    pub(super) fn network(&self) -> Arc<Network> {
        self.network.clone()
    }

    pub(super) fn engine(&self) -> &Engine {
        self.pre.engine()
    }

    pub(super) fn pre(&self) -> &InstancePre<State> {
        &self.pre
    }

    /// Waits until there is room for an instance.
    pub(super) async fn slot(&self) -> Slot {
        self.room.slot().await
    }

    pub(super) fn indices(&self) -> &Indices {
        &self.indices
    }
}
