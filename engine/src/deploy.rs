//! Deploying: hooks, the plan, carrying it out, and taking it back when it fails.
//!
//! [`run`] is one deploy from its start to its end. It is made of [`prepare`], which goes from a
//! manifest to a plan and touches nothing, and of carrying that out under the app's lock.

mod access;
mod attribute;
mod bases;
mod canary;
mod contexts;
mod edge;
mod error;
mod event;
mod execute;
mod exit;
mod git;
mod health;
mod hooks;
mod labels;
mod ledger;
mod limits;
mod lock;
mod oneoff;
mod output;
mod policy;
mod prepare;
mod push;
mod reach;
mod recorder;
mod recording;
mod redact;
mod release;
mod rollback;
mod run;
mod saved;
mod sources;
mod state;
mod steps;
mod summary;
mod transform;
mod trial;
mod walk;
mod watch;

pub use crate::plugin::Outcome;
pub use bases::{Anew, Demand, gather};
pub use edge::edge_image;
pub use error::DeployError;
pub use event::{Event, LockStep, PluginSummary, Reporter, ServiceSummary};
pub use exit::ExitCode;
pub use git::revision as git_revision;
pub use hooks::{Hooks, Loading, cache_folder};
pub use ledger::releases;
pub use limits::{LIMITS, Limit};
pub use lock::{lock_holder, lock_person, take_lock, tell_lock};
pub use oneoff::{OneOff, create_one_off};
pub use policy::record as policy_record;
pub use prepare::{Options, Prepared, effective, prepare};
pub use push::{Push, push};
pub use redact::{RedactingReporter, clean_changes, clean_plan};
pub use release::release_id;
pub use rollback::find as find_release;
pub use run::{Action, Asker, Done, Request, run};
pub use saved::SavedPlan;
pub use sources::{PluginFile, Sources, WantedPlugins, store};
pub use summary::addresses;
pub use watch::{
    Condition, LogEntry, News, Picture, Reread, Row, Stats, Traffic, Watch, WatchEvent,
    WatchOptions, Weight, follow_logs, follow_stats,
};
