//! The app model: what every other module speaks.
//!
//! Values here are parsed: a port is a port and a size a size. How they are written in a
//! file is `manifest`'s business, how they are put to a daemon is `docker`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

mod build;
mod fields;
mod health;
mod mount;
mod name;
mod network;
mod port;
mod rollout;
mod service;
mod settings;
mod share;
mod size;
mod sockets;
mod text;
mod volume;
mod words;

pub use build::{BuildRun, BuildSecret, NamedContext, SshSource};
pub use fields::Fields;
pub use health::{HealthCheck, Probe, RestartPolicy};
pub use mount::{Device, Mount, MountOptions, MountSource};
pub use name::{Name, ParseNameError};
pub use network::{AddressPool, Attachment, Network};
pub use port::{AppProtocol, PortMapping, Protocol};
pub use rollout::{Amount, Batches, Canary, Strategy, StrategyName};
pub use service::{Command, Condition, Dependency, PullPolicy, SERVICE_MODE, Service};
pub use settings::{BlockIo, ContainerFile, DeviceRequest, Logging, Swap, Ulimit};
pub use share::{NoShare, Share};
pub use size::{ByteSize, Cpus, ParseCpusError, ParseSizeError};
pub use sockets::usual_sockets;
pub(crate) use text::{familiar, hex};
pub use volume::{Volume, VolumesFrom, VolumesOwner};
pub(crate) use words::split_words;

/// What one deploy deploys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct App {
    /// The app's name.
    pub name: Name,
    /// Its services, in the order in which they were written.
    pub services: IndexMap<Name, Service>,
    /// The networks that they join, by the names that the app has for them.
    pub networks: IndexMap<String, Network>,
    /// The volumes that they mount, by the names that the app has for them.
    pub volumes: IndexMap<String, Volume>,
}

impl App {
    /// An app of these services, which needs no networks and volumes of its own.
    pub fn new(name: Name, services: impl IntoIterator<Item = Service>) -> Self {
        let services = services.into_iter();
        Self {
            name,
            services: services
                .map(|service| (service.name.clone(), service))
                .collect(),
            networks: IndexMap::new(),
            volumes: IndexMap::new(),
        }
    }

    /// The service whose build gives an image this name: of several that ask for it the first, so
    /// that it does not go from one to the other with each deploy.
    pub fn builder_of(&self, reference: &str) -> Option<&Name> {
        let mut services = self.services.values();
        let named = |service: &&Service| service.image.gives(reference);
        services.find(named).map(|service| &service.name)
    }

    /// The name, without a tag, of the images that are built for a service. Names of images are
    /// in lower case, with single separators between letters and digits; those of services
    /// need not be.
    pub fn repository(&self, service: &Name) -> String {
        let name = format!("{}-{service}", self.name).to_lowercase();
        let mut repository = String::with_capacity(name.len());
        for c in name.chars() {
            let separates = |c: char| matches!(c, '.' | '-' | '_');
            if separates(c) && repository.ends_with(separates) {
                continue;
            }
            repository.push(c);
        }
        repository.trim_end_matches(['.', '-', '_']).to_owned()
    }
}

/// Where a service's image comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageSource {
    /// It is built.
    Build(Box<ImageBuild>),
    /// It is there, or is pulled: `name`, `name:tag` or `name@digest`.
    Image(String),
}

impl ImageSource {
    /// The image's name, where it is not built.
    pub fn reference(&self) -> Option<&str> {
        match self {
            Self::Build(_) => None,
            Self::Image(reference) => Some(reference),
        }
    }

