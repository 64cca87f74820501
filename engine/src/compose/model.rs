//! A Compose project, resolved: what the files say once variables, merging, `extends`, `include`
//! and profiles are through, each value with a type.
//!
//! Serialised, it is the canonical form that `docker compose config` prints.

mod build;
mod container;
mod deploy;
mod device;
mod mount;
mod resource;
mod service;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use indexmap::IndexMap;

pub use build::Build;
pub use container::{Cgroup, Container, Logging, ModelUse, Namespace, NetworkUse, Ulimit};
pub use deploy::{
    Deploy, DeployMode, Hook, Limits, Reservations, Resources, RestartCondition, RestartPolicy,
    UpdateConfig, UpdateOrder, Watch, WatchAction,
};
pub use device::{Blkio, BlkioRate, BlkioWeight, Count, Device, DeviceRequest};
pub use mount::{
    BindOptions, FileMount, ImageOptions, Mode, TmpfsOptions, VolumeMount, VolumeOptions,
    VolumeType,
};
pub use resource::{Config, Ipam, IpamPool, Model, Network, Secret, Volume};
pub use service::{
    Condition, Dependency, HealthCheck, Port, PortMode, PreStart, PullPolicy, Service, Transport,
};

use super::error::Problem;
use super::interpolate::Environment;
use super::node::Node;
use super::source::Span;

/// A value of an extension (`x-…`), as it is written.
pub type Extension = serde_json::Value;

/// What a project's Compose files say.
#[derive(Debug, Clone)]
pub struct Project {
    /// The project's name.
    pub name: String,
    /// The folder that relative paths are below, absolute.
    pub dir: PathBuf,
    /// The files, in the order in which they were merged; those that they name are not here.
    pub files: Vec<PathBuf>,
    /// The services of the active profiles, in the order in which they were written.
    pub services: IndexMap<String, Service>,
    /// Services that no active profile has.
    pub inactive: BTreeSet<String>,
    /// Every profile that is named.
    pub profiles: BTreeSet<String>,
    /// The networks that active services are on.
    pub networks: IndexMap<String, Network>,
    /// The volumes that are declared.
    pub volumes: IndexMap<String, Volume>,
    /// The secrets that are declared.
    pub secrets: IndexMap<String, Secret>,
    /// The configs that are declared.
    pub configs: IndexMap<String, Config>,
    /// The models that are declared.
    pub models: IndexMap<String, Model>,
    /// `x-…` at the top.
    pub extensions: BTreeMap<String, Extension>,
    /// What is odd, or has no effect.
    pub warnings: Vec<Problem>,
    /// What is asked for and can't be had: a deploy would not be what the files say.
    pub refused: Vec<Problem>,
    pub(super) tree: Node,
    /// What variables stand for; it holds the values of some configs and secrets.
    pub(super) environment: Environment,
}

impl Project {
    /// Where the value at a path such as `["services", "web", "ports"]` was written, or what is
    /// nearest above it.
    pub fn span(&self, path: &[&str]) -> &Span {
        let mut node = &self.tree;
        for step in path {
            let next = match step.parse::<usize>() {
                Ok(index) => node.as_seq().and_then(|items| items.get(index)),
                Err(_) => node.get(step),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        &node.span
    }
}
