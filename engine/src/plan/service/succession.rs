//! New containers take the places of old ones.

use std::collections::{BTreeMap, BTreeSet};

use super::super::builder::{Builder, Step};
use super::super::edge::Routed;
use super::super::observed::ObservedContainer;
use super::super::planner::remove;
use super::super::{Cause, OperationKind};
use super::{Fate, ServicePlan, stop};
use crate::app::Name;

impl<'a> ServicePlan<'a> {
    /// Gives the new containers the places of the old ones, once all of the app's are well.
    ///
    /// Old ones are removed after `sharers`, too; gives the steps that remove them.
    pub fn take_over(
        &mut self,
        proven: &[Step],
        sharers: &[Step],
        routed: Routed,
        builder: &mut Builder,
    ) -> Vec<Step> {
        let mut removed = Vec::new();
        let side_by_side = self.can_run_beside();
        let places = std::mem::take(&mut self.places);
        for (replica, fate) in (1..).zip(&places) {
            let (old, stopped, own) = match fate {
                Fate::Replace {
                    old,
                    stopped,
                    proven,
                    ..
                } => (old, stopped, proven),
                Fate::Keep(_) => continue,
            };
            let name = self.container_name(replica);
            let mut after: Vec<Step> = proven.iter().copied().chain(*own).collect();
            let holder = old.iter().find(|old| old.name == name);
            if let Some(old) = holder.filter(|old| !old.is_unproven()) {
                let kind = OperationKind::Rename {
                    id: old.id.clone(),
                    container: old.name.clone(),
                    to: format!("{name}{}", ObservedContainer::ASIDE_SUFFIX),
                };
                let step = self.push(builder, replica, kind, Cause::Replaced, after.clone());
                after.push(step);
            }
            let commit = OperationKind::Commit { container: name };
            let committed = self.push(builder, replica, commit, Cause::Next, after);
            self.committed.push(committed);
            for old in old.iter().filter(|old| !old.is_unproven()) {
                let mut last = committed;
                if old.is_running() && side_by_side && stopped.is_empty() {
                    let kind = stop(old);
                    let after = [committed].into_iter().chain(self.drained(routed));
                    last = self.push(builder, replica, kind, Cause::Replaced, after);
                }
                let after = sharers.iter().copied().chain([last]);
                removed.push(self.push(builder, replica, remove(old), Cause::Replaced, after));
            }
        }
        let mut gone = Vec::new();
        for (spare, cause) in &self.spare {
            let mut after: Vec<Step> = proven.to_vec();
            after.extend(self.drained(routed));
            if spare.is_running() {
                let kind = stop(spare);
                let replica = spare.replica;
                after = vec![self.push(builder, replica, kind, cause.clone(), after)];
            }
            let kind = remove(spare);
            after.extend(sharers);
            gone.push(self.push(builder, spare.replica, kind, cause.clone(), after));
        }
        for (replica, fate) in (1..).zip(&places) {
            // Requests go to it, and the deploy that saw to that ended before it had its name.
            if let Fate::Keep(current) = fate
                && current.is_candidate()
            {
                let kind = OperationKind::Rename {
                    id: current.id.clone(),
                    container: current.name.clone(),
                    to: current.final_name().to_owned(),
                };
                let after = gone.iter().copied();
                self.push(builder, replica, kind, Cause::Unfinished, after);
            }
        }
        self.places = places;
        removed.extend(gone);
        removed
    }

    /// What the containers wait for that answered before.
    fn drained(&self, routed: Routed) -> Option<Step> {
        routed.drained.filter(|_| self.service.edge.is_some())
    }

    /// Stops the containers that hold ports which the edge is to have. Once, when the edge comes.
    pub fn release_ports(
        &mut self,
        ports: &BTreeSet<u16>,
        proven: &[Step],
        builder: &mut Builder,
    ) -> Vec<Step> {
        let mut places = std::mem::take(&mut self.places);
        let mut all = Vec::new();
        for (replica, fate) in (1..).zip(&mut places) {
            let Fate::Replace { old, stopped, .. } = fate else {
                continue;
            };
            for old in old.iter().filter(|old| old.is_running()) {
                let holds = old.edge_target.is_none()
                    && old.ports.iter().any(|port| ports.contains(&port.host_port));
                if holds && !old.is_unproven() && stopped.is_empty() {
                    let after = proven.iter().copied();
                    let step = self.push(builder, replica, stop(old), Cause::Replaced, after);
                    stopped.push(step);
                    all.push(step);
                }
            }
        }
        self.places = places;
        all
    }

    /// Starts containers again that stay, where a service that they depend on is replaced and they
    /// ask for that.
    pub fn restart(
        &self,
        replaced: &BTreeSet<Name>,
        committed: &BTreeMap<Name, Vec<Step>>,
        builder: &mut Builder,
    ) {
        let other = self
            .service
            .depends_on
            .iter()
            .find(|(name, dependency)| dependency.restart && replaced.contains(*name));
        let Some((other, _)) = other else { return };
        for (replica, fate) in (1..).zip(&self.places) {
            let Fate::Keep(current) = fate else { continue };
            if !current.is_running() {
                continue;
            }
            let kind = OperationKind::Restart {
                id: current.id.clone(),
                container: current.name.clone(),
            };
            let cause = Cause::DependencyReplaced {
                service: other.clone(),
            };
            let after = committed.get(other).into_iter().flatten().copied();
            let restarted = self.push(builder, replica, kind, cause, after);
            let kind = OperationKind::Await {
                id: current.id.clone(),
                container: current.name.clone(),
            };
            self.push(builder, replica, kind, Cause::Next, [restarted]);
        }
    }
}
