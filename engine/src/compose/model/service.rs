//! A service.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use indexmap::IndexMap;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::Extension;
use super::build::Build;
use super::container::Container;
use super::deploy::{Deploy, Hook, Watch};
use super::text::{as_text, duration, is_default, yes};
use crate::app::RestartPolicy;

/// One image and the containers that run it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// Its container.
    #[serde(flatten, skip_deserializing)]
    pub container: Container,
    /// Whether `docker compose up` shows what it writes.
    #[serde(skip_serializing_if = "is_default")]
    pub attach: Option<bool>,
    /// How its image is built.
    #[serde(skip_serializing_if = "is_default")]
    pub build: Option<Build>,
    /// The name of its only container.
    #[serde(skip_serializing_if = "is_default")]
    pub container_name: Option<String>,
    /// What it needs.
    #[serde(skip_serializing_if = "is_default")]
    pub depends_on: IndexMap<String, Dependency>,
    /// How it is deployed.
    #[serde(skip_serializing_if = "is_default")]
    pub deploy: Deploy,
    /// What `docker compose watch` does.
    #[serde(skip_serializing_if = "is_default")]
    pub develop: Develop,
    /// Ports that other services use: `8080`, `8080-8085/udp`.
    #[serde(skip_serializing_if = "is_default")]
    pub expose: Vec<String>,
    /// Containers of others, and the names by which it knows them: `db`, `db:database`.
    #[serde(skip_serializing_if = "is_default")]
    pub external_links: Vec<String>,
    /// How to tell that it is healthy.
    #[serde(skip_serializing_if = "is_default")]
    pub healthcheck: Option<HealthCheck>,
    /// Services, and the names by which it knows them: `db`, `db:database`.
    #[serde(skip_serializing_if = "is_default")]
    pub links: Vec<String>,
    /// Published ports.
    #[serde(skip_serializing_if = "is_default")]
    pub ports: Vec<Port>,
    /// Commands that run in it once it has started.
    #[serde(skip_serializing_if = "is_default")]
    pub post_start: Vec<Hook>,
    /// Containers that run before it, each to its end.
    #[serde(skip_serializing_if = "is_default")]
    pub pre_start: Vec<PreStart>,
    /// Commands that run in it before it stops.
    #[serde(skip_serializing_if = "is_default")]
    pub pre_stop: Vec<Hook>,
    /// The profiles that it is part of; all of them if it names none.
    #[serde(skip_serializing_if = "is_default")]
    pub profiles: BTreeSet<String>,
    /// Who runs it instead of the daemon.
    #[serde(skip_serializing_if = "is_default")]
    pub provider: Option<Provider>,
    /// When its container is started again.
    #[serde(deserialize_with = "restart", skip_serializing_if = "is_default")]
    pub restart: Option<RestartPolicy>,
    /// The number of containers.
    #[serde(skip_serializing_if = "is_default")]
    pub scale: Option<u32>,
    /// True if its standard input stays open.
    #[serde(skip_serializing_if = "is_default")]
    pub stdin_open: bool,
    /// True if it has a terminal.
    #[serde(skip_serializing_if = "is_default")]
    pub tty: bool,
    /// `x-…`.
    #[serde(flatten, skip_deserializing)]
    pub extensions: BTreeMap<String, Extension>,
}

impl Service {
    /// How many containers it has.
    pub fn replicas(&self) -> u32 {
        self.deploy.replicas.or(self.scale).unwrap_or(1)
    }
}

/// What a service needs of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// What it waits for.
    pub condition: Condition,
    /// False if it does without where the other is not there.
    #[serde(default = "yes")]
    pub required: bool,
    /// True if it starts again when the other does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub restart: bool,
}

/// What a service waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// The other runs.
    #[serde(rename = "service_started")]
    Started,
    /// Its health check says so.
    #[serde(rename = "service_healthy")]
    Healthy,
    /// It ended with status 0.
    #[serde(rename = "service_completed_successfully")]
    Completed,
}

