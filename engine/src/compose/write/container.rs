//! How a container runs.

use std::collections::BTreeMap;

use super::super::model::{self, Namespace};
use super::Writer;
use super::build::hosts;
use crate::app::{
    Attachment, BlockIo, Device, DeviceRequest, Logging, Mount, MountSource, PortMapping, Probe,
    Protocol, Swap, Ulimit,
};

/// What stands for `no_new_privileges`.
const NO_NEW_PRIVILEGES: &str = "no-new-privileges:true";
/// The daemon's default network, which an app of plugins.toml is in; a Compose file would make one.
const BRIDGE: &str = "bridge";

impl Writer<'_> {
    pub(super) fn container(&self, lost: &mut Vec<String>) -> model::Container {
        let spec = &self.service.container;
        let mode = |mode: &Option<String>| {
            mode.as_ref().map(|text| match text.split_once(':') {
                Some(("service", name)) => Namespace::Service(name.to_owned()),
                Some(("container", name)) => Namespace::Container(name.to_owned()),
                _ => Namespace::Named(text.clone()),
            })
        };
        let bridge = || {
            spec.networks
                .is_empty()
                .then(|| Namespace::Named(BRIDGE.to_owned()))
        };
        let unset = spec.unset_env.iter().map(|name| (name.clone(), None));
        let set = spec.env.iter();
        let security = spec.security_options.iter().cloned();
        let no_new = spec.no_new_privileges.then(|| NO_NEW_PRIVILEGES.to_owned());
        let volumes = spec.mounts.iter().map(|mount| self.mount(mount));
        let networks = spec.networks.iter();
        let mut container = model::Container {
            annotations: spec.annotations.clone(),
            blkio_config: block_io(&spec.block_io),
            cap_add: spec.cap_add.clone(),
            cap_drop: spec.cap_drop.clone(),
            cgroup: match spec.cgroup_mode.as_deref() {
                Some("host") => Some(model::Cgroup::Host),
                Some("private") => Some(model::Cgroup::Private),
                _ => None,
            },
            cgroup_parent: spec.cgroup_parent.clone(),
            command: spec.command.clone(),
            cpu_period: spec.cpu_period,
            cpu_quota: spec.cpu_quota,
            cpu_rt_period: spec.cpu_realtime_period,
            cpu_rt_runtime: spec.cpu_realtime_runtime,
            cpu_shares: spec.cpu_shares.map(i64::from),
            cpus: spec.cpus.map(|cpus| cpus.nano() as f64 / 1e9),
            cpuset: spec.cpuset.clone(),
            device_cgroup_rules: spec.device_rules.clone(),
            devices: spec.devices.iter().map(device).collect(),
            dns: spec.dns.clone(),
            dns_opt: spec.dns_options.clone(),
            dns_search: spec.dns_search.clone(),
            domainname: spec.domainname.clone(),
            entrypoint: spec.entrypoint.clone(),
            environment: unset
                .chain(set.map(|(name, value)| (name.clone(), Some(value.clone()))))
                .collect(),
            extra_hosts: hosts(&spec.extra_hosts),
            group_add: spec.group_add.clone(),
            hostname: spec.hostname.clone(),
            init: spec.init.then_some(true),
            ipc: mode(&spec.ipc_mode),
            labels: spec.labels.clone(),
            logging: logging(&spec.logging),
            mem_limit: spec.memory,
            mem_reservation: spec.memory_reservation,
            mem_swappiness: spec.swappiness.map(i64::from),
            memswap_limit: spec.swap.map(|swap| match swap {
                Swap::Limit(size) => i64::try_from(size.0).unwrap_or(i64::MAX),
                Swap::Unlimited => -1,
            }),
            network_mode: mode(&spec.network_mode).or_else(bridge),
            networks: networks
                .map(|(key, attachment)| (key.clone(), Some(usage(attachment))))
                .collect(),
            oom_kill_disable: spec.oom_kill_disable,
            oom_score_adj: spec.oom_score.map(i64::from),
            pid: mode(&spec.pid_mode),
            pids_limit: spec.pids_limit.map(i64::from),
            platform: spec.platform.clone(),
            privileged: spec.privileged,
            read_only: spec.read_only_root,
            runtime: spec.runtime.clone(),
            security_opt: no_new.into_iter().chain(security).collect(),
            shm_size: spec.shm_size,
            stop_grace_period: spec.stop_timeout,
            stop_signal: spec.stop_signal.clone(),
            storage_opt: spec.storage_options.clone(),
            sysctls: spec.sysctls.clone(),
            tmpfs: spec
                .tmpfs
                .iter()
                .map(|(path, options)| match options.as_str() {
                    "" => path.clone(),
                    options => format!("{path}:{options}"),
                })
                .collect(),
            ulimits: ulimits(&spec.ulimits),
            user: spec.user.clone(),
            userns_mode: spec.userns_mode.clone(),
            uts: spec.uts_mode.clone(),
            volumes: volumes.collect(),
            volumes_from: spec.volumes_from.iter().map(ToString::to_string).collect(),
            working_dir: spec.working_dir.clone(),
            ..model::Container::default()
        };
        match (self.origin, self.project) {
            (Some(origin), Some(_)) => {
                container.configs.clone_from(&origin.container.configs);
                container.secrets.clone_from(&origin.container.secrets);
            }
            _ if spec.files.is_empty() => {}
            _ => lost.push(format!("the files that `{}` is given", self.service.name)),
        }
        container
    }

    fn mount(&self, mount: &Mount) -> model::VolumeMount {
        let (kind, source) = match &mount.source {
            MountSource::Bind(path) => (model::VolumeType::Bind, Some(path.clone())),
            MountSource::Anonymous => (model::VolumeType::Volume, None),
            MountSource::Volume(name) => {
                let mut volumes = self.app.volumes.iter();
                let key = volumes.find(|(_, volume)| volume.name == *name);
                let key = key.map_or_else(|| name.clone(), |(key, _)| key.clone());
                (model::VolumeType::Volume, Some(key))
            }
        };
        let options = &mount.options;
        let is_bind = kind == model::VolumeType::Bind;
        model::VolumeMount {
            kind,
            source,
            target: mount.target.clone(),
            read_only: mount.read_only,
            consistency: None,
            bind: model::BindOptions {
                propagation: options.propagation.clone(),
                create_host_path: is_bind.then_some(options.create_host_path),
                recursive: options.non_recursive.then(|| "disabled".to_owned()),
                selinux: None,
            },
            volume: model::VolumeOptions {
                nocopy: options.no_copy,
                subpath: options.subpath.clone(),
                ..model::VolumeOptions::default()
            },
            tmpfs: model::TmpfsOptions::default(),
            image: Default::default(),
        }
    }

    pub(super) fn health(&self, lost: &mut Vec<String>) -> Option<model::HealthCheck> {
        let check = self.service.container.health.as_ref()?;
        let test = match &check.probe {
            Probe::Shell(script) => vec!["CMD-SHELL".to_owned(), script.clone()],
            Probe::Exec(words) => [&["CMD".to_owned()], &words[..]].concat(),
            Probe::None => Vec::new(),
            // Rengine's own, which asks from outside.
            probe @ (Probe::Http { .. } | Probe::Tcp(_)) => {
                lost.push(format!(
                    "the health check of `{}`, {probe}: Compose has commands only",
                    self.service.name
                ));
                return None;
            }
        };
        Some(model::HealthCheck {
            disable: test.is_empty(),
            test,
            interval: Some(check.interval),
            timeout: Some(check.timeout),
            retries: Some(check.retries),
            start_period: Some(check.start_period),
            start_interval: check.start_interval,
        })
    }
}

