//! One container in detail.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, Health, HealthStatusEnum, PortBinding};
use jiff::Timestamp;

use super::error::status;
use super::{Docker, DockerError};
use crate::app::Protocol;
use crate::plan::observed::PublishedPort;

/// Docker's own interval of health checks, where none is given.
const HEALTH_INTERVAL: Duration = Duration::from_secs(30);

/// What the daemon knows of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerDetail {
    /// The daemon's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The id of its image, `sha256:…`.
    pub image_id: String,
    /// True if it runs.
    pub running: bool,
    /// The status with which it ended; 0 if it has not.
    pub exit_code: i64,
    /// True if it ended because it needed more memory than it may.
    pub oom_killed: bool,
    /// Why it could not be started, in the daemon's words; empty if it could.
    pub error: String,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// What the daemon's own health check says, where there is one.
    pub health: Option<DaemonHealth>,
    /// How often the daemon is to run that check.
    pub health_interval: Duration,
    /// Its address in the first of its networks that gave it one.
    pub address: Option<IpAddr>,
    /// Its published ports.
    pub ports: Vec<PublishedPort>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// How often the restart policy started it again.
    pub restart_count: u64,
}

/// What the daemon's own health check of a container says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonHealth {
    /// The verdict.
    pub status: HealthStatus,
    /// Failed probes in a row.
    pub failing_streak: u64,
    /// What the last probe printed.
    pub last_output: String,
}

/// The verdict of a health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Not decided yet.
    Starting,
    /// It works.
    Healthy,
    /// It does not.
    Unhealthy,
}

impl Docker {
    /// A container in detail, by id or name; `None` if there is none.
    pub async fn inspect(&self, id: &str) -> Result<Option<ContainerDetail>, DockerError> {
        if self.facts().is_podman() {
            return Ok(self.podmans_container(id).await?.map(detail));
        }
        match self.client().inspect_container(id, None).await {
            Ok(response) => Ok(Some(detail(response))),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.error(format!("inspect the container {id}"), error)),
        }
    }
}

fn detail(response: ContainerInspectResponse) -> ContainerDetail {
    let check = response.config.as_ref();
    let check = check.and_then(|config| config.healthcheck.clone());
    let state = response.state.unwrap_or_default();
    let network = response.network_settings.unwrap_or_default();
    let networks: BTreeMap<_, _> = network.networks.unwrap_or_default().into_iter().collect();
    let address = |endpoint: &bollard::models::EndpointSettings| {
        [&endpoint.ip_address, &endpoint.global_ipv6_address]
            .into_iter()
            .flatten()
            .find_map(|text| text.parse().ok())
    };
    ContainerDetail {
        id: response.id.unwrap_or_default(),
        name: plain_name(&response.name.unwrap_or_default()),
        image_id: image_id(&response.image.unwrap_or_default()),
        running: state.running.unwrap_or(false),
        exit_code: state.exit_code.unwrap_or(0),
        oom_killed: state.oom_killed.unwrap_or(false),
        error: state.error.unwrap_or_default(),
        started_at: state
            .started_at
            .and_then(|text| text.parse().ok())
            .filter(|time| *time > Timestamp::UNIX_EPOCH),
        health: state.health.and_then(health),
        health_interval: check
            .and_then(|check| u64::try_from(check.interval?).ok())
            .filter(|&nanoseconds| nanoseconds > 0)
            .map_or(HEALTH_INTERVAL, Duration::from_nanos),
        address: networks.values().find_map(address),
        ports: ports(network.ports.unwrap_or_default()),
        labels: response
            .config
            .and_then(|config| config.labels)
            .unwrap_or_default()
            .into_iter()
            .collect(),
        restart_count: response
            .restart_count
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or(0),
    }
}

/// Docker puts a `/` before names, which nobody writes.
pub(super) fn plain_name(name: &str) -> String {
    name.trim_start_matches('/').to_owned()
}

/// Podman leaves the `sha256:` out.
pub(super) fn image_id(id: &str) -> String {
    match id.is_empty() || id.contains(':') {
        true => id.to_owned(),
        false => format!("sha256:{id}"),
    }
}

fn health(health: Health) -> Option<DaemonHealth> {
    let status = match health.status? {
        HealthStatusEnum::STARTING => HealthStatus::Starting,
        HealthStatusEnum::HEALTHY => HealthStatus::Healthy,
        HealthStatusEnum::UNHEALTHY => HealthStatus::Unhealthy,
        HealthStatusEnum::EMPTY | HealthStatusEnum::NONE => return None,
    };
    let last = health
        .log
        .unwrap_or_default()
        .pop()
        .and_then(|result| result.output);
    Some(DaemonHealth {
        status,
        failing_streak: health
            .failing_streak
            .and_then(|streak| u64::try_from(streak).ok())
            .unwrap_or(0),
        last_output: last.unwrap_or_default(),
    })
}

fn ports(ports: HashMap<String, Option<Vec<PortBinding>>>) -> Vec<PublishedPort> {
    let mut published = Vec::new();
    for (key, bindings) in ports {
        let Some((container_port, protocol)) = port_key(&key) else {
            continue;
        };
        for binding in bindings.unwrap_or_default() {
            let Some(host_port) = binding.host_port.and_then(|port| port.parse().ok()) else {
                continue;
            };
            let host_address = host_address(binding.host_ip);
            published.push(PublishedPort {
                container_port,
                protocol,
                host_address,
                host_port,
            });
        }
    }
    published.sort();
    published.dedup();
    published
}

/// Reads `80/tcp`.
pub(super) fn port_key(key: &str) -> Option<(u16, Protocol)> {
    let (port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return None,
    };
    Some((port.parse().ok()?, protocol))
}

/// All addresses are `0.0.0.0` to Docker and nothing to Podman.
pub(super) fn host_address(address: Option<String>) -> String {
    address
        .filter(|address| !address.is_empty())
        .unwrap_or_else(|| "0.0.0.0".to_owned())
}
