//! Plugins' state in the daemon.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::hooks::Hooks;
use super::{Event, Reporter, take_lock};
use crate::app::Name;
use crate::docker::{Docker, Wait};
use crate::plugin::{Entries, StateAccess};

/// The daemon, as what keeps the state of an app's plugins.
pub struct DaemonState {
    /// Known before any hook is called.
    pub daemon: Arc<OnceLock<Docker>>,
    pub app: Name,
}

impl DaemonState {
    fn docker(&self) -> Result<&Docker, String> {
        self.daemon
            .get()
            .ok_or_else(|| "no daemon is known yet".to_owned())
    }
}

impl StateAccess for DaemonState {
    fn load<'a>(&'a self, plugin: &'a str) -> BoxFuture<'a, Result<Entries, String>> {
        async move {
            let state = self.docker()?.load_state(&self.app, plugin).await;
            state.map_err(|error| error.to_string())
        }
        .boxed()
    }

    fn save<'a>(
        &'a self,
        plugin: &'a str,
        entries: &'a Entries,
    ) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let saved = self.docker()?.save_state(&self.app, plugin, entries).await;
            saved.map_err(|error| error.to_string())
        }
        .boxed()
    }
}

/// How long to wait for the lock once more.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Keeps what plugins wrote, under the app's lock. By now the deploy has ended, well or not, so
/// that it can't be kept is no reason to fail.
pub async fn save(hooks: &Hooks, app: &Name, docker: &Docker, reporter: &Arc<dyn Reporter>) {
    let changed: Vec<_> = hooks
        .all()
        .filter_map(|plugin| Some((plugin.name(), plugin.settings().state.as_ref()?)))
        .filter(|(_, state)| state.is_changed())
        .collect();
    if changed.is_empty() {
        return;
    }
    let warn = |name: &str, why: &dyn std::fmt::Display| {
        reporter.report(Event::Warning {
            message: format!("the state of plugin `{name}` could not be kept: {why}"),
            help: None,
        });
    };
    // Whoever waited for this deploy may be faster, and is to be done first.
    let wait = Wait::AtMost(LOCK_PATIENCE);
    let lock = match take_lock(docker, app, "rengine deploy", wait, reporter).await {
        Ok(lock) => lock,
        Err(why) => return changed.iter().for_each(|(name, _)| warn(name, &why)),
    };
    for (name, state) in changed {
        if let Err(why) = state.save().await {
            warn(name, &why);
        }
    }
    if let Err(error) = lock.release().await {
        reporter.report(Event::Warning {
            message: error.to_string(),
            help: None,
        });
    }
}
