//! What a service and a `pre_start` step say of their container.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::device::{Blkio, Device, DeviceRequest};
use super::mount::{FileMount, Mode, VolumeMount};
use super::service::PullPolicy;
use super::text::{as_text, duration, is_default, limit, microseconds, size};
use crate::app::ByteSize;

/// A container. `None` and empty mean that the image's own setting, or the daemon's default,
/// holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// Notes for the runtime.
    #[serde(skip_serializing_if = "is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Limits of block devices.
    #[serde(skip_serializing_if = "is_default")]
    pub blkio_config: Blkio,
    /// Capabilities added.
    #[serde(skip_serializing_if = "is_default")]
    pub cap_add: Vec<String>,
    /// Capabilities taken away.
    #[serde(skip_serializing_if = "is_default")]
    pub cap_drop: Vec<String>,
    /// The cgroup namespace.
    #[serde(skip_serializing_if = "is_default")]
    pub cgroup: Option<Cgroup>,
    /// The cgroup above it.
    #[serde(skip_serializing_if = "is_default")]
    pub cgroup_parent: Option<String>,
    /// Replaces the image's command; an empty list leaves none.
    #[serde(skip_serializing_if = "is_default")]
    pub command: Option<Vec<String>>,
    /// Configs, as files.
    #[serde(skip_serializing_if = "is_default")]
    pub configs: Vec<FileMount>,
    /// CPUs of a container of Windows.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_count: Option<i64>,
    /// CPU time of a container of Windows.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_percent: Option<i64>,
    /// The scheduler's period, in microseconds.
    #[serde(with = "microseconds", skip_serializing_if = "is_default")]
    pub cpu_period: Option<i64>,
    /// CPU time in a period, in microseconds.
    #[serde(with = "microseconds", skip_serializing_if = "is_default")]
    pub cpu_quota: Option<i64>,
    /// The real-time scheduler's period, in microseconds.
    #[serde(with = "microseconds", skip_serializing_if = "is_default")]
    pub cpu_rt_period: Option<i64>,
    /// Real-time CPU time in a period, in microseconds.
    #[serde(with = "microseconds", skip_serializing_if = "is_default")]
    pub cpu_rt_runtime: Option<i64>,
    /// The share of CPU time beside other containers.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_shares: Option<i64>,
    /// The CPU limit.
    #[serde(skip_serializing_if = "is_default")]
    pub cpus: Option<f64>,
    /// The CPUs to use: `0-3` or `0,1`.
    #[serde(skip_serializing_if = "is_default")]
    pub cpuset: Option<String>,
    /// Credentials of a container of Windows.
    #[serde(skip_serializing_if = "is_default")]
    pub credential_spec: BTreeMap<String, String>,
    /// Rules for devices, such as `c 1:3 mr`.
    #[serde(skip_serializing_if = "is_default")]
    pub device_cgroup_rules: Vec<String>,
    /// Devices of the host.
    #[serde(skip_serializing_if = "is_default")]
    pub devices: Vec<Device>,
    /// DNS servers.
    #[serde(skip_serializing_if = "is_default")]
    pub dns: Vec<String>,
    /// Options of DNS.
    #[serde(skip_serializing_if = "is_default")]
    pub dns_opt: Vec<String>,
    /// Domains that names are looked for in.
    #[serde(skip_serializing_if = "is_default")]
    pub dns_search: Vec<String>,
    /// The NIS domain name.
    #[serde(skip_serializing_if = "is_default")]
    pub domainname: Option<String>,
    /// Replaces the image's entrypoint; an empty list leaves none.
    #[serde(skip_serializing_if = "is_default")]
    pub entrypoint: Option<Vec<String>>,
    /// What `environment`, and `env_file` before it, say; `None` takes a variable of the image's
    /// away.
    #[serde(skip_serializing_if = "is_default")]
    pub environment: BTreeMap<String, Option<String>>,
    /// Hosts that the container knows, with their addresses.
    #[serde(with = "hosts", skip_serializing_if = "is_default")]
    pub extra_hosts: IndexMap<String, Vec<String>>,
    /// GPUs.
    #[serde(skip_serializing_if = "is_default")]
    pub gpus: Vec<DeviceRequest>,
    /// More groups of the user.
    #[serde(skip_serializing_if = "is_default")]
    pub group_add: Vec<String>,
    /// The host name in the container.
    #[serde(skip_serializing_if = "is_default")]
    pub hostname: Option<String>,
    /// The image that is run, or the name that is wanted for the one that is built.
    #[serde(skip_serializing_if = "is_default")]
    pub image: Option<String>,
    /// Whether a small init process runs as PID 1.
    #[serde(skip_serializing_if = "is_default")]
    pub init: Option<bool>,
    /// The namespace of shared memory and semaphores.
    #[serde(skip_serializing_if = "is_default")]
    pub ipc: Option<Namespace>,
    /// How containers of Windows are kept apart.
    #[serde(skip_serializing_if = "is_default")]
    pub isolation: Option<String>,
    /// Labels, those of `label_file` among them.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Where what the container writes goes.
    #[serde(skip_serializing_if = "is_default")]
    pub logging: Logging,
    /// The Ethernet address.
    #[serde(skip_serializing_if = "is_default")]
    pub mac_address: Option<String>,
    /// The memory limit.
    #[serde(with = "size", skip_serializing_if = "is_default")]
    pub mem_limit: Option<ByteSize>,
    /// Memory that is kept where it gets short.
    #[serde(with = "size", skip_serializing_if = "is_default")]
    pub mem_reservation: Option<ByteSize>,
    /// How gladly the kernel swaps it out, 0 to 100.
    #[serde(skip_serializing_if = "is_default")]
    pub mem_swappiness: Option<i64>,
    /// The limit of memory and swap together, in bytes; -1 for none.
    #[serde(with = "limit", skip_serializing_if = "is_default")]
    pub memswap_limit: Option<i64>,
    /// Language models, by key.
    #[serde(skip_serializing_if = "is_default")]
    pub models: IndexMap<String, Option<ModelUse>>,
    /// Another namespace than one of its own on `networks`.
    #[serde(skip_serializing_if = "is_default")]
    pub network_mode: Option<Namespace>,
    /// The networks it is on, by key.
    #[serde(skip_serializing_if = "is_default")]
    pub networks: IndexMap<String, Option<NetworkUse>>,
    /// True if the kernel does not kill it for lack of memory.
    #[serde(skip_serializing_if = "is_default")]
    pub oom_kill_disable: bool,
    /// How gladly the kernel kills it for lack of memory, -1000 to 1000.
    #[serde(skip_serializing_if = "is_default")]
    pub oom_score_adj: Option<i64>,
    /// The namespace of processes.
    #[serde(skip_serializing_if = "is_default")]
    pub pid: Option<Namespace>,
    /// The largest number of processes; -1 for no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub pids_limit: Option<i64>,
    /// Such as `linux/arm64`; the daemon's own if `None`.
    #[serde(skip_serializing_if = "is_default")]
    pub platform: Option<String>,
    /// True for full access to the host.
    #[serde(skip_serializing_if = "is_default")]
    pub privileged: bool,
    /// When the image is pulled.
    #[serde(skip_serializing_if = "is_default")]
    pub pull_policy: Option<PullPolicy>,
    /// How old an image may be before it is pulled again.
    #[serde(with = "duration", skip_serializing_if = "is_default")]
    pub pull_refresh_after: Option<Duration>,
    /// True if the root file system is read-only.
    #[serde(skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// The OCI runtime.
    #[serde(skip_serializing_if = "is_default")]
    pub runtime: Option<String>,
    /// Secrets, as files.
    #[serde(skip_serializing_if = "is_default")]
    pub secrets: Vec<FileMount>,
    /// Options such as `no-new-privileges:true`.
    #[serde(skip_serializing_if = "is_default")]
    pub security_opt: Vec<String>,
    /// The size of `/dev/shm`.
    #[serde(with = "size", skip_serializing_if = "is_default")]
    pub shm_size: Option<ByteSize>,
    /// Time between the stop signal and SIGKILL.
    #[serde(with = "duration", skip_serializing_if = "is_default")]
    pub stop_grace_period: Option<Duration>,
    /// Such as `SIGTERM`.
    #[serde(skip_serializing_if = "is_default")]
    pub stop_signal: Option<String>,
    /// Options of the storage driver.
    #[serde(skip_serializing_if = "is_default")]
    pub storage_opt: BTreeMap<String, String>,
    /// Kernel parameters.
    #[serde(skip_serializing_if = "is_default")]
    pub sysctls: BTreeMap<String, String>,
    /// Memory-backed mounts: a path, and options after a colon.
    #[serde(skip_serializing_if = "is_default")]
    pub tmpfs: Vec<String>,
    /// Limits of processes, by name.
    #[serde(skip_serializing_if = "is_default")]
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Permissions that new files do not get.
    #[serde(skip_serializing_if = "is_default")]
    pub umask: Option<Mode>,
    /// True if the daemon's socket is handed in.
    #[serde(skip_serializing_if = "is_default")]
    pub use_api_socket: bool,
    /// `name`, `uid` or `uid:gid`.
    #[serde(skip_serializing_if = "is_default")]
    pub user: Option<String>,
    /// `host` for none of its own.
    #[serde(skip_serializing_if = "is_default")]
    pub userns_mode: Option<String>,
    /// `host` for the host's name.
    #[serde(skip_serializing_if = "is_default")]
    pub uts: Option<String>,
    /// Volumes, bind mounts and tmpfs.
    #[serde(skip_serializing_if = "is_default")]
    pub volumes: Vec<VolumeMount>,
    /// Services or containers whose volumes it has, too: `web:ro`, `container:name`.
    #[serde(skip_serializing_if = "is_default")]
    pub volumes_from: Vec<String>,
    /// An absolute path.
    #[serde(skip_serializing_if = "is_default")]
    pub working_dir: Option<String>,
    /// Files with environment variables, which [`Self::environment`] has.
    #[serde(skip_serializing)]
    pub(in crate::compose) env_file: Vec<EnvFile>,
    /// Files with labels, which [`Self::labels`] has.
    #[serde(skip_serializing)]
    pub(in crate::compose) label_file: Vec<PathBuf>,
}

