//! The app model: what every other module speaks.
//!
//! Values here are parsed: a port is a port and a size a size. How they are written in a
//! file is `manifest`'s business, how they are put to a daemon is `docker`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

mod fields;
mod size;
mod text;

pub use fields::Fields;
pub use size::{ByteSize, Cpus, ParseCpusError, ParseSizeError};
pub(crate) use text::hex;

/// What one deploy deploys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct App {
    /// The app's name.
    pub name: Name,
    /// Its services, in the order in which they were written.
    pub services: IndexMap<Name, Service>,
}

/// One image and the container that runs it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    /// The service's name, unique in the app.
    pub name: Name,
    /// Where its image comes from.
    pub image: ImageSource,
    /// How its container runs.
    pub container: ContainerSpec,
}

/// The name of an app or a service: lower-case letters, digits, `-` and `_`, starting with a
/// letter or digit, 1 to 63 characters. The rule is Docker Compose's for project names, with
/// DNS's limit of length, so that a name works as a host name and as part of an image's name.
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
    /// It starts with something else than a letter or digit.
    #[error("a name starts with a lower-case letter or a digit")]
    Start,
    /// It has a character that is not allowed.
    #[error("`{0}` can't be in a name: use lower-case letters, digits, `-` and `_`")]
    Character(char),
}

impl Name {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, ParseNameError> {
        let first = text.chars().next().ok_or(ParseNameError::Empty)?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(bad) = text.chars().find(|&c| !allowed(c) && c != '-' && c != '_') {
            return Err(ParseNameError::Character(bad));
        }
        if !allowed(first) {
            return Err(ParseNameError::Start);
        }
        if text.len() > 63 {
            return Err(ParseNameError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// Makes the name that is closest to `text`, such as a folder's name; `None` where no
    /// character of it can be kept.
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
        name.truncate(63);
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
    /// The build, where the image is built.
    pub fn build(&self) -> Option<&ImageBuild> {
        match self {
            Self::Build(build) => Some(build),
            Self::Image(_) => None,
        }
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
}

impl fmt::Display for Mount {
    /// As Docker writes it: `data:/var/lib/data:ro`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            MountSource::Bind(source) | MountSource::Volume(source) => write!(f, "{source}:")?,
            MountSource::Anonymous => {}
        }
        f.write_str(&self.target)?;
        if self.read_only {
            f.write_str(":ro")?;
        }
        Ok(())
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

/// A container port published on the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortMapping {
    /// The port in the container, 1 to 65535.
    pub container_port: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The host's port; chosen by the daemon if `None`.
    pub host_port: Option<u16>,
    /// The host's address; all of them if `None`.
    pub host_address: Option<std::net::IpAddr>,
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
            Some(port) => write!(f, "{port}:")?,
            None if self.host_address.is_some() => write!(f, ":")?,
            None => {}
        }
        write!(f, "{}", self.container_port)?;
        match self.protocol {
            Protocol::Tcp => Ok(()),
            Protocol::Udp => write!(f, "/udp"),
        }
    }
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
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
    /// A command in the container, run by the daemon. One string is run by the container's
    /// shell, several are a program and its arguments.
    Command(Vec<String>),
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
            Self::Tcp(port) => write!(f, "TCP port {port}"),
            // One string is the shell's to read, several are a program and its arguments: told
            // apart, since fingerprints are made from this.
            Self::Command(words) => match &words[..] {
                [script] => write!(f, "shell command `{script}`"),
                words => write!(f, "command {words:?}"),
            },
        }
    }
}
