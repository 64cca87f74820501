//! A service: where its image comes from, how many containers it has, and what it waits for.

use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use super::{Batches, ContainerSpec, ImageSource, Name, Strategy, VolumesOwner, text};

/// One image and the containers that run it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Service {
    /// Its name, unique in the app.
    pub name: Name,
    /// Where its image comes from.
    pub image: ImageSource,
    /// How its containers run.
    pub container: ContainerSpec,
    /// How many of them.
    pub replicas: u32,
    /// The name of its one container; `None` for a name that rengine makes.
    pub container_name: Option<String>,
    /// When an image that is not built is fetched from its registry.
    pub pull: PullPolicy,
    /// How a new release takes the place of the old one; what fits the service, if `None`.
    pub strategy: Option<Strategy>,
    /// How many of its containers are replaced at a time, where they roll; all, if `None`.
    pub batches: Option<Batches>,
    /// What has to be there before its containers start.
    pub depends_on: IndexMap<Name, Dependency>,
    /// Commands in a new container once it runs.
    pub post_start: Vec<Command>,
    /// Commands in a container before it is stopped.
    pub pre_stop: Vec<Command>,
}

impl Service {
    /// One container of this kind, which waits for nothing.
    pub fn new(name: Name, image: ImageSource, container: ContainerSpec) -> Self {
        Self {
            name,
            image,
            container,
            replicas: 1,
            container_name: None,
            pull: PullPolicy::default(),
            strategy: None,
            batches: None,
            depends_on: IndexMap::new(),
            post_start: Vec::new(),
            pre_stop: Vec::new(),
        }
    }

    /// The services whose containers it shares a namespace or volumes with.
    pub fn shares_with(&self) -> impl Iterator<Item = &str> {
        let spec = &self.container;
        let modes = [&spec.network_mode, &spec.pid_mode, &spec.ipc_mode];
        let modes = modes.into_iter();
        let modes = modes.filter_map(|mode| mode.as_deref()?.strip_prefix(SERVICE_MODE));
        let owners = spec.volumes_from.iter().map(|volumes| &volumes.owner);
        modes.chain(owners.filter_map(|owner| match owner {
            VolumesOwner::Service(name) => Some(name.as_str()),
            VolumesOwner::Container(_) => None,
        }))
    }
}

/// What a namespace mode begins with that names a service of the app.
pub const SERVICE_MODE: &str = "service:";

/// When an image is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullPolicy {
    /// If the daemon does not have it.
    #[default]
    Missing,
    /// In every deploy.
    Always,
    /// Never: it has to be there.
    Never,
    /// If the daemon does not have it, or got it longer ago than this.
    Every(#[serde(serialize_with = "text::duration")] Duration),
}

/// What a service waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dependency {
    /// What the other service has to be.
    pub condition: Condition,
    /// True if a new container of the other one starts this one's again.
    pub restart: bool,
    /// False if it may be missing, or fail.
    pub required: bool,
}

/// What the service that is waited for has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Started.
    Started,
    /// Healthy.
    Healthy,
    /// Ended, with success.
    Completed,
}

/// A command that is run in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Command {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Who runs it; the container's user, if `None`.
    pub user: Option<String>,
    /// True if it has all capabilities.
    pub privileged: bool,
    /// Where; the container's working directory, if `None`.
    pub working_dir: Option<String>,
    /// Its environment beyond the container's.
    pub env: Vec<(String, String)>,
}
