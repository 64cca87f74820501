//! The app model: what every other module speaks.
//!
//! Values here are parsed: a port is a port and a size a size. How they are written in a
//! file is `manifest`'s business, how they are put to a daemon is `docker`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

mod build;
mod fields;
mod network;
mod rollout;
mod service;
mod settings;
mod share;
mod size;
mod text;
mod volume;

pub use build::{BuildRun, BuildSecret, NamedContext, SshSource};
pub use fields::Fields;
pub use network::{AddressPool, Attachment, Network};
pub use rollout::{Amount, Batches, Canary, Strategy, StrategyName};
pub use service::{Command, Condition, Dependency, PullPolicy, SERVICE_MODE, Service};
pub use settings::{BlockIo, ContainerFile, DeviceRequest, Logging, Swap, Ulimit};
pub use share::{NoShare, Share};
pub use size::{ByteSize, Cpus, ParseCpusError, ParseSizeError};
pub(crate) use text::{familiar, hex};
pub use volume::{Volume, VolumesFrom, VolumesOwner};

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

/// The name of an app or a service, 1 to 63 characters: DNS's limit, since it is a host name, too.
///
/// A service's has ASCII letters, digits, `.`, `-` and `_`; an app's is in lower case, has no `.`
/// and starts with a letter or digit, so that it can begin the name of an image and of a
/// container. Both rules are the Compose Specification's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseNameError {
    /// It has no characters.
    #[error("a name needs at least one character")]
    Empty,
    /// It has more than 63 characters.
    #[error("a name has at most 63 characters")]
    TooLong,
    /// An app's starts with something else than a letter or digit.
    #[error("a name starts with a lower-case letter or a digit")]
    Start,
    /// An app's has a character that is not allowed.
    #[error("`{0}` can't be in a name: use lower-case letters, digits, `-` and `_`")]
    Character(char),
    /// A service's has a character that is not allowed.
    #[error("`{0}` can't be in a service's name: use letters, digits, `.`, `-` and `_`")]
    ServiceCharacter(char),
}

impl Name {
    /// The most characters that a name has.
    const MAX_LENGTH: usize = 63;

    /// Parses the name of a service.
    pub fn parse(text: &str) -> Result<Self, ParseNameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        match text.chars().find(|&c| !allowed(c)) {
            Some(bad) => Err(ParseNameError::ServiceCharacter(bad)),
            None => Self::sized(text),
        }
    }

    /// Parses the name of an app.
    pub fn parse_app(text: &str) -> Result<Self, ParseNameError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(bad) = text.chars().find(|&c| !allowed(c) && c != '-' && c != '_') {
            return Err(ParseNameError::Character(bad));
        }
        if text.chars().next().is_some_and(|first| !allowed(first)) {
            return Err(ParseNameError::Start);
        }
        Self::sized(text)
    }

    fn sized(text: &str) -> Result<Self, ParseNameError> {
        match text.len() {
            0 => Err(ParseNameError::Empty),
            length if length > Self::MAX_LENGTH => Err(ParseNameError::TooLong),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// Makes the name of an app that is closest to `text`, such as a folder's name; `None` where
    /// no character of it can be kept.
    pub fn from_lossy(text: &str) -> Option<Self> {
        let mut name = String::new();
        for c in text.to_lowercase().chars() {
            match c {
                'a'..='z' | '0'..='9' => name.push(c),
                _ if name.is_empty() || name.ends_with('-') => {}
                '_' => name.push('_'),
                _ => name.push('-'),
            }
        }
        name.truncate(Self::MAX_LENGTH);
        let name = name.trim_end_matches(['-', '_']);
        (!name.is_empty()).then(|| Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
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

/// A device of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Path on the host.
    pub host_path: String,
    /// Path in the container.
    pub container_path: String,
    /// Any of `r`, `w` and `m`.
    pub permissions: String,
}

impl fmt::Display for Device {
    /// As Docker writes it: `/dev/fuse:/dev/fuse:rwm`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.host_path, self.container_path, self.permissions
        )
    }
}

/// Something mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where the contents come from.
    pub source: MountSource,
    /// The absolute path in the container.
    pub target: String,
    /// True if the container can't write there.
    pub read_only: bool,
    /// What is said of it beyond that; nothing in most cases.
    pub options: MountOptions,
}

