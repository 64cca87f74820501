//! Deploying: hooks, the plan, carrying it out, and taking it back when it fails.
//!
//! [`prepare`] goes from a manifest to a plan and touches nothing; [`execute`] carries the plan
//! out under the app's lock.

mod access;
mod error;
mod event;
mod execute;
mod health;
mod hooks;
mod prepare;
mod redact;
mod release;
mod state;
mod transform;

pub use error::{DeployError, ExitCode};
pub use event::{Event, Outcome, PluginSummary, Reporter, ServiceSummary};
pub use execute::{Done, addresses, execute, lock_holder};
pub use hooks::plugin_cache;
pub use prepare::{Options, Prepared, prepare};
pub use redact::{RedactingReporter, clean_changes, clean_plan};
pub use release::release_id;
