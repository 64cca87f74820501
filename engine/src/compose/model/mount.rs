//! What is mounted into a container.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::{as_text, is_default, size};
use crate::app::ByteSize;

/// A volume, bind mount or tmpfs of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeMount {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: VolumeType,
    /// A path of this machine, or a volume's key; none for a tmpfs and an anonymous volume.
    #[serde(default, skip_serializing_if = "is_default")]
    pub source: Option<String>,
    /// The absolute path in the container.
    pub target: String,
    /// True if the container can't write there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// A word of Docker Desktop for Mac.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consistency: Option<String>,
    /// Options of a bind mount.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bind: BindOptions,
    /// Options of a volume.
    #[serde(default, skip_serializing_if = "is_default")]
    pub volume: VolumeOptions,
    /// Options of a tmpfs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tmpfs: TmpfsOptions,
    /// Options of an image mount.
    #[serde(default, skip_serializing_if = "is_default")]
    pub image: ImageOptions,
}

/// What a [`VolumeMount`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeType {
    /// A path of the host.
    Bind,
    /// A volume of the daemon.
    Volume,
    /// Memory.
    Tmpfs,
    /// A volume of a cluster.
    Cluster,
    /// A named pipe of Windows.
    Npipe,
    /// The files of an image.
    Image,
}

/// Options of a bind mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindOptions {
    /// How mounts below it spread: `rprivate`, `rshared` and the like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub propagation: Option<String>,
    /// True if a missing folder of the host is made. A bind mount always says it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub create_host_path: Option<bool>,
    /// Whether mounts below it come along.
    #[serde(default, skip_serializing_if = "is_default")]
    pub recursive: Option<String>,
    /// `z` or `Z`: whether containers share SELinux's label.
    #[serde(default, skip_serializing_if = "is_default")]
    pub selinux: Option<String>,
}

/// Options of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeOptions {
    /// Labels of an anonymous volume.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// True if the image's files are not copied into a new volume.
    #[serde(default, skip_serializing_if = "is_default")]
    pub nocopy: bool,
    /// A folder of the volume.
    #[serde(default, skip_serializing_if = "is_default")]
    pub subpath: Option<String>,
}

/// Options of a tmpfs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmpfsOptions {
    /// The largest size.
    #[serde(default, with = "size", skip_serializing_if = "is_default")]
    pub size: Option<ByteSize>,
    /// Its permissions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: Option<Mode>,
}

/// Options of an image mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageOptions {
    /// A folder of the image.
    #[serde(default, skip_serializing_if = "is_default")]
    pub subpath: Option<String>,
}

/// A config or secret of a service, or a secret of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMount {
    /// Its key at the top of the file.
    pub source: String,
    /// Where it is in the container; an absolute path but in a build, where it is the secret's id.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub uid: Option<String>,
    /// Whose group's it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gid: Option<String>,
    /// Its permissions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: Option<Mode>,
}

/// Permissions of a file, 0 to 0o7777; written in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl FromStr for Mode {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u32::from_str_radix(text, 8).map(Self)
    }
}

as_text!(Mode);
