//! The less usual settings of a container.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::ByteSize;

/// How containers of a service write their logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Logging {
    /// The log driver; the daemon's default, if `None`.
    pub driver: Option<String>,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
}

impl Logging {
    /// True if Podman knows an option of the driver. With some of the others its containers don't
    /// start.
    pub fn podman_knows(&self, option: &str) -> bool {
        match self.driver.as_deref() {
            None | Some("json-file" | "k8s-file") => matches!(option, "max-size" | "path"),
            Some("journald") => option == "tag",
            Some(_) => false,
        }
    }
}

/// A limit that the kernel sets to a process, see setrlimit(2). `-1` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ulimit {
    /// What holds.
    pub soft: i64,
    /// What a process may raise it to.
    pub hard: i64,
}

impl fmt::Display for Ulimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.soft, self.hard)
    }
}

/// A file that is put into a container before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFile {
    /// What is in it.
    pub contents: Vec<u8>,
    /// Permissions, as `0o444`.
    pub mode: u32,
    /// The number of the user who owns it.
    pub uid: u64,
    /// The number of its group.
    pub gid: u64,
    /// True if nothing of its contents is to be told, not even a full digest.
    pub secret: bool,
}

/// Swap that a container may use beside its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// Memory and swap together.
    Limit(ByteSize),
    /// As much as there is.
    Unlimited,
}

impl fmt::Display for Swap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(size) => f.write_str(&size.exact()),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// Shares and limits of block devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockIo {
    /// The container's share, 10 to 1000.
    pub weight: Option<u16>,
    /// Its share of single devices, by path.
    pub device_weight: BTreeMap<String, u16>,
    /// Bytes a second that it may read, by the device's path.
    pub read_bps: BTreeMap<String, u64>,
    /// Operations a second.
    pub read_iops: BTreeMap<String, u64>,
    /// Bytes a second that it may write.
    pub write_bps: BTreeMap<String, u64>,
    /// Operations a second.
    pub write_iops: BTreeMap<String, u64>,
}

/// Devices that a driver gives to a container, such as graphics cards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeviceRequest {
    /// The driver.
    pub driver: Option<String>,
    /// How many; -1 for all.
    pub count: Option<i64>,
    /// Which.
    pub ids: Vec<String>,
    /// What they have to be able to do.
    pub capabilities: Vec<String>,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
}
