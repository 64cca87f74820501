//! Which published ports are the edge's, and not their containers' own.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};

use crate::app::{
    AppProtocol, Attachment, MountSource, Name, Network, PortMapping, Probe, Protocol, Service,
    Strategy,
};
use crate::edge::{Certificate, Check, HOLD, Network as Range};

/// The key of the network that services without any get, if the edge has their ports: Compose's.
const DEFAULT_NETWORK: &str = "default";
/// The only driver by whose networks the edge is known to reach containers.
const BRIDGE: &str = "bridge";

/// What the edge does for a service.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeService {
    /// The network on which it reaches the service's containers, by the app's name for it.
    pub network: String,
    /// The ports that it has.
    pub ports: Vec<EdgePort>,
    /// What it asks each of several containers, to see whether they are well.
    pub check: Option<(u16, Check)>,
    /// With which certificates it speaks TLS on a port of the host, as files in its container.
    pub certificates: BTreeMap<u16, Vec<Certificate>>,
    /// How long a request waits while no container can take it.
    pub hold: Duration,
    /// Other proxies, whose word is taken for who asked them.
    pub trust: Vec<Range>,
}

/// A port of the host that the edge has in a service's stead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EdgePort {
    /// The host's address; all of them if `None`.
    pub host_address: Option<IpAddr>,
    /// The host's port.
    pub host_port: u16,
    /// The port in the service's containers.
    pub container_port: u16,
    /// What is spoken on it; found out connection by connection, if `None`.
    #[serde(skip)]
    pub protocol: Option<AppProtocol>,
}

/// A port that an edge's container publishes: fixed when the container is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EdgeSlot {
    /// The host's address; all of them if `None`.
    pub host_address: Option<IpAddr>,
    /// The host's port.
    pub host_port: u16,
    /// The port on which the edge listens in its container.
    pub listen: u16,
}

impl EdgeSlot {
    /// True if it is where this port comes in.
    pub fn is_for(&self, port: &EdgePort) -> bool {
        (self.host_address, self.host_port) == (port.host_address, port.host_port)
    }
}

/// How rengine reaches containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// By their addresses: the daemon is on this machine.
    Addresses,
    /// By ports that they publish. So those that the edge has in their stead get others, which the
    /// daemon chooses, by which their health is seen before anybody else reaches them.
    Ports,
}

/// Takes the ports from a service's containers that the edge is to have in their stead; `None` if
/// it is to have none. A service without networks gets the app's default one, where the edge can
/// find it by name.
pub fn take(
    service: &mut Service,
    networks: &mut IndexMap<String, Network>,
    app: &Name,
    reach: Reach,
) -> Option<EdgeService> {
    let alone = service.strategy == Some(Strategy::Recreate);
    if alone || why_no_edge(service, networks).is_some() {
        return None;
    }
    let spec = &mut service.container;
    let (ports, rest): (Vec<PortMapping>, Vec<PortMapping>) =
        std::mem::take(&mut spec.ports).into_iter().partition(fixed);
    spec.ports = rest;
    for port in &ports {
        match reach {
            Reach::Ports => spec.ports.push(PortMapping {
                host_port: None,
                ..port.clone()
            }),
            Reach::Addresses => {
                let exposed = (port.container_port, port.protocol);
                if !spec.expose.contains(&exposed) {
                    spec.expose.push(exposed);
                }
            }
        }
    }
    let own = |port: PortMapping| {
        Some(EdgePort {
            host_address: port
                .host_address
                .filter(|address| !address.is_unspecified()),
            host_port: port.host_port?,
            container_port: port.container_port,
            protocol: port.app_protocol,
        })
    };
    // In the order in which they were written: the first is the one that is meant where none is named.
    let ports: IndexSet<EdgePort> = ports.into_iter().filter_map(own).collect();
    let ports: Vec<EdgePort> = ports.into_iter().collect();
    if spec.networks.is_empty() {
        let network = networks.entry(DEFAULT_NETWORK.to_owned());
        network.or_insert_with(|| Network {
            name: format!("{app}_{DEFAULT_NETWORK}"),
            ..Network::default()
        });
        let attachment = Attachment::default();
        spec.networks.insert(DEFAULT_NETWORK.to_owned(), attachment);
    }
    Some(EdgeService {
        network: reached_by(service, networks)?.to_owned(),
        check: check(service, &ports),
        certificates: BTreeMap::new(),
        hold: HOLD,
        trust: Vec::new(),
        ports,
    })
}

/// True for a TCP port that is always the same on the host: no two containers can have it.
fn fixed(port: &PortMapping) -> bool {
    let one = port.host_port.is_some() && port.host_port_last.is_none();
    one && port.protocol == Protocol::Tcp
}

