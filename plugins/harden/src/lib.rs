//! Runs containers with the least that they need.
//!
//! The hook reads the specification into plain values, [`harden`] decides, and the hook carries
//! out what it says. README.md has every setting.

#![warn(missing_docs)]

mod config;
mod decision;
mod dockerfile;

pub use config::Config;
pub use decision::{Change, Facts, harden};
pub use dockerfile::final_user;

use rengine_plugin::{ContainerSpec, Context, PreRun, Result, config as settings};

/// The plugin.
pub struct Harden;

impl PreRun for Harden {
    fn pre_run(_: &Context, spec: &ContainerSpec) -> Result {
        let config: Config = settings::load()?;
        for change in harden(&config, &facts(spec))? {
            apply(spec, change)?;
        }
        Ok(())
    }
}

rengine_plugin::export!(Harden: pre_run);

fn facts(spec: &ContainerSpec) -> Facts {
    Facts {
        user: spec.user(),
        dockerfile: spec.dockerfile(),
        read_only_root: spec.read_only_root(),
        tmpfs: spec.tmpfs().into_iter().map(|(path, _)| path).collect(),
        mounts: spec.mounts(),
        no_new_privileges: spec.no_new_privileges(),
        cap_drop: spec.cap_drop(),
        memory: spec.memory(),
        cpus: spec.cpus(),
        pids_limit: spec.pids_limit(),
        privileged: spec.privileged(),
        network_mode: spec.network_mode(),
        pid_mode: spec.pid_mode(),
        ipc_mode: spec.ipc_mode(),
    }
}

fn apply(spec: &ContainerSpec, change: Change) -> Result {
    match change {
        Change::User(user) => spec.set_user(Some(&user))?,
        Change::ReadOnlyRoot => spec.set_read_only_root(true)?,
        Change::Tmpfs { path, options } => spec.set_tmpfs(&path, &options)?,
        Change::NoNewPrivileges => spec.set_no_new_privileges(true)?,
        Change::CapDrop(names) => spec.set_cap_drop(&names)?,
        Change::Memory(bytes) => spec.set_memory(Some(bytes))?,
        Change::Cpus(cpus) => spec.set_cpus(Some(cpus))?,
        Change::PidsLimit(limit) => spec.set_pids_limit(Some(limit))?,
    }
    Ok(())
}
