//! A container's spec in the Docker API's words.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest as ApiDeviceRequest, EndpointIpamConfig,
    EndpointSettings, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    Mount as ApiMount, MountBindOptions, MountType, MountVolumeOptions, NetworkingConfig,
    PortBinding, ResourcesBlkioWeightDevice, ResourcesUlimits, RestartPolicy as ApiRestartPolicy,
    RestartPolicyNameEnum, ThrottleDevice,
};

use crate::app::{
    Attachment, ByteSize, ContainerSpec, HealthCheck, Logging, Mount, MountSource, Probe,
    RestartPolicy, Swap, VolumesFrom, VolumesOwner,
};

/// A network that a container joins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// Its name or id on the daemon.
    pub name: String,
    /// The names, beside the container's own, under which others in it find the container.
    pub aliases: Vec<String>,
    /// What else is said of it.
    pub attachment: Attachment,
}

/// What to ask the daemon for. `network` counts where the spec has no network mode of its own.
pub(super) fn create_body(
    image_id: &str,
    spec: &ContainerSpec,
    labels: &BTreeMap<String, String>,
    network: Option<&Joined>,
) -> ContainerCreateBody {
    let network = network.filter(|_| spec.network_mode.is_none());
    let kept_out = |name: &&String| !spec.env.contains_key(*name);
    let labels = spec
        .labels
        .iter()
        .chain(labels)
        .map(|(key, value)| (key.clone(), value.clone()));
    let container_port = |port: &crate::app::PortMapping| {
        format!("{}/{}", port.container_port, port.protocol.as_str())
    };
    let exposed = spec.expose.iter();
    let exposed = exposed.map(|(port, protocol)| format!("{port}/{}", protocol.as_str()));
    let exposed = spec.ports.iter().map(container_port).chain(exposed);
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
                // A name without a value takes the image's variable away.
                .chain(spec.unset_env.iter().filter(kept_out).cloned())
                .collect(),
        ),
        labels: Some(labels.collect()),
        exposed_ports: non_empty(exposed.collect()),
        healthcheck: spec.health.as_ref().and_then(health),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: spec.stop_timeout.map(seconds),
        hostname: spec.hostname.clone(),
        domainname: spec.domainname.clone(),
        open_stdin: spec.stdin_open.then_some(true),
        tty: spec.tty.then_some(true),
        host_config: Some(host_config(spec, network)),
        networking_config: network.map(|network| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network.name.clone(), endpoint(network))])),
        }),
        ..ContainerCreateBody::default()
    }
}

/// How a container is in a network, in the API's words.
pub(super) fn endpoint(network: &Joined) -> EndpointSettings {
    let attachment = &network.attachment;
    let address = |text: Option<String>| text.filter(|text| !text.is_empty());
    let ipam = EndpointIpamConfig {
        ipv4_address: address(attachment.ipv4.map(|address| address.to_string())),
        ipv6_address: address(attachment.ipv6.map(|address| address.to_string())),
        link_local_ips: non_empty(attachment.link_local.clone()),
    };
    EndpointSettings {
        aliases: non_empty(network.aliases.clone()),
        ipam_config: (ipam != EndpointIpamConfig::default()).then_some(ipam),
        links: non_empty(attachment.links.clone()),
        mac_address: attachment.mac.clone(),
        driver_opts: non_empty_map(&attachment.options),
        gw_priority: attachment.gateway_priority,
        ..EndpointSettings::default()
    }
}

fn host_config(spec: &ContainerSpec, network: Option<&Joined>) -> HostConfig {
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
        mounts: non_empty(
            spec.mounts
                .iter()
                .filter(|mount| bind(mount).is_none())
                .map(mount)
                .chain(super::files::mounts(spec))
                .collect(),
        ),
        volumes_from: non_empty(spec.volumes_from.iter().map(volumes_from).collect()),
        binds: non_empty(spec.mounts.iter().filter_map(bind).collect()),
        network_mode: spec
            .network_mode
            .clone()
            .or_else(|| network.map(|network| network.name.clone())),
        pid_mode: spec.pid_mode.clone(),
        ipc_mode: spec.ipc_mode.clone(),
        port_bindings: (!spec.ports.is_empty()).then(|| port_bindings(spec)),
        restart_policy: Some(restart_policy(spec.restart)),
        init: spec.init.then_some(true),
        dns: non_empty(spec.dns.clone()),
        dns_search: non_empty(spec.dns_search.clone()),
        dns_options: non_empty(spec.dns_options.clone()),
        extra_hosts: non_empty(spec.extra_hosts.clone()),
        group_add: non_empty(spec.group_add.clone()),
        sysctls: non_empty_map(&spec.sysctls),
        shm_size: spec.shm_size.map(bytes),
        userns_mode: spec.userns_mode.clone(),
        uts_mode: spec.uts_mode.clone(),
        cgroupns_mode: spec.cgroup_mode.as_deref().and_then(|mode| match mode {
            "host" => Some(HostConfigCgroupnsModeEnum::HOST),
            "private" => Some(HostConfigCgroupnsModeEnum::PRIVATE),
            _ => None,
        }),
        runtime: spec.runtime.clone(),
        storage_opt: non_empty_map(&spec.storage_options),
        annotations: non_empty_map(&spec.annotations),
        log_config: (spec.logging != Logging::default()).then(|| HostConfigLogConfig {
            typ: spec.logging.driver.clone(),
            config: non_empty_map(&spec.logging.options),
        }),
        ..resources(spec)
    }
}

