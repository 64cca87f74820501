//! The planner.

use std::collections::{BTreeMap, BTreeSet};

use super::builder::{Builder, Owner, Step};
use super::edge::{Edges, Routed};
use super::observed::{Observed, ObservedContainer};
use super::service::{Earlier, Fate, ServicePlan};
use super::wanted::Wanted;
use super::{Cause, OperationKind, Plan, conflict, resources};
use crate::app::Name;

/// Plans how to get from what is observed to what is wanted.
///
/// What is made first: networks, volumes and images. Then each service's new containers, after
/// what it depends on. Only when every new container has proven itself do they take the places of
/// the old ones, so that what fails takes all of them back.
pub fn plan(wanted: &Wanted, observed: &Observed) -> Plan {
    let mut builder = Builder::default();
    let mut resources = resources::plan(wanted, observed, &mut builder);
    let mut conflicts = conflict::images(wanted, observed);
    let mut services: Vec<ServicePlan<'_>> = wanted
        .in_order()
        .into_iter()
        .map(|service| ServicePlan::new(wanted, observed, service))
        .collect();
    let mut images = BTreeMap::new();
    for name in wanted.in_image_order() {
        let mut all = services.iter_mut();
        if let Some(service) = all.find(|service| service.name() == name) {
            let image = service.get_image(&images, &mut builder);
            images.insert(name, image);
        }
    }
    let mut edges = Edges::new(wanted, observed, &mut builder);
    let mut replaced = BTreeSet::new();
    for service in &mut services {
        let again = service.forced(&resources, &replaced);
        if service.decide(again) {
            replaced.insert(service.name().clone());
            conflicts.extend(conflict::ports(service.service(), observed));
            conflicts.extend(conflict::edge_ports(service.service(), observed));
        }
    }
    // Who is in a network that is made anew has to leave it before.
    let mut stopped = Vec::new();
    for service in &mut services {
        if service.joins(&resources) {
            stopped.extend(service.stop_all(&mut builder));
        }
    }
    stopped.extend(edges.leave(&resources, &mut builder));
    resources.replace(&stopped, &mut builder);
    let mut gates = Gates::default();
    for service in &mut services {
        let mut wait = gates.before(service);
        wait.extend(edges.freed(service.service()));
        let earlier = Earlier {
            wait: &wait,
            gates: &gates,
            replaced: &replaced,
        };
        let gate = service.bring_up(earlier, &resources, &mut edges, &mut builder);
        gates.services.insert(service.name().clone(), gate);
    }
    let proven: Vec<Step> = gates.services.values().flat_map(Gate::proofs).collect();
    let routed = edges.route(&mut services, &resources, &proven, &mut builder);
    // Until requests have gone to all of the new containers, all of it can be taken back.
    let proven: Vec<Step> = proven.into_iter().chain(routed.switched).collect();
    take_over(&mut services, &proven, routed, &mut builder);
    let committed = builder_end(&services);
    for service in &services {
        service.restart(&replaced, &committed, &mut builder);
    }
    let orphans = orphans(wanted, observed, &proven, &mut builder);
    conflicts.extend(resources.conflicts);
    Plan {
        app: wanted.app.clone(),
        release: wanted.release.clone(),
        operations: builder.into_operations(),
        orphans,
        warnings: resources.warnings,
        conflicts,
    }
}

/// Gives the new containers their places. Old ones that share namespaces go before those that they
/// share them with: Podman wants it so.
fn take_over(
    services: &mut [ServicePlan<'_>],
    proven: &[Step],
    routed: Routed,
    builder: &mut Builder,
) {
    let shares = |service: &ServicePlan<'_>| !service.service().shares_with.is_empty();
    let mut order: Vec<usize> = (0..services.len()).collect();
    // Services come after what they share with, so the last goes first.
    order.sort_by_key(|&at| match shares(&services[at]) {
        true => (0, services.len() - at),
        false => (1, at),
    });
    let mut gone: BTreeMap<Name, Vec<Step>> = BTreeMap::new();
    for at in order {
        let service = &mut services[at];
        let sharers = gone.remove(service.name()).unwrap_or_default();
        let removed = service.take_over(proven, &sharers, routed, builder);
        for other in &service.service().shares_with {
            let steps = gone.entry(other.clone()).or_default();
            steps.extend(removed.iter().copied());
        }
        service.tag(builder);
    }
}

/// The steps after which each service's new containers have their places.
fn builder_end(services: &[ServicePlan<'_>]) -> BTreeMap<Name, Vec<Step>> {
    let ends = services
        .iter()
        .map(|service| (service.name().clone(), service.committed().to_vec()));
    ends.collect()
}

/// What others can wait for of one service.
#[derive(Debug, Default, Clone)]
pub struct Gate {
    /// Its containers are started.
    pub started: Vec<Step>,
    /// They are healthy, or have ended well.
    pub ready: Vec<Step>,
    /// Plugins have acted on them.
    pub acted: Vec<Step>,
}

impl Gate {
    /// The last steps before they take the places of the old ones.
    fn proofs(&self) -> impl Iterator<Item = Step> {
        self.ready.iter().chain(&self.acted).copied()
    }
}

/// Those of the services that are planned already.
#[derive(Debug, Default)]
pub struct Gates {
    services: BTreeMap<Name, Gate>,
}

impl Gates {
    /// What a service's containers wait for.
    fn before(&self, service: &ServicePlan<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        for (name, dependency) in &service.service().depends_on {
            let Some(gate) = self.services.get(name) else {
                continue;
            };
            steps.extend(match dependency.condition {
                crate::app::Condition::Started => &gate.started,
                crate::app::Condition::Healthy | crate::app::Condition::Completed => &gate.ready,
            });
        }
        steps
    }

    /// When the containers of these services are started.
    pub fn started(&self, names: &[Name]) -> Vec<Step> {
        let gates = names.iter().filter_map(|name| self.services.get(name));
        gates.flat_map(|gate| gate.started.clone()).collect()
    }
}

/// Removes what belongs to no service any more, or tells of it.
fn orphans(
    wanted: &Wanted,
    observed: &Observed,
    proven: &[Step],
    builder: &mut Builder,
) -> Vec<String> {
    let known = |name: &Name| wanted.services.iter().any(|service| service.name == *name);
    let containers = observed
        .containers
        .iter()
        .filter(|container| !container.service.as_ref().is_some_and(known));
    let networks = resources::orphans(wanted, observed);
    if !wanted.remove_orphans {
        let containers = containers.map(|container| container.name.clone());
        let networks = networks.map(|network| format!("network {}", network.name));
        return containers.chain(networks).collect();
    }
    let mut removed = Vec::new();
    for container in containers {
        let proven = proven.iter().copied();
        let kind = remove(container);
        removed.push(builder.push(Owner::APP, kind, Cause::Orphan, proven));
    }
    for network in networks {
        let kind = OperationKind::RemoveNetwork {
            id: network.id.clone(),
            network: network.name.clone(),
        };
        let after = removed.iter().chain(proven).copied();
        builder.push(Owner::APP, kind, Cause::Orphan, after);
    }
    Vec::new()
}

pub fn remove(container: &ObservedContainer) -> OperationKind {
    OperationKind::Remove {
        id: container.id.clone(),
        container: container.name.clone(),
    }
}

/// True if a container is to be made.
pub fn is_new(fate: &Fate<'_>) -> bool {
    matches!(fate, Fate::Replace { .. })
}
