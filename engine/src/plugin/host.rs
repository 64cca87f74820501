//! Loading plugins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine};
use wasmtime_wasi_config::WasiConfig;

use super::bindings::{self, exports::rengine::plugin as exports};
use super::cache::Cache;
use super::call::{self, State};
use super::capability::{self, http::Network};
use super::inspect::{self, Inspection};
use super::limits::{DEFAULT_MEMORY, DEFAULT_TIMEOUT, EPOCH, MAX_STACK};
use super::{Answers, Hook, Limits, LoadError, LogSink, PluginState, Resolver};
use crate::app::{ByteSize, hex};
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

/// Compiles, links and keeps what all plugins share.
#[derive(Clone)]
pub struct PluginHost {
    engine: Engine,
    linker: Arc<Linker<State>>,
    cache: Arc<Cache>,
    network: Arc<Network>,
    /// Compiling Python takes 0.4 GB: one at a time.
    compiling: Arc<Mutex<()>>,
}

/// A plugin that is loaded and ready to be called.
#[derive(Clone)]
pub struct Plugin {
    settings: Arc<Settings>,
    digest: String,
    size: u64,
    compiled: bool,
    load_time: Duration,
    pre: InstancePre<State>,
    indices: Arc<Indices>,
    network: Arc<Network>,
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

impl PluginHost {
    /// Makes a host that keeps compiled code below `cache_dir`, or nowhere if `None`.
    ///
    /// # Errors
    ///
    /// If this machine can't run compiled WebAssembly at all.
    pub fn new(cache_dir: Option<&Path>) -> Result<Self, String> {
        let engine = engine().map_err(|error| format!("{error:#}"))?;
        let linker = linker(&engine).map_err(|error| format!("{error:#}"))?;
        tick(&engine);
        Ok(Self {
            cache: Arc::new(Cache::open(cache_dir, &engine)),
            linker: Arc::new(linker),
            network: Arc::default(),
            compiling: Arc::default(),
            engine,
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
    ) -> Result<(Component, String, u64, bool), (String, Option<String>)> {
        let host = self.clone();
        let path = path.to_owned();
        let compiling = self.compiling.clone();
        let work = move || {
            let bytes = read(&path)?;
            let digest = hex(&Sha256::digest(&bytes));
            let size = bytes.len() as u64;
            if let Some(component) = host.cache.get(&host.engine, &digest) {
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
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
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

    pub(super) fn indices(&self) -> &Indices {
        &self.indices
    }

    /// Instantiates it once, so that a component which can't be, or whose hooks have other
    /// types than ours, is found before anything is touched rather than after the build.
    async fn try_out(&self, inspection: &Inspection) -> Result<(), (String, Option<String>)> {
        let nowhere: LogSink = Arc::new(|_| {});
        let hook = inspection.hooks.first().copied().unwrap_or(Hook::PreBuild);
        let mut store = call::store(self.engine(), State::new(self, hook, "", nowhere, None));
        let trial = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let Indices {
                configure,
                pre_build,
                pre_run,
                post_build,
                health,
                post_run,
                pre_stop,
                post_deploy,
            } = &*self.indices;
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
        match tokio::time::timeout(self.settings.timeout, trial).await {
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
                    humantime::format_duration(self.settings.timeout)
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
fn unfit(hook: Hook, cause: &wasmtime::Error) -> (String, String) {
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

fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .max_wasm_stack(MAX_STACK)
        .async_stack_size(2 * MAX_STACK);
    Engine::new(&config)
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_config::add_to_linker(&mut linker, |state: &mut State| {
        WasiConfig::from(&state.config)
    })?;
    bindings::add_imports(&mut linker)?;
    capability::link(&mut linker)?;
    Ok(linker)
}

/// Advances the epoch for as long as the engine lives.
fn tick(engine: &Engine) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(EPOCH);
        }
    });
}

/// The largest file that is taken for a plugin, in bytes. Python with libraries has 20 MB.
const MAX_FILE_BYTES: u64 = 256 << 20;

fn read(path: &Path) -> Result<Vec<u8>, (String, Option<String>)> {
    let facts = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => (
            "there is no such file".to_owned(),
            Some("build the plugin, or correct `path` in plugins.toml".to_owned()),
        ),
        _ => (error.to_string(), None),
    })?;
    if !facts.is_file() {
        let help = "`path` names the .wasm file itself";
        return Err(("it is not a file".to_owned(), Some(help.to_owned())));
    }
    if facts.len() > MAX_FILE_BYTES {
        let limit = ByteSize(MAX_FILE_BYTES);
        return Err((
            format!("it has {}, and {limit} is the limit", ByteSize(facts.len())),
            Some("see that `path` names the plugin, and leave out debug information".to_owned()),
        ));
    }
    std::fs::read(path).map_err(|error| (error.to_string(), None))
}
