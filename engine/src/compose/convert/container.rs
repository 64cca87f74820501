//! How a service's container runs.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

use super::super::files::clean;
use super::super::model::{self, Namespace, NetworkUse, RestartCondition, Transport, VolumeType};
use super::super::syntax::{port_range, volumes_owner};
use super::{Converter, Result, devices};
use crate::app::{
    AppProtocol, Attachment, ByteSize, ContainerSpec, Cpus, HealthCheck, Logging, Mount,
    MountOptions, MountSource, PortMapping, Probe, Protocol, RestartPolicy, Swap, Ulimit,
    VolumesFrom, VolumesOwner,
};

/// Docker's own timing of a health check, which holds where a Compose file says nothing: whoever
/// wrote it has seen it work with this.
const HEALTH_INTERVAL: Duration = Duration::from_secs(30);
const HEALTH_TIMEOUT: Duration = Duration::from_secs(30);
const HEALTH_RETRIES: u32 = 3;
const HEALTH_START_PERIOD: Duration = Duration::ZERO;

impl Converter<'_> {
    pub(super) fn container(&self) -> Result<ContainerSpec> {
        let from = &self.service.container;
        let limits = &self.service.deploy.resources.limits;
        let reserved = &self.service.deploy.resources.reservations;
        let (no_new_privileges, security_options) = security(&from.security_opt);
        let (mounts, tmpfs) = self.mounts()?;
        let files = self.files(&mounts, &tmpfs)?;
        let env = from.environment.iter();
        let mode = |mode: &Option<Namespace>| mode.as_ref().map(ToString::to_string);
        Ok(ContainerSpec {
            user: from.user.clone(),
            command: from.command.clone(),
            entrypoint: from.entrypoint.clone(),
            working_dir: from.working_dir.clone(),
            env: env
                .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
                .collect(),
            unset_env: from
                .environment
                .iter()
                .filter(|(_, value)| value.is_none())
                .map(|(name, _)| name.clone())
                .collect(),
            labels: from.labels.clone(),
            memory: from.mem_limit.or(limits.memory).filter(|size| size.0 > 0),
            cpus: self.cpus(from.cpus.or(limits.cpus))?,
            pids_limit: pids(from.pids_limit.or(limits.pids)),
            read_only_root: from.read_only,
            tmpfs,
            no_new_privileges,
            security_options,
            cap_drop: from.cap_drop.iter().map(|name| capability(name)).collect(),
            cap_add: from.cap_add.iter().map(|name| capability(name)).collect(),
            privileged: from.privileged,
            devices: devices::with_paths(&from.devices),
            mounts,
            volumes_from: from.volumes_from.iter().map(|text| volumes(text)).collect(),
            network_mode: mode(&from.network_mode),
            pid_mode: mode(&from.pid),
            ipc_mode: mode(&from.ipc),
            ports: self.service.ports.iter().map(port).collect(),
            restart: self.restart(),
            health: self.health()?,
            stop_signal: from.stop_signal.clone(),
            stop_timeout: from.stop_grace_period,
            init: from.init.unwrap_or_default(),
            hostname: from.hostname.clone(),
            domainname: from.domainname.clone(),
            networks: self.networks()?,
            expose: self
                .service
                .expose
                .iter()
                .flat_map(|text| exposed(text))
                .collect(),
            dns: from.dns.clone(),
            dns_search: from.dns_search.clone(),
            dns_options: from.dns_opt.clone(),
            extra_hosts: hosts(&from.extra_hosts),
            files,
            group_add: from.group_add.clone(),
            ulimits: from
                .ulimits
                .iter()
                .map(|(name, limit)| (name.clone(), ulimit(*limit)))
                .collect(),
            sysctls: from.sysctls.clone(),
            shm_size: from.shm_size,
            swap: from.memswap_limit.map(swap),
            memory_reservation: from.mem_reservation.or(reserved.memory),
            swappiness: from.mem_swappiness.and_then(|value| value.try_into().ok()),
            oom_kill_disable: from.oom_kill_disable,
            oom_score: from.oom_score_adj.and_then(|value| value.try_into().ok()),
            cpu_shares: from.cpu_shares.and_then(|value| value.try_into().ok()),
            cpuset: from.cpuset.clone(),
            cpu_quota: from.cpu_quota,
            cpu_period: from.cpu_period,
            cpu_realtime_runtime: from.cpu_rt_runtime,
            cpu_realtime_period: from.cpu_rt_period,
            block_io: devices::block_io(&from.blkio_config),
            device_rules: from.device_cgroup_rules.clone(),
            device_requests: devices::requests(from, reserved),
            userns_mode: from.userns_mode.clone(),
            uts_mode: from.uts.clone(),
            cgroup_mode: from.cgroup.map(|mode| match mode {
                model::Cgroup::Host => "host".into(),
                model::Cgroup::Private => "private".into(),
            }),
            cgroup_parent: from.cgroup_parent.clone(),
            runtime: from.runtime.clone(),
            platform: from.platform.clone(),
            storage_options: from.storage_opt.clone(),
            logging: logging(&from.logging),
            annotations: from.annotations.clone(),
            stdin_open: self.service.stdin_open,
            tty: self.service.tty,
        })
    }

    fn cpus(&self, cpus: Option<f64>) -> Result<Option<Cpus>> {
        // 0 is Docker's word for no limit.
        let Some(cpus) = cpus.filter(|&cpus| cpus != 0.0) else {
            return Ok(None);
        };
        let cpus = Cpus::new(cpus)
            .map_err(|error| self.error(&["cpus"], format!("asks for CPUs: {error}")))?;
        Ok(Some(cpus))
    }

    fn restart(&self) -> RestartPolicy {
        // As in Compose: `deploy` goes first, and a service that does its work and ends must not
        // start again.
        let Some(policy) = &self.service.deploy.restart_policy else {
            return self.service.restart.unwrap_or(RestartPolicy::No);
        };
        match policy.condition {
            Some(RestartCondition::None) => RestartPolicy::No,
            Some(RestartCondition::OnFailure) => {
                RestartPolicy::OnFailure(policy.max_attempts.unwrap_or_default())
            }
            Some(RestartCondition::Any) | None => RestartPolicy::Always,
        }
    }

    fn health(&self) -> Result<Option<HealthCheck>> {
        let Some(check) = &self.service.healthcheck else {
            return Ok(None);
        };
        let none = check.disable || check.test.first().is_some_and(|word| word == "NONE");
        let probe = match &check.test[..] {
            _ if none => Probe::None,
            [kind, script] if kind == "CMD-SHELL" => Probe::Shell(script.clone()),
            [kind, words @ ..] if kind == "CMD" && !words.is_empty() => Probe::Exec(words.to_vec()),
            _ => {
                let error = self.error(&["healthcheck"], "has a health check without a `test`");
                return Err(error.help("write the test of the image here, too"));
            }
        };
        Ok(Some(HealthCheck {
            probe,
            interval: check.interval.unwrap_or(HEALTH_INTERVAL),
            timeout: check.timeout.unwrap_or(HEALTH_TIMEOUT),
            retries: check.retries.unwrap_or(HEALTH_RETRIES),
            start_period: check.start_period.unwrap_or(HEALTH_START_PERIOD),
            start_interval: check.start_interval,
        }))
    }

    fn networks(&self) -> Result<BTreeMap<String, Attachment>> {
        let container = &self.service.container;
        let attached = |(key, usage): (&String, &Option<NetworkUse>)| {
            (key.clone(), attachment(usage.as_ref()))
        };
        let mut networks: BTreeMap<_, _> = container.networks.iter().map(attached).collect();
        // The container's address is that of its first network.
        let first = container.networks.keys().next();
        if let Some(mac) = &container.mac_address
            && let Some(attachment) = first.and_then(|key| networks.get_mut(key))
        {
            attachment.mac.get_or_insert_with(|| mac.clone());
        }
        let links = &self.service.external_links;
        if networks.is_empty() && !links.is_empty() {
            let error = self.error(
                &["external_links"],
                "is in no network that could have links",
            );
            return Err(error.help("take its `network_mode` away, and put both into one network"));
        }
        let link = |text: &String| match text.contains(':') {
            true => text.clone(),
            false => format!("{text}:{text}"),
        };
        for attachment in networks.values_mut() {
            attachment.links = links.iter().map(link).collect();
        }
        Ok(networks)
    }

    /// Mounts, and memory-backed ones with their options.
    fn mounts(&self) -> Result<(Vec<Mount>, BTreeMap<String, String>)> {
        let container = &self.service.container;
        let memory = |text: &String| match text.split_once(':') {
            Some((path, options)) => (clean(path), options.to_owned()),
            None => (clean(text), String::new()),
        };
        let mut tmpfs: BTreeMap<_, _> = container.tmpfs.iter().map(memory).collect();
        let mut mounts = Vec::new();
        for (index, from) in container.volumes.iter().enumerate() {
            let source = match (from.kind, &from.source) {
                (VolumeType::Bind, Some(path)) => MountSource::Bind(path.clone()),
                (VolumeType::Volume, None) => MountSource::Anonymous,
                (VolumeType::Volume, Some(key)) => match self.project.volumes.get(key) {
                    Some(volume) => MountSource::Volume(volume.name.clone()),
                    None => continue,
                },
                (VolumeType::Tmpfs, _) => {
                    let size = from.tmpfs.size.map(|size| format!("size={}", size.0));
                    let mode = from.tmpfs.mode.map(|mode| format!("mode={mode}"));
                    let read_only = from.read_only.then(|| "ro".to_owned());
                    let options = [size, mode, read_only].into_iter().flatten();
                    let options: Vec<_> = options.collect();
                    tmpfs.insert(from.target.clone(), options.join(","));
                    continue;
                }
                _ => {
                    let path = ["volumes", &index.to_string()];
                    return Err(self.error(&path, "has a mount that can't be made"));
                }
            };
            let create_host_path = from.bind.create_host_path == Some(true);
            if create_host_path && from.bind.recursive.as_deref() == Some("disabled") {
                let path = ["volumes", &index.to_string(), "bind", "create_host_path"];
                let what = "has a folder that is to be made where it is missing, and mounted alone";
                return Err(self.error(&path, what).help(
                    "daemons do one or the other: make the folder, and take `create_host_path` away",
                ));
            }
            mounts.push(Mount {
                source,
                target: from.target.clone(),
                read_only: from.read_only,
                options: MountOptions {
                    propagation: from.bind.propagation.clone(),
                    non_recursive: from.bind.recursive.as_deref() == Some("disabled"),
                    create_host_path,
                    no_copy: from.volume.nocopy,
                    subpath: from.volume.subpath.clone(),
                },
            });
        }
        Ok((mounts, tmpfs))
    }
}

