//! What one service needs: its image, its containers, and the places of the old ones.

mod batches;

use std::collections::{BTreeMap, BTreeSet};

use super::builder::{Builder, Owner, Step};
use super::changed::changed;
use super::edge::{Edges, Routed, target_name};
use super::observed::{ContainerState, Observed, ObservedContainer};
use super::planner::{Gate, Gates, is_new, remove};
use super::resources::Resources;
use super::wanted::{Wanted, WantedService, container_inputs};
use super::{Cause, OperationKind, Start};
use crate::app::{
    Condition, Fields, ImageSource, MountSource, Name, PullPolicy, SERVICE_MODE, Strategy, familiar,
};
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

    /// Finds the image, or plans to get it. `images` has those of the services before it.
    pub fn get_image(&mut self, images: &BTreeMap<&Name, Image>, builder: &mut Builder) -> Image {
        if let Some(id) = &self.service.image_id {
            let image = Image::There(id.clone());
            self.image = Some(image.clone());
            return image;
        }
        let built = self.wanted.builder_of(self.service);
        let image = match built.and_then(|other| images.get(other)) {
            Some(image) => image.clone(),
            None => self.own_image(images, builder),
        };
        self.image = Some(image.clone());
        image
    }

    fn own_image(&self, images: &BTreeMap<&Name, Image>, builder: &mut Builder) -> Image {
        match &self.service.image {
            ImageSource::Image(reference) => match self.observed.references.get(reference) {
                Some(facts) => Image::There(facts.id.clone()),
                None if self.service.pull == PullPolicy::Never => {
                    // It is a conflict; what is planned tells what would be done.
                    Image::There(reference.clone())
                }
                None => {
                    let kind = OperationKind::Pull {
                        reference: reference.clone(),
                    };
                    Image::Coming(self.push(builder, 0, kind, Cause::NoImage, []))
                }
            },
            ImageSource::Build(_) => {
                let on = self.service.builds_on.iter();
                let mut coming = on.filter_map(|other| Some((other, images.get(other)?.step()?)));
                let steps: Vec<Step> = coming.clone().map(|(_, step)| step).collect();
                let cause = match (self.why_build(), coming.next()) {
                    (Ok(id), None) => return Image::There(id),
                    // What it is built on may be another image under the same name.
                    (Ok(_), Some((other, _))) => Cause::BaseChanged {
                        reference: format!("{SERVICE_MODE}{other}"),
                    },
                    (Err(cause), _) => cause,
                };
                let kind = OperationKind::Build {
                    inputs: self.service.build_inputs.clone(),
                    bases: self.bases(),
                };
                Image::Coming(self.push(builder, 0, kind, cause, steps))
            }
        }
    }

    /// The base images that the daemon has.
    fn bases(&self) -> BTreeMap<String, String> {
        let bases = self.service.bases.iter().filter_map(|reference| {
            let facts = self.observed.references.get(reference)?;
            Some((reference.clone(), facts.id.clone()))
        });
        bases.collect()
    }

    /// The id of the image that was built from the same, or why one is to be built.
    fn why_build(&self) -> Result<String, Cause> {
        if self.wanted.rebuild {
            return Err(Cause::Asked);
        }
        let fingerprint = self.service.build_inputs.fingerprint();
        let mut images: Vec<_> = self
            .observed
            .images
            .iter()
            .filter(|image| image.service.as_ref() == Some(&self.service.name))
            .collect();
        images.sort_by_key(|image| std::cmp::Reverse(image.created));
        let Some(same) = images.iter().find(|image| image.fingerprint == fingerprint) else {
            return Err(images.first().map_or(Cause::NoImage, |last| {
                changed(&last.inputs, &self.service.build_inputs)
            }));
        };
        // A base that was not on the daemon then, or is not now, tells nothing: builders fetch
        // bases without keeping them where they can be seen.
        let now = self.bases();
        match same
            .bases
            .iter()
            .find(|(name, then)| now.get(*name).is_some_and(|now| now != *then))
        {
            Some((reference, _)) => Err(Cause::BaseChanged {
                reference: reference.clone(),
            }),
            None => Ok(same.id.clone()),
        }
    }

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

    /// Lets plugins judge a built image. Not only after a build: an image that was refused, or
    /// that an interrupted deploy left, is there too.
    fn post_build(&self, places: &[Fate<'_>], builder: &mut Builder) -> Option<Step> {
        let built = matches!(self.service.image, ImageSource::Build(_));
        let judges = !self.service.post_build_plugins.is_empty();
        if !built || !judges || !places.iter().any(is_new) {
            return None;
        }
        let image = self.image.as_ref();
        let kind = OperationKind::PostBuild {
            image: image.and_then(Image::id).map(str::to_owned),
        };
        let after = image.and_then(Image::step);
        Some(self.push(builder, 0, kind, Cause::Next, after))
    }

    /// The container is the right one: sees that it runs.
    fn keep(
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

    /// How a started container shows that it is well.
    fn proof(&self) -> OperationKind {
        match self.wanted.is_job(&self.service.name) {
            true => OperationKind::Complete,
            false => OperationKind::Health,
        }
    }

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

    /// Gives the image the names that were asked for: to what has proven healthy, as `latest`.
    pub fn tag(&self, builder: &mut Builder) {
        let Some(build) = self.service.image.build() else {
            return;
        };
        let image = self.image.as_ref();
        let id = image.and_then(Image::id);
        let own = |tag: &&String| self.wanted.tagged(tag) == Some(&self.service.name);
        let has = |tag: &String| {
            let mut images = self.observed.images.iter();
            let there = images.find(|image| Some(image.id.as_str()) == id);
            let mut tags = there.into_iter().flat_map(|image| &image.tags);
            tags.any(|there| familiar(there) == familiar(tag))
        };
        let tags: Vec<String> = build.tags.iter().filter(own).cloned().collect();
        let tags: Vec<String> = tags.into_iter().filter(|tag| !has(tag)).collect();
        if tags.is_empty() {
            return;
        }
        let kind = OperationKind::Tag {
            image: id.map(str::to_owned),
            tags,
        };
        let after = image.and_then(Image::step).into_iter();
        let after = after.chain(self.committed.iter().copied());
        self.push(builder, 0, kind, Cause::Missing, after);
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
