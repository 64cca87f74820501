//! Deploying: hooks, the plan, carrying it out, and taking it back when it fails.
//!
//! [`run`] is one deploy from its start to its end. It is made of [`prepare`], which goes from a
//! manifest to a plan and touches nothing, and of carrying that out under the app's lock.

mod access;
mod contexts;
mod edge;
mod error;
mod event;
mod execute;
mod health;
mod hooks;
mod labels;
mod limits;
mod oneoff;
mod output;
mod prepare;
mod push;
mod reach;
mod recorder;
mod redact;
mod release;
mod run;
mod state;
mod steps;
mod summary;
mod transform;
mod walk;

pub use crate::plugin::Outcome;
pub use edge::edge_image;
pub use error::{DeployError, ExitCode};
pub use event::{Event, PluginSummary, Reporter, ServiceSummary};
pub use execute::lock_holder;
pub use hooks::{Hooks, Loading, cache_folder};
pub use limits::{LIMITS, Limit};
pub use oneoff::{OneOff, create_one_off};
pub use prepare::{Options, Prepared, effective, prepare};
pub use push::{Push, push};
pub use redact::{RedactingReporter, clean_changes, clean_plan};
pub use release::release_id;
pub use run::{Done, run};
pub use summary::addresses;