fn attachment(usage: Option<&NetworkUse>) -> Attachment {
    let Some(usage) = usage else {
        return Attachment::default();
    };
    Attachment {
        aliases: usage.aliases.clone(),
        ipv4: usage.ipv4_address,
        ipv6: usage.ipv6_address,
        link_local: usage.link_local_ips.clone(),
        mac: usage.mac_address.clone(),
        links: Vec::new(),
        options: usage.driver_opts.clone(),
        priority: usage.priority.unwrap_or_default() as i64,
        gateway_priority: usage.gw_priority.map(|priority| priority as i64),
    }
}

/// `no-new-privileges` has a field of its own.
fn security(options: &[String]) -> (bool, Vec<String>) {
    let mut no_new_privileges = false;
    let mut others = Vec::new();
    for option in options {
        match option.as_str() {
            "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true" => {
                no_new_privileges = true;
            }
            "no-new-privileges:false" | "no-new-privileges=false" => no_new_privileges = false,
            _ => others.push(option.clone()),
        }
    }
    (no_new_privileges, others)
}

fn capability(name: &str) -> String {
    let upper = name.to_uppercase();
    upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned()
}

fn volumes(text: &str) -> VolumesFrom {
    let (is_container, owner, read_only) = volumes_owner(text);
    let owner = match is_container {
        true => VolumesOwner::Container(owner.to_owned()),
        false => VolumesOwner::Service(owner.to_owned()),
    };
    VolumesFrom { owner, read_only }
}

