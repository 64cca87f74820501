//! What one service needs: its image, its containers, and the places of the old ones.

mod batches;
mod fate;
mod image;
mod succession;

use std::collections::BTreeSet;

use super::builder::{Builder, Owner, Step};
use super::edge::{Edges, target_name};
use super::observed::{Observed, ObservedContainer};
use super::planner::{Gate, Gates, remove};
use super::resources::Resources;
use super::wanted::{Wanted, WantedService, container_inputs};
use super::{Cause, OperationKind, Start};
use crate::app::{Fields, MountSource, Name, Strategy};
use batches::Pace;

/// The image that the containers are to have.
#[derive(Clone)]
pub enum Image {
    /// The daemon has it.
    There(String),
    /// It is pulled or built first.
    Coming(Step),
}

impl Image {
    fn id(&self) -> Option<&str> {
        match self {
            Self::There(id) => Some(id),
            Self::Coming(_) => None,
        }
    }

    fn step(&self) -> Option<Step> {
        match self {
            Self::There(_) => None,
            Self::Coming(step) => Some(*step),
        }
    }
}

/// What becomes of one of a service's places, each for a container.
pub enum Fate<'a> {
    /// The container that is there stays.
    Keep(&'a ObservedContainer),
    /// A new one takes its place.
    Replace {
        cause: Cause,
        /// Those that are there, the one that counts first.
        old: Vec<&'a ObservedContainer>,
        /// The steps that stop them.
        stopped: Vec<Step>,
        /// The last step before it takes over.
        proven: Option<Step>,
    },
}

/// What of the services before it one waits for.
#[derive(Clone, Copy)]
pub struct Earlier<'a> {
    /// What its containers wait for before they start.
    pub wait: &'a [Step],
    /// Where the others stand.
    pub gates: &'a Gates,
    /// Those with new containers.
    pub replaced: &'a BTreeSet<Name>,
}

/// What all new containers of a service wait for.
struct Before<'a> {
    /// Before they are made.
    made: Vec<Step>,
    /// Before they start.
    wait: &'a [Step],
    /// What an unfinished deploy left is gone.
    cleared: Vec<Step>,
    /// Requests go to nobody any more whom an unfinished deploy was trying out.
    recalled: Vec<Step>,
}

/// The plan of one service, as it comes together.
pub struct ServicePlan<'a> {
    wanted: &'a Wanted,
    observed: &'a Observed,
    service: &'a WantedService,
    inputs: Fields,
    image: Option<Image>,
    /// For each place from 1, its containers and what becomes of it.
    places: Vec<Fate<'a>>,
    /// Containers that stay beside none: of places that are not wanted, and leftovers.
    spare: Vec<(&'a ObservedContainer, Cause)>,
    committed: Vec<Step>,
    /// The steps that remove what an unfinished deploy left.
    cleared: Vec<Step>,
}

impl<'a> ServicePlan<'a> {
    pub fn new(wanted: &'a Wanted, observed: &'a Observed, service: &'a WantedService) -> Self {
        Self {
            wanted,
            observed,
            service,
            inputs: container_inputs(&service.container, &wanted.redactor),
            image: None,
            places: Vec::new(),
            spare: Vec::new(),
            committed: Vec::new(),
            cleared: Vec::new(),
        }
    }