/// An entry of `env_file`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(in crate::compose) struct EnvFile {
    pub path: PathBuf,
    pub format: Option<String>,
    pub required: Option<bool>,
}

/// A cgroup namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cgroup {
    /// The host's.
    Host,
    /// One of its own.
    Private,
}

/// Where what a container writes goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// The driver; the daemon's default if `None`.
    #[serde(skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, Option<String>>,
}

/// How a service is told of a language model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelUse {
    /// The variable with its address.
    #[serde(skip_serializing_if = "is_default")]
    pub endpoint_var: Option<String>,
    /// The variable with its name.
    #[serde(skip_serializing_if = "is_default")]
    pub model_var: Option<String>,
}

/// How a service is on a network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkUse {
    /// More names there.
    #[serde(skip_serializing_if = "is_default")]
    pub aliases: Vec<String>,
    /// The interface's name.
    #[serde(skip_serializing_if = "is_default")]
    pub interface_name: Option<String>,
    /// A fixed address.
    #[serde(skip_serializing_if = "is_default")]
    pub ipv4_address: Option<std::net::Ipv4Addr>,
    /// A fixed address.
    #[serde(skip_serializing_if = "is_default")]
    pub ipv6_address: Option<std::net::Ipv6Addr>,
    /// More addresses, of the link alone.
    #[serde(skip_serializing_if = "is_default")]
    pub link_local_ips: Vec<String>,
    /// The Ethernet address.
    #[serde(skip_serializing_if = "is_default")]
    pub mac_address: Option<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "is_default")]
    pub driver_opts: BTreeMap<String, String>,
    /// The order in which networks are joined, highest first.
    #[serde(skip_serializing_if = "is_default")]
    pub priority: Option<f64>,
    /// Which network has the default gateway, highest first.
    #[serde(skip_serializing_if = "is_default")]
    pub gw_priority: Option<f64>,
    /// Whether the service's own name is one there.
    #[serde(skip_serializing_if = "is_default")]
    pub use_service_name_alias: Option<bool>,
}

