//! rengine: a deploy engine that is extended with sandboxed WebAssembly plugins.
//!
//! The stages of a deploy and the modules that carry them out are described in
//! `engine/ARCHITECTURE.md`.

#![warn(missing_docs)]

pub mod app;
pub mod dockerfile;
pub mod plan;