    /// The build, where the image is built.
    pub fn build(&self) -> Option<&ImageBuild> {
        match self {
            Self::Build(build) => Some(build),
            Self::Image(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn build_mut(&mut self) -> Option<&mut ImageBuild> {
        match self {
            Self::Build(build) => Some(build),
            Self::Image(_) => None,
        }
    }

    /// True if it is built, and the image gets this name.
    pub(crate) fn gives(&self, reference: &str) -> bool {
        let tags = self.build().map(|build| &build.tags);
        let wanted = familiar(reference);
        tags.is_some_and(|tags| tags.iter().any(|tag| familiar(tag) == wanted))
    }
}

/// How an image is built.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageBuild {
    /// The folder that is sent to the builder, absolute.
    #[serde(skip)]
    pub context: PathBuf,
    /// The Dockerfile's path relative to the context, with `/`.
    pub dockerfile_path: String,
    /// The Dockerfile's text; `None` where there is no such file (a plugin may write one).
    pub dockerfile: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// The stage to build; the last one if `None`.
    pub target: Option<String>,
    /// The platform, such as `linux/arm64`; the daemon's own if `None`.
    pub platform: Option<String>,
    /// Images whose layers may serve as a cache.
    pub cache_from: Vec<String>,
    /// True if cached layers must not be used.
    pub no_cache: bool,
    /// True if base images are fetched even where the daemon has them.
    pub pull: bool,
    /// True if the image tells builds elsewhere, which name it in `cache_from`, of its layers.
    pub inline_cache: bool,
    /// What steps that run commands are given.
    pub run: BuildRun,
    /// Names that the image gets beside those of rengine's own. No part of what it is built from.
    #[serde(skip)]
    pub tags: Vec<String>,
    /// Images and folders that the Dockerfile may name, by the names that it has for them.
    pub contexts: BTreeMap<String, NamedContext>,
    /// Files that plugins add to the context, by path relative to it.
    pub generated: BTreeMap<String, GeneratedFile>,
}

/// A file that a plugin adds to a build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// What is in it.
    pub contents: Vec<u8>,
    /// True for mode 0755, false for 0644.
    pub executable: bool,
}

/// How a container runs. `None` and empty mean that the image's own setting, or the daemon's
/// default, holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ContainerSpec {
    /// `name`, `uid` or `uid:gid`.
    pub user: Option<String>,
    /// Replaces the image's command.
    #[serde(serialize_with = "text::optional_words")]
    pub command: Option<Vec<String>>,
    /// Replaces the image's entrypoint.
    #[serde(serialize_with = "text::optional_words")]
    pub entrypoint: Option<Vec<String>>,
    /// An absolute path.
    pub working_dir: Option<String>,
    /// Environment beyond the image's own.
    pub env: BTreeMap<String, String>,
    /// Variables of the image that it does not get, unless [`Self::env`] has them.
    pub unset_env: BTreeSet<String>,
    /// Labels of the container, without rengine's own.
    pub labels: BTreeMap<String, String>,
    /// The memory limit.
    pub memory: Option<ByteSize>,
    /// The CPU limit.
    pub cpus: Option<Cpus>,
    /// The largest number of processes.
    pub pids_limit: Option<u32>,
    /// True if the root file system is read-only.
    pub read_only_root: bool,
    /// Memory-backed mounts: path to options.
    pub tmpfs: BTreeMap<String, String>,
    /// True if processes can't gain privileges.
    pub no_new_privileges: bool,
    /// Security options but for `no-new-privileges`.
    pub security_options: Vec<String>,
    /// Capabilities taken away, upper case, without `CAP_`.
    pub cap_drop: Vec<String>,
    /// Capabilities added, upper case, without `CAP_`.
    pub cap_add: Vec<String>,
    /// True for full access to the host.
    pub privileged: bool,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// Volumes and bind mounts.
    pub mounts: Vec<Mount>,
    /// Containers whose volumes it has, too, at the same places.
    pub volumes_from: Vec<VolumesFrom>,
    /// `bridge`, `none`, `host`, a network's name, or `container:NAME`.
    pub network_mode: Option<String>,
    /// `host` or `container:NAME`.
    pub pid_mode: Option<String>,
    /// `host`, `private`, `shareable`, `none` or `container:NAME`.
    pub ipc_mode: Option<String>,
    /// Published ports.
    pub ports: Vec<PortMapping>,
    /// When the daemon starts the container again.
    pub restart: RestartPolicy,
    /// The health check; the image's own if `None`.
    pub health: Option<HealthCheck>,
    /// Such as `SIGTERM`.
    pub stop_signal: Option<String>,
    /// Time between the stop signal and SIGKILL.
    #[serde(serialize_with = "text::optional_duration")]
    pub stop_timeout: Option<Duration>,
    /// True if a small init process runs as PID 1.
    pub init: bool,
    /// The host name in the container.
    pub hostname: Option<String>,
    /// The domain name inside.
    pub domainname: Option<String>,
    /// The networks of the app that it joins. None: the daemon's default network.
    pub networks: BTreeMap<String, Attachment>,
    /// Ports that others in its networks may reach; the daemon takes note of them.
    pub expose: Vec<(u16, Protocol)>,
    /// Name servers.
    pub dns: Vec<String>,
    /// Domains in which names are looked up.
    pub dns_search: Vec<String>,
    /// Options of the resolver.
    pub dns_options: Vec<String>,
    /// Lines of /etc/hosts, as `name:address`.
    pub extra_hosts: Vec<String>,
    /// Files that are put into it.
    pub files: BTreeMap<String, ContainerFile>,
    /// Groups that the user is in, beside its own.
    pub group_add: Vec<String>,
    /// Limits of its processes, by name as `nofile`.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Settings of the kernel in its namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// The size of /dev/shm.
    pub shm_size: Option<ByteSize>,
    /// Memory and swap together.
    pub swap: Option<Swap>,
    /// Memory that it is pushed back to when there is little left.
    pub memory_reservation: Option<ByteSize>,
    /// How readily its memory is swapped, 0 to 100.
    pub swappiness: Option<u8>,
    /// True if the kernel must not kill it when there is no memory left.
    pub oom_kill_disable: bool,
    /// How readily the kernel kills it then, -1000 to 1000.
    pub oom_score: Option<i16>,
    /// Its share of the CPUs where they are busy; 1024 is usual.
    pub cpu_shares: Option<u32>,
    /// The CPUs it may run on, as `0-3,5`.
    pub cpuset: Option<String>,
    /// CPU time in each period, in microseconds.
    pub cpu_quota: Option<i64>,
    /// That period, in microseconds.
    pub cpu_period: Option<i64>,
    /// Real-time CPU time in each period, in microseconds.
    pub cpu_realtime_runtime: Option<i64>,
    /// That period, in microseconds.
    pub cpu_realtime_period: Option<i64>,
    /// Block devices.
    pub block_io: BlockIo,
    /// Rules for devices, as `c 1:3 mr`.
    pub device_rules: Vec<String>,
    /// Devices that drivers give to it.
    pub device_requests: Vec<DeviceRequest>,
    /// The user namespace: `host`, or the daemon's.
    pub userns_mode: Option<String>,
    /// The UTS namespace: `host`, or its own.
    pub uts_mode: Option<String>,
    /// The cgroup namespace: `host` or `private`.
    pub cgroup_mode: Option<String>,
    /// The cgroup that its own is below.
    pub cgroup_parent: Option<String>,
    /// The runtime, such as `runc`.
    pub runtime: Option<String>,
    /// What it is for, as `linux/arm64`.
    pub platform: Option<String>,
    /// The storage driver's options.
    pub storage_options: BTreeMap<String, String>,
    /// Its log.
    pub logging: Logging,
    /// Notes for the runtime.
    pub annotations: BTreeMap<String, String>,
    /// True if its standard input stays open.
    pub stdin_open: bool,
    /// True if it has a terminal.
    pub tty: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_a_name_of_an_image() {
        let named = |app: &str, service: &str| {
            let app = App::new(Name::parse_app(app).expect("a name"), []);
            app.repository(&Name::parse(service).expect("a name"))
        };
        assert_eq!(named("shop", "Web.One"), "shop-web.one");
        assert_eq!(named("shop_", "_web-"), "shop_web");
        assert_eq!(named("shop", "..."), "shop");
    }
}
