//! The plugin host: the only code that knows wasmtime.
//!
//! A [`PluginHost`] loads components; a [`Plugin`] is one that is loaded, with what
//! plugins.toml says of it. Each call of a hook gets an instance of its own, so nothing that a
//! plugin does to itself outlives the call.

mod access;
mod bindings;
mod cache;
mod call;
mod capability;
mod change;
mod engine;
mod error;
mod hook;
mod host;
mod inspect;
mod limits;
mod loaded;
mod log;
mod output;
mod pool;
mod settings;
mod source;
mod start;
mod state;
mod trial;
mod version;

pub use access::{
    Answers, ContainerAccess, ContextAccess, Entries, ExecOutcome, FinishedDeploy, FinishedService,
    FinishedStep, HttpRequest, HttpResponse, ImageAccess, MAX_HTTP_BODY, NoContext, Outcome,
    OutgoingRequest, Resolver, RunningState, StateAccess, SystemResolver,
};
pub use call::{CallContext, HealthStatus};
pub use capability::app::Contexts;
pub use change::Change;
pub use error::{LoadError, PluginError, Refusal};
pub use hook::{Hook, WIT_VERSION};
pub use host::PluginHost;
pub use inspect::{Inspection, Interface, needed_grants};
pub use limits::{
    DEFAULT_HTTP, DEFAULT_INSTANCES, DEFAULT_LOG, DEFAULT_MEMORY, DEFAULT_RESULT,
    DEFAULT_TABLE_ELEMENTS, DEFAULT_TIMEOUT, Limits, MAX_CHANGES, MAX_GENERATED_BYTES,
    MAX_STATE_BYTES, MAX_TABLE_ELEMENTS, MAX_TEXT_BYTES,
};
pub use loaded::Plugin;
pub use log::{Level, LogRecord, LogSink};
pub use settings::Settings;
pub use start::Started;
pub use state::PluginState;
