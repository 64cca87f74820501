//! The settings, and every default.

use rengine_plugin::config::{ByteSize, Cpus, Toggle};
use serde::Deserialize;

/// What `config` in plugins.toml may say. README.md explains each.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Who runs the container where nobody has said so.
    pub user: Toggle<String>,
    /// Whether the root file system is made read-only.
    pub read_only_root: bool,
    /// Where there is memory to write to when the root is read-only: `/path` or `/path:options`.
    pub tmpfs: Vec<String>,
    /// Whether setuid programs lose their power.
    pub no_new_privileges: bool,
    /// Whether capabilities are dropped.
    pub drop_capabilities: bool,
    /// The capabilities that are kept, of those that Docker gives by default.
    pub keep_caps: Vec<String>,
    /// The memory limit where there is none.
    pub memory: Toggle<ByteSize>,
    /// The CPU limit where there is none.
    pub cpus: Toggle<Cpus>,
    /// The limit of processes where there is none.
    pub pids: Toggle<u32>,
    /// Whether containers that could take over the host are refused.
    pub refuse_privileged: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // The user `nonroot` of the distroless images, which no distribution gives to anybody.
            user: Toggle::On("65532:65532".to_owned()),
            read_only_root: true,
            tmpfs: vec!["/tmp".to_owned(), "/run".to_owned()],
            no_new_privileges: true,
            drop_capabilities: true,
            keep_caps: Vec::new(),
            memory: Toggle::On(ByteSize::mib(256)),
            cpus: Toggle::On(Cpus(1.0)),
            pids: Toggle::On(256),
            refuse_privileged: true,
        }
    }
}