    pub fn name(&self) -> &'a Name {
        &self.service.name
    }

    pub fn service(&self) -> &'a WantedService {
        self.service
    }

    /// The last steps of its new containers.
    pub fn committed(&self) -> &[Step] {
        &self.committed
    }

    fn push(
        &self,
        builder: &mut Builder,
        replica: u32,
        kind: OperationKind,
        cause: Cause,
        after: impl IntoIterator<Item = Step>,
    ) -> Step {
        let service = self.service;
        let plugins: &[String] = match &kind {
            OperationKind::Build { .. } => &service.build_plugins,
            OperationKind::PostBuild { .. } => &service.post_build_plugins,
            OperationKind::Create { .. } => &service.run_plugins,
            OperationKind::Health => &service.health_plugins,
            OperationKind::PostRun => &service.post_run_plugins,
            OperationKind::Stop { .. } => &service.pre_stop_plugins,
            _ => &[],
        };
        let owner = Owner {
            service: Some(&service.name),
            replica,
            plugins,
        };
        builder.push(owner, kind, cause, after)
    }

    /// Stops what runs, because a network that it is in goes.
    pub fn stop_all(&mut self, builder: &mut Builder) -> Vec<Step> {
        let mut all = Vec::new();
        let mut places = std::mem::take(&mut self.places);
        for (replica, fate) in (1..).zip(&mut places) {
            if let Fate::Replace { old, stopped, .. } = fate {
                for old in old.iter().filter(|old| old.is_running()) {
                    let kind = stop(old);
                    stopped.push(self.push(builder, replica, kind, Cause::Replaced, []));
                }
                all.extend(stopped.iter().copied());
            }
        }
        self.places = places;
        all
    }

    /// Makes and starts the new containers, and waits until they are well.
    pub fn bring_up(
        &mut self,
        earlier: Earlier<'_>,
        resources: &Resources,
        edges: &mut Edges<'_>,
        builder: &mut Builder,
    ) -> Gate {
        let mut gate = Gate::default();
        let mut places = std::mem::take(&mut self.places);
        let mut made: Vec<Step> = self.made_before(resources, earlier.gates);
        made.extend(self.image.as_ref().and_then(Image::step));
        made.extend(self.post_build(&places, builder));
        let recalled = edges.recalled().to_vec();
        let before = Before {
            made,
            wait: earlier.wait,
            cleared: self.clear(&recalled, builder),
            recalled,
        };
        for (replica, fate) in (1..).zip(&places) {
            if let Fate::Keep(current) = fate {
                let (cleared, replaced) = (&before.cleared, earlier.replaced);
                self.keep(current, replica, cleared, replaced, &mut gate, builder);
            }
        }
        match self.batches(&places, edges) {
            Some(sizes) => {
                let pace = Pace { sizes, resources };
                self.in_batches(&mut places, pace, &before, edges, &mut gate, builder);
            }
            None => {
                for (replica, fate) in (1..).zip(&mut places) {
                    self.replace(fate, replica, &before, &[], &mut gate, builder);
                }
            }
        }
        self.places = places;
        gate
    }

    /// Makes and starts the new container of a place, after `turn`; gives the last step before it
    /// could take over.
    fn replace(
        &mut self,
        fate: &mut Fate<'a>,
        replica: u32,
        before: &Before<'_>,
        turn: &[Step],
        gate: &mut Gate,
        builder: &mut Builder,
    ) -> Option<Step> {
        let Fate::Replace {
            cause,
            old,
            stopped,
            proven,
        } = fate
        else {
            return None;
        };
        let create = OperationKind::Create {
            container: self.container_name(replica),
            image: self.image.as_ref().and_then(Image::id).map(str::to_owned),
            inputs: self.inputs.clone(),
        };
        let after = before.made.iter().chain(turn).copied();
        let created = self.push(builder, replica, create, cause.clone(), after);
        let side_by_side = self.can_run_beside();
        let mut ready = before.cleared.clone();
        ready.push(created);
        for old in old.iter() {
            if old.is_unproven() {
                let recalled = before.recalled.iter().copied();
                let step = self.push(builder, replica, remove(old), Cause::Unfinished, recalled);
                self.cleared.push(step);
                ready.push(step);
            } else if old.is_running() && !side_by_side && stopped.is_empty() {
                // As late as can be: when all that the new one waits for is there. Of
                // several containers one after the other, so that the others serve.
                let last = gate.ready.last().copied();
                let after = [created].into_iter();
                let after = after.chain(before.wait.iter().copied()).chain(last);
                let step = self.push(builder, replica, stop(old), Cause::Replaced, after);
                ready.push(step);
            }
        }
        ready.extend(stopped.iter().chain(before.wait).copied());
        let start = OperationKind::Start {
            what: Start::Created,
        };
        let started = self.push(builder, replica, start, Cause::Next, ready);
        gate.started.push(started);
        let ready = self.push(builder, replica, self.proof(), Cause::Next, [started]);
        gate.ready.push(ready);
        let mut last = ready;
        if !self.service.post_run_plugins.is_empty() {
            let kind = OperationKind::PostRun;
            last = self.push(builder, replica, kind, Cause::Next, [ready]);
            gate.acted.push(last);
        }
        *proven = Some(last);
        *proven
    }

    /// Removes what unfinished deploys left: it may hold a port that is needed now.
    fn clear(&mut self, recalled: &[Step], builder: &mut Builder) -> Vec<Step> {
        let (left, spare) = std::mem::take(&mut self.spare)
            .into_iter()
            .partition(|(spare, _)| spare.is_unproven());
        self.spare = spare;
        let left: Vec<(&ObservedContainer, Cause)> = left;
        let steps = left.into_iter().map(|(left, cause)| {
            let after = recalled.iter().copied();
            self.push(builder, left.replica, remove(left), cause, after)
        });
        let steps: Vec<Step> = steps.collect();
        self.cleared.extend(&steps);
        steps
    }

    /// The steps that remove what an unfinished deploy left.
    pub fn cleared(&self) -> Vec<Step> {
        self.cleared.clone()
    }

    /// What has to be there before a container can be made.
    fn made_before(&self, resources: &Resources, gates: &Gates) -> Vec<Step> {
        let spec = &self.service.container;
        let networks = spec.networks.keys();
        let networks = networks.filter_map(|network| resources.networks.get(network));
        let volumes = spec.mounts.iter();
        let volumes = volumes.filter_map(|mount| resources.volumes.get(mount.source.volume()?));
        let mut made: Vec<Step> = networks.chain(volumes).copied().collect();
        made.extend(gates.started(&self.service.shares_with));
        made
    }

    /// How a started container shows that it is well.
    fn proof(&self) -> OperationKind {
        match self.wanted.is_job(&self.service.name) {
            true => OperationKind::Complete,
            false => OperationKind::Health,
        }
    }

    /// The names under which the edge finds its containers.
    pub fn targets(&self) -> Vec<String> {
        let each = (1..)
            .zip(&self.places)
            .filter_map(|(replica, fate)| match fate {
                Fate::Keep(current) => current.edge_target.clone(),
                Fate::Replace { .. } => {
                    Some(target_name(self.name(), replica, &self.wanted.release))
                }
            });
        each.collect()
    }

    fn container_name(&self, replica: u32) -> String {
        if let Some(name) = &self.service.container_name {
            return name.clone();
        }
        let Wanted { app, release, .. } = self.wanted;
        let service = &self.service.name;
        match self.service.replicas {
            1 => format!("{app}-{service}-{release}"),
            _ => format!("{app}-{service}-{release}-{replica}"),
        }
    }

    /// True if the new container can run while the old one still does: they would not fight
    /// over a port of the host, nor write to the same volume.
    fn can_run_beside(&self) -> bool {
        let spec = &self.service.container;
        let fixed_port = spec.ports.iter().any(|port| port.host_port.is_some());
        let shares_data = spec
            .mounts
            .iter()
            .any(|mount| !mount.read_only && !matches!(mount.source, MountSource::Anonymous))
            || spec.volumes_from.iter().any(|volumes| !volumes.read_only);
        match self.service.strategy {
            Some(Strategy::Recreate) => return false,
            // It was said that it can.
            Some(Strategy::Rolling | Strategy::Canary(_)) => {}
            None if shares_data => return false,
            None => {}
        }
        let host_network = spec
            .network_mode
            .as_deref()
            .is_some_and(|mode| mode == "host" || mode.starts_with("container:"));
        let fixed_address = spec.networks.values().any(|network| {
            network.ipv4.is_some() || network.ipv6.is_some() || network.mac.is_some()
        });
        !fixed_port && !host_network && !fixed_address
    }
}

fn stop(container: &ObservedContainer) -> OperationKind {
    OperationKind::Stop {
        id: container.id.clone(),
        container: container.name.clone(),
    }
}
