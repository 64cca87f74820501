//! What authors of plugins use: new projects, builds, checks, tests and measurements.
//!
//! Everything here returns values and prints nothing; only the toolchains that a build starts
//! write to standard error, as they would by themselves.

mod bench;
mod bindings;
mod borrows;
mod build;
mod cases;
mod check;
mod componentize;
mod error;
mod hook;
mod language;
mod project;
mod render;
mod toolchain;
mod wit;

pub use bench::{Benchmark, HookTimes, Times};
pub use bindings::write_bindings;
pub use build::{Build, Built, COMPONENT};
pub use cases::{
    Case, CaseResult, Given, Outcome, SnapshotState, cases_of, load_cases, snapshots_of,
};
pub use check::{Finding, Verdict, check, component_of};
pub use error::AuthorError;
pub use hook::{UnknownHook, parse_hook};
pub use language::{Language, UnknownLanguage};
pub use project::NewProject;

/// A time in whole microseconds, for JSON.
fn micros<S: serde::Serializer>(
    time: &std::time::Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