/// Why the edge can't have the ports of a service; `None` if it can.
pub fn why_no_edge(
    service: &Service,
    networks: &IndexMap<String, Network>,
) -> Option<&'static str> {
    let spec = &service.container;
    let other_fixed = |port: &PortMapping| port.host_port.is_some() && !fixed(port);
    let default = match networks.get(DEFAULT_NETWORK) {
        Some(network) => can_reach_by(network),
        None => true,
    };
    let reached = match spec.networks.is_empty() {
        true => default,
        false => reached_by(service, networks).is_some(),
    };
    if !spec.ports.iter().any(fixed) {
        return Some("it publishes no fixed TCP port");
    }
    // A port that goes straight to the container keeps two from running at a time.
    if spec.ports.iter().any(other_fixed) {
        return Some("it publishes a fixed port that goes straight to its container");
    }
    if spec.network_mode.is_some() {
        return Some("it has a network mode of its own");
    }
    if service.strategy.is_none() && shares_data(service) {
        return Some("it writes to a volume or a folder");
    }
    if has_fixed_address(service) {
        return Some("it has a fixed address");
    }
    (!reached).then_some("it is on no network of driver `bridge` that has a way out")
}

/// True if containers of one service would write to the same place.
pub fn shares_data(service: &Service) -> bool {
    let mut mounts = service.container.mounts.iter();
    mounts.any(|mount| !mount.read_only && !matches!(mount.source, MountSource::Anonymous))
}

fn has_fixed_address(service: &Service) -> bool {
    let mut networks = service.container.networks.values();
    networks
        .any(|network| network.ipv4.is_some() || network.ipv6.is_some() || network.mac.is_some())
}

/// A network without a way out has none in, either: what it publishes is not reached.
fn can_reach_by(network: &Network) -> bool {
    let driver = network.driver.as_deref().unwrap_or(BRIDGE);
    driver == BRIDGE && !network.internal && network.ipv4 != Some(false)
}

fn reached_by<'a>(
    service: &'a Service,
    networks: &IndexMap<String, Network>,
) -> Option<&'a String> {
    let mut keys = service.container.networks.keys();
    keys.find(|key| networks.get(*key).is_some_and(can_reach_by))
}

/// The service's own check, as far as the edge can make it, where there are several containers: of
/// one that is not well there is nobody to turn to.
fn check(service: &Service, ports: &[EdgePort]) -> Option<(u16, Check)> {
    let health = service.container.health.as_ref()?;
    let Probe::Http {
        path,
        port,
        status: None,
    } = &health.probe
    else {
        return None;
    };
    let port = port.or(ports.first().map(|port| port.container_port))?;
    let check = Check {
        path: path.clone(),
        interval: health.interval,
        timeout: health.timeout,
    };
    (service.replicas > 1).then_some((port, check))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{ContainerSpec, ImageSource, Mount, MountOptions};

    fn port(container_port: u16, host_port: Option<u16>) -> PortMapping {
        PortMapping {
            container_port,
            host_port,
            ..PortMapping::default()
        }
    }

    fn service(ports: &[PortMapping]) -> Service {
        let spec = ContainerSpec {
            ports: ports.to_vec(),
            ..ContainerSpec::default()
        };
        let name = Name::parse("web").expect("a name");
        Service::new(name, ImageSource::Image("web".to_owned()), spec)
    }

    fn taken(service: &mut Service, reach: Reach) -> Option<EdgeService> {
        let app = Name::parse_app("shop").expect("a name");
        take(service, &mut IndexMap::new(), &app, reach)
    }

    #[test]
    fn fixed_tcp_ports_are_taken_and_others_stay() {
        let mut web = service(&[port(80, Some(8080)), port(81, None)]);
        let edge = taken(&mut web, Reach::Addresses).expect("an edge");
        assert_eq!(edge.network, "default");
        let ports: Vec<_> = edge.ports.iter().map(|port| port.host_port).collect();
        assert_eq!(ports, [8080]);
        assert_eq!(web.container.ports, [port(81, None)]);
        assert_eq!(web.container.expose, [(80, Protocol::Tcp)]);
        assert!(web.container.networks.contains_key("default"));

        let mut far = service(&[port(80, Some(8080))]);
        taken(&mut far, Reach::Ports).expect("an edge");
        assert_eq!(far.container.ports, [port(80, None)]);
    }

    #[test]
    fn what_has_to_be_alone_keeps_its_ports() {
        let udp = PortMapping {
            protocol: Protocol::Udp,
            ..port(53, Some(53))
        };
        let range = PortMapping {
            host_port_last: Some(8090),
            ..port(81, Some(8081))
        };
        let fixed = port(80, Some(8080));
        let data = |service: &mut Service| {
            service.container.mounts.push(Mount {
                source: MountSource::Volume("data".to_owned()),
                target: "/data".to_owned(),
                read_only: false,
                options: MountOptions::default(),
            });
        };
        for ports in [
            vec![port(80, None)],
            vec![fixed.clone(), udp],
            vec![fixed.clone(), range],
        ] {
            let mut service = service(&ports);
            assert!(taken(&mut service, Reach::Addresses).is_none(), "{ports:?}");
            assert_eq!(service.container.ports, ports);
        }
        let mut database = service(std::slice::from_ref(&fixed));
        data(&mut database);
        assert!(taken(&mut database, Reach::Addresses).is_none());
        database.strategy = Some(Strategy::Rolling);
        assert!(taken(&mut database, Reach::Addresses).is_some());
        let mut alone = service(&[fixed]);
        alone.strategy = Some(Strategy::Recreate);
        assert!(taken(&mut alone, Reach::Addresses).is_none());
    }
}
