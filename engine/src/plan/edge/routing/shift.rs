//! What edges are told before all requests go to the new containers: all of it can be taken back.

use super::super::super::builder::{Builder, Owner, Step};
use super::super::super::operation::EdgeRoutes;
use super::super::super::resources::Resources;
use super::super::super::service::ServicePlan;
use super::super::super::wanted::WantedService;
use super::super::super::{Cause, OperationKind};
use super::super::ports::EdgePort;
use super::{Edges, is_active, leaving, protocol, service_key};
use crate::app::Share;
use crate::edge::{Routes, Service, Target, TargetState};

/// The group of those that are tried out.
const CANARY: &str = "canary";

/// Who gets requests from now on, and who does not any more.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    /// Those that end what they do.
    pub out: Vec<String>,
    /// Those that get requests.
    pub add: Vec<String>,
    /// The part of the requests that they get together; as many as all others, if `None`.
    pub share: Option<Share>,
}

impl Edges<'_> {
    /// Takes requests from containers that an unfinished deploy was trying out: nobody has found them
    /// to be as good as those before.
    pub(super) fn recall(&mut self, builder: &mut Builder) {
        let mut edges = Vec::new();
        for (edge, now) in self.keep.iter().zip(&mut self.now) {
            let Some(routes) = now.as_mut().filter(|_| edge.is_running()) else {
                continue;
            };
            let mut found = false;
            for service in routes.services.values_mut() {
                found |= recall(service);
            }
            if found {
                edges.push(EdgeRoutes {
                    container: edge.name.clone(),
                    id: Some(edge.id.clone()),
                    routes: routes.clone(),
                });
            }
        }
        if edges.is_empty() {
            return;
        }
        let kind = OperationKind::Shift {
            edges,
            back: Vec::new(),
        };
        self.recalled = tell(Owner::APP, kind, Cause::Unfinished, [], builder);
        self.chain.clone_from(&self.recalled);
    }

    /// The steps after which nobody asks what an unfinished deploy was trying out.
    pub fn recalled(&self) -> &[Step] {
        &self.recalled
    }

    /// True if new containers of a service can answer beside the old ones: the same ports are in
    /// front of both, and both speak the same.
    pub fn can_share(&self, service: &WantedService) -> bool {
        let Some(edge) = &service.edge else {
            return false;
        };
        let shared = |port: &EdgePort| {
            let key = service_key(&service.name, port);
            let mut keep = self.keep.iter().zip(&self.now);
            keep.any(|(edge, now)| {
                let slot = edge.slots.iter().find(|slot| slot.is_for(port));
                let (Some(slot), Some(routes), true) = (slot, now, edge.is_running()) else {
                    return false;
                };
                let mut listeners = routes.listeners.iter();
                let own = routes.services.get(&key);
                listeners.any(|one| one.port == slot.listen && one.service == key)
                    && own.is_some_and(|own| {
                        let mut targets = own.targets.iter();
                        own.protocol == protocol(port)
                            && targets.any(|target| target.state == TargetState::Active)
                    })
            })
        };
        !edge.ports.is_empty() && edge.ports.iter().all(shared)
    }

    /// Plans that requests of a service go to others; gives the steps after which they do, and those
    /// who got them before have ended what they did.
    pub fn shift(
        &mut self,
        service: &WantedService,
        moved: &Moved,
        cause: Cause,
        after: &[Step],
        resources: &Resources,
        builder: &mut Builder,
    ) -> Vec<Step> {
        let mut edges = Vec::new();
        let mut back = Vec::new();
        let mut ready: Vec<Step> = after.to_vec();
        for at in 0..self.keep.len() {
            let Some(mut routes) = self.now[at].clone() else {
                continue;
            };
            for service in routes.services.values_mut() {
                service.targets.retain(is_active);
            }
            let mut found = false;
            for port in service.edge.iter().flat_map(|edge| &edge.ports) {
                let key = service_key(&service.name, port);
                if let Some(own) = routes.services.get_mut(&key) {
                    found = true;
                    apply(own, moved, port);
                }
            }
            if !found {
                continue;
            }
            let edge = self.keep[at];
            ready.extend(self.ready(at, Vec::new(), resources, builder));
            let told = |routes| EdgeRoutes {
                container: edge.name.clone(),
                id: Some(edge.id.clone()),
                routes,
            };
            if let Some(before) = &self.before[at] {
                back.push(told(returned(before, &routes)));
            }
            edges.push(told(routes.clone()));
            self.now[at] = Some(routes);
            self.shifted[at] = true;
        }
        // Each tells an edge all that it is to do, so one comes after the other.
        ready.append(&mut self.chain);
        let owner = Owner {
            service: Some(&service.name),
            ..Owner::APP
        };
        let kind = OperationKind::Shift { edges, back };
        let steps = tell(owner, kind, cause, ready, builder);
        self.chain.clone_from(&steps);
        steps
    }

    /// Has new containers tried out that are to be; gives the steps after which they have been found
    /// to be good.
    pub(super) fn try_out(
        &mut self,
        services: &[ServicePlan<'_>],
        ready: &[Step],
        resources: &Resources,
        builder: &mut Builder,
    ) -> Vec<Step> {
        let mut judged = Vec::new();
        let trials: Vec<_> = services
            .iter()
            .filter_map(|plan| Some((plan, plan.trial()?)))
            .filter(|(plan, _)| self.can_share(plan.service()))
            .collect();
        for (plan, (canary, new)) in trials {
            let service = plan.service();
            let old = self.targets_of(service);
            let cause = Cause::Canary {
                share: canary.share,
                time: canary.time,
            };
            let moved = Moved {
                add: new.clone(),
                share: Some(canary.share),
                ..Moved::default()
            };
            let shifted = self.shift(service, &moved, cause.clone(), ready, resources, builder);
            let kind = OperationKind::Judge {
                canary,
                edges: self.edges_of(service),
                new,
                old,
            };
            let owner = Owner {
                service: Some(&service.name),
                replica: 0,
                plugins: &service.health_plugins,
            };
            judged.push(builder.push(owner, kind, cause, shifted));
        }
        judged
    }

    /// The names under which edges find those that answer for a service.
    fn targets_of(&self, service: &WantedService) -> Vec<String> {
        let mut hosts = std::collections::BTreeSet::new();
        for port in service.edge.iter().flat_map(|edge| &edge.ports) {
            let key = service_key(&service.name, port);
            let routes = self.now.iter().flatten();
            let own = routes.filter_map(|routes| routes.services.get(&key));
            let targets = own
                .flat_map(|own| &own.targets)
                .filter(|one| is_active(one));
            hosts.extend(targets.map(|target| target.address.host().to_owned()));
        }
        hosts.into_iter().collect()
    }

    /// The edges that a service is behind: name, and id.
    fn edges_of(&self, service: &WantedService) -> Vec<(String, String)> {
        let ports = || service.edge.iter().flat_map(|edge| &edge.ports);
        let keep = self.keep.iter();
        let own =
            keep.filter(|edge| ports().any(|port| edge.slots.iter().any(|one| one.is_for(port))));
        own.map(|edge| (edge.name.clone(), edge.id.clone()))
            .collect()
    }
}

