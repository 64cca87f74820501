//! Loading plugins.

use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::bindings::exports::rengine::plugin as exports;
use super::cache::Cache;
use super::call::{self, State};
use super::capability::http::Network;
use super::inspect::{self, Inspection};
use super::loaded::Indices;
use super::pool::Pool;
use super::trial::unfit;
use super::{Answers, Hook, LoadError, Plugin, Resolver, Settings, engine, source};
use crate::app::hex;

/// Compiles, links and keeps what all plugins share.
#[derive(Clone)]
pub struct PluginHost {
    engine: Engine,
    pool: Pool,
    linker: Arc<Linker<State>>,
    cache: Arc<Cache>,
    network: Arc<Network>,
    /// As many load at a time as there are processors: a hundred would be as many threads.
    loading: Arc<Semaphore>,
    /// Compiling Python takes 0.4 GB: one at a time.
    compiling: Arc<Mutex<()>>,
}

impl PluginHost {
    /// Makes a host that keeps compiled code below `cache_dir`, or nowhere if `None`.
    ///
    /// # Errors
    ///
    /// If this machine can't run compiled WebAssembly at all.
    pub fn new(cache_dir: Option<&Path>) -> Result<Self, String> {
        let (engine, pool) = engine::engine().map_err(|error| format!("{error:#}"))?;
        let linker = engine::linker(&engine).map_err(|error| format!("{error:#}"))?;
        engine::tick(&engine);
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Ok(Self {
            cache: Arc::new(Cache::open(cache_dir, &engine)),
            linker: Arc::new(linker),
            network: Arc::default(),
            loading: Arc::new(Semaphore::new(processors)),
            compiling: Arc::default(),
            engine,
            pool,
        })
    }

