//! Write plugins for the deploy engine rengine in Rust.
//!
//! A plugin is a WebAssembly component that exports one or more hooks. With this crate it is a
//! type that implements the traits of its hooks, and one line that exports them:
//!
//! ```
//! use rengine_plugin::{Context, ImageBuild, PreBuild, Result, ensure};
//!
//! struct Stamp;
//!
//! impl PreBuild for Stamp {
//!     fn pre_build(ctx: &Context, build: &ImageBuild) -> Result {
//!         ensure!(
//!             build.has_file(".dockerignore"),
//!             "service {} sends its whole folder to the builder", ctx.service;
//!             hint = "add a .dockerignore"
//!         );
//!         build.set_label("com.example.app", &ctx.app)?;
//!         Ok(())
//!     }
//! }
//!
//! rengine_plugin::export!(Stamp: pre_build);
//! # fn main() {}
//! ```
//!
//! The crate's own Cargo.toml says `crate-type = ["cdylib", "rlib"]`, and
//! `cargo build --release --target wasm32-wasip2` makes the component; no other tool is needed.
//! It exports the hooks that [`export!`] lists and imports what the code calls, nothing else.
//!
//! # What needs a grant
//!
//! [`fetch`] sends HTTP requests, [`secrets`] has secrets by name, [`state`] keeps values between
//! deploys, and [`RunningContainer::exec`] runs commands. A plugin that calls one of them imports
//! its interface, and then can't be loaded without the grant; one that does not, does not.
//! Environment variables come through [`std::env::var`], and the files of the build context are
//! below `/context`, for [`std::fs`].
//!
//! # Tests
//!
//! The resources that a hook is handed are rengine's, and exist only while it calls the plugin.
//! So let the hook be thin: it reads what it needs into a plain value, has a pure function decide,
//! and carries out what that says. The function is tested natively, with `cargo test`:
//!
//! ```
//! # use rengine_plugin::{Context, ContainerSpec, PreRun, Result, ensure};
//! const MOST: u64 = 4 << 30;
//!
//! fn decide(asked: Option<u64>) -> Result<u64> {
//!     let bytes = asked.unwrap_or(256 << 20);
//!     ensure!(bytes <= MOST, "{bytes} bytes of memory are more than anybody gets");
//!     Ok(bytes)
//! }
//!
//! # struct Limits;
//! impl PreRun for Limits {
//!     fn pre_run(_: &Context, spec: &ContainerSpec) -> Result {
//!         spec.set_memory(Some(decide(spec.memory())?))?;
//!         Ok(())
//!     }
//! }
//!
//! assert_eq!(decide(None), Ok(256 << 20));
//! assert!(decide(Some(MOST + 1)).is_err());
//! ```
//!
//! Logging works natively too (to standard error), and [`config::from_pairs`] reads settings as
//! [`config::load`] does. The methods of resources panic outside of a component.

#![warn(missing_docs)]

#[doc(hidden)]
pub mod bindings;
pub mod config;
mod error;
mod exec;
mod export;
pub mod fetch;
mod http;
pub mod log;
mod refusal;
pub mod secrets;
pub mod state;

pub use bindings::granted::rengine::plugin::exec::ExecOutcome;
pub use bindings::health::exports::rengine::plugin::health::Status;
pub use bindings::rengine::plugin::app::{AppModel, Network, Service, Volume};
pub use bindings::rengine::plugin::build::ImageBuild;
pub use bindings::rengine::plugin::container::{
    ContainerSpec, Device, Mount, MountKind, PortMapping, RestartPolicy,
};
pub use bindings::rengine::plugin::deployment::{
    Change, FinishedDeploy, Outcome, RunningService, Step,
};
pub use bindings::rengine::plugin::image::{BuiltImage, ExposedPort, HistoryEntry};
pub use bindings::rengine::plugin::running::{
    ContainerState, HttpRequest, HttpResponse, PublishedPort, RunningContainer, Stats,
};
pub use bindings::rengine::plugin::types::{
    AppContext, ChangeError, Context, HealthCheck, HttpProbe, Probe, Protocol, Refusal,
};
pub use export::{Configure, Health, PostBuild, PostDeploy, PostRun, PreBuild, PreRun, PreStop};
pub use refusal::Result;

/// The plugin in the guide is compiled with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Guide;
