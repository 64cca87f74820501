//! The stored form of the app model.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::stored::{Contents, Stored, members, stored_struct, stored_words};
use super::{Damage, Seal, Unseal};
use crate::app::{
    AddressPool, Amount, App, AppProtocol, Attachment, Batches, BlockIo, BuildRun, ByteSize,
    Canary, Command, Condition, ContainerFile, ContainerSpec, Cpus, Dependency, Device,
    DeviceRequest, HealthCheck, ImageBuild, ImageSource, Logging, Mount, MountOptions, Name,
    Network, PortMapping, Probe, Protocol, RestartPolicy, Service, Share, Strategy, Swap, Ulimit,
    Volume,
};

stored_struct!(App {
    name,
    services,
    networks,
    volumes
});
stored_struct!(Service {
    name,
    image,
    container,
    replicas,
    container_name,
    pull,
    strategy,
    batches,
    depends_on,
    post_start,
    pre_stop,
});
stored_struct!(Dependency {
    condition,
    restart,
    required
});
stored_struct!(Canary {
    share,
    time,
    max_errors,
    max_latency,
    min_requests,
});
stored_struct!(Batches {
    max_surge,
    max_unavailable,
    min_ready,
});
stored_struct!(Command {
    command,
    user,
    privileged,
    working_dir,
    env
});
stored_struct!(Volume {
    name,
    external,
    driver,
    options,
    labels
});
stored_struct!(Network {
    name,
    external,
    driver,
    options,
    labels,
    internal,
    attachable,
    ipv4,
    ipv6,
    ipam_driver,
    ipam_options,
    pools,
});
stored_struct!(AddressPool {
    subnet,
    range,
    gateway,
    auxiliary
});
stored_struct!(Attachment {
    aliases,
    ipv4,
    ipv6,
    link_local,
    mac,
    links,
    options,
    priority,
    gateway_priority,
});
stored_struct!(ContainerSpec {
    user,
    command,
    entrypoint,
    working_dir,
    env,
    unset_env,
    labels,
    memory,
    cpus,
    pids_limit,
    read_only_root,
    tmpfs,
    no_new_privileges,
    security_options,
    cap_drop,
    cap_add,
    privileged,
    devices,
    mounts,
    volumes_from,
    network_mode,
    pid_mode,
    ipc_mode,
    ports,
    restart,
    health,
    stop_signal,
    stop_timeout,
    init,
    hostname,
    domainname,
    networks,
    expose,
    dns,
    dns_search,
    dns_options,
    extra_hosts,
    files,
    group_add,
    ulimits,
    sysctls,
    shm_size,
    swap,
    memory_reservation,
    swappiness,
    oom_kill_disable,
    oom_score,
    cpu_shares,
    cpuset,
    cpu_quota,
    cpu_period,
    cpu_realtime_runtime,
    cpu_realtime_period,
    block_io,
    device_rules,
    device_requests,
    userns_mode,
    uts_mode,
    cgroup_mode,
    cgroup_parent,
    runtime,
    platform,
    storage_options,
    logging,
    annotations,
    stdin_open,
    tty,
});
stored_struct!(Device {
    host_path,
    container_path,
    permissions
});
stored_struct!(Mount {
    source,
    target,
    read_only,
    options
});
stored_struct!(MountOptions {
    propagation,
    non_recursive,
    create_host_path,
    no_copy,
    subpath,
});
stored_struct!(PortMapping {
    container_port,
    protocol,
    host_port,
    host_port_last,
    host_address,
    app_protocol,
});
stored_struct!(HealthCheck {
    probe,
    interval,
    timeout,
    retries,
    start_period,
    start_interval,
});
stored_struct!(Ulimit { soft, hard });
stored_struct!(Logging { driver, options });
stored_struct!(BlockIo {
    weight,
    device_weight,
    read_bps,
    read_iops,
    write_bps,
    write_iops,
});
stored_struct!(DeviceRequest {
    driver,
    count,
    ids,
    capabilities,
    options
});

stored_words!(Condition { Started = "started", Healthy = "healthy", Completed = "completed" });
stored_words!(AppProtocol {
    Http = "http",
    H2c = "h2c",
    Tcp = "tcp",
});
stored_words!(Protocol { Tcp = "tcp", Udp = "udp", Sctp = "sctp" });

impl Stored for Strategy {
    fn store(&self, seal: &Seal) -> Value {
        match self {
            Self::Rolling => json!("rolling"),
            Self::Recreate => json!("recreate"),
            Self::Canary(canary) => json!({ "canary": canary.store(seal) }),
        }
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        match value.as_str() {
            Some("rolling") => Ok(Self::Rolling),
            Some("recreate") => Ok(Self::Recreate),
            Some(other) => Err(Damage::Unknown(other.to_owned())),
            None => match variant(value)? {
                ("canary", value) => Canary::restore(value, unseal).map(Self::Canary),
                (other, _) => Err(Damage::Unknown(other.to_owned())),
            },
        }
    }
}

impl Stored for Amount {
    fn store(&self, _: &Seal) -> Value {
        json!(self.to_string())
    }

    fn restore(value: &Value, _: &Unseal<'_>) -> Result<Self, Damage> {
        Self::parse(value.as_str().unwrap_or_default()).map_err(Damage::Damaged)
    }
}

impl Stored for Share {
    fn store(&self, _: &Seal) -> Value {
        json!(self.to_string())
    }

    fn restore(value: &Value, _: &Unseal<'_>) -> Result<Self, Damage> {
        let share = value.as_str().unwrap_or_default().parse::<Self>();
        share.map_err(|error| Damage::Damaged(error.to_string()))
    }
}

