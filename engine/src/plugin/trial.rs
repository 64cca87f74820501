//! Trying out that a plugin starts.

use std::sync::Arc;

use super::call::{self, State};
use super::inspect::Inspection;
use super::loaded::Indices;
use super::{Hook, LogSink, Plugin};

impl Plugin {
    /// Instantiates it once, so that a component which can't be, or whose hooks have other
    /// types than ours, is found before anything is touched rather than after the build.
    pub(super) async fn try_out(
        &self,
        inspection: &Inspection,
    ) -> Result<(), (String, Option<String>)> {
        let nowhere: LogSink = Arc::new(|_| {});
        let hook = inspection.hooks.first().copied().unwrap_or(Hook::PreBuild);
        let _slot = self.slot().await;
        let mut store = call::store(self.engine(), State::new(self, hook, "", nowhere, None));
        let trial = async {
            let instance = self.pre().instantiate_async(&mut store).await?;
            let Indices {
                configure,
                pre_build,
                pre_run,
                post_build,
                health,
                post_run,
                pre_stop,
                post_deploy,
            } = self.indices();
            // Which hook does not fit is told by the inner result, in words.
            macro_rules! fits {
                ($indices:expr, $hook:expr) => {
                    if let Some(indices) = $indices
                        && let Err(cause) = indices.load(&mut store, &instance)
                    {
                        return wasmtime::error::Ok(Err(unfit($hook, &cause)));
                    }
                };
            }
            fits!(configure, Hook::Configure);
            fits!(pre_build, Hook::PreBuild);
            fits!(pre_run, Hook::PreRun);
            fits!(post_build, Hook::PostBuild);
            fits!(health, Hook::Health);
            fits!(post_run, Hook::PostRun);
            fits!(pre_stop, Hook::PreStop);
            fits!(post_deploy, Hook::PostDeploy);
            wasmtime::error::Ok(Ok(()))
        };
        match tokio::time::timeout(self.settings().timeout, trial).await {
            Ok(Ok(fits)) => fits.map_err(|(cause, help)| (cause, Some(help))),
            Ok(Err(error)) => Err(match call::exceeded(&error) {
                None if instances_exceeded(&error) => (
                    format!("when it starts, {}", error.root_cause()),
                    Some(format!(
                        "if it needs more, raise `instances` under [plugins.{}.limits] in \
                         plugins.toml",
                        self.name()
                    )),
                ),
                Some(limit) => (
                    format!("when it starts, {limit}"),
                    call::limit_help(&limit, self.name()),
                ),
                None => {
                    let cause =
                        call::failure(&error, &String::from_utf8_lossy(&store.data().printed()));
                    let help = "this is a bug in the plugin: tell its author";
                    (format!("when it starts, {cause}"), Some(help.to_owned()))
                }
            }),
            Err(_) => Err((
                format!(
                    "it did not start within {}",
                    humantime::format_duration(self.settings().timeout)
                ),
                Some(format!(
                    "if it needs more time, raise `timeout` under [plugins.{}] in plugins.toml",
                    self.name()
                )),
            )),
        }
    }
}

/// Why a hook that is exported is not the one that this host calls, with help.
pub fn unfit(hook: Hook, cause: &wasmtime::Error) -> (String, String) {
    let interface = hook.interface();
    (
        format!("it exports {interface} with other types than this rengine's: {cause:#}"),
        format!(
            "build it against the WIT of `rengine:plugin@{}`",
            super::WIT_VERSION
        ),
    )
}

/// True if a component has more core instances than it may have. wasmtime tells that in words
/// alone (`Store::bump_resource_counts`).
fn instances_exceeded(error: &wasmtime::Error) -> bool {
    error
        .root_cause()
        .to_string()
        .contains("instance count too high")
}
