//! What the host functions of one call work on, and the store around it.

use std::path::Path;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::WasiConfigVariables;

use crate::plugin::capability::http::Outgoing;
use crate::plugin::capability::state::OpenState;
use crate::plugin::limits::{HOSTCALL_BYTES, Limiter, MAX_HANDLES, MAX_TASKS};
use crate::plugin::log::{Level, LogRecord, LogSink};
use crate::plugin::output::Output;
use crate::plugin::{Hook, Plugin, Settings};
use crate::secrets::Redactor;

/// Where the build context is for a plugin that may read it.
const CONTEXT_FOLDER: &str = "/context";

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

/// A store for one call, with every limit set.
pub fn store(engine: &wasmtime::Engine, state: State) -> Store<State> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    // What the tables below do not hold, such as resources of the guest's own.
    store.set_max_component_handles(2 * MAX_HANDLES);
    if let Some(table) = store.concurrent_resource_table() {
        table.set_max_capacity(MAX_TASKS);
    }
    // A guest that computes gives way at every epoch, so that the timer around the call, which
    // also covers time spent in host functions, gets its turn.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}
