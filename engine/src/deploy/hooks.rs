//! The plugins of a deploy, and what happens when one refuses or fails.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinHandle;

use super::access::RunningContainer;
use super::sources::{PluginFile, Sources, WantedPlugins};
use super::state::DaemonState;
use super::{DeployError, Event, PluginSummary, Reporter};
use crate::app::Name;
use crate::docker::Docker;
use crate::manifest::{Manifest, OnError, PluginEntry};
use crate::plugin::{
    CallContext, FinishedDeploy, Hook, LogSink, Plugin, PluginError, PluginHost, PluginState,
    Settings, StateAccess,
};
use crate::release::{ArtifactRecord, PluginRecord};

/// The loaded plugins with their entries in plugins.toml, in order.
#[derive(Clone, Default)]
pub struct Hooks {
    plugins: Arc<Vec<(Plugin, PluginEntry)>>,
    /// What each came as from a registry.
    artifacts: Arc<Vec<Option<ArtifactRecord>>>,
}

impl Hooks {
    /// Begins to load the plugins of a manifest. No daemon is needed for that, so it goes on while
    /// one is looked for.
    pub fn begin(manifest: &Manifest, sources: &Sources) -> Loading {
        let daemon = Arc::default();
        let entries: Vec<_> = manifest.plugins.values().cloned().collect();
        let work = (!entries.is_empty()).then(|| {
            let settings = match manifest.secrets.missing.first() {
                Some(missing) => Err(missing.clone().into()),
                None => Ok(settings(manifest, &daemon)),
            };
            let wanted = WantedPlugins::of(manifest);
            tokio::spawn(load(settings, wanted, sources.clone()))
        });
        Loading {
            daemon,
            entries,
            work,
            loaded: Hooks::default(),
        }
    }

    /// Loads the plugins of a manifest and tells of them.
    ///
    /// # Errors
    ///
    /// If one can't be loaded, or a secret that one is granted is not there.
    pub async fn load(
        manifest: &Manifest,
        docker: &Docker,
        sources: &Sources,
    ) -> Result<Self, DeployError> {
        let loading = Self::begin(manifest, sources);
        loading.finish(docker, &*sources.reporter).await
    }

    /// Every plugin, in order.
    pub fn all(&self) -> impl Iterator<Item = &Plugin> {
        self.plugins.iter().map(|(plugin, _)| plugin)
    }

    /// Every plugin as a release records it, in order.
    pub fn records(&self) -> Vec<PluginRecord> {
        let all = self.all().zip(self.artifacts.iter());
        let records = all.map(|(plugin, artifact)| PluginRecord {
            name: plugin.name().to_owned(),
            digest: plugin.digest().to_owned(),
            artifact: artifact.clone(),
        });
        records.collect()
    }

    /// The plugins that have `hook` and are there for `service`, in order.
    pub fn having<'a>(
        &'a self,
        hook: Hook,
        service: &'a Name,
    ) -> impl Iterator<Item = (&'a Plugin, OnError)> {
        self.plugins
            .iter()
            .filter(move |(plugin, entry)| {
                let here = entry
                    .services
                    .as_ref()
                    .is_none_or(|services| services.contains(service));
                here && plugin.has(hook)
            })
            .map(|(plugin, entry)| (plugin, entry.on_error))
    }

    /// The plugins that have a hook for the whole app, in order. `services` does not limit those.
    pub fn for_app(&self, hook: Hook) -> impl Iterator<Item = (&Plugin, OnError)> {
        self.plugins
            .iter()
            .filter(move |(plugin, _)| plugin.has(hook))
            .map(|(plugin, entry)| (plugin, entry.on_error))
    }

    /// Lets plugins act on a container before it is stopped, all at once. Whatever they say, it
    /// is stopped.
    pub async fn pre_stop(
        &self,
        docker: &Docker,
        context: &CallContext,
        service: &Name,
        id: &str,
        reporter: &Arc<dyn Reporter>,
    ) {
        let mut plugins = self.having(Hook::PreStop, service).peekable();
        if plugins.peek().is_none() {
            return;
        }
        let detail = match docker.inspect(id).await {
            Ok(Some(detail)) if detail.running => detail,
            // Nothing to drain. What else is wrong, the stop itself will tell.
            _ => return,
        };
        let container = RunningContainer::new(docker.clone(), detail);
        let calls = plugins.map(|(plugin, _)| {
            let container: Arc<RunningContainer> = container.clone();
            plugin.pre_stop(context, container, log_sink(reporter))
        });
        for result in join_all(calls).await {
            warn(result, &**reporter);
        }
    }

    /// Tells plugins how a deploy ended, all at once.
    pub async fn post_deploy(
        &self,
        context: &CallContext,
        deploy: Arc<FinishedDeploy>,
        reporter: &Arc<dyn Reporter>,
    ) {
        let calls = self
            .for_app(Hook::PostDeploy)
            .map(|(plugin, _)| plugin.post_deploy(context, deploy.clone(), log_sink(reporter)));
        for result in join_all(calls).await {
            warn(result, &**reporter);
        }
    }

    /// The names of those plugins.
    pub fn names(&self, hook: Hook, service: &Name) -> Vec<String> {
        self.having(hook, service)
            .map(|(plugin, _)| plugin.name().to_owned())
            .collect()
    }
}

