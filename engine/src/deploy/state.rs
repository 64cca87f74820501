//! Plugins' state in the daemon.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::hooks::Hooks;
use super::{Event, Reporter};
use crate::app::Name;
use crate::docker::Docker;
use crate::plugin::{Entries, StateAccess};

/// The daemon, as what keeps the state of an app's plugins.
pub struct DaemonState {
    pub docker: Docker,
    pub app: Name,
}

impl StateAccess for DaemonState {
    fn load<'a>(&'a self, plugin: &'a str) -> BoxFuture<'a, Result<Entries, String>> {
        self.docker
            .load_state(&self.app, plugin)
            .map(|state| state.map_err(|error| error.to_string()))
            .boxed()
    }

    fn save<'a>(
        &'a self,
        plugin: &'a str,
        entries: &'a Entries,
    ) -> BoxFuture<'a, Result<(), String>> {
        self.docker
            .save_state(&self.app, plugin, entries)
            .map(|saved| saved.map_err(|error| error.to_string()))
            .boxed()
    }
}

/// Keeps what plugins wrote; for who holds the app's lock. By now the deploy has ended, well or
/// not, so that it can't be kept is no reason to fail.
pub async fn save(hooks: &Hooks, reporter: &Arc<dyn Reporter>) {
    for plugin in hooks.all() {
        let Some(state) = &plugin.settings().state else {
            continue;
        };
        if !state.is_changed() {
            continue;
        }
        if let Err(why) = state.save().await {
            reporter.report(Event::Warning {
                message: format!(
                    "the state of plugin `{}` could not be kept: {why}",
                    plugin.name()
                ),
                help: None,
            });
        }
    }
}
