//! A container's spec in the Docker API's words.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, EndpointSettings, HealthConfig, HostConfig,
    Mount as ApiMount, MountType, NetworkingConfig, PortBinding, RestartPolicy as ApiRestartPolicy,
    RestartPolicyNameEnum,
};

use crate::app::{ContainerSpec, HealthCheck, Mount, MountSource, Probe, RestartPolicy};

/// The network that a container joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name or id.
    pub name: String,
    /// The names, besides the container's own, under which others in it find the container.
    pub aliases: Vec<String>,
}

/// What to ask the daemon for. `network` counts where the spec has no network mode of its own.
pub(super) fn create_body(
    image_id: &str,
    spec: &ContainerSpec,
    labels: &BTreeMap<String, String>,
    network: Option<&Network>,
) -> ContainerCreateBody {
    let network = network.filter(|_| spec.network_mode.is_none());
    let labels = spec
        .labels
        .iter()
        .chain(labels)
        .map(|(key, value)| (key.clone(), value.clone()));
    let container_port = |port: &crate::app::PortMapping| {
        format!("{}/{}", port.container_port, port.protocol.as_str())
    };
    ContainerCreateBody {
        image: Some(image_id.to_owned()),
        user: spec.user.clone(),
        cmd: spec.command.clone(),
        entrypoint: spec.entrypoint.clone(),
        working_dir: spec.working_dir.clone(),
        env: Some(
            spec.env
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
        ),
        labels: Some(labels.collect()),
        exposed_ports: non_empty(spec.ports.iter().map(container_port).collect()),
        healthcheck: spec.health.as_ref().and_then(health),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: spec.stop_timeout.map(seconds),
        hostname: spec.hostname.clone(),
        host_config: Some(host_config(spec, network)),
        networking_config: network.map(|network| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                network.name.clone(),
                EndpointSettings {
                    aliases: non_empty(network.aliases.clone()),
                    ..Default::default()
                },
            )])),
        }),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec, network: Option<&Network>) -> HostConfig {
    let mut security = spec.security_options.clone();
    if spec.no_new_privileges {
        // The one spelling that Docker and Podman both know.
        security.push("no-new-privileges".to_owned());
    }
    HostConfig {
        memory: spec
            .memory
            .map(|size| i64::try_from(size.0).unwrap_or(i64::MAX)),
        nano_cpus: spec
            .cpus
            .map(|cpus| i64::try_from(cpus.nano()).unwrap_or(i64::MAX)),
        pids_limit: spec.pids_limit.map(i64::from),
        readonly_rootfs: spec.read_only_root.then_some(true),
        tmpfs: (!spec.tmpfs.is_empty()).then(|| {
            spec.tmpfs
                .iter()
                .map(|(path, options)| (path.clone(), options.clone()))
                .collect()
        }),
        security_opt: non_empty(security),
        cap_drop: non_empty(spec.cap_drop.clone()),
        cap_add: non_empty(spec.cap_add.clone()),
        privileged: spec.privileged.then_some(true),
        devices: non_empty(
            spec.devices
                .iter()
                .map(|device| DeviceMapping {
                    path_on_host: Some(device.host_path.clone()),
                    path_in_container: Some(device.container_path.clone()),
                    cgroup_permissions: Some(device.permissions.clone()),
                })
                .collect(),
        ),
        mounts: non_empty(spec.mounts.iter().map(mount).collect()),
        network_mode: spec
            .network_mode
            .clone()
            .or_else(|| network.map(|network| network.name.clone())),
        pid_mode: spec.pid_mode.clone(),
        ipc_mode: spec.ipc_mode.clone(),
        port_bindings: (!spec.ports.is_empty()).then(|| port_bindings(spec)),
        restart_policy: Some(restart_policy(spec.restart)),
        init: spec.init.then_some(true),
        ..HostConfig::default()
    }
}

fn port_bindings(spec: &ContainerSpec) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in &spec.ports {
        let key = format!("{}/{}", port.container_port, port.protocol.as_str());
        bindings
            .entry(key)
            .or_default()
            .get_or_insert_default()
            .push(PortBinding {
                host_ip: port.host_address.map(|address| address.to_string()),
                host_port: port.host_port.map(|port| port.to_string()),
            });
    }
    bindings
}

fn mount(mount: &Mount) -> ApiMount {
    let (typ, source) = match &mount.source {
        MountSource::Bind(path) => (MountType::BIND, Some(path.clone())),
        MountSource::Volume(name) => (MountType::VOLUME, Some(name.clone())),
        MountSource::Anonymous => (MountType::VOLUME, None),
    };
    ApiMount {
        typ: Some(typ),
        source,
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        ..ApiMount::default()
    }
}

fn restart_policy(policy: RestartPolicy) -> ApiRestartPolicy {
    let (name, times) = match policy {
        RestartPolicy::No => (RestartPolicyNameEnum::NO, None),
        RestartPolicy::Always => (RestartPolicyNameEnum::ALWAYS, None),
        RestartPolicy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        RestartPolicy::OnFailure(times) => {
            (RestartPolicyNameEnum::ON_FAILURE, Some(i64::from(times)))
        }
    };
    ApiRestartPolicy {
        name: Some(name),
        maximum_retry_count: times,
    }
}

/// The daemon runs commands; what is probed from outside is rengine's work, and the image's own
/// check would only contradict it.
fn health(check: &HealthCheck) -> Option<HealthConfig> {
    let test = match &check.probe {
        Probe::Command(words) => match words.as_slice() {
            [] => return None,
            [script] => vec!["CMD-SHELL".to_owned(), script.clone()],
            words => [&["CMD".to_owned()], words].concat(),
        },
        Probe::Http { .. } | Probe::Tcp(_) => {
            return Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            });
        }
    };
    Some(HealthConfig {
        test: Some(test),
        interval: Some(nanoseconds(check.interval)),
        timeout: Some(nanoseconds(check.timeout)),
        retries: Some(i64::from(check.retries)),
        start_period: Some(nanoseconds(check.start_period)),
        ..HealthConfig::default()
    })
}

/// Docker takes nothing between 0, which means its own default, and a millisecond.
fn nanoseconds(duration: Duration) -> i64 {
    match duration {
        Duration::ZERO => 0,
        duration => i64::try_from(duration.as_nanos().max(1_000_000)).unwrap_or(i64::MAX),
    }
}

/// Whole seconds, upwards: a container is not killed before its time.
fn seconds(duration: Duration) -> i64 {
    let up = u64::from(duration.subsec_nanos() > 0);
    i64::try_from(duration.as_secs().saturating_add(up)).unwrap_or(i64::MAX)
}

fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