/// Plugins that are being loaded.
pub struct Loading {
    /// Where their state is, once that is known.
    daemon: Arc<OnceLock<Docker>>,
    entries: Vec<PluginEntry>,
    /// `None` where there are none.
    work: Option<JoinHandle<Result<Loaded, DeployError>>>,
    /// Those that were loaded before.
    loaded: Hooks,
}

/// The plugins, what each came as, and how long loading all took.
type Loaded = (Vec<Plugin>, Vec<Option<ArtifactRecord>>, Duration);

impl Loading {
    /// Plugins that are loaded already.
    pub fn of(hooks: Hooks) -> Self {
        Self {
            daemon: Arc::default(),
            entries: Vec::new(),
            work: None,
            loaded: hooks,
        }
    }

    /// Waits until they are loaded, and tells of them. Their state is kept in `docker`.
    ///
    /// # Errors
    ///
    /// If one can't be loaded, or a secret that one is granted is not there.
    pub async fn finish(
        self,
        docker: &Docker,
        reporter: &dyn Reporter,
    ) -> Result<Hooks, DeployError> {
        let Some(work) = self.work else {
            return Ok(self.loaded);
        };
        self.daemon.get_or_init(|| docker.clone());
        let (plugins, artifacts, took) = match work.await {
            Ok(loaded) => loaded?,
            // A task ends early only if it panics or the runtime ends: both are past mending.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        reporter.report(Event::PluginsLoaded {
            plugins: plugins.iter().map(summary).collect(),
            took,
        });
        Ok(Hooks {
            plugins: Arc::new(plugins.into_iter().zip(self.entries).collect()),
            artifacts: Arc::new(artifacts),
        })
    }
}

async fn load(
    settings: Result<Vec<Settings>, DeployError>,
    wanted: WantedPlugins,
    sources: Sources,
) -> Result<Loaded, DeployError> {
    let settings = settings?;
    wanted.warn_of_trust(&*sources.reporter);
    let (mut paths, mut artifacts) = (Vec::new(), Vec::new());
    for PluginFile { path, artifact } in wanted.files(&sources).await? {
        paths.push(path);
        artifacts.push(artifact);
    }
    let settings = settings.into_iter().zip(paths);
    let settings = settings.map(|(settings, path)| Settings { path, ..settings });
    let settings = settings.collect();
    let started = Instant::now();
    let host = PluginHost::new(cache_folder().as_deref())
        .map_err(|reason| DeployError::NoHost { reason })?;
    let plugins = host.load_all(settings).await?;
    Ok((plugins, artifacts, started.elapsed()))
}

fn settings(manifest: &Manifest, daemon: &Arc<OnceLock<Docker>>) -> Vec<Settings> {
    let redactor = manifest.secrets.redactor();
    let kept: Arc<dyn StateAccess> = Arc::new(DaemonState {
        daemon: daemon.clone(),
        app: manifest.app.name.clone(),
    });
    let settings = manifest.plugins.iter().map(|(name, entry)| Settings {
        config: entry.config.clone(),
        timeout: entry.timeout,
        memory: entry.memory,
        limits: entry.limits,
        env: entry.env.clone(),
        secrets: manifest.secrets.of(&entry.grants),
        redactor: redactor.clone(),
        state: (entry.grants.keeps_state().is_ok())
            .then(|| PluginState::new(name.as_str(), kept.clone())),
        grants: entry.grants.clone(),
        // Where its file is, is found out when it is loaded.
        ..Settings::new(name.as_str(), PathBuf::new())
    });
    settings.collect()
}

/// Where compiled plugins and the digests of files are kept: `$XDG_CACHE_HOME/rengine`, or what
/// the system has for it.
pub fn cache_folder() -> Option<PathBuf> {
    dirs::cache_dir().map(|folder| folder.join("rengine"))
}

fn summary(plugin: &Plugin) -> PluginSummary {
    PluginSummary {
        name: plugin.name().to_owned(),
        digest: plugin.digest().to_owned(),
        hooks: plugin.hooks(),
        compiled: plugin.was_compiled(),
        took: plugin.load_time(),
    }
}

/// Where plugins' messages go.
pub fn log_sink(reporter: &Arc<dyn Reporter>) -> LogSink {
    let reporter = reporter.clone();
    Arc::new(move |record| reporter.report(Event::PluginLog(record)))
}

/// Tells of a plugin that refused or failed where that ends nothing.
fn warn(result: Result<(), PluginError>, reporter: &dyn Reporter) {
    if let Err(error) = result {
        reporter.report(Event::Warning {
            help: miette::Diagnostic::help(&error).map(|help| help.to_string()),
            message: error.to_string(),
        });
    }
}

/// What plugins.toml says about a plugin that refuses or fails: the deploy ends, or it is
/// told and the plugin counts as if it had done nothing.
pub fn or_warn<T>(
    result: Result<T, PluginError>,
    on_error: OnError,
    instead: T,
    reporter: &dyn Reporter,
) -> Result<T, PluginError> {
    match (result, on_error) {
        (Err(error), OnError::Warn) => {
            warn(Err(error), reporter);
            Ok(instead)
        }
        (result, _) => result,
    }
}