impl Stored for Name {
    fn store(&self, _: &Seal) -> Value {
        json!(self.as_str())
    }

    fn restore(value: &Value, _: &Unseal<'_>) -> Result<Self, Damage> {
        let text = value.as_str().unwrap_or_default();
        // Names of apps are among those of services.
        Self::parse(text).map_err(|error| Damage::Damaged(error.to_string()))
    }
}

impl Stored for ByteSize {
    fn store(&self, seal: &Seal) -> Value {
        self.0.store(seal)
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        u64::restore(value, unseal).map(Self)
    }
}

impl Stored for Cpus {
    fn store(&self, seal: &Seal) -> Value {
        self.nano().store(seal)
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        let nano = u64::restore(value, unseal)?;
        Self::new(nano as f64 / 1e9).map_err(|error| Damage::Damaged(error.to_string()))
    }
}

/// The one member of an object that stands for a variant with fields.
pub(super) fn variant(value: &Value) -> Result<(&str, &Value), Damage> {
    let object = value.as_object();
    let object = object.ok_or_else(|| Damage::expected("an object", value))?;
    match object.iter().next() {
        Some((name, value)) if object.len() == 1 => Ok((name, value)),
        _ => Err(Damage::Damaged("a variant has one name".to_owned())),
    }
}

/// What a built image was built from is nothing that a record can give back: of the build only the
/// names are kept that the image is to have.
impl Stored for ImageSource {
    fn store(&self, seal: &Seal) -> Value {
        match self {
            Self::Build(build) => json!({ "build": build.tags.store(seal) }),
            Self::Image(reference) => json!({ "image": reference.store(seal) }),
        }
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        match variant(value)? {
            ("image", value) => String::restore(value, unseal).map(Self::Image),
            ("build", value) => Ok(Self::Build(Box::new(ImageBuild {
                context: PathBuf::new(),
                dockerfile_path: String::new(),
                dockerfile: None,
                args: Default::default(),
                labels: Default::default(),
                target: None,
                platform: None,
                cache_from: Vec::new(),
                no_cache: false,
                pull: false,
                inline_cache: false,
                run: BuildRun::default(),
                tags: Vec::restore(value, unseal)?,
                contexts: Default::default(),
                generated: Default::default(),
            }))),
            (other, _) => Err(Damage::Unknown(other.to_owned())),
        }
    }
}

impl Stored for Swap {
    fn store(&self, seal: &Seal) -> Value {
        match self {
            Self::Limit(size) => json!({ "limit": size.store(seal) }),
            Self::Unlimited => json!({ "unlimited": null }),
        }
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        match variant(value)? {
            ("limit", value) => ByteSize::restore(value, unseal).map(Self::Limit),
            ("unlimited", _) => Ok(Self::Unlimited),
            (other, _) => Err(Damage::Unknown(other.to_owned())),
        }
    }
}

impl Stored for RestartPolicy {
    fn store(&self, seal: &Seal) -> Value {
        match self {
            Self::No => json!({ "no": null }),
            Self::Always => json!({ "always": null }),
            Self::UnlessStopped => json!({ "unless-stopped": null }),
            Self::OnFailure(times) => json!({ "on-failure": times.store(seal) }),
        }
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        match variant(value)? {
            ("no", _) => Ok(Self::No),
            ("always", _) => Ok(Self::Always),
            ("unless-stopped", _) => Ok(Self::UnlessStopped),
            ("on-failure", value) => u32::restore(value, unseal).map(Self::OnFailure),
            (other, _) => Err(Damage::Unknown(other.to_owned())),
        }
    }
}

impl Stored for Probe {
    fn store(&self, seal: &Seal) -> Value {
        match self {
            Self::Http { path, port, status } => json!({ "http": {
                "path": path.store(seal),
                "port": port.store(seal),
                "status": status.store(seal),
            } }),
            Self::Tcp(port) => json!({ "tcp": port.store(seal) }),
            Self::Shell(script) => json!({ "shell": script.store(seal) }),
            Self::Exec(words) => json!({ "exec": words.store(seal) }),
            Self::None => json!({ "none": null }),
        }
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        match variant(value)? {
            ("http", value) => {
                members(value, &["path", "port", "status"])?;
                Ok(Self::Http {
                    path: String::restore(&value["path"], unseal)?,
                    port: Option::restore(&value["port"], unseal)?,
                    status: Option::restore(&value["status"], unseal)?,
                })
            }
            ("tcp", value) => u16::restore(value, unseal).map(Self::Tcp),
            ("shell", value) => String::restore(value, unseal).map(Self::Shell),
            ("exec", value) => Vec::restore(value, unseal).map(Self::Exec),
            ("none", _) => Ok(Self::None),
            (other, _) => Err(Damage::Unknown(other.to_owned())),
        }
    }
}

/// The contents of a secret stay out: see [`Unseal::files`].
impl Stored for ContainerFile {
    fn store(&self, seal: &Seal) -> Value {
        let Self {
            contents,
            mode,
            uid,
            gid,
            secret,
        } = self;
        let contents = (!secret).then(|| Contents(contents.clone()).store(seal));
        json!({ "contents": contents, "mode": mode, "uid": uid, "gid": gid, "secret": secret })
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        members(value, &["contents", "mode", "uid", "gid", "secret"])?;
        let secret = bool::restore(&value["secret"], unseal)?;
        Ok(Self {
            contents: match secret {
                true => Vec::new(),
                false => Contents::restore(&value["contents"], unseal)?.0,
            },
            mode: u32::restore(&value["mode"], unseal)?,
            uid: u64::restore(&value["uid"], unseal)?,
            gid: u64::restore(&value["gid"], unseal)?,
            secret,
        })
    }
}