/// Has those end what they do that are on trial; true if there are any.
fn recall(service: &mut Service) -> bool {
    let groups = std::mem::take(&mut service.shares);
    for target in &mut service.targets {
        let on_trial = target
            .group
            .take()
            .is_some_and(|group| groups.contains_key(&group));
        if on_trial {
            target.state = TargetState::Draining;
        }
    }
    !groups.is_empty()
}

fn apply(own: &mut Service, moved: &Moved, port: &EdgePort) {
    for target in &mut own.targets {
        if moved.out.iter().any(|host| host == target.address.host()) {
            target.state = TargetState::Draining;
        }
    }
    for host in &moved.add {
        let Ok(address) = format!("{host}:{}", port.container_port).parse() else {
            continue;
        };
        if own.targets.iter().any(|target| target.address == address) {
            continue;
        }
        own.targets.push(Target {
            address,
            state: TargetState::Active,
            group: moved.share.map(|_| CANARY.to_owned()),
        });
    }
    if let Some(share) = moved.share {
        own.shares.insert(CANARY.to_owned(), share.points());
    }
}

/// What it was before, with those ending what they do that came since.
pub fn returned(before: &Routes, now: &Routes) -> Routes {
    let mut back = before.clone();
    for (key, service) in &mut back.services {
        service.targets.retain(is_active);
        let since = now.services.get(key);
        for target in since.into_iter().flat_map(|since| &since.targets) {
            if service
                .targets
                .iter()
                .all(|own| own.address != target.address)
            {
                service.targets.push(Target {
                    address: target.address.clone(),
                    state: TargetState::Draining,
                    group: None,
                });
            }
        }
    }
    for (key, since) in &now.services {
        if !back.services.contains_key(key) && since.targets.iter().any(is_active) {
            back.services.insert(key.clone(), leaving(since));
        }
    }
    back
}

/// Tells edges, and waits until those who are to end what they do have.
fn tell(
    owner: Owner<'_>,
    shift: OperationKind,
    cause: Cause,
    after: impl IntoIterator<Item = Step>,
    builder: &mut Builder,
) -> Vec<Step> {
    let drains = |edge: &&EdgeRoutes| {
        let mut targets = edge.routes.services.values().flat_map(|one| &one.targets);
        targets.any(|target| !is_active(target))
    };
    let edges = match &shift {
        OperationKind::Shift { edges, .. } => edges.as_slice(),
        _ => &[],
    };
    let draining = edges.iter().filter(drains);
    let draining: Vec<_> = draining
        .map(|edge| (edge.container.clone(), edge.id.clone()))
        .collect();
    let shifted = builder.push(owner, shift, cause, after);
    if draining.is_empty() {
        return vec![shifted];
    }
    let kind = OperationKind::Drain { edges: draining };
    vec![builder.push(Owner::APP, kind, Cause::Next, [shifted])]
}