    /// Has the names of hosts that plugins send requests to resolved by another than the system.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolver>) -> Self {
        Self {
            network: Arc::new(Network::new(resolver)),
            ..self
        }
    }

    /// Has what plugins send to other hosts answered here, so that nothing goes out.
    #[must_use]
    pub fn with_answers(self, answers: Arc<dyn Answers>) -> Self {
        Self {
            network: Arc::new(Network::answering(answers)),
            ..self
        }
    }

    /// Loads plugins, at the same time, and returns them in the order given.
    ///
    /// # Errors
    ///
    /// The first that can't be loaded, in that order.
    pub async fn load_all(&self, settings: Vec<Settings>) -> Result<Vec<Plugin>, LoadError> {
        let loading: Vec<_> = settings
            .into_iter()
            .map(|settings| {
                let host = self.clone();
                tokio::spawn(async move { host.load(settings).await })
            })
            .collect();
        let mut plugins = Vec::with_capacity(loading.len());
        for task in loading {
            match task.await {
                Ok(loaded) => plugins.push(loaded?),
                // A task ends early only if it panics or the runtime ends: both are past mending.
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Ok(plugins)
    }

    /// Loads one plugin: reads it, compiles it or takes the compiled code from the cache, checks
    /// what it imports and exports, and tries out that it can be instantiated.
    ///
    /// # Errors
    ///
    /// If the file can't be read, is no component, was built for another version of the
    /// interface, imports what is not there, exports no hook, or can't be instantiated.
    pub async fn load(&self, settings: Settings) -> Result<Plugin, LoadError> {
        let started = Instant::now();
        let error = |cause: String, help: Option<String>| LoadError {
            plugin: settings.name.clone(),
            path: settings.path.clone(),
            cause: call::bounded(cause),
            help,
        };
        let (component, digest, size, compiled) = self
            .component(&settings.path)
            .await
            .map_err(|(cause, help)| error(cause, help))?;
        let inspection = inspect::inspect(&self.engine, &component);
        inspection
            .check()
            .map_err(|(cause, help)| error(cause, Some(help)))?;
        inspection
            .check_grants(&settings.name, &settings.grants)
            .map_err(|(cause, help)| error(cause, Some(help)))?;
        let pre = self.linker.instantiate_pre(&component).map_err(|cause| {
            error(
                format!("{cause:#}"),
                Some("it was built for an interface that this rengine does not have".to_owned()),
            )
        })?;
        let has = |hook: Hook| inspection.hooks.contains(&hook);
        let unfit = |hook: Hook, cause: wasmtime::Error| {
            let (cause, help) = unfit(hook, &cause);
            error(cause, Some(help))
        };
        macro_rules! indices {
            ($hook:expr, $interface:ident) => {
                has($hook)
                    .then(|| exports::$interface::GuestIndices::new(&pre))
                    .transpose()
                    .map_err(|cause| unfit($hook, cause))?
            };
        }
        let indices = Indices {
            configure: indices!(Hook::Configure, configure),
            pre_build: indices!(Hook::PreBuild, pre_build),
            pre_run: indices!(Hook::PreRun, pre_run),
            post_build: indices!(Hook::PostBuild, post_build),
            health: indices!(Hook::Health, health),
            post_run: indices!(Hook::PostRun, post_run),
            pre_stop: indices!(Hook::PreStop, pre_stop),
            post_deploy: indices!(Hook::PostDeploy, post_deploy),
        };
        let plugin = Plugin {
            settings: Arc::new(settings.clone()),
            digest,
            size,
            compiled,
            load_time: started.elapsed(),
            room: self.pool.room(&component),
            pre,
            indices: Arc::new(indices),
            network: self.network.clone(),
        };
        plugin
            .try_out(&inspection)
            .await
            .map_err(|(cause, help)| error(cause, help))?;
        Ok(Plugin {
            load_time: started.elapsed(),
            ..plugin
        })
    }

    /// Tells what a file exports and imports, without asking whether it could be loaded.
    ///
    /// # Errors
    ///
    /// If the file can't be read or is no component.
    pub async fn inspect(&self, path: &Path) -> Result<Inspection, LoadError> {
        let (component, digest, size, _) =
            self.component(path)
                .await
                .map_err(|(cause, help)| LoadError {
                    plugin: path.file_stem().map_or_else(
                        || path.display().to_string(),
                        |stem| stem.to_string_lossy().into_owned(),
                    ),
                    path: path.to_owned(),
                    cause: call::bounded(cause),
                    help,
                })?;
        Ok(Inspection {
            digest,
            size,
            ..inspect::inspect(&self.engine, &component)
        })
    }

    async fn component(
        &self,
        path: &Path,
    ) -> Result<(Component, String, u64, bool), source::Unreadable> {
        let host = self.clone();
        let path = path.to_owned();
        let compiling = self.compiling.clone();
        let work = move || {
            let stamp = source::stamp(&path)?;
            if let Some((component, digest)) = host.cache.recall(&host.engine, &stamp) {
                return Ok((component, digest, stamp.size(), false));
            }
            let bytes = source::read(&path)?;
            let digest = hex(&Sha256::digest(&bytes));
            let size = bytes.len() as u64;
            if let Some(component) = host.cache.get(&host.engine, &digest) {
                // Unless it changed while it was read.
                if source::stamp(&path)? == stamp {
                    host.cache.remember(stamp, &digest);
                }
                return Ok((component, digest, size, false));
            }
            inspect::check_header(&bytes).map_err(|(cause, help)| (cause, Some(help)))?;
            // Held while compiling only: what is cached loads beside it.
            let _turn = compiling.lock().unwrap_or_else(PoisonError::into_inner);
            let component = Component::new(&host.engine, &bytes).map_err(|error| {
                let help = "build it again, and see that the file is whole";
                (format!("{error:#}"), Some(help.to_owned()))
            })?;
            host.cache.put(&digest, &component);
            Ok((component, digest, size, true))
        };
        // An error would mean that the semaphore is closed, which it never is.
        let _turn = self.loading.acquire().await.ok();
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
