//! What a set of grants covers, by rules of its own: no code of rengine's decides here.

use rengine::app::{ContainerSpec, MountSource};

/// A set of grants: a bit for each.
#[derive(Debug, Clone, Copy)]
pub struct Granted(pub u8);

const PRIVILEGED: u8 = 1;
const CAP_ADD: u8 = 2;
const DEVICES: u8 = 4;
const BIND_MOUNTS: u8 = 8;
const NETWORK: u8 = 16;
const PROCESSES: u8 = 32;
const SECURITY_OPTIONS: u8 = 64;

impl Granted {
    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// The grants as plugins.toml has them.
    pub fn text(self) -> String {
        let mut text = String::new();
        for (bit, line) in [
            (PRIVILEGED, "privileged = true\n"),
            (CAP_ADD, "cap-add = [\"NET_ADMIN\"]\n"),
            (DEVICES, "devices = [\"/dev/fuse\"]\n"),
            (BIND_MOUNTS, "bind-mounts = [\"/srv/data\"]\n"),
            (SECURITY_OPTIONS, "security-options = true\n"),
        ] {
            if self.has(bit) {
                text.push_str(line);
            }
        }
        match (self.has(NETWORK), self.has(PROCESSES)) {
            (true, true) => text.push_str("host-namespaces = [\"network\", \"pid\"]\n"),
            (true, false) => text.push_str("host-namespaces = [\"network\"]\n"),
            (false, true) => text.push_str("host-namespaces = [\"pid\"]\n"),
            (false, false) => {}
        }
        text
    }

    /// Nothing of what is new reaches further than the grants.
    pub fn covers(self, before: &ContainerSpec, after: &ContainerSpec) {
        assert!(self.has(PRIVILEGED) || !after.privileged || before.privileged);
        for name in &after.cap_add {
            let covered = self.has(CAP_ADD) && name == "NET_ADMIN";
            assert!(covered || before.cap_add.contains(name), "{name} was added");
        }
        for name in &before.cap_drop {
            let dropped = after
                .cap_drop
                .iter()
                .any(|drop| drop == name || drop == "ALL");
            assert!(dropped, "{name} is dropped no more");
        }
        for device in &after.devices {
            let covered = self.has(DEVICES) && plain(&device.host_path) == ["dev", "fuse"];
            assert!(covered || before.devices.contains(device), "{device}");
        }
        for mount in &after.mounts {
            let MountSource::Bind(source) = &mount.source else {
                continue;
            };
            let covered = self.has(BIND_MOUNTS) && plain(source).starts_with(&["srv", "data"]);
            assert!(covered || before.mounts.contains(mount), "{mount}");
        }
        for option in &after.security_options {
            let covered = self.has(SECURITY_OPTIONS);
            assert!(
                covered || before.security_options.contains(option),
                "{option}"
            );
        }
        for (old, new, granted) in [
            (&before.network_mode, &after.network_mode, self.has(NETWORK)),
            (&before.pid_mode, &after.pid_mode, self.has(PROCESSES)),
            (&before.ipc_mode, &after.ipc_mode, false),
        ] {
            let shared = new.as_deref().is_some_and(is_shared);
            assert!(granted || !shared || old == new, "{new:?}");
        }
    }
}

/// As the daemon reads a mode: it compares with `host`, and `container:` names another one.
fn is_shared(mode: &str) -> bool {
    mode == "host" || mode.split(':').next() == Some("container") && mode.contains(':')
}

/// The parts of an absolute path, as the system would go along it where nothing is a link.
fn plain(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts
}