/// A limit of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// What holds; -1 for no limit.
    pub soft: i64,
    /// What a process may raise it to; -1 for no limit.
    pub hard: i64,
}

/// Whose namespace a container is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespace {
    /// That of a service of the project.
    Service(String),
    /// That of a container, by name or id.
    Container(String),
    /// `host`, `none`, `bridge`, `private`, `shareable`, or the name of a network.
    Named(String),
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Container(name) => write!(f, "container:{name}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl FromStr for Namespace {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once(':') {
            Some(("service", name)) => Self::Service(name.to_owned()),
            Some(("container", name)) => Self::Container(name.to_owned()),
            _ => Self::Named(text.to_owned()),
        })
    }
}

as_text!(Namespace);

/// Hosts are read as a mapping and written as `host=address`.
pub(super) mod hosts {
    use indexmap::IndexMap;
    use serde::{Deserialize, Deserializer, Serializer};

    type Hosts = IndexMap<String, Vec<String>>;

    pub fn serialize<S: Serializer>(hosts: &Hosts, to: S) -> Result<S::Ok, S::Error> {
        let lines = hosts.iter().flat_map(|(host, addresses)| {
            addresses
                .iter()
                .map(move |address| format!("{host}={address}"))
        });
        to.collect_seq(lines)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Hosts, D::Error> {
        Hosts::deserialize(from)
    }
}
