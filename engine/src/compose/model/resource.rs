//! What a project declares beside its services.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::text::is_default;

/// A network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its name in the daemon.
    #[serde(default)]
    pub name: String,
    /// Its driver; the daemon's default if `None`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(default, skip_serializing_if = "is_default")]
    pub driver_opts: BTreeMap<String, String>,
    /// Its addresses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ipam: Ipam,
    /// True if it is there already, and is not ours to make or remove.
    #[serde(default, skip_serializing_if = "is_default")]
    pub external: bool,
    /// True if it leads nowhere else.
    #[serde(default, skip_serializing_if = "is_default")]
    pub internal: bool,
    /// Whether it has IPv4.
    #[serde(default, skip_serializing_if = "is_default")]
    pub enable_ipv4: Option<bool>,
    /// Whether it has IPv6.
    #[serde(default, skip_serializing_if = "is_default")]
    pub enable_ipv6: Option<bool>,
    /// True if containers of others may join it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attachable: bool,
    /// Labels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
}

/// How a network gives addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipam {
    /// The driver; the daemon's default if `None`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// The pools.
    #[serde(default, skip_serializing_if = "is_default")]
    pub config: Vec<IpamPool>,
    /// Options of the driver.
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, String>,
}

/// A pool of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpamPool {
    /// In CIDR form: `172.28.0.0/16`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub subnet: Option<String>,
    /// The part that containers get addresses from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ip_range: Option<String>,
    /// The gateway's address.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gateway: Option<String>,
    /// Addresses that are not to be given, by name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub aux_addresses: BTreeMap<String, String>,
}

/// A volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name in the daemon.
    #[serde(default)]
    pub name: String,
    /// Its driver; the daemon's default if `None`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(default, skip_serializing_if = "is_default")]
    pub driver_opts: BTreeMap<String, String>,
    /// True if it is there already, and is not ours to make or remove.
    #[serde(default, skip_serializing_if = "is_default")]
    pub external: bool,
    /// Labels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
}

/// A secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Its name in the daemon.
    #[serde(default)]
    pub name: String,
    /// The variable that holds it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub environment: Option<String>,
    /// The file that holds it, absolute.
    #[serde(default, skip_serializing_if = "is_default")]
    pub file: Option<PathBuf>,
    /// True if the daemon has it already.
    #[serde(default, skip_serializing_if = "is_default")]
    pub external: bool,
    /// Labels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Who keeps it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(default, skip_serializing_if = "is_default")]
    pub driver_opts: BTreeMap<String, String>,
    /// Who fills it in.
    #[serde(default, skip_serializing_if = "is_default")]
    pub template_driver: Option<String>,
}

/// A config.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Its name in the daemon.
    #[serde(default)]
    pub name: String,
    /// What is in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub content: Option<String>,
    /// The variable that holds it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub environment: Option<String>,
    /// The file that holds it, absolute.
    #[serde(default, skip_serializing_if = "is_default")]
    pub file: Option<PathBuf>,
    /// True if the daemon has it already.
    #[serde(default, skip_serializing_if = "is_default")]
    pub external: bool,
    /// Labels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Who fills it in.
    #[serde(default, skip_serializing_if = "is_default")]
    pub template_driver: Option<String>,
}

/// A language model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: Option<String>,
    /// The artifact that it is in.
    pub model: String,
    /// The largest context, in tokens.
    #[serde(default, skip_serializing_if = "is_default")]
    pub context_size: Option<u64>,
    /// Flags of its runner.
    #[serde(default, skip_serializing_if = "is_default")]
    pub runtime_flags: Vec<String>,
}
