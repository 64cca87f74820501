//! The planner.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::observed::{ContainerState, Observed, ObservedContainer, PublishedPort};
use super::{Cause, Difference, Operation, OperationKind, Plan, PortConflict, Start};
use crate::app::{
    ContainerSpec, Fields, ImageBuild, ImageSource, MountSource, Name, PortMapping, hex,
};
use crate::secrets::Redactor;

use sha2::{Digest, Sha256};

/// What should be there.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The app's name.
    pub app: Name,
    /// The id of the release to make.
    pub release: String,
    /// True to build and replace even what did not change.
    pub rebuild: bool,
    /// True to remove the containers of services that are not in the app any more.
    pub remove_orphans: bool,
    /// Takes secrets out of what is kept in labels.
    pub redactor: Redactor,
    /// Its services, in order.
    pub services: Vec<WantedService>,
}

/// One service that should be there.
#[derive(Debug, Clone)]
pub struct WantedService {
    /// Its name.
    pub name: Name,
    /// Where its image comes from.
    pub image: ImageSource,
    /// What its image is built from, as [`build_inputs`] gives it; empty if it is not built.
    pub build_inputs: Fields,
    /// The base images of its Dockerfile, as they are written there.
    pub bases: Vec<String>,
    /// How its container runs.
    pub container: ContainerSpec,
    /// The plugins that changed the build.
    pub build_plugins: Vec<String>,
    /// The plugins that changed the container's specification.
    pub run_plugins: Vec<String>,
    /// The plugins that judge its image.
    pub post_build_plugins: Vec<String>,
    /// The plugins that decide on its health.
    pub health_plugins: Vec<String>,
    /// The plugins that act on it after it became healthy.
    pub post_run_plugins: Vec<String>,
    /// The plugins that act on a container before it is stopped.
    pub pre_stop_plugins: Vec<String>,
}

/// What an image is built from: the build's fields and the digest of its context. The
/// Dockerfile stands there by its digest, since the fields go on the image as a label.
pub fn build_inputs(build: &ImageBuild, context: &str, redactor: &Redactor) -> Fields {
    let mut inputs = Fields::of(build);
    if let Some(text) = &build.dockerfile {
        inputs.set(
            "dockerfile",
            format!("sha256:{}", hex(&Sha256::digest(text))),
        );
    }
    inputs.set("context", context.to_owned());
    sealed(inputs, redactor)
}

/// What a container is made from, but for its image, which is compared by its id.
pub fn container_inputs(spec: &ContainerSpec, redactor: &Redactor) -> Fields {
    sealed(Fields::of(spec), redactor)
}

/// Inputs go into labels, where everybody who reaches the daemon can read them: without secrets.
fn sealed(mut inputs: Fields, redactor: &Redactor) -> Fields {
    inputs.seal(|value| match redactor.redact(value) {
        Cow::Borrowed(_) => None,
        Cow::Owned(safe) => Some(safe),
    });
    inputs
}

/// Plans how to get from what is observed to what is wanted.
pub fn plan(wanted: &Wanted, observed: &Observed) -> Plan {
    let mut operations = Vec::new();
    for service in &wanted.services {
        Planner {
            wanted,
            observed,
            service,
        }
        .plan(&mut operations);
    }
    let mut orphans_left = Vec::new();
    for orphan in orphans(wanted, observed) {
        if !wanted.remove_orphans {
            orphans_left.push(orphan.name.clone());
            continue;
        }
        operations.push(Operation {
            service: None,
            kind: remove(orphan),
            cause: Cause::Orphan,
            plugins: Vec::new(),
        });
    }
    Plan {
        app: wanted.app.clone(),
        release: wanted.release.clone(),
        conflicts: conflicts(wanted, observed, &operations),
        operations,
        orphans: orphans_left,
    }
}

/// The ports that new containers need and containers outside of the app hold.
fn conflicts(wanted: &Wanted, observed: &Observed, operations: &[Operation]) -> Vec<PortConflict> {
    let created = wanted.services.iter().filter(|service| {
        operations.iter().any(|operation| {
            operation.service.as_ref() == Some(&service.name)
                && matches!(operation.kind, OperationKind::Create { .. })
        })
    });
    let conflicts = created.flat_map(|service| {
        service.container.ports.iter().filter_map(|port| {
            let taken = observed
                .taken_ports
                .iter()
                .find(|taken| collide(port, &taken.port))?;
            Some(PortConflict {
                service: service.name.clone(),
                port: taken.port.host_port,
                holder: taken.holder.clone(),
            })
        })
    });
    conflicts.collect()
}

