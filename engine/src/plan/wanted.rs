//! What should be there: the effective app, in the words of the planner.

use std::borrow::Cow;
use std::collections::BTreeSet;

use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use super::edge::EdgeService;
use crate::app::{
    Batches, Condition, ContainerSpec, Dependency, Fields, ImageBuild, ImageSource, Name, Network,
    PullPolicy, Strategy, Volume, hex,
};
use crate::secrets::Redactor;

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
    /// The ids of containers that are replaced though they are as they should be: they are not well.
    pub unwell: BTreeSet<String>,
    /// Takes secrets out of what is kept in labels.
    pub redactor: Redactor,
    /// Its services, in order.
    pub services: Vec<WantedService>,
    /// Its networks, by the names that the app has for them.
    pub networks: IndexMap<String, Network>,
    /// Its volumes, by the names that the app has for them.
    pub volumes: IndexMap<String, Volume>,
}

/// One service that should be there.
#[derive(Debug, Clone)]
pub struct WantedService {
    /// Its name.
    pub name: Name,
    /// Where its image comes from.
    pub image: ImageSource,
    /// The id of the image, where it is to be one that is there and no other.
    pub image_id: Option<String>,
    /// What its image is built from, as [`build_inputs`] gives it; empty if it is not built.
    pub build_inputs: Fields,
    /// The base images of its Dockerfile, as they are written there.
    pub bases: Vec<String>,
    /// How its containers run.
    pub container: ContainerSpec,
    /// How many there are.
    pub replicas: u32,
    /// The name of its one container; `None` for a name of rengine's own.
    pub container_name: Option<String>,
    /// When its image is fetched, where it is not built.
    pub pull: PullPolicy,
    /// What the edge does for it; nothing, if it publishes its ports itself.
    pub edge: Option<EdgeService>,
    /// How its new containers take the places of the old ones; what fits it, if `None`.
    pub strategy: Option<Strategy>,
    /// How many of its containers are replaced at a time, where they roll; all, if `None`.
    pub batches: Option<Batches>,
    /// What has to be there before its containers start.
    pub depends_on: IndexMap<Name, Dependency>,
    /// The services whose containers it shares a namespace or volumes with.
    pub shares_with: Vec<Name>,
    /// The services whose images its own is built from.
    pub builds_on: Vec<Name>,
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

impl Wanted {
    /// True if a service ends by itself, and others wait for that.
    pub fn is_job(&self, service: &Name) -> bool {
        self.services.iter().any(|other| {
            let dependency = other.depends_on.get(service);
            dependency.is_some_and(|dependency| dependency.condition == Condition::Completed)
        })
    }

    /// The service whose image is to have a name: of several that ask for it the first, so that
    /// it does not go from one to the other with each deploy.
    pub(super) fn tagged(&self, tag: &str) -> Option<&Name> {
        let mut services = self.services.iter();
        let asks = |service: &&WantedService| service.image.gives(tag);
        services.find(asks).map(|service| &service.name)
    }

    /// The service that builds what this one runs, where it is another.
    pub fn builder_of(&self, service: &WantedService) -> Option<&Name> {
        self.tagged(service.image.reference()?)
    }

    /// The services whose images have to be there for that of a service, and itself.
    pub fn image_owners(&self, service: &Name) -> Vec<&Name> {
        let mut ordered = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        if let Some(service) = self.services.iter().find(|one| one.name == *service) {
            let needs = |service| self.image_needs(service);
            self.visit(service, &needs, &mut seen, &mut ordered);
        }
        ordered.into_iter().map(|service| &service.name).collect()
    }

    /// What has to be built before a service's image.
    fn image_needs<'a>(&'a self, service: &'a WantedService) -> impl Iterator<Item = &'a Name> {
        service.builds_on.iter().chain(self.builder_of(service))
    }

    /// The services in an order in which their images can be made: as in [`Self::in_order`] where
    /// none is made from another's.
    pub(super) fn in_image_order(&self) -> Vec<&Name> {
        let mut ordered = Vec::with_capacity(self.services.len());
        let mut seen = std::collections::BTreeSet::new();
        for service in self.in_order() {
            let needs = |service| self.image_needs(service);
            self.visit(service, &needs, &mut seen, &mut ordered);
        }
        ordered.into_iter().map(|service| &service.name).collect()
    }

    /// The services, each after those that it depends on. A circle is broken somewhere: who reads
    /// an app looks for those.
    pub(super) fn in_order(&self) -> Vec<&WantedService> {
        let mut ordered = Vec::with_capacity(self.services.len());
        let mut seen = std::collections::BTreeSet::new();
        for service in &self.services {
            let needs = started_before;
            self.visit(service, &needs, &mut seen, &mut ordered);
        }
        ordered
    }

    fn visit<'a, I: Iterator<Item = &'a Name>>(
        &'a self,
        service: &'a WantedService,
        needs: &impl Fn(&'a WantedService) -> I,
        seen: &mut std::collections::BTreeSet<&'a Name>,
        ordered: &mut Vec<&'a WantedService>,
    ) {
        if !seen.insert(&service.name) {
            return;
        }
        for name in needs(service) {
            if let Some(other) = self.services.iter().find(|other| other.name == *name) {
                self.visit(other, needs, seen, ordered);
            }
        }
        ordered.push(service);
    }
}

/// What has to be there before a service's containers.
fn started_before(service: &WantedService) -> impl Iterator<Item = &Name> {
    service.depends_on.keys().chain(&service.shares_with)
}

/// What stands for the daemon's own choice.
const DEFAULT: &str = "default";

/// What a network is made from.
pub fn network_inputs(network: &Network) -> Fields {
    let mut inputs = Fields::of(network);
    // So that there is always one: a network without any was made by another tool.
    let driver = network.driver.as_deref().unwrap_or(DEFAULT);
    inputs.set("driver", driver.to_owned());
    inputs
}

/// What a volume is made from.
pub fn volume_inputs(volume: &Volume) -> Fields {
    let mut inputs = Fields::of(volume);
    let driver = volume.driver.as_deref().unwrap_or(DEFAULT);
    inputs.set("driver", driver.to_owned());
    inputs
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
