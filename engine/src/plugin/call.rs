//! One call of a hook: a store with its limits, the call, and what came of it.

use std::path::Path;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{ResourceTable, ResourceTableError};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::WasiConfigVariables;

use super::bindings::exports::rengine::plugin as exports;
use super::bindings::rengine::plugin::types;
use super::capability::Shared;
use super::capability::app::{AppResource, Contexts};
use super::capability::build::BuildResource;
use super::capability::container::SpecResource;
use super::capability::deployment::DeployResource;
use super::capability::http::Outgoing;
use super::capability::image::ImageResource;
use super::capability::running::RunningResource;
use super::capability::state::OpenState;
use super::limits::{Exceeded, HOSTCALL_BYTES, Limiter, MAX_HANDLES, MAX_REASON_BYTES};
use super::log::{Level, LogRecord, LogSink};
use super::output::Output;
use super::{
    Change, ContainerAccess, ContextAccess, FinishedDeploy, Hook, ImageAccess, Plugin, PluginError,
    Refusal, Settings, change,
};
use crate::app::{App, ContainerSpec, ImageBuild};
use crate::secrets::Redactor;

use std::sync::Arc;

/// Where the build context is for a plugin that may read it.
const CONTEXT_FOLDER: &str = "/context";

/// Where a hook runs.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The app's name.
    pub app: String,
    /// The service's name; empty in a hook for the whole app.
    pub service: String,
    /// The id of the release being made.
    pub release: String,
    /// True while nothing runs yet.
    pub planning: bool,
}

/// What a `health` hook makes of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthStatus {
    /// Not known yet; why.
    Starting(String),
    /// Good to go.
    Healthy,
    /// It will not become healthy; why.
    Unhealthy(String),
}

/// What the host functions of one call work on.
pub struct State {
    pub table: ResourceTable,
    pub limiter: Limiter,
    pub config: WasiConfigVariables,
    pub log: Logger,
    pub settings: Arc<Settings>,
    pub http: Outgoing,
    pub kept: Option<OpenState>,
    wasi: WasiCtx,
    printed: Output,
}

/// Where the messages of one call go, and whom they are attributed to.
pub struct Logger {
    sink: LogSink,
    redactor: Redactor,
    plugin: String,
    hook: Hook,
    service: String,
}

