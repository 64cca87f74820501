//! What keeps a deploy from succeeding, seen before anything is touched.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use super::edge::EdgePort;
use super::observed::{Observed, PublishedPort};
use super::wanted::{Wanted, WantedService};
use crate::app::{Name, PortMapping};

/// Something that another has, or that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "conflict")]
pub enum Conflict {
    /// A port of the host that a new container needs, and a container outside of the app holds.
    Port {
        /// The service that needs it.
        service: Name,
        /// The port.
        port: u16,
        /// The container that holds it.
        holder: String,
    },
    /// Several containers can't publish one port.
    ReplicaPort {
        /// The service.
        service: Name,
        /// The port.
        port: u16,
    },
    /// A network that the app would make is there, and is another's.
    ForeignNetwork {
        /// Its name.
        network: String,
    },
    /// A network that is not the app's is not there.
    NoNetwork {
        /// Its name.
        network: String,
    },
    /// A volume that is not the app's is not there.
    NoVolume {
        /// Its name.
        volume: String,
    },
    /// An image that must not be fetched is not there.
    NoImage {
        /// The service.
        service: Name,
        /// The image.
        reference: String,
    },
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port {
                service,
                port,
                holder,
            } => write!(
                f,
                "{service} can't have port {port}: the container {holder} has it"
            ),
            Self::ReplicaPort { service, port } => write!(
                f,
                "the containers of {service} can't all have port {port} of the host"
            ),
            Self::ForeignNetwork { network } => {
                write!(f, "there is a network {network} that is not this app's")
            }
            Self::NoNetwork { network } => write!(f, "there is no network {network}"),
            Self::NoVolume { volume } => write!(f, "there is no volume {volume}"),
            Self::NoImage { service, reference } => write!(
                f,
                "there is no image {reference}, which {service} must not fetch"
            ),
        }
    }
}

impl Conflict {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Port { holder, port, .. } => {
                format!("stop it (`docker stop {holder}`), or publish another port than {port}")
            }
            Self::ReplicaPort { .. } => {
                "publish a range of ports or none, or have one container".to_owned()
            }
            Self::ForeignNetwork { network } => format!(
                "to use it as it is, say that it is `external`; otherwise give the app's network \
                 another `name`, or remove it (`docker network rm {network}`)"
            ),
            Self::NoNetwork { network } => format!("make it: `docker network create {network}`"),
            Self::NoVolume { volume } => format!("make it: `docker volume create {volume}`"),
            Self::NoImage { .. } => "fetch it or build it, or use another pull policy".to_owned(),
        }
    }
}

/// What a new container of this service needs of the host's ports and can't have.
pub(super) fn ports(service: &WantedService, observed: &Observed) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for port in &service.container.ports {
        let fixed = port.host_port.filter(|_| port.host_port_last.is_none());
        if let Some(port) = fixed.filter(|_| service.replicas > 1) {
            conflicts.push(Conflict::ReplicaPort {
                service: service.name.clone(),
                port,
            });
        }
        let taken = observed.taken_ports.iter();
        if let Some(taken) = taken.into_iter().find(|taken| collide(port, &taken.port)) {
            conflicts.push(Conflict::Port {
                service: service.name.clone(),
                port: taken.port.host_port,
                holder: taken.holder.clone(),
            });
        }
    }
    conflicts
}

/// What the edge needs of the host's ports for this service and can't have.
pub(super) fn edge_ports(service: &WantedService, observed: &Observed) -> Vec<Conflict> {
    let ports = service.edge.iter().flat_map(|edge| &edge.ports);
    let held = |port: &&EdgePort| {
        let mut slots = observed.edges.iter().flat_map(|edge| &edge.slots);
        slots.any(|slot| slot.is_for(port))
    };
    let conflict = |port: &EdgePort| {
        let published = PortMapping {
            container_port: port.container_port,
            host_port: Some(port.host_port),
            host_address: port.host_address,
            ..PortMapping::default()
        };
        let mut taken = observed.taken_ports.iter();
        let taken = taken.find(|taken| collide(&published, &taken.port))?;
        Some(Conflict::Port {
            service: service.name.clone(),
            port: port.host_port,
            holder: taken.holder.clone(),
        })
    };
    ports
        .filter(|port| !held(port))
        .filter_map(conflict)
        .collect()
}

/// The images that are not there and must not be fetched.
pub(super) fn images(wanted: &Wanted, observed: &Observed) -> Vec<Conflict> {
    let missing = wanted.services.iter().filter_map(|service| {
        let reference = service.image.reference()?;
        if wanted.builder_of(service).is_some() {
            return None;
        }
        let never = service.pull == crate::app::PullPolicy::Never;
        (never && !observed.references.contains_key(reference)).then(|| Conflict::NoImage {
            service: service.name.clone(),
            reference: reference.to_owned(),
        })
    });
    missing.collect()
}

/// True if both can't be published at once: the same port, on one address or on all of them. `::`
/// has no IPv4 addresses, nor has `0.0.0.0` those of IPv6: without an address both are meant.
fn collide(port: &PortMapping, taken: &PublishedPort) -> bool {
    let theirs = taken.host_address.parse::<IpAddr>();
    let meets = match (port.host_address, theirs) {
        (None, _) | (_, Err(_)) => true,
        (Some(ours), Ok(theirs)) => {
            let all = ours.is_unspecified() || theirs.is_unspecified();
            ours.is_ipv4() == theirs.is_ipv4() && (all || ours == theirs)
        }
    };
    meets && same_port(port, taken)
}

fn same_port(port: &PortMapping, taken: &PublishedPort) -> bool {
    // Of several ports the daemon takes one that is free.
    let fixed = port.host_port_last.is_none();
    fixed && port.host_port == Some(taken.host_port) && port.protocol == taken.protocol
}

#[cfg(test)]
mod tests {
    use super::{PortMapping, PublishedPort, collide};
    use crate::app::Protocol;

    #[test]
    fn addresses_of_one_family_meet() {
        let ours = |address: &str| PortMapping {
            container_port: 80,
            host_port: Some(80),
            host_address: address.parse().ok(),
            ..PortMapping::default()
        };
        let theirs = |address: &str| PublishedPort {
            container_port: 80,
            host_address: address.to_owned(),
            host_port: 80,
            protocol: Protocol::Tcp,
        };
        let cases = [
            ("", "127.0.0.1", true),
            ("", "::1", true),
            ("0.0.0.0", "127.0.0.1", true),
            ("0.0.0.0", "::", false),
            ("0.0.0.0", "::1", false),
            ("::", "0.0.0.0", false),
            ("::", "::1", true),
            ("127.0.0.1", "0.0.0.0", true),
            ("127.0.0.1", "::", false),
            ("127.0.0.1", "127.0.0.2", false),
            ("::1", "::", true),
            ("127.0.0.1", "", true),
        ];
        for (one, other, meet) in cases {
            assert_eq!(collide(&ours(one), &theirs(other)), meet, "{one} {other}");
        }
    }
}
