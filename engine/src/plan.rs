//! Planning: what is to be done so that the daemon has what is wanted.
//!
//! A pure function of the effective app and one snapshot of the daemon. It knows neither
//! wasmtime nor bollard, and its tests need neither.

pub mod observed;
mod operation;
mod planner;
#[cfg(test)]
mod tests;

pub use operation::{Cause, Difference, Operation, OperationKind, Plan, PortConflict, Start};
pub use planner::{Wanted, WantedService, build_inputs, container_inputs, plan};