/// What the kernel gives to the container, and how much of it.
fn resources(spec: &ContainerSpec) -> HostConfig {
    let rates = |rates: &BTreeMap<String, u64>| {
        let rates = rates.iter().map(|(path, rate)| ThrottleDevice {
            path: Some(path.clone()),
            rate: Some(i64::try_from(*rate).unwrap_or(i64::MAX)),
        });
        non_empty(rates.collect())
    };
    let io = &spec.block_io;
    HostConfig {
        ulimits: non_empty(
            spec.ulimits
                .iter()
                .map(|(name, limit)| ResourcesUlimits {
                    name: Some(name.clone()),
                    soft: Some(limit.soft),
                    hard: Some(limit.hard),
                })
                .collect(),
        ),
        memory_swap: spec.swap.map(|swap| match swap {
            Swap::Limit(size) => bytes(size),
            Swap::Unlimited => -1,
        }),
        memory_reservation: spec.memory_reservation.map(bytes),
        memory_swappiness: spec.swappiness.map(i64::from),
        oom_kill_disable: spec.oom_kill_disable.then_some(true),
        oom_score_adj: spec.oom_score.map(i64::from),
        cpu_shares: spec.cpu_shares.map(i64::from),
        cpuset_cpus: spec.cpuset.clone(),
        cpu_quota: spec.cpu_quota,
        cpu_period: spec.cpu_period,
        cpu_realtime_runtime: spec.cpu_realtime_runtime,
        cpu_realtime_period: spec.cpu_realtime_period,
        cgroup_parent: spec.cgroup_parent.clone(),
        device_cgroup_rules: non_empty(spec.device_rules.clone()),
        device_requests: non_empty(
            spec.device_requests
                .iter()
                .map(|request| ApiDeviceRequest {
                    driver: request.driver.clone(),
                    count: request.count,
                    device_ids: non_empty(request.ids.clone()),
                    capabilities: non_empty(request.capabilities.clone()).map(|all| vec![all]),
                    options: non_empty_map(&request.options),
                })
                .collect(),
        ),
        blkio_weight: io.weight,
        blkio_weight_device: non_empty(
            io.device_weight
                .iter()
                .map(|(path, weight)| ResourcesBlkioWeightDevice {
                    path: Some(path.clone()),
                    weight: Some(usize::from(*weight)),
                })
                .collect(),
        ),
        blkio_device_read_bps: rates(&io.read_bps),
        blkio_device_read_iops: rates(&io.read_iops),
        blkio_device_write_bps: rates(&io.write_bps),
        blkio_device_write_iops: rates(&io.write_iops),
        ..HostConfig::default()
    }
}

fn bytes(size: ByteSize) -> i64 {
    i64::try_from(size.0).unwrap_or(i64::MAX)
}

/// Mounts in the API's older form: folders that are made where they are missing, which it does for
/// this form alone, and which has no word for a colon; and volumes that don't get what the image has there, which Podman does so.
fn bind(mount: &Mount) -> Option<String> {
    let options = &mount.options;
    let source = match &mount.source {
        MountSource::Bind(path) if options.create_host_path && !path.contains(':') => path,
        MountSource::Volume(name) if options.no_copy && options.subpath.is_none() => name,
        _ => return None,
    };
    let mut words = vec![if mount.read_only { "ro" } else { "rw" }];
    words.extend(options.propagation.as_deref());
    words.extend(options.no_copy.then_some("nocopy"));
    Some(format!("{source}:{}:{}", mount.target, words.join(",")))
}

/// A container by its name or id: the executor has put it into the place of a service.
fn volumes_from(volumes: &VolumesFrom) -> String {
    let (VolumesOwner::Service(owner) | VolumesOwner::Container(owner)) = &volumes.owner;
    let mode = if volumes.read_only { "ro" } else { "rw" };
    format!("{owner}:{mode}")
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
                host_port: port.host_port.map(|first| match port.host_port_last {
                    Some(last) => format!("{first}-{last}"),
                    None => first.to_string(),
                }),
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
        bind_options: (mount.options.propagation.is_some() || mount.options.non_recursive).then(
            || MountBindOptions {
                propagation: mount
                    .options
                    .propagation
                    .as_deref()
                    .and_then(|word| word.parse().ok()),
                non_recursive: Some(mount.options.non_recursive),
                ..MountBindOptions::default()
            },
        ),
        volume_options: (mount.options.no_copy || mount.options.subpath.is_some()).then(|| {
            MountVolumeOptions {
                no_copy: Some(mount.options.no_copy),
                subpath: mount.options.subpath.clone(),
                ..MountVolumeOptions::default()
            }
        }),
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
        Probe::Shell(script) => vec!["CMD-SHELL".to_owned(), script.clone()],
        Probe::Exec(words) if words.is_empty() => return None,
        Probe::Exec(words) => [&["CMD".to_owned()], &words[..]].concat(),
        Probe::Http { .. } | Probe::Tcp(_) | Probe::None => {
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
        start_interval: check.start_interval.map(nanoseconds),
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

fn non_empty_map(map: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    let entries = map.iter().map(|(key, value)| (key.clone(), value.clone()));
    (!map.is_empty()).then(|| entries.collect())
}

fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