/// True if both can't be published at once: the same port, on one address or on all of them.
fn collide(port: &PortMapping, taken: &PublishedPort) -> bool {
    let address = match port.host_address {
        Some(address) if !address.is_unspecified() => address,
        _ => return same_port(port, taken),
    };
    let theirs = taken.host_address.parse::<IpAddr>();
    let meets = theirs.is_ok_and(|theirs| theirs.is_unspecified() || theirs == address);
    meets && same_port(port, taken)
}

fn same_port(port: &PortMapping, taken: &PublishedPort) -> bool {
    port.host_port == Some(taken.host_port) && port.protocol == taken.protocol
}

/// The containers of the app that belong to none of its services.
fn orphans<'a>(
    wanted: &'a Wanted,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a ObservedContainer> {
    observed.containers.iter().filter(|container| {
        let known = |name: &Name| wanted.services.iter().any(|service| service.name == *name);
        !container.service.as_ref().is_some_and(known)
    })
}

fn remove(container: &ObservedContainer) -> OperationKind {
    OperationKind::Remove {
        id: container.id.clone(),
        container: container.name.clone(),
    }
}

struct Planner<'a> {
    wanted: &'a Wanted,
    observed: &'a Observed,
    service: &'a WantedService,
}

/// The image that the container is to have.
enum Image {
    /// The daemon has it.
    There(String),
    /// It is pulled or built first.
    Coming,
}

