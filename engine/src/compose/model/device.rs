//! Devices of a container, and limits of block devices.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::{as_text, is_default, some_size};
use crate::app::ByteSize;

/// Limits of block devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Blkio {
    /// Bytes read a second.
    #[serde(skip_serializing_if = "is_default")]
    pub device_read_bps: Vec<BlkioRate>,
    /// Reads a second.
    #[serde(skip_serializing_if = "is_default")]
    pub device_read_iops: Vec<BlkioRate>,
    /// Bytes written a second.
    #[serde(skip_serializing_if = "is_default")]
    pub device_write_bps: Vec<BlkioRate>,
    /// Writes a second.
    #[serde(skip_serializing_if = "is_default")]
    pub device_write_iops: Vec<BlkioRate>,
    /// The share beside other containers, 10 to 1000.
    #[serde(skip_serializing_if = "is_default")]
    pub weight: Option<u16>,
    /// The same for one device.
    #[serde(skip_serializing_if = "is_default")]
    pub weight_device: Vec<BlkioWeight>,
}

/// A limit of one block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlkioRate {
    /// The device.
    pub path: String,
    /// Bytes, or operations, a second.
    #[serde(with = "some_size")]
    pub rate: ByteSize,
}

/// The share of one block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlkioWeight {
    /// The device.
    pub path: String,
    /// 10 to 1000.
    pub weight: u16,
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Path on the host, or the name of a CDI device.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Any of `r`, `w` and `m`.
    #[serde(default = "Device::all_permissions")]
    pub permissions: String,
}

impl Device {
    fn all_permissions() -> String {
        "rwm".into()
    }
}

/// What is asked of drivers of devices, such as GPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceRequest {
    /// What they must be able to do.
    #[serde(skip_serializing_if = "is_default")]
    pub capabilities: Vec<String>,
    /// How many; all that fit if neither this nor `device_ids` is there.
    #[serde(skip_serializing_if = "is_default")]
    pub count: Option<Count>,
    /// Which.
    #[serde(skip_serializing_if = "is_default")]
    pub device_ids: Vec<String>,
    /// Whose.
    #[serde(skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, String>,
}

/// A number of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// All that there are.
    All,
    /// So many.
    Number(u32),
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Number(count) => write!(f, "{count}"),
        }
    }
}

impl FromStr for Count {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" | "-1" => Ok(Self::All),
            text => text.parse().map(Self::Number),
        }
    }
}

as_text!(Count);
