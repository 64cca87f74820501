//! rengine: a deploy engine that is extended with sandboxed WebAssembly plugins.
//!
//! The stages of a deploy and the modules that carry them out are described in
//! `engine/ARCHITECTURE.md`.

#![warn(missing_docs)]
#![deny(unsafe_code)]

pub mod app;
pub mod author;
pub mod cli;
pub mod compose;
pub mod context;
pub mod credentials;
pub mod deploy;
pub mod docker;
pub mod dockerfile;
pub mod edge;
pub mod grants;
pub mod manifest;
pub mod plan;
pub mod plugin;
pub mod registry;
pub mod release;
pub mod secrets;
pub mod stamp;
pub mod ui;
