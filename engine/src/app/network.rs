//! Networks of an app, and how containers join them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Serialize;

/// A network that containers of the app join.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Network {
    /// Its name on the daemon.
    #[serde(skip)]
    pub name: String,
    /// True if it is not the app's: it has to be there, and is left alone.
    #[serde(skip)]
    pub external: bool,
    /// The driver; the daemon's default, `bridge`, if `None`.
    pub driver: Option<String>,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// True if it has no way out.
    pub internal: bool,
    /// True if containers that are no part of a Swarm service may join it, too.
    pub attachable: bool,
    /// IPv4 in it; the daemon's default, which is yes, if `None`.
    pub ipv4: Option<bool>,
    /// IPv6 in it.
    pub ipv6: bool,
    /// The driver that gives out addresses.
    pub ipam_driver: Option<String>,
    /// That driver's options.
    pub ipam_options: BTreeMap<String, String>,
    /// The addresses that it gives out; the daemon chooses if there are none.
    pub pools: Vec<AddressPool>,
}

/// Addresses of a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AddressPool {
    /// The subnet, as `10.5.0.0/16`.
    pub subnet: Option<String>,
    /// The part of it that containers get.
    pub range: Option<String>,
    /// The gateway's address.
    pub gateway: Option<String>,
    /// Addresses that are not given out, by the name of what has them.
    pub auxiliary: BTreeMap<String, String>,
}

/// How a container is in a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Attachment {
    /// The names under which others in it find the container, beside its service's.
    pub aliases: Vec<String>,
    /// A fixed address.
    pub ipv4: Option<Ipv4Addr>,
    /// A fixed address.
    pub ipv6: Option<Ipv6Addr>,
    /// Link-local addresses.
    pub link_local: Vec<String>,
    /// The hardware address.
    pub mac: Option<String>,
    /// Containers that are not the app's, and the names by which this one knows them:
    /// `container:name`.
    pub links: Vec<String>,
    /// The driver's options for this container.
    pub options: BTreeMap<String, String>,
    /// Of several networks, the one with the highest priority is joined first. Always written, so
    /// that a network that is joined in the usual way leaves its mark, too.
    pub priority: i64,
    /// The network whose gateway is the default one has the highest; needs Docker 28.
    pub gateway_priority: Option<i64>,
}