/// What can be said of a mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// How mounts below it are seen on the other side, as `rslave`.
    pub propagation: Option<String>,
    /// Mounts below a bound folder stay out.
    pub non_recursive: bool,
    /// Makes the folder to bind where it is missing.
    pub create_host_path: bool,
    /// A new volume does not get what the image has there.
    pub no_copy: bool,
    /// The part of a volume that is mounted.
    pub subpath: Option<String>,
}

impl MountOptions {
    fn words(&self) -> impl Iterator<Item = String> {
        let subpath = self.subpath.as_ref().map(|path| format!("subpath={path}"));
        let word = |set: bool, word: &str| set.then(|| word.to_owned());
        [
            self.propagation.clone(),
            word(self.non_recursive, "nonrecursive"),
            word(self.create_host_path, "create"),
            word(self.no_copy, "nocopy"),
            subpath,
        ]
        .into_iter()
        .flatten()
    }
}

impl fmt::Display for Mount {
    /// As Docker writes it: `data:/var/lib/data:ro`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            MountSource::Bind(source) | MountSource::Volume(source) => write!(f, "{source}:")?,
            MountSource::Anonymous => {}
        }
        f.write_str(&self.target)?;
        let read_only = self.read_only.then(|| "ro".to_owned());
        let words: Vec<_> = read_only.into_iter().chain(self.options.words()).collect();
        match words.is_empty() {
            true => Ok(()),
            false => write!(f, ":{}", words.join(",")),
        }
    }
}

/// Where a mount's contents come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// A path on the host, absolute.
    Bind(String),
    /// A named volume of the daemon.
    Volume(String),
    /// A volume that lives as long as its container.
    Anonymous,
}

impl MountSource {
    /// The volume's name, where it is a named one.
    pub fn volume(&self) -> Option<&str> {
        match self {
            Self::Volume(name) => Some(name),
            Self::Bind(_) | Self::Anonymous => None,
        }
    }
}

/// A container port published on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortMapping {
    /// The port in the container, 1 to 65535.
    pub container_port: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The host's port; chosen by the daemon if `None`.
    pub host_port: Option<u16>,
    /// The last of several ports of the host, of which the daemon takes one that is free.
    pub host_port_last: Option<u16>,
    /// The host's address; all of them if `None`.
    pub host_address: Option<std::net::IpAddr>,
    /// What is spoken on it, for who proxies it. No part of how a container is made.
    pub app_protocol: Option<AppProtocol>,
}

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppProtocol {
    /// HTTP/1.1, and what begins as such: WebSocket.
    Http,
    /// HTTP/2 without TLS, from the first byte: gRPC.
    H2c,
    /// Anything else over TCP.
    Tcp,
}

impl AppProtocol {
    /// A word that [`Self::from_word`] takes for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::H2c => "h2c",
            Self::Tcp => "tcp",
        }
    }

    /// What a word for people means, as `app_protocol` in Compose has it; `None` if that is not
    /// known.
    pub fn from_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "http" | "http1" | "http/1.1" | "ws" | "websocket" => Some(Self::Http),
            "h2c" | "http2" | "http/2" | "grpc" => Some(Self::H2c),
            "tcp" | "tls" | "https" | "wss" => Some(Self::Tcp),
            _ => None,
        }
    }
}

impl fmt::Display for PortMapping {
    /// As Docker writes it: `127.0.0.1:8080:80/tcp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_address {
            Some(std::net::IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            Some(address) => write!(f, "{address}:")?,
            None => {}
        }
        match self.host_port {
            Some(port) => match self.host_port_last {
                Some(last) => write!(f, "{port}-{last}:")?,
                None => write!(f, "{port}:")?,
            },
            None if self.host_address.is_some() => write!(f, ":")?,
            None => {}
        }
        write!(f, "{}", self.container_port)?;
        match self.protocol {
            Protocol::Tcp => Ok(()),
            Protocol::Udp => write!(f, "/udp"),
            Protocol::Sctp => write!(f, "/sctp"),
        }
    }
}

