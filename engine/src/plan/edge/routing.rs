//! What is done to the edges of an app: made, told where requests go, and removed.

mod shift;

use std::collections::{BTreeMap, BTreeSet};

use super::super::builder::{Builder, Owner, Step};
use super::super::observed::{Observed, ObservedEdge};
use super::super::operation::EdgeRoutes;
use super::super::resources::Resources;
use super::super::service::ServicePlan;
use super::super::wanted::{Wanted, WantedService};
use super::super::{Cause, OperationKind};
use super::ports::{EdgePort, EdgeService, EdgeSlot};
use crate::app::{AppProtocol, Name, Protocol as Transport};
use crate::edge::{
    Listener, Mode, Protocol, Routes, Service, Target, TargetState, VERSION as EDGE_VERSION,
};
pub use shift::{Moved, returned};

/// Ports below this one need a right that the edge does not have.
const FIRST_FREE_PORT: u16 = 1024;
/// What is added to the number of such a port.
const ABOVE: u16 = 10_000;

/// The name under which the edge finds a container.
pub fn target_name(service: &Name, replica: u32, release: &str) -> String {
    format!("{service}-{replica}-{release}").to_lowercase()
}

/// The app's edges, as far as they are there, and what becomes of them.
pub struct Edges<'a> {
    wanted: &'a Wanted,
    observed: &'a Observed,
    keep: Vec<&'a ObservedEdge>,
    obsolete: Vec<&'a ObservedEdge>,
    /// Steps that stop edges whose ports containers get.
    freed: Vec<Step>,
    /// Of each that is kept: what it does at first, without what an unfinished deploy was trying out.
    before: Vec<Option<Routes>>,
    /// Of each: what it does after the last step that tells it something.
    now: Vec<Option<Routes>>,
    /// Of each: true if it is told something before all requests go to the new containers.
    shifted: Vec<bool>,
    /// Of each: the steps after which it can be told something.
    seen_to: Vec<Option<Vec<Step>>>,
    /// The last steps that tell edges something.
    chain: Vec<Step>,
    /// Those after which nobody is tried out any more by an unfinished deploy.
    recalled: Vec<Step>,
}

/// When requests go to the new containers.
#[derive(Debug, Default, Clone, Copy)]
pub struct Routed {
    /// The step that switches.
    pub switched: Option<Step>,
    /// The step after which the old ones have answered what they had to.
    pub drained: Option<Step>,
}

impl<'a> Edges<'a> {
    /// Sorts those that are there. One that has a port that a container is to have goes first.
    pub fn new(wanted: &'a Wanted, observed: &'a Observed, builder: &mut Builder) -> Self {
        let ports: Vec<&EdgePort> = fronted(wanted).flat_map(|(_, edge)| &edge.ports).collect();
        let needed = |edge: &&ObservedEdge| {
            let mut slots = edge.slots.iter();
            slots.any(|slot| ports.iter().any(|port| slot.is_for(port)))
        };
        let in_the_way = |edge: &&ObservedEdge| {
            let mut services = wanted.services.iter();
            services.any(|service| {
                let mut ports = service.container.ports.iter();
                ports.any(|port| {
                    let own = |slot: &EdgeSlot| Some(slot.host_port) == port.host_port;
                    port.protocol == Transport::Tcp && edge.slots.iter().any(own)
                })
            })
        };
        let (first, rest): (Vec<_>, Vec<_>) = observed.edges.iter().partition(in_the_way);
        let (keep, obsolete): (Vec<_>, Vec<_>) = rest.into_iter().partition(needed);
        let stop = |edge: &ObservedEdge| OperationKind::StopEdge {
            id: edge.id.clone(),
            container: edge.name.clone(),
        };
        let running = first.iter().filter(|edge| edge.is_running());
        let freed = running.map(|edge| builder.push(Owner::APP, stop(edge), Cause::Replaced, []));
        let freed = freed.collect();
        // It is started again if what follows fails, and so it goes last.
        let obsolete = obsolete.into_iter().chain(first).collect();
        let now: Vec<Option<Routes>> = keep.iter().map(|edge| edge.routes.clone()).collect();
        let mut edges = Self {
            wanted,
            observed,
            obsolete,
            freed,
            before: Vec::new(),
            shifted: vec![false; keep.len()],
            seen_to: vec![None; keep.len()],
            chain: Vec::new(),
            recalled: Vec::new(),
            keep,
            now,
        };
        edges.recall(builder);
        edges.before.clone_from(&edges.now);
        edges
    }

    /// Steps that a service's containers wait for before they can have their ports.
    pub fn freed(&self, service: &WantedService) -> impl Iterator<Item = Step> {
        let fixed = service.container.ports.iter();
        let fixed = fixed.clone().any(|port| port.host_port.is_some());
        let freed = if fixed { self.freed.as_slice() } else { &[] };
        freed.iter().copied()
    }