impl Logger {
    pub fn log(&self, level: Level, mut context: String, mut message: String) {
        self.redactor.clean(&mut context);
        self.redactor.clean(&mut message);
        (self.sink)(LogRecord {
            plugin: self.plugin.clone(),
            hook: self.hook,
            service: self.service.clone(),
            level,
            context,
            message,
        });
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl State {
    /// `folder` is the build context, where there is one that the plugin may read.
    pub fn new(
        plugin: &Plugin,
        hook: Hook,
        service: &str,
        sink: LogSink,
        folder: Option<&Path>,
    ) -> Self {
        let settings = plugin.shared_settings();
        let printed = Output::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        // Nothing is inherited: no files, no network, no arguments, and of the environment only
        // what is granted.
        let mut wasi = WasiCtx::builder();
        wasi.stdout(printed.clone()).stderr(printed.clone());
        for (name, value) in &settings.env {
            wasi.env(name, value);
        }
        let log = Logger {
            sink,
            redactor: settings.redactor.clone(),
            plugin: settings.name.clone(),
            hook,
            service: service.to_owned(),
        };
        if let Some(folder) = folder
            && let Err(error) = wasi.preopened_dir(folder, CONTEXT_FOLDER, FsPerms::ReadOnly)
        {
            let message = format!("{CONTEXT_FOLDER} is not there: {error}");
            log.log(Level::Warn, "context".to_owned(), message);
        }
        Self {
            table,
            limiter: Limiter::new(settings.memory, settings.limits),
            config: settings
                .config
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            log,
            http: Outgoing::new(plugin.network(), &settings),
            kept: None,
            wasi: wasi.build(),
            settings,
            printed,
        }
    }

    /// The end of what the guest printed.
    pub fn printed(&self) -> Vec<u8> {
        self.printed.end()
    }
}

/// A text for people: a plugin that hands over a novel is not to fill their screens.
pub(super) fn bounded(text: String) -> String {
    cut(&text, MAX_REASON_BYTES).unwrap_or(text)
}

/// The beginning of a text that is longer than `limit`.
fn cut(text: &str, limit: usize) -> Option<String> {
    let start = &text[..text.floor_char_boundary(limit)];
    (start.len() < text.len()).then(|| format!("{start}… ({} bytes)", text.len()))
}

/// A store for one call, with every limit set.
pub fn store(engine: &wasmtime::Engine, state: State) -> Store<State> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    // What the tables below do not hold, such as resources of the guest's own.
    store.set_max_component_handles(2 * MAX_HANDLES);
    if let Some(table) = store.concurrent_resource_table() {
        table.set_max_capacity(MAX_HANDLES);
    }
    // A guest that computes gives way at every epoch, so that the timer around the call, which
    // also covers time spent in host functions, gets its turn.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}

impl From<types::Refusal> for Refusal {
    fn from(refusal: types::Refusal) -> Self {
        Self {
            reason: bounded(refusal.reason),
            hint: refusal.hint.map(bounded),
        }
    }
}

/// Instantiates the plugin and calls one function of one hook, within its limits.
macro_rules! call {
    ($plugin:expr, $hook:expr, $context:expr, $sink:expr, $indices:expr, $call:ident,
     $resource:expr) => {
        call!(
            $plugin, $hook, $context, $sink, $indices, $call, $resource, wire
        )
    };
    ($plugin:expr, $hook:expr, $context:expr, $sink:expr, $indices:expr, $call:ident,
     $resource:expr, $wire:ident) => {
        call!(
            $plugin, $hook, $context, $sink, $indices, $call, $resource, $wire, None
        )
    };
    ($plugin:expr, $hook:expr, $context:expr, $sink:expr, $indices:expr, $call:ident,
     $resource:expr, $wire:ident, $folder:expr) => {{
        let state = State::new($plugin, $hook, &$context.service, $sink, $folder);
        let mut store = store($plugin.engine(), state);
        let context = $wire($context);
        let run = async {
            let resource = store.data_mut().table.push($resource)?;
            let instance = $plugin.pre().instantiate_async(&mut store).await?;
            let guest = $indices.load(&mut store, &instance)?;
            let borrowed = wasmtime::component::Resource::new_borrow(resource.rep());
            let answer = guest.$call(&mut store, &context, borrowed).await?;
            let resource = store.data_mut().table.delete(resource)?;
            if answer.is_ok() {
                store.data_mut().keep_state();
            }
            wasmtime::error::Ok((answer, resource))
        };
        let done = tokio::time::timeout($plugin.settings().timeout, run).await;
        outcome($plugin.settings(), $hook, $context, store, done)
    }};
}

impl Plugin {
    /// Calls `configure`, where the plugin has it. `app` changes only if all goes well.
    ///
    /// `contexts` are the build contexts of its services.
    pub async fn configure(
        &self,
        context: &CallContext,
        app: &mut App,
        contexts: Contexts,
        sink: LogSink,
    ) -> Result<Vec<Change>, PluginError> {
        let Some(indices) = &self.indices().configure else {
            return Ok(Vec::new());
        };
        let hook = Hook::Configure;
        let resource = AppResource::new(app.clone(), contexts, self.settings().grants.clone());
        let (answer, resource) = call!(
            self, hook, context, sink, indices, call_run, resource, wire_app
        )?;
        self.accept(hook, context, answer)?;
        let after = resource.into_app();
        let changes = change::between_apps(self.name(), hook, app, &after);
        *app = after;
        Ok(changes)
    }

    /// Calls `pre-build`, where the plugin has it. `build` changes only if all goes well.
    pub async fn pre_build(
        &self,
        context: &CallContext,
        build: &mut ImageBuild,
        files: Arc<dyn ContextAccess>,
        sink: LogSink,
    ) -> Result<Vec<Change>, PluginError> {
        let Some(indices) = &self.indices().pre_build else {
            return Ok(Vec::new());
        };
        let hook = Hook::PreBuild;
        let grants = self.settings().grants.clone();
        let readable = grants.reads_context().is_ok();
        let resource = BuildResource::new(Shared::new(build.clone()), files.clone(), grants);
        let folder = files.folder().filter(|_| readable);
        let (answer, resource) = call!(
            self, hook, context, sink, indices, call_run, resource, wire, folder
        )?;
        self.accept(hook, context, answer)?;
        let after = resource.into_build();
        let changes = change::between(self.name(), hook, &context.service, build, &after);
        *build = after;
        Ok(changes)
    }

    /// Calls `pre-run`, where the plugin has it. `spec` changes only if all goes well.
    ///
    /// `dockerfile` is the effective Dockerfile of an image that is built, `image` the name of
    /// one that is not.
    pub async fn pre_run(
        &self,
        context: &CallContext,
        spec: &mut ContainerSpec,
        dockerfile: Option<String>,
        image: Option<String>,
        sink: LogSink,
    ) -> Result<Vec<Change>, PluginError> {
        let Some(indices) = &self.indices().pre_run else {
            return Ok(Vec::new());
        };
        let hook = Hook::PreRun;
        let grants = self.settings().grants.clone();
        let resource = SpecResource::new(Shared::new(spec.clone()), dockerfile, image, grants);
        let (answer, resource) = call!(self, hook, context, sink, indices, call_run, resource)?;
        self.accept(hook, context, answer)?;
        let after = resource.into_spec();
        let changes = change::between(self.name(), hook, &context.service, spec, &after);
        *spec = after;
        Ok(changes)
    }

    /// Calls `post-build`, where the plugin has it; returns the names that it wants the image to
    /// have.
    pub async fn post_build(
        &self,
        context: &CallContext,
        image: Arc<dyn ImageAccess>,
        sink: LogSink,
    ) -> Result<Vec<String>, PluginError> {
        let Some(indices) = &self.indices().post_build else {
            return Ok(Vec::new());
        };
        let hook = Hook::PostBuild;
        let resource = ImageResource::new(image);
        let (answer, resource) = call!(self, hook, context, sink, indices, call_run, resource)?;
        self.accept(hook, context, answer)?;
        Ok(resource.into_tags())
    }

    /// Calls `pre-stop`, where the plugin has it.
    pub async fn pre_stop(
        &self,
        context: &CallContext,
        container: Arc<dyn ContainerAccess>,
        sink: LogSink,
    ) -> Result<(), PluginError> {
        let Some(indices) = &self.indices().pre_stop else {
            return Ok(());
        };
        let hook = Hook::PreStop;
        let resource = RunningResource(container);
        let (answer, _) = call!(self, hook, context, sink, indices, call_run, resource)?;
        self.accept(hook, context, answer)
    }

    /// Calls `post-deploy`, where the plugin has it.
    pub async fn post_deploy(
        &self,
        context: &CallContext,
        deploy: Arc<FinishedDeploy>,
        sink: LogSink,
    ) -> Result<(), PluginError> {
        let Some(indices) = &self.indices().post_deploy else {
            return Ok(());
        };
        let hook = Hook::PostDeploy;
        let resource = DeployResource(deploy);
        let (answer, _) = call!(
            self, hook, context, sink, indices, call_run, resource, wire_app
        )?;
        self.accept(hook, context, answer)
    }

    /// Calls `post-run`, where the plugin has it.
    pub async fn post_run(
        &self,
        context: &CallContext,
        container: Arc<dyn ContainerAccess>,
        sink: LogSink,
    ) -> Result<(), PluginError> {
        let Some(indices) = &self.indices().post_run else {
            return Ok(());
        };
        let resource = RunningResource(container);
        let hook = Hook::PostRun;
        let (answer, _) = call!(self, hook, context, sink, indices, call_run, resource)?;
        self.accept(hook, context, answer)
    }

    /// Calls `health`; `None` where the plugin does not have it.
    pub async fn health(
        &self,
        context: &CallContext,
        container: Arc<dyn ContainerAccess>,
        sink: LogSink,
    ) -> Result<Option<HealthStatus>, PluginError> {
        let Some(indices) = &self.indices().health else {
            return Ok(None);
        };
        let resource = RunningResource(container);
        let hook = Hook::Health;
        let (answer, _) = call!(self, hook, context, sink, indices, call_check, resource)?;
        let status = match self.accept(hook, context, answer)? {
            exports::health::Status::Starting(why) => HealthStatus::Starting(bounded(why)),
            exports::health::Status::Healthy => HealthStatus::Healthy,
            exports::health::Status::Unhealthy(why) => HealthStatus::Unhealthy(bounded(why)),
        };
        Ok(Some(status))
    }

    /// Turns a guest's own answer into ours.
    fn accept<T>(
        &self,
        hook: Hook,
        context: &CallContext,
        answer: Result<T, types::Refusal>,
    ) -> Result<T, PluginError> {
        answer.map_err(|mut refusal| {
            let redactor = &self.settings().redactor;
            // Before it is cut, so that no half of a secret is left.
            redactor.clean(&mut refusal.reason);
            if let Some(hint) = &mut refusal.hint {
                redactor.clean(hint);
            }
            let refusal = Refusal::from(refusal);
            PluginError::Refused {
                plugin: self.name().to_owned(),
                hook,
                service: context.service.clone(),
                help: refusal.hint.clone(),
                refusal,
            }
        })
    }
}

fn wire(context: &CallContext) -> types::Context {
    types::Context {
        app: context.app.clone(),
        service: context.service.clone(),
        release: context.release.clone(),
        planning: context.planning,
    }
}

fn wire_app(context: &CallContext) -> types::AppContext {
    types::AppContext {
        app: context.app.clone(),
        release: context.release.clone(),
        planning: context.planning,
    }
}

/// Tells a limit from a breakage, and adds what the guest wrote to standard error.
fn outcome<T>(
    settings: &Settings,
    hook: Hook,
    context: &CallContext,
    mut store: Store<State>,
    done: Result<wasmtime::Result<T>, tokio::time::error::Elapsed>,
) -> Result<T, PluginError> {
    let printed = store.data().printed();
    let printed = String::from_utf8_lossy(&printed);
    let printed = settings.redactor.redact(&printed);
    let done = match store.data().http.exceeded() {
        // The guest may have taken it for a trouble of the network.
        Some(limit) => Ok(Err(limit.into())),
        None => done,
    };
    let (plugin, service) = (settings.name.clone(), context.service.clone());
    match done {
        Ok(Ok(value)) => {
            let State { limiter, log, .. } = store.data_mut();
            for line in printed.lines() {
                // Printing is no reason to fail: what is more than can be logged is dropped.
                if limiter.log(line.len()).is_err() {
                    break;
                }
                log.log(Level::Debug, "output".to_owned(), line.to_owned());
            }
            Ok(value)
        }
        Ok(Err(error)) => Err(match exceeded(&error) {
            Some(cause) => PluginError::Limit {
                help: limit_help(&cause, &plugin),
                plugin,
                hook,
                service,
                cause,
            },
            None => PluginError::Failed {
                plugin,
                hook,
                service,
                cause: failure(&error, &printed),
            },
        }),
        Err(_) => Err(PluginError::Timeout {
            plugin,
            hook,
            service,
            limit: settings.timeout.max(Duration::from_millis(1)),
        }),
    }
}

/// The limit that ended a call, if one did.
pub(super) fn exceeded(error: &wasmtime::Error) -> Option<Exceeded> {
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return Some(exceeded.clone());
    }
    let full = matches!(
        error.downcast_ref::<ResourceTableError>(),
        Some(ResourceTableError::Full)
    );
    full.then_some(Exceeded::Handles)
}

pub(super) fn limit_help(cause: &Exceeded, plugin: &str) -> Option<String> {
    let (key, table) = cause.setting()?;
    Some(format!(
        "if it needs more, raise `{key}` under [plugins.{plugin}{table}] in plugins.toml"
    ))
}

/// Why a call broke: the trap's own words, and the last lines of standard error, which hold
/// the panic's or exception's message in most languages.
pub(super) fn failure(error: &wasmtime::Error, printed: &str) -> String {
    const LAST_LINES: usize = 12;
    const MAX_LINE_BYTES: usize = 1 << 10;
    let root = bounded(error.root_cause().to_string());
    let mut text = match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::UnreachableCodeReached) => {
            "it trapped: it gave up (unreachable code, as after a panic)".to_owned()
        }
        Some(wasmtime::Trap::StackOverflow) => "it trapped: its call stack overflowed".to_owned(),
        Some(trap) => format!("it trapped: {trap}"),
        None => root,
    };
    let lines: Vec<&str> = printed.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(LAST_LINES)) {
        text.push_str("\n  | ");
        text.push_str(cut(line, MAX_LINE_BYTES).as_deref().unwrap_or(line));
    }
    text
}