/// A transport protocol.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// `tcp`, `udp` or `sctp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// When the daemon starts a container again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Never.
    No,
    /// Whenever it ends.
    Always,
    /// Whenever it ends, unless a person stopped it: rengine's default, since what was
    /// deployed should be there after a reboot.
    #[default]
    UnlessStopped,
    /// When it ends with another status than 0; at most this many times, 0 for no limit.
    OnFailure(u32),
}

impl fmt::Display for RestartPolicy {
    /// As Docker writes it: `on-failure:3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
            Self::OnFailure(0) => f.write_str("on-failure"),
            Self::OnFailure(times) => write!(f, "on-failure:{times}"),
        }
    }
}

/// How to tell that a container is healthy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HealthCheck {
    /// What to probe.
    pub probe: Probe,
    /// Time between two probes.
    #[serde(serialize_with = "text::duration")]
    pub interval: Duration,
    /// Time for one probe.
    #[serde(serialize_with = "text::duration")]
    pub timeout: Duration,
    /// Failed probes in a row, after the start period, that make the container unhealthy.
    pub retries: u32,
    /// Time from the start in which failed probes do not count.
    #[serde(serialize_with = "text::duration")]
    pub start_period: Duration,
    /// Time between two checks while it starts; `interval` if `None`. Needs Docker 25.
    #[serde(serialize_with = "text::optional_duration")]
    pub start_interval: Option<Duration>,
}

impl HealthCheck {
    /// [`Self::interval`] where it is not said.
    pub const INTERVAL: Duration = Duration::from_secs(1);
    /// [`Self::timeout`] where it is not said.
    pub const TIMEOUT: Duration = Duration::from_secs(5);
    /// [`Self::retries`] where it is not said.
    pub const RETRIES: u32 = 3;
    /// [`Self::start_period`] where it is not said: an app that is slow to start is not
    /// given up before the deploy's own deadline.
    pub const START_PERIOD: Duration = Duration::from_secs(30);

    /// A check with the default timing.
    pub fn new(probe: Probe) -> Self {
        Self {
            probe,
            interval: Self::INTERVAL,
            timeout: Self::TIMEOUT,
            retries: Self::RETRIES,
            start_period: Self::START_PERIOD,
            start_interval: None,
        }
    }
}

/// What a health check probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// An HTTP GET from outside the container.
    Http {
        /// The path, starting with `/`.
        path: String,
        /// The container port; the first published TCP port if `None`.
        port: Option<u16>,
        /// The status expected; any from 200 to 399 if `None`.
        status: Option<u16>,
    },
    /// A TCP connection to this container port.
    Tcp(u16),
    /// A text that the container's shell runs; the daemon sees to it.
    Shell(String),
    /// A program in the container and its arguments, without a shell; the daemon sees to it.
    Exec(Vec<String>),
    /// Nothing: not even what the image says.
    None,
}

impl Probe {
    /// The statuses that HTTP has (RFC 9110, 15).
    pub const STATUSES: std::ops::RangeInclusive<u16> = 100..=599;
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { path, port, status } => {
                write!(f, "GET ")?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                write!(f, "{path}")?;
                match status {
                    Some(status) => write!(f, " is {status}"),
                    None => Ok(()),
                }
            }
            Self::None => f.write_str("none"),
            Self::Tcp(port) => write!(f, "TCP port {port}"),
            // Told apart, since fingerprints are made from this.
            Self::Shell(script) => write!(f, "shell command `{script}`"),
            Self::Exec(words) => write!(f, "command {words:?}"),
        }
    }
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

    #[test]
    fn names_are_those_that_compose_has() {
        for good in ["web", "Web.One", "_a-", ".", "7", &"a".repeat(63)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", "a:b", &"a".repeat(64)] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
        for good in ["web", "7-a_b", &"a".repeat(63)] {
            assert!(Name::parse_app(good).is_ok(), "{good}");
        }
        for bad in ["", "Web", "a.b", "-a", "_a", &"a".repeat(64)] {
            assert!(Name::parse_app(bad).is_err(), "{bad}");
        }
    }
}
