//! What becomes of the containers that are there.

use std::collections::BTreeSet;

use super::super::builder::{Builder, Step};
use super::super::changed::changed;
use super::super::observed::{ContainerState, ObservedContainer};
use super::super::planner::{Gate, is_new};
use super::super::resources::Resources;
use super::super::wanted::WantedService;
use super::super::{Cause, OperationKind, Start};
use super::{Fate, Image, ServicePlan};
use crate::app::{Condition, Name};

impl<'a> ServicePlan<'a> {
    /// True if it is in a network that is made anew.
    pub fn joins(&self, resources: &Resources) -> bool {
        let mut networks = self.service.container.networks.keys();
        networks.any(|network| resources.replaced.contains_key(network))
    }

    /// Why its containers have to be made anew even if nothing of their own changed.
    pub fn forced(&self, resources: &Resources, replaced: &BTreeSet<Name>) -> Option<Cause> {
        if self.wanted.rebuild {
            return Some(Cause::Asked);
        }
        let network = self
            .service
            .container
            .networks
            .keys()
            .find(|network| resources.replaced.contains_key(*network));
        if let Some(network) = network {
            return Some(Cause::NetworkChanged {
                network: network.clone(),
            });
        }
        let other = self.service.shares_with.iter();
        let other = other.into_iter().find(|other| replaced.contains(*other))?;
        Some(Cause::DependencyReplaced {
            service: other.clone(),
        })
    }

    /// Decides what becomes of each place; true if there is a new container.
    pub fn decide(&mut self, forced: Option<Cause>) -> bool {
        let mut containers: Vec<&ObservedContainer> = self
            .observed
            .containers
            .iter()
            .filter(|container| container.service.as_ref() == Some(&self.service.name))
            .collect();
        containers.sort_by_key(|container| std::cmp::Reverse(container.created));
        let fingerprint = self.inputs.fingerprint();
        let image = self.image.as_ref().and_then(Image::id).map(str::to_owned);
        for place in 1..=self.service.replicas {
            let (here, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut containers)
                .into_iter()
                .partition(|container| container.replica == place);
            containers = rest;
            // A daemon goes on with stopping a container when the deploy that asked for it is no
            // more, and does not tell: so one may be as good as stopped if requests go to another
            // one already, or if an unfinished deploy left one that could not run beside it.
            let leaving = |container: &ObservedContainer| {
                let mut others = here.iter();
                others.any(|other| match other.is_unproven() {
                    true => other.edge_target.is_none() && container.is_running(),
                    false => other.routed && !container.routed,
                })
            };
            // The one to keep: a running one before one that is not.
            let (running, resting): (Vec<_>, Vec<_>) =
                here.iter().partition(|container| container.is_running());
            let fits = |container: &&&ObservedContainer| {
                !container.is_unproven()
                    && !leaving(container)
                    && forced.is_none()
                    && !self.wanted.unwell.contains(&container.id)
                    && container.edge_target.is_some() == self.service.edge.is_some()
                    && container.fingerprint == fingerprint
                    && image.as_ref() == Some(&container.image_id)
            };
            let current = running.iter().chain(&resting).copied().find(|c| fits(&c));
            let fate = match current {
                Some(current) => {
                    let others = here.iter().filter(|other| other.id != current.id);
                    self.spare.extend(others.map(|other| {
                        let cause = match other.is_unproven() {
                            true => Cause::Unfinished,
                            false => Cause::Replaced,
                        };
                        (*other, cause)
                    }));
                    Fate::Keep(current)
                }
                None => Fate::Replace {
                    cause: self.why_replace(&here, forced.clone(), &fingerprint),
                    old: here,
                    stopped: Vec::new(),
                    proven: None,
                },
            };
            self.places.push(fate);
        }
        self.spare
            .extend(containers.into_iter().map(|other| (other, Cause::Scaled)));
        self.places.iter().any(is_new)
    }

    fn has_image(&self, container: &ObservedContainer) -> bool {
        let image = self.image.as_ref().and_then(Image::id);
        image == Some(container.image_id.as_str())
    }

    fn why_replace(
        &self,
        here: &[&ObservedContainer],
        forced: Option<Cause>,
        fingerprint: &str,
    ) -> Cause {
        let proven = here.iter().find(|container| !container.is_unproven());
        match (proven, forced) {
            (None, _) => Cause::NoContainer,
            (Some(_), Some(cause)) => cause,
            (Some(old), None) if self.wanted.unwell.contains(&old.id) => Cause::Unhealthy,
            (Some(old), None) if old.fingerprint != fingerprint => {
                changed(&old.inputs, &self.inputs)
            }
            (Some(old), None) if self.has_image(old) => Cause::Unfinished,
            (Some(_), None) => Cause::NewImage,
        }
    }

    /// The container is the right one: sees that it runs.
    pub(super) fn keep(
        &self,
        current: &ObservedContainer,
        replica: u32,
        cleared: &[Step],
        replaced: &BTreeSet<Name>,
        gate: &mut Gate,
        builder: &mut Builder,
    ) {
        let named = self.service.container_name.as_ref();
        if let Some(name) = named.filter(|name| **name != current.final_name()) {
            let kind = OperationKind::Rename {
                id: current.id.clone(),
                container: current.name.clone(),
                to: name.clone(),
            };
            self.push(builder, replica, kind, Cause::Unfinished, []);
        }
        let is_job = self.wanted.is_job(&self.service.name);
        // It did what it is for, and is not asked to do it again.
        if is_job && current.state == ContainerState::Exited && current.exit_code == Some(0) {
            return;
        }
        if !current.is_running() {
            let what = Start::Existing {
                id: current.id.clone(),
                container: current.name.clone(),
            };
            let kind = OperationKind::Start { what };
            let cleared = cleared.iter().copied();
            let started = self.push(builder, replica, kind, Cause::NotRunning, cleared);
            gate.started.push(started);
            let ready = self.push(builder, replica, self.proof(), Cause::Next, [started]);
            gate.ready.push(ready);
        } else if !current.is_well() && self.is_awaited(replaced) {
            let kind = OperationKind::Await {
                id: current.id.clone(),
                container: current.name.clone(),
            };
            let ready = self.push(builder, replica, kind, Cause::NotHealthy, []);
            gate.ready.push(ready);
        }
    }

    /// True if a service with new containers waits until this one is healthy.
    fn is_awaited(&self, replaced: &BTreeSet<Name>) -> bool {
        let mut others = self.wanted.services.iter();
        let waits = |other: &WantedService| {
            let dependency = other.depends_on.get(&self.service.name);
            dependency.is_some_and(|dependency| dependency.condition == Condition::Healthy)
        };
        // Which of them are replaced is known only of those that came before; to wait once too
        // often costs one look.
        others.any(|other| waits(other) && (replaced.is_empty() || replaced.contains(&other.name)))
    }
}