/// A health check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// `CMD` and a program with its arguments, `CMD-SHELL` and one text, or `NONE`; the image's
    /// own if empty.
    #[serde(skip_serializing_if = "is_default")]
    pub test: Vec<String>,
    /// True if there is none, whatever the image has.
    #[serde(skip_serializing_if = "is_default")]
    pub disable: bool,
    /// Time between two probes.
    #[serde(with = "duration", skip_serializing_if = "is_default")]
    pub interval: Option<Duration>,
    /// Time for one probe.
    #[serde(with = "duration", skip_serializing_if = "is_default")]
    pub timeout: Option<Duration>,
    /// Failed probes in a row that make it unhealthy.
    #[serde(skip_serializing_if = "is_default")]
    pub retries: Option<u32>,
    /// Time from the start in which failed probes do not count.
    #[serde(with = "duration", skip_serializing_if = "is_default")]
    pub start_period: Option<Duration>,
    /// Time between two probes in the start period.
    #[serde(with = "duration", skip_serializing_if = "is_default")]
    pub start_interval: Option<Duration>,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// A word for people.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: Option<String>,
    /// Who takes connections.
    pub mode: PortMode,
    /// The host's address; all of them if `None`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub host_ip: Option<IpAddr>,
    /// The port in the container.
    pub target: u16,
    /// The host's port, or a range of which one is taken; the daemon chooses if `None`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub published: Option<String>,
    /// The transport protocol.
    pub protocol: Transport,
    /// A word for people.
    #[serde(default, skip_serializing_if = "is_default")]
    pub app_protocol: Option<String>,
}

/// Who takes connections to a published port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortMode {
    /// Every machine of a Swarm; with one machine there is no difference.
    Ingress,
    /// The machine that the container is on.
    Host,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A container that runs before a service starts, to its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PreStart {
    /// The container.
    #[serde(flatten, skip_deserializing)]
    pub container: Container,
    /// True if it runs before each container of the service.
    #[serde(skip_serializing_if = "is_default")]
    pub per_replica: bool,
}

/// `develop`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Develop {
    /// What is looked at.
    pub watch: Vec<Watch>,
}

/// Who runs a service instead of the daemon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// The program, or plugin of Compose.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is told.
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, Value>,
}

/// When an image is pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// Not at all.
    Never,
    /// Where it is not there.
    Missing,
    /// It is built, even where one is there.
    Build,
    /// Where it is older than this.
    Every(Duration),
}

impl fmt::Display for PullPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Never => f.write_str("never"),
            Self::Missing => f.write_str("missing"),
            Self::Build => f.write_str("build"),
            Self::Every(time) => {
                write!(f, "every_{}", super::super::values::format_duration(*time))
            }
        }
    }
}

/// A policy that is not known.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not known")]
pub struct UnknownPolicy(String);

impl FromStr for PullPolicy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const DAY: Duration = Duration::from_hours(24);
        match text {
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            "missing" | "if_not_present" | "refresh" => Ok(Self::Missing),
            "build" => Ok(Self::Build),
            "daily" => Ok(Self::Every(DAY)),
            "weekly" => Ok(Self::Every(DAY * 7)),
            text => text
                .strip_prefix("every_")
                .and_then(super::super::syntax::long_duration)
                .map(Self::Every)
                .ok_or_else(|| UnknownPolicy(text.to_owned())),
        }
    }
}

as_text!(PullPolicy);

/// Reads when a container is started again.
fn restart<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RestartPolicy>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else {
        return Ok(None);
    };
    let policy = match text.as_str() {
        "no" => RestartPolicy::No,
        "always" => RestartPolicy::Always,
        "unless-stopped" => RestartPolicy::UnlessStopped,
        text => {
            let times = text
                .strip_prefix("on-failure")
                .map(|rest| rest.strip_prefix(':'));
            let Some(times) = times else {
                return Err(D::Error::custom(UnknownPolicy(text.to_owned())));
            };
            let times = times.and_then(|times| times.parse().ok());
            RestartPolicy::OnFailure(times.unwrap_or_default())
        }
    };
    Ok(Some(policy))
}