fn usage(attachment: &Attachment) -> model::NetworkUse {
    model::NetworkUse {
        aliases: attachment.aliases.clone(),
        ipv4_address: attachment.ipv4,
        ipv6_address: attachment.ipv6,
        link_local_ips: attachment.link_local.clone(),
        mac_address: attachment.mac.clone(),
        driver_opts: attachment.options.clone(),
        priority: (attachment.priority != 0).then_some(attachment.priority as f64),
        gw_priority: attachment.gateway_priority.map(|priority| priority as f64),
        ..model::NetworkUse::default()
    }
}

pub(super) fn port(port: &PortMapping) -> model::Port {
    model::Port {
        name: None,
        mode: model::PortMode::Ingress,
        host_ip: port.host_address,
        target: port.container_port,
        published: port.host_port.map(|first| match port.host_port_last {
            Some(last) => format!("{first}-{last}"),
            None => first.to_string(),
        }),
        protocol: match port.protocol {
            Protocol::Tcp => model::Transport::Tcp,
            Protocol::Udp => model::Transport::Udp,
            Protocol::Sctp => model::Transport::Sctp,
        },
        app_protocol: port.app_protocol.map(|protocol| protocol.word().to_owned()),
    }
}

pub(super) fn request(request: &DeviceRequest) -> model::DeviceRequest {
    model::DeviceRequest {
        capabilities: request.capabilities.clone(),
        count: request.count.map(|count| match u32::try_from(count) {
            Ok(count) => model::Count::Number(count),
            Err(_) => model::Count::All,
        }),
        device_ids: request.ids.clone(),
        driver: request.driver.clone(),
        options: request.options.clone(),
    }
}

pub(super) fn ulimits(limits: &BTreeMap<String, Ulimit>) -> BTreeMap<String, model::Ulimit> {
    let limit = |limit: &Ulimit| model::Ulimit {
        soft: limit.soft,
        hard: limit.hard,
    };
    let limits = limits.iter();
    limits
        .map(|(name, one)| (name.clone(), limit(one)))
        .collect()
}

fn device(device: &Device) -> model::Device {
    model::Device {
        source: device.host_path.clone(),
        target: device.container_path.clone(),
        permissions: device.permissions.clone(),
    }
}

fn logging(logging: &Logging) -> model::Logging {
    let options = logging.options.iter();
    model::Logging {
        driver: logging.driver.clone(),
        options: options
            .map(|(name, value)| (name.clone(), Some(value.clone())))
            .collect(),
    }
}

fn block_io(io: &BlockIo) -> model::Blkio {
    let rates = |rates: &BTreeMap<String, u64>| {
        let rates = rates.iter().map(|(path, rate)| model::BlkioRate {
            path: path.clone(),
            rate: crate::app::ByteSize(*rate),
        });
        rates.collect()
    };
    let weights = io.device_weight.iter();
    model::Blkio {
        device_read_bps: rates(&io.read_bps),
        device_read_iops: rates(&io.read_iops),
        device_write_bps: rates(&io.write_bps),
        device_write_iops: rates(&io.write_iops),
        weight: io.weight,
        weight_device: weights
            .map(|(path, weight)| model::BlkioWeight {
                path: path.clone(),
                weight: *weight,
            })
            .collect(),
    }
}
