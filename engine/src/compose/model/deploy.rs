//! How a service is deployed, and what runs beside it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::device::DeviceRequest;
use super::text::{duration, is_default, size};
use crate::app::ByteSize;

/// `deploy`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deploy {
    /// How its containers are counted.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: Option<DeployMode>,
    /// How Swarm finds them.
    #[serde(skip_serializing_if = "is_default")]
    pub endpoint_mode: Option<String>,
    /// The number of containers.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: Option<u32>,
    /// Labels of a service of Swarm.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// How Swarm takes a release back.
    #[serde(skip_serializing_if = "is_default")]
    pub rollback_config: Option<UpdateConfig>,
    /// How Swarm replaces containers.
    #[serde(skip_serializing_if = "is_default")]
    pub update_config: Option<UpdateConfig>,
    /// Limits, and what is kept for it.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: Resources,
    /// When it is started again.
    #[serde(skip_serializing_if = "is_default")]
    pub restart_policy: Option<RestartPolicy>,
    /// Which machines Swarm chooses.
    #[serde(skip_serializing_if = "is_default")]
    pub placement: BTreeMap<String, Value>,
}

/// How a service's containers are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeployMode {
    /// So many.
    Replicated,
    /// One on each machine.
    Global,
    /// So many, each until it ends.
    ReplicatedJob,
    /// One on each machine, each until it ends.
    GlobalJob,
}

/// How Swarm replaces containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateConfig {
    /// How many at once.
    #[serde(skip_serializing_if = "is_default")]
    pub parallelism: Option<u64>,
    /// Time between two.
    #[serde(with = "duration", skip_serializing_if = "is_default")]
    pub delay: Option<Duration>,
    /// What to do when one fails.
    #[serde(skip_serializing_if = "is_default")]
    pub failure_action: Option<String>,
    /// Time in which one may fail.
    #[serde(with = "duration", skip_serializing_if = "is_default")]
    pub monitor: Option<Duration>,
    /// The part of them that may fail.
    #[serde(skip_serializing_if = "is_default")]
    pub max_failure_ratio: Option<f64>,
    /// Which comes first.
    #[serde(skip_serializing_if = "is_default")]
    pub order: Option<UpdateOrder>,
}

/// Whether a new container starts before the old one stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrder {
    /// It does.
    StartFirst,
    /// It does not.
    StopFirst,
}

/// Limits, and what is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// The most.
    #[serde(skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// The least.
    #[serde(skip_serializing_if = "is_default")]
    pub reservations: Reservations,
}

/// The most that a container gets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// CPUs.
    #[serde(skip_serializing_if = "is_default")]
    pub cpus: Option<f64>,
    /// Memory.
    #[serde(with = "size", skip_serializing_if = "is_default")]
    pub memory: Option<ByteSize>,
    /// Processes.
    #[serde(skip_serializing_if = "is_default")]
    pub pids: Option<i64>,
}

/// What is kept for a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reservations {
    /// CPUs.
    #[serde(skip_serializing_if = "is_default")]
    pub cpus: Option<f64>,
    /// Memory.
    #[serde(with = "size", skip_serializing_if = "is_default")]
    pub memory: Option<ByteSize>,
    /// What Swarm's scheduler counts.
    #[serde(skip_serializing_if = "is_default")]
    pub generic_resources: Vec<Value>,
    /// Devices, such as GPUs.
    #[serde(skip_serializing_if = "is_default")]
    pub devices: Vec<DeviceRequest>,
}

/// `deploy.restart_policy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestartPolicy {
    /// When.
    #[serde(skip_serializing_if = "is_default")]
    pub condition: Option<RestartCondition>,
    /// Time before it.
    #[serde(with = "duration", skip_serializing_if = "is_default")]
    pub delay: Option<Duration>,
    /// How often.
    #[serde(skip_serializing_if = "is_default")]
    pub max_attempts: Option<u32>,
    /// Time after which a start has worked.
    #[serde(with = "duration", skip_serializing_if = "is_default")]
    pub window: Option<Duration>,
}

/// When a container is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartCondition {
    /// Never.
    None,
    /// When it ends with another status than 0.
    OnFailure,
    /// Whenever it ends.
    Any,
}

/// A command that runs in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Whose rights it has; the container's own if `None`.
    #[serde(skip_serializing_if = "is_default")]
    pub user: Option<String>,
    /// True for full access to the host.
    #[serde(skip_serializing_if = "is_default")]
    pub privileged: bool,
    /// Where; the container's own if `None`.
    #[serde(skip_serializing_if = "is_default")]
    pub working_dir: Option<String>,
    /// Variables beyond the container's own.
    #[serde(skip_serializing_if = "is_default")]
    pub environment: BTreeMap<String, Option<String>>,
}

/// What `docker compose watch` looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The path, absolute.
    pub path: PathBuf,
    /// What a change of it leads to.
    pub action: WatchAction,
    /// Where it goes in the container.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: Option<String>,
    /// What does not count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignore: Vec<String>,
    /// What alone counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub include: Vec<String>,
    /// True if files are copied at the start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub initial_sync: bool,
    /// What runs afterwards.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exec: Option<Hook>,
}

/// What a change leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchAction {
    /// A new image.
    Rebuild,
    /// A copy in the container.
    Sync,
    /// A restart.
    Restart,
    /// Both.
    #[serde(rename = "sync+restart")]
    SyncRestart,
    /// A copy, and a command.
    #[serde(rename = "sync+exec")]
    SyncExec,
}