fn port(port: &model::Port) -> PortMapping {
    let range = port.published.as_deref().and_then(port_range);
    PortMapping {
        container_port: port.target,
        protocol: match port.protocol {
            Transport::Tcp => Protocol::Tcp,
            Transport::Udp => Protocol::Udp,
            Transport::Sctp => Protocol::Sctp,
        },
        host_port: range.map(|(first, _)| first),
        host_port_last: range.and_then(|(first, last)| (first < last).then_some(last)),
        host_address: port.host_ip,
        app_protocol: port
            .app_protocol
            .as_deref()
            .and_then(AppProtocol::from_word),
    }
}

/// A port or a range of them.
fn exposed(text: &str) -> Vec<(u16, Protocol)> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_lowercase().as_str() {
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => Protocol::Tcp,
    };
    let range = port_range(ports).into_iter();
    range
        .flat_map(|(first, last)| first..=last)
        .map(|port| (port, protocol))
        .collect()
}

pub(super) fn hosts(hosts: &IndexMap<String, Vec<String>>) -> Vec<String> {
    let line = |(host, addresses): (&String, &Vec<String>)| -> Vec<String> {
        addresses
            .iter()
            .map(|address| format!("{host}:{address}"))
            .collect()
    };
    hosts.iter().flat_map(line).collect()
}

fn pids(limit: Option<i64>) -> Option<u32> {
    // -1 and 0 are no limit.
    limit
        .filter(|&limit| limit > 0)
        .map(|limit| limit.try_into().unwrap_or(u32::MAX))
}

pub(super) fn ulimit(limit: model::Ulimit) -> Ulimit {
    Ulimit {
        soft: limit.soft,
        hard: limit.hard,
    }
}

fn swap(bytes: i64) -> Swap {
    match u64::try_from(bytes) {
        Ok(bytes) => Swap::Limit(ByteSize(bytes)),
        Err(_) => Swap::Unlimited,
    }
}

fn logging(from: &model::Logging) -> Logging {
    let options = from.options.iter();
    Logging {
        driver: from.driver.clone(),
        options: options
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
            .collect(),
    }
}