impl Planner<'_> {
    fn plan(&self, operations: &mut Vec<Operation>) {
        let image = self.image(operations);
        let mut containers: Vec<&ObservedContainer> = self
            .observed
            .containers
            .iter()
            .filter(|container| container.service.as_ref() == Some(&self.service.name))
            .collect();
        containers.sort_by_key(|container| std::cmp::Reverse(container.created));
        let inputs = container_inputs(&self.service.container, &self.wanted.redactor);
        let fingerprint = inputs.fingerprint();
        // The one to keep: a running one before one that is not.
        let (running, resting): (Vec<_>, Vec<_>) = containers
            .iter()
            .copied()
            .partition(|container| container.is_running());
        let current = running.iter().chain(&resting).copied().find(|container| {
            !container.is_candidate()
                && !self.wanted.rebuild
                && container.fingerprint == fingerprint
                && matches!(&image, Image::There(id) if *id == container.image_id)
        });
        match current {
            Some(current) => self.keep(current, &containers, operations),
            None => self.replace(image, &containers, inputs, operations),
        }
    }

    fn push(&self, operations: &mut Vec<Operation>, kind: OperationKind, cause: Cause) {
        let service = self.service;
        let plugins = match &kind {
            OperationKind::Build { .. } => &service.build_plugins,
            OperationKind::PostBuild { .. } => &service.post_build_plugins,
            OperationKind::Create { .. } => &service.run_plugins,
            OperationKind::Health => &service.health_plugins,
            OperationKind::PostRun => &service.post_run_plugins,
            OperationKind::Stop { .. } => &service.pre_stop_plugins,
            _ => &Vec::new(),
        };
        operations.push(Operation {
            service: Some(service.name.clone()),
            plugins: plugins.clone(),
            kind,
            cause,
        });
    }

    /// Finds the image, or plans to get it.
    fn image(&self, operations: &mut Vec<Operation>) -> Image {
        match &self.service.image {
            ImageSource::Image(reference) => match self.observed.references.get(reference) {
                Some(facts) => Image::There(facts.id.clone()),
                None => {
                    let reference = reference.clone();
                    self.push(
                        operations,
                        OperationKind::Pull { reference },
                        Cause::NoImage,
                    );
                    Image::Coming
                }
            },
            ImageSource::Build(_) => match self.why_build() {
                Ok(id) => Image::There(id),
                Err(cause) => {
                    let kind = OperationKind::Build {
                        inputs: self.service.build_inputs.clone(),
                        bases: self.bases(),
                    };
                    self.push(operations, kind, cause);
                    Image::Coming
                }
            },
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

    /// The container is the right one: sees that it runs, and that it is alone.
    fn keep(
        &self,
        current: &ObservedContainer,
        containers: &[&ObservedContainer],
        operations: &mut Vec<Operation>,
    ) {
        for other in containers.iter().filter(|other| other.id != current.id) {
            let cause = if other.is_candidate() {
                Cause::Unfinished
            } else {
                Cause::Replaced
            };
            self.push(operations, remove(other), cause);
        }
        if !current.is_running() {
            let what = Start::Existing {
                id: current.id.clone(),
                container: current.name.clone(),
            };
            self.push(operations, OperationKind::Start { what }, Cause::NotRunning);
            self.push(operations, OperationKind::Health, Cause::Next);
        }
    }

    /// Puts a new container in the place of all that are there.
    fn replace(
        &self,
        image: Image,
        containers: &[&ObservedContainer],
        inputs: Fields,
        operations: &mut Vec<Operation>,
    ) {
        let proven = containers
            .iter()
            .find(|container| !container.is_candidate());
        let cause = match proven {
            None => Cause::NoContainer,
            Some(_) if self.wanted.rebuild => Cause::Asked,
            Some(old) if old.fingerprint != inputs.fingerprint() => changed(&old.inputs, &inputs),
            Some(_) => Cause::NewImage,
        };
        let name = format!(
            "{}-{}-{}",
            self.wanted.app, self.service.name, self.wanted.release
        );
        let image = match image {
            Image::There(id) => Some(id),
            Image::Coming => None,
        };
        let built = matches!(self.service.image, ImageSource::Build(_));
        // Not only after a build: an image that was refused, or that an interrupted deploy left,
        // is there too.
        if built && !self.service.post_build_plugins.is_empty() {
            let image = image.clone();
            self.push(operations, OperationKind::PostBuild { image }, Cause::Next);
        }
        let create = OperationKind::Create {
            container: name.clone(),
            image,
            inputs,
        };
        self.push(operations, create, cause);
        let side_by_side = self.can_run_beside();
        for old in containers {
            match old {
                old if old.is_candidate() => self.push(operations, remove(old), Cause::Unfinished),
                old if old.is_running() && !side_by_side => {
                    self.push(operations, stop(old), Cause::Replaced);
                }
                _ => {}
            }
        }
        let what = Start::Created;
        self.push(operations, OperationKind::Start { what }, Cause::Next);
        self.push(operations, OperationKind::Health, Cause::Next);
        if !self.service.post_run_plugins.is_empty() {
            self.push(operations, OperationKind::PostRun, Cause::Next);
        }
        let commit = OperationKind::Commit { container: name };
        self.push(operations, commit, Cause::Next);
        for old in containers.iter().filter(|old| !old.is_candidate()) {
            if old.is_running() && side_by_side {
                self.push(operations, stop(old), Cause::Replaced);
            }
            self.push(operations, remove(old), Cause::Replaced);
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
            .any(|mount| !mount.read_only && !matches!(mount.source, MountSource::Anonymous));
        let host_network = spec
            .network_mode
            .as_deref()
            .is_some_and(|mode| mode == "host" || mode.starts_with("container:"));
        !fixed_port && !shares_data && !host_network
    }
}

fn stop(container: &ObservedContainer) -> OperationKind {
    OperationKind::Stop {
        id: container.id.clone(),
        container: container.name.clone(),
    }
}

fn changed(old: &Fields, new: &Fields) -> Cause {
    // Without the old values every field would look new.
    let differences = if old.is_empty() {
        Vec::new()
    } else {
        old.differences(new)
            .map(|(field, old, new)| Difference {
                field: field.to_owned(),
                old: old.map(str::to_owned),
                new: new.map(str::to_owned),
            })
            .collect()
    };
    Cause::Changed { differences }
}

impl ObservedContainer {
    /// What a new container's name ends in until it has proven healthy.
    pub const CANDIDATE_SUFFIX: &'static str = ".candidate";

    /// True if it was made by a deploy that did not finish: a name is changed atomically, and
    /// so is the mark of what a deploy has proven.
    pub fn is_candidate(&self) -> bool {
        self.name.ends_with(Self::CANDIDATE_SUFFIX)
    }

    /// True if its process is there.
    pub fn is_running(&self) -> bool {
        matches!(
            self.state,
            ContainerState::Running | ContainerState::Restarting | ContainerState::Paused
        )
    }
}
