//! Planning: what is to be done so that the daemon has what is wanted.
//!
//! A pure function of the effective app and one snapshot of the daemon. It knows neither
//! wasmtime nor bollard, and its tests need neither.

mod builder;
mod cause;
mod changed;
mod conflict;
pub mod edge;
pub mod observed;
mod operation;
mod planner;
mod resources;
mod service;
#[cfg(test)]
mod tests;
mod wanted;

pub use cause::{Cause, Difference};
use changed::changed;
pub use conflict::Conflict;
pub use operation::{EdgeRoutes, Operation, OperationKind, Plan, Start};
pub use planner::plan;
pub use wanted::{
    Wanted, WantedService, build_inputs, container_inputs, network_inputs, volume_inputs,
};
