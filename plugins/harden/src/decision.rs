//! What to change about a container, as a function of its specification.

use rengine_plugin::config::{ByteSize, Cpus};
use rengine_plugin::{Mount, MountKind, Result, ensure, refuse};

use crate::{Config, final_user};

/// What of a specification the decision rests on.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The user that the app's author chose.
    pub user: Option<String>,
    /// The Dockerfile's text; `None` for a ready-made image.
    pub dockerfile: Option<String>,
    /// True if the root file system is read-only already.
    pub read_only_root: bool,
    /// The paths of memory-backed mounts.
    pub tmpfs: Vec<String>,
    /// Volumes and bind mounts.
    pub mounts: Vec<Mount>,
    /// True if it is set already.
    pub no_new_privileges: bool,
    /// The capabilities that are dropped already.
    pub cap_drop: Vec<String>,
    /// The memory limit in bytes.
    pub memory: Option<u64>,
    /// The CPU limit.
    pub cpus: Option<f64>,
    /// The limit of processes.
    pub pids_limit: Option<u32>,
    /// True for full access to the host.
    pub privileged: bool,
    /// The network.
    pub network_mode: Option<String>,
    /// The process namespace.
    pub pid_mode: Option<String>,
    /// The IPC namespace.
    pub ipc_mode: Option<String>,
}

/// One change of the specification.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Run as this user.
    User(String),
    /// Make the root file system read-only.
    ReadOnlyRoot,
    /// Mount memory at a path.
    Tmpfs {
        /// The absolute path in the container.
        path: String,
        /// The mount's options.
        options: String,
    },
    /// Take the power from setuid programs.
    NoNewPrivileges,
    /// Replace the list of dropped capabilities.
    CapDrop(Vec<String>),
    /// Limit memory to so many bytes.
    Memory(u64),
    /// Limit CPU time to so many CPUs.
    Cpus(f64),
    /// Limit the number of processes.
    PidsLimit(u32),
}

/// What Docker gives to a container that asks for nothing.
/// Source: `DefaultCapabilities` in moby's `oci/caps/defaults.go`.
const DEFAULT_CAPS: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// The mode is said since otherwise the folder's own holds, and an image's `/run` is root's. The
/// size is said since otherwise it is half of the host's memory.
const TMPFS_OPTIONS: &str = "mode=1777,size=64m,noexec,nosuid,nodev";

/// Sockets through which a container commands the daemon, and so the host.
const DAEMON_SOCKETS: [&str; 5] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/var/run/podman/podman.sock",
    "/run/podman/podman.sock",
];

/// Decides what to change.
///
/// # Errors
///
/// Refuses containers that could take over the host, and settings that contradict themselves.
pub fn harden(config: &Config, facts: &Facts) -> Result<Vec<Change>> {
    if config.refuse_privileged {
        refuse_privileged(facts)?;
    }
    let mut changes = Vec::new();
    if let Some(user) = config.user.on()
        && runs_as_root(facts)
    {
        changes.push(Change::User(user.clone()));
    }
    if config.read_only_root && !facts.read_only_root {
        changes.push(Change::ReadOnlyRoot);
    }
    if config.read_only_root || facts.read_only_root {
        changes.extend(tmpfs(&config.tmpfs, facts));
    }
    if config.no_new_privileges && !facts.no_new_privileges {
        changes.push(Change::NoNewPrivileges);
    }
    if config.drop_capabilities {
        changes.extend(cap_drop(&config.keep_caps, &facts.cap_drop)?.map(Change::CapDrop));
    }
    if let (Some(&ByteSize(bytes)), None) = (config.memory.on(), facts.memory) {
        changes.push(Change::Memory(bytes));
    }
    if let (Some(&Cpus(cpus)), None) = (config.cpus.on(), facts.cpus) {
        changes.push(Change::Cpus(cpus));
    }
    if let (Some(&limit), None) = (config.pids.on(), facts.pids_limit) {
        changes.push(Change::PidsLimit(limit));
    }
    Ok(changes)
}

fn refuse_privileged(facts: &Facts) -> Result {
    ensure!(
        !facts.privileged,
        "the container is privileged: it could do all that root can on the host";
        hint = "remove `privileged` and add the capabilities that it needs, or say \
                `refuse-privileged = false` in the config of this plugin"
    );
    let namespaces = [
        ("network", &facts.network_mode),
        ("process", &facts.pid_mode),
        ("IPC", &facts.ipc_mode),
    ];
    for (kind, mode) in namespaces {
        ensure!(
            mode.as_deref() != Some("host"),
            "the container shares the host's {kind} namespace";
            hint = "publish ports or mount a volume instead, or say `refuse-privileged = false` \
                    in the config of this plugin"
        );
    }
    for mount in &facts.mounts {
        if let (MountKind::Bind, Some(source)) = (mount.kind, &mount.source)
            && let Some(socket) = daemon_socket_within(source)
        {
            refuse!(
                "the mount {} hands {socket} to the container, and with it the host", mount.target;
                hint = "mount a narrower path, or say `refuse-privileged = false` in the config \
                        of this plugin"
            );
        }
    }
    Ok(())
}

/// The daemon's socket that is at a path of the host, or in the folder there.
fn daemon_socket_within(path: &str) -> Option<&'static str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    DAEMON_SOCKETS.into_iter().find(|socket| {
        let mut of_socket = socket.split('/').skip(1);
        parts.iter().all(|part| of_socket.next() == Some(part))
    })
}

/// True unless somebody has chosen another user. A variable such as `$UID` is a choice: what it
/// stands for is not known here, and to override it would be worse than to trust it.
fn runs_as_root(facts: &Facts) -> bool {
    if facts.user.is_some() {
        return false;
    }
    let user = facts.dockerfile.as_deref().and_then(final_user);
    user.is_none_or(|user| matches!(user.split(':').next(), Some("" | "0" | "root")))
}

fn tmpfs<'a>(wanted: &'a [String], facts: &'a Facts) -> impl Iterator<Item = Change> + 'a {
    let taken = |path: &str| {
        facts.tmpfs.iter().any(|other| other == path)
            || facts.mounts.iter().any(|mount| mount.target == path)
    };
    wanted.iter().filter_map(move |entry| {
        let (path, options) = entry.split_once(':').unwrap_or((entry, TMPFS_OPTIONS));
        (!taken(path)).then(|| Change::Tmpfs {
            path: path.to_owned(),
            options: options.to_owned(),
        })
    })
}

/// The new list of dropped capabilities; `None` if it stays as it is.
///
/// To keep some, the others are dropped by name: dropping all and adding those back would need a
/// grant, for a change that takes away.
fn cap_drop(keep: &[String], dropped: &[String]) -> Result<Option<Vec<String>>> {
    let kept: Vec<String> = keep
        .iter()
        .map(|name| {
            let upper = name.to_ascii_uppercase();
            upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned()
        })
        .collect();
    for name in &kept {
        ensure!(
            DEFAULT_CAPS.contains(&name.as_str()),
            "there is no capability `{name}` to keep";
            hint = "`keep-caps` takes those that Docker gives to every container, such as CHOWN, \
                    KILL or SETUID"
        );
    }
    if dropped.iter().any(|name| name == "ALL") {
        return Ok(None);
    }
    if kept.is_empty() {
        return Ok(Some(vec!["ALL".to_owned()]));
    }
    let mut names = dropped.to_vec();
    for name in DEFAULT_CAPS {
        if !kept.iter().any(|other| other == name) && !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
    }
    Ok((names.len() > dropped.len()).then_some(names))
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