    /// Has edges leave networks that are made anew.
    pub fn leave(&self, resources: &Resources, builder: &mut Builder) -> Vec<Step> {
        let mut steps = Vec::new();
        for edge in &self.keep {
            for key in resources.replaced.keys() {
                let Some(network) = self.network(key).filter(|name| edge.is_in(name)) else {
                    continue;
                };
                let kind = OperationKind::LeaveEdge {
                    id: edge.id.clone(),
                    container: edge.name.clone(),
                    network,
                };
                let cause = Cause::NetworkChanged {
                    network: key.clone(),
                };
                steps.push(builder.push(Owner::APP, kind, cause, []));
            }
        }
        steps
    }

    /// Plans what makes requests go to the new containers, once all of them are proven.
    pub fn route(
        mut self,
        services: &mut [ServicePlan<'_>],
        resources: &Resources,
        proven: &[Step],
        builder: &mut Builder,
    ) -> Routed {
        let mut ready: Vec<Step> = proven.to_vec();
        for at in 0..self.keep.len() {
            let cleared = services.iter().flat_map(ServicePlan::cleared);
            ready.extend(self.ready(at, cleared.collect(), resources, builder));
        }
        let judged = self.try_out(services, &ready, resources, builder);
        // Nobody is down while others are tried out.
        let found: Vec<Step> = proven.iter().chain(&judged).copied().collect();
        ready.extend(judged);
        ready.append(&mut self.chain);
        let kept = self.keep.iter().zip(&self.now);
        let kept = kept.map(|(edge, now)| EdgeRoutes {
            container: edge.name.clone(),
            id: Some(edge.id.clone()),
            routes: self.routes(&edge.slots, now.as_ref(), services),
        });
        let mut edges: Vec<EdgeRoutes> = kept.collect();
        if let Some(slots) = self.missing() {
            let mut before: Vec<Step> = self.freed.clone();
            // What an unfinished deploy left may hold them.
            before.extend(services.iter().flat_map(ServicePlan::cleared));
            let ports: BTreeSet<u16> = slots.iter().map(|slot| slot.host_port).collect();
            for service in services.iter_mut() {
                before.extend(service.release_ports(&ports, &found, builder));
            }
            let keys = self.networks_of(&slots);
            before.extend(keys.iter().filter_map(|key| resources.networks.get(key)));
            let container = self.name();
            edges.push(EdgeRoutes {
                container: container.clone(),
                id: None,
                routes: self.routes(&slots, None, services),
            });
            let networks = keys.iter().filter_map(|key| self.network(key)).collect();
            let kind = OperationKind::CreateEdge {
                container,
                slots,
                networks,
            };
            ready.push(builder.push(Owner::APP, kind, Cause::Missing, before));
        }
        let routed = self.switch(edges, ready, builder);
        for edge in &self.obsolete {
            let kind = OperationKind::RemoveEdge {
                id: edge.id.clone(),
                container: edge.name.clone(),
            };
            let after = proven.iter().copied().chain(routed.switched);
            builder.push(Owner::APP, kind, Cause::Orphan, after);
        }
        routed
    }

    fn switch(&self, edges: Vec<EdgeRoutes>, ready: Vec<Step>, builder: &mut Builder) -> Routed {
        let changes = |edge: &EdgeRoutes| {
            let mut keep = self.keep.iter();
            let found = keep.position(|keep| Some(&keep.id) == edge.id.as_ref());
            let Some(at) = found else { return true };
            let now = self.now[at].as_ref();
            // From here on what was begun is not taken back any more, even if it is all done.
            self.shifted[at] || now.is_none_or(|old| active(old) != active(&edge.routes))
        };
        let changed: Vec<EdgeRoutes> = edges.into_iter().filter(changes).collect();
        if changed.is_empty() {
            return Routed::default();
        }
        let drains = |edge: &EdgeRoutes| {
            let mut targets = edge.routes.services.values().flat_map(|one| &one.targets);
            targets.any(|target| target.state == TargetState::Draining)
        };
        let draining: Vec<EdgeRoutes> = changed
            .iter()
            .filter(|edge| drains(edge))
            .cloned()
            .collect();
        let kind = OperationKind::Route { edges: changed };
        let switched = builder.push(Owner::APP, kind, Cause::Next, ready);
        let drained = (!draining.is_empty()).then(|| {
            let edges = draining.into_iter();
            let edges = edges.map(|edge| (edge.container, edge.id)).collect();
            let kind = OperationKind::Drain { edges };
            builder.push(Owner::APP, kind, Cause::Next, [switched])
        });
        Routed {
            switched: Some(switched),
            drained,
        }
    }

    /// The steps after which an edge that stays can be told of new routes.
    fn ready(
        &mut self,
        at: usize,
        cleared: Vec<Step>,
        resources: &Resources,
        builder: &mut Builder,
    ) -> Vec<Step> {
        if let Some(steps) = &self.seen_to[at] {
            return steps.clone();
        }
        let steps = self.see_to(self.keep[at], cleared, resources, builder);
        self.seen_to[at] = Some(steps.clone());
        steps
    }

    /// What an edge that stays needs before it can be told of new routes.
    fn see_to(
        &self,
        edge: &ObservedEdge,
        cleared: Vec<Step>,
        resources: &Resources,
        builder: &mut Builder,
    ) -> Vec<Step> {
        let (id, container) = (edge.id.clone(), edge.name.clone());
        let mut steps = Vec::new();
        for key in self.networks_of(&edge.slots) {
            let Some(network) = self.network(&key) else {
                continue;
            };
            if edge.is_in(&network) && !resources.replaced.contains_key(&key) {
                continue;
            }
            let kind = OperationKind::JoinEdge {
                id: id.clone(),
                container: container.clone(),
                network,
            };
            let after = resources.networks.get(&key).copied();
            steps.push(builder.push(Owner::APP, kind, Cause::Missing, after));
        }
        if !edge.is_running() {
            let kind = OperationKind::StartEdge { id, container };
            let after = std::mem::take(&mut steps).into_iter().chain(cleared);
            steps.push(builder.push(Owner::APP, kind, Cause::NotRunning, after));
        } else if is_older(&edge.program.version, EDGE_VERSION) {
            let kind = OperationKind::UpgradeEdge {
                id,
                container,
                from: edge.program.version.clone(),
                to: EDGE_VERSION.to_owned(),
            };
            steps.push(builder.push(Owner::APP, kind, Cause::NewRelease, []));
        }
        steps
    }

    /// The slots of an edge that is to be made; `None` if there is a way in for every port.
    fn missing(&self) -> Option<Vec<EdgeSlot>> {
        let has = |port: &&EdgePort| {
            let mut slots = self.keep.iter().flat_map(|edge| &edge.slots);
            !slots.any(|slot| slot.is_for(port))
        };
        let ports = fronted(self.wanted).flat_map(|(_, edge)| &edge.ports);
        let ports: BTreeSet<&EdgePort> = ports.filter(has).collect();
        let mut slots: Vec<EdgeSlot> = Vec::new();
        for port in ports {
            if slots.iter().any(|slot| slot.is_for(port)) {
                continue;
            }
            let mut listen = port.host_port;
            if listen < FIRST_FREE_PORT {
                listen += ABOVE;
            }
            // One port on several addresses is listened on at several ports inside.
            while slots.iter().any(|slot| slot.listen == listen) {
                listen = listen.checked_add(1).unwrap_or(FIRST_FREE_PORT);
            }
            slots.push(EdgeSlot {
                host_address: port.host_address,
                host_port: port.host_port,
                listen,
            });
        }
        (!slots.is_empty()).then_some(slots)
    }

    fn name(&self) -> String {
        let taken = |name: &String| self.observed.edges.iter().any(|edge| edge.name == *name);
        let app = &self.wanted.app;
        let first = format!("{app}-edge");
        let more = (2..).map(|number| format!("{app}-edge-{number}"));
        let mut names = std::iter::once(first).chain(more);
        names.find(|name| !taken(name)).unwrap_or_default()
    }

    fn network(&self, key: &str) -> Option<String> {
        let network = self.wanted.networks.get(key)?;
        Some(network.name.clone())
    }

    /// The networks on which those are reached who answer on these slots.
    fn networks_of(&self, slots: &[EdgeSlot]) -> BTreeSet<String> {
        let here = |edge: &&EdgeService| {
            let mut ports = edge.ports.iter();
            ports.any(|port| slots.iter().any(|slot| slot.is_for(port)))
        };
        let services = fronted(self.wanted).map(|(_, edge)| edge).filter(here);
        services.map(|edge| edge.network.clone()).collect()
    }

    /// What an edge with these slots does from here on.
    fn routes(
        &self,
        slots: &[EdgeSlot],
        before: Option<&Routes>,
        plans: &[ServicePlan<'_>],
    ) -> Routes {
        let mut routes = Routes::default();
        for (service, edge) in fronted(self.wanted) {
            let plan = plans.iter().find(|plan| *plan.name() == service.name);
            let hosts = plan.map(ServicePlan::targets).unwrap_or_default();
            for port in &edge.ports {
                let Some(slot) = slots.iter().find(|slot| slot.is_for(port)) else {
                    continue;
                };
                let key = service_key(&service.name, port);
                let certificates = edge.certificates.get(&port.host_port);
                let certificates = certificates.cloned().unwrap_or_default();
                routes.listeners.push(Listener {
                    address: None,
                    port: slot.listen,
                    mode: match certificates.is_empty() {
                        true => mode(port.protocol),
                        false => Mode::Http,
                    },
                    service: key.clone(),
                    certificates,
                    trust: edge.trust.clone(),
                });
                let own = || self.service(edge, port, &hosts, &key, before);
                routes.services.entry(key.clone()).or_insert_with(own);
            }
        }
        // Who answered for what is not there any more ends what they have begun, too.
        for (key, old) in before.into_iter().flat_map(|before| &before.services) {
            if !routes.services.contains_key(key) && old.targets.iter().any(is_active) {
                routes.services.insert(key.clone(), leaving(old));
            }
        }
        routes.listeners.sort_by_key(|listener| listener.port);
        routes
    }

    fn service(
        &self,
        edge: &EdgeService,
        port: &EdgePort,
        hosts: &[String],
        key: &str,
        before: Option<&Routes>,
    ) -> Service {
        let target = |state| {
            move |host: &String| {
                let address = format!("{host}:{}", port.container_port).parse().ok()?;
                Some(Target {
                    address,
                    state,
                    group: None,
                })
            }
        };
        let mut targets: Vec<Target> = hosts
            .iter()
            .filter_map(target(TargetState::Active))
            .collect();
        let old = before.and_then(|before| before.services.get(key));
        let old = old.into_iter().flat_map(|service| &service.targets);
        for old in old.filter(|old| is_active(old)) {
            if targets.iter().all(|target| target.address != old.address) {
                targets.push(Target {
                    state: TargetState::Draining,
                    ..old.clone()
                });
            }
        }
        let check = edge.check.as_ref();
        let check = check.filter(|(own, _)| *own == port.container_port);
        Service {
            targets,
            protocol: protocol(port),
            check: check.map(|(_, check)| check.clone()),
            hold: edge.hold,
            ..Service::default()
        }
    }
}

/// The name of those who answer for a port of a service.
fn service_key(service: &Name, port: &EdgePort) -> String {
    format!("{service}:{}", port.container_port)
}

/// What they speak.
fn protocol(port: &EdgePort) -> Protocol {
    match port.protocol {
        Some(AppProtocol::H2c) => Protocol::H2c,
        _ => Protocol::Http1,
    }
}

fn mode(protocol: Option<AppProtocol>) -> Mode {
    match protocol {
        None => Mode::Auto,
        Some(AppProtocol::Http | AppProtocol::H2c) => Mode::Http,
        Some(AppProtocol::Tcp) => Mode::Tcp,
    }
}

/// The services whose ports the edge has.
fn fronted(wanted: &Wanted) -> impl Iterator<Item = (&WantedService, &EdgeService)> {
    let services = wanted.services.iter();
    services.filter_map(|service| Some((service, service.edge.as_ref()?)))
}

/// What of routes tells who answers: not who still ends what they have begun.
fn active(routes: &Routes) -> (Vec<Listener>, BTreeMap<String, Service>) {
    let mut listeners = routes.listeners.clone();
    listeners.sort_by_key(|listener| listener.port);
    let mut services = routes.services.clone();
    for service in services.values_mut() {
        service.targets.retain(is_active);
        service.targets.sort_by(|a, b| a.address.cmp(&b.address));
    }
    let heard = |key: &String| listeners.iter().any(|listener| listener.service == *key);
    services.retain(|key, service| !service.targets.is_empty() || heard(key));
    (listeners, services)
}

fn is_active(target: &Target) -> bool {
    target.state == TargetState::Active
}

/// A service for which nothing new comes: its targets end what they have begun.
fn leaving(service: &Service) -> Service {
    let targets = service.targets.iter().filter(|one| is_active(one));
    let targets = targets.map(|target| Target {
        address: target.address.clone(),
        state: TargetState::Draining,
        group: None,
    });
    Service {
        targets: targets.collect(),
        protocol: service.protocol,
        ..Service::default()
    }
}

/// True if a release is older than another one. What can't be compared is not touched.
fn is_older(release: &str, than: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        let numbers = text.split(['-', '+']).next()?.split('.');
        numbers.map(|number| number.parse().ok()).collect()
    };
    match (numbers(release), numbers(than)) {
        (Some(release), Some(than)) => release < than,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_numbers() {
        assert!(is_older("0.1.0", "0.2.0"));
        assert!(is_older("0.9.0", "0.10.0-rc.1"));
        for (release, than) in [("0.2.0", "0.1.0"), ("1.0.0", "1.0.0"), ("", "1.0.0")] {
            assert!(!is_older(release, than), "{release} {than}");
        }
    }
}
