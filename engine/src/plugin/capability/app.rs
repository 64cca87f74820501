//! The resources `app-model` and `service`: what `configure` changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use wasmtime::component::Resource;

use super::build::BuildResource;
use super::container::SpecResource;
use super::declared::{NetworkResource, Networks, VolumeResource, Volumes};
use super::{Changed, Shared, elements, invalid, key, line};
use crate::app::{
    App, Attachment, ContainerSpec, ImageBuild, ImageSource, MountSource, Name, Network,
    SERVICE_MODE, Service, Volume,
};
use crate::grants::Grants;
use crate::plugin::bindings::rengine::plugin::app::{Host, HostAppModel, HostService};
use crate::plugin::bindings::rengine::plugin::types::ChangeError;
use crate::plugin::call::State;
use crate::plugin::limits::{
    MAX_ALIASES, MAX_IMAGE_NAME_BYTES, MAX_NETWORKS, MAX_SERVICES, MAX_VOLUMES,
};
use crate::plugin::{ContextAccess, NoContext};

/// The build contexts of an app's services, by the service's name.
pub type Contexts = BTreeMap<Name, Arc<dyn ContextAccess>>;

/// The network that services of a Compose app are in if they say nothing.
const DEFAULT_NETWORK: &str = "default";

/// The app in the hands of a plugin: a copy, which is taken over if the call goes well.
pub struct AppResource {
    name: Name,
    services: IndexMap<Name, Parts>,
    removed: BTreeSet<Name>,
    networks: Networks,
    volumes: Volumes,
    contexts: Contexts,
    grants: Grants,
}

/// One service of it.
pub struct ServiceResource {
    name: Name,
    parts: Parts,
    networks: Networks,
    files: Arc<dyn ContextAccess>,
    grants: Grants,
}

/// What handles of a service share.
#[derive(Clone)]
struct Parts {
    image: Shared<Image>,
    container: Shared<ContainerSpec>,
    /// What plugins don't see; its image and container stand empty.
    rest: Service,
}

#[derive(Clone)]
enum Image {
    Build(Shared<ImageBuild>),
    Ready(String),
}

impl Parts {
    fn of(mut service: Service) -> Self {
        let nothing = ImageSource::Image(String::new());
        let image = match std::mem::replace(&mut service.image, nothing) {
            ImageSource::Build(build) => Image::Build(Shared::new(*build)),
            ImageSource::Image(reference) => Image::Ready(reference),
        };
        Self {
            image: Shared::new(image),
            container: Shared::new(std::mem::take(&mut service.container)),
            rest: service,
        }
    }

    fn into_service(self) -> Service {
        Service {
            image: match self.image.into_value() {
                Image::Build(build) => ImageSource::Build(Box::new(build.into_value())),
                Image::Ready(reference) => ImageSource::Image(reference),
            },
            container: self.container.into_value(),
            ..self.rest
        }
    }
}

impl AppResource {
    pub fn new(app: App, contexts: Contexts, grants: Grants) -> Self {
        let services = app.services.into_iter();
        Self {
            name: app.name,
            services: services
                .map(|(name, service)| (name, Parts::of(service)))
                .collect(),
            removed: BTreeSet::new(),
            networks: Shared::new(app.networks),
            volumes: Shared::new(app.volumes),
            contexts,
            grants,
        }
    }

    pub fn into_app(self) -> App {
        let services = self.services.into_iter();
        App {
            name: self.name,
            services: services
                .map(|(name, parts)| (name, parts.into_service()))
                .collect(),
            networks: self.networks.into_value(),
            volumes: self.volumes.into_value(),
        }
    }

    fn handle(&self, name: &str) -> Option<ServiceResource> {
        let (name, parts) = self.services.get_key_value(name)?;
        let files = self.contexts.get(name).cloned();
        Some(ServiceResource {
            name: name.clone(),
            parts: parts.clone(),
            networks: self.networks.clone(),
            files: files.unwrap_or_else(|| Arc::new(NoContext)),
            grants: self.grants.clone(),
        })
    }

    fn add(&mut self, name: &str, image: String) -> Result<(), ChangeError> {
        let name = match Name::parse(name) {
            Ok(name) => name,
            Err(error) => return invalid(error.to_string()),
        };
        reference(&image)?;
        if self.services.contains_key(&name) {
            return invalid(format!("the app has a service `{name}` already"));
        }
        // A service in its place would be without what no grant allows to take from it, such as
        // the capabilities that it drops.
        if self.removed.contains(&name) {
            return invalid(format!(
                "service `{name}` was removed in this call, and can't be replaced: change it, \
                 or choose another name"
            ));
        }
        if self.services.len() >= MAX_SERVICES {
            return invalid(format!("an app has {MAX_SERVICES} services at most"));
        }
        let image = ImageSource::Image(image);
        let mut container = ContainerSpec::default();
        // Where the app has a network of its own, all are in it who are in no other.
        if self.networks.get().contains_key(DEFAULT_NETWORK) {
            container
                .networks
                .insert(DEFAULT_NETWORK.to_owned(), Attachment::default());
        }
        let service = Service::new(name.clone(), image, container);
        self.services.insert(name, Parts::of(service));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), ChangeError> {
        if !self.services.contains_key(name) {
            return invalid(format!("the app has no service `{}`", name.escape_debug()));
        }
        let mode = format!("{SERVICE_MODE}{name}");
        let needs = |parts: &Parts| {
            let container = parts.container.get();
            let modes = [
                &container.network_mode,
                &container.pid_mode,
                &container.ipc_mode,
            ];
            parts.rest.depends_on.contains_key(name)
                || modes.into_iter().flatten().any(|other| *other == mode)
        };
        if let Some((other, _)) = self.services.iter().find(|(_, parts)| needs(parts)) {
            return invalid(format!("service `{other}` needs service `{name}`"));
        }
        if let Some((name, _)) = self.services.shift_remove_entry(name) {
            self.removed.insert(name);
        }
        Ok(())
    }

    fn add_network(&mut self, name: &str) -> Result<(), ChangeError> {
        key("a network", name)?;
        let mut networks = self.networks.get();
        if networks.contains_key(name) {
            return invalid(format!("the app has a network `{name}` already"));
        }
        if networks.len() >= MAX_NETWORKS {
            return invalid(format!("an app has {MAX_NETWORKS} networks at most"));
        }
        let network = Network {
            name: format!("{}_{name}", self.name),
            ..Network::default()
        };
        networks.insert(name.to_owned(), network);
        Ok(())
    }

    fn remove_network(&mut self, name: &str) -> Result<(), ChangeError> {
        let mut networks = self.networks.get();
        if !networks.contains_key(name) {
            return invalid(format!("the app has no network `{}`", name.escape_debug()));
        }
        let inside = |parts: &Parts| parts.container.get().networks.contains_key(name);
        if let Some((service, _)) = self.services.iter().find(|(_, parts)| inside(parts)) {
            return invalid(format!("service `{service}` is in network `{name}`"));
        }
        networks.shift_remove(name);
        Ok(())
    }

    fn add_volume(&mut self, name: &str) -> Result<(), ChangeError> {
        key("a volume", name)?;
        let mut volumes = self.volumes.get();
        if volumes.contains_key(name) {
            return invalid(format!("the app has a volume `{name}` already"));
        }
        if volumes.len() >= MAX_VOLUMES {
            return invalid(format!("an app has {MAX_VOLUMES} volumes at most"));
        }
        let volume = Volume {
            name: format!("{}_{name}", self.name),
            ..Volume::default()
        };
        volumes.insert(name.to_owned(), volume);
        Ok(())
    }

    fn remove_volume(&mut self, name: &str) -> Result<(), ChangeError> {
        let mut volumes = self.volumes.get();
        let Some(volume) = volumes.get(name) else {
            return invalid(format!("the app has no volume `{}`", name.escape_debug()));
        };
        // Mounts have the app's name for it, or the daemon's.
        let mounts = |parts: &Parts| {
            let container = parts.container.get();
            container.mounts.iter().any(|mount| {
                matches!(&mount.source, MountSource::Volume(source)
                    if source == name || *source == volume.name)
            })
        };
        if let Some((service, _)) = self.services.iter().find(|(_, parts)| mounts(parts)) {
            return invalid(format!("service `{service}` mounts volume `{name}`"));
        }
        volumes.shift_remove(name);
        Ok(())
    }
}

impl ServiceResource {
    fn join(&self, network: &str, aliases: Vec<String>) -> Result<(), ChangeError> {
        if !self.networks.get().contains_key(network) {
            return invalid(format!(
                "the app has no network `{}`",
                network.escape_debug()
            ));
        }
        elements("the list of names", aliases.len(), MAX_ALIASES)?;
        for alias in &aliases {
            key("a container in a network", alias)?;
        }
        let mut container = self.parts.container.get();
        if let Some(mode) = &container.network_mode {
            return invalid(format!(
                "with the network mode `{mode}` it joins no network"
            ));
        }
        let attachment = container.networks.entry(network.to_owned()).or_default();
        attachment.aliases = aliases;
        Ok(())
    }

    fn leave(&self, network: &str) -> Result<(), ChangeError> {
        let mut container = self.parts.container.get();
        match container.networks.remove(network) {
            Some(_) => Ok(()),
            None => invalid(format!("it is not in network `{}`", network.escape_debug())),
        }
    }
}

/// A name of an image, as far as its letters go; whether there is such an image, the daemon says.
pub(super) fn reference(text: &str) -> Result<(), ChangeError> {
    line("the image's name", text)?;
    let fine =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@');
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !first || text.len() > MAX_IMAGE_NAME_BYTES || !text.chars().all(fine) {
        let shown: String = text.chars().take(80).collect();
        return invalid(format!("`{shown}` is no name of an image"));
    }
    Ok(())
}

type AppHandle = Resource<AppResource>;
type ServiceHandle = Resource<ServiceResource>;

impl Host for State {}

impl HostAppModel for State {
    fn name(&mut self, this: AppHandle) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.name.to_string())
    }

    fn services(&mut self, this: AppHandle) -> wasmtime::Result<Vec<String>> {
        let names = self.table.get(&this)?.services.keys();
        Ok(names.map(Name::to_string).collect())
    }

    fn service(
        &mut self,
        this: AppHandle,
        name: String,
    ) -> wasmtime::Result<Option<ServiceHandle>> {
        let Some(service) = self.table.get(&this)?.handle(&name) else {
            return Ok(None);
        };
        Ok(Some(self.table.push(service)?))
    }

    fn add_service(
        &mut self,
        this: AppHandle,
        name: String,
        image: String,
    ) -> wasmtime::Result<Result<ServiceHandle, ChangeError>> {
        self.limiter.change()?;
        let app = self.table.get_mut(&this)?;
        if let Err(error) = app.add(&name, image) {
            return Ok(Err(error));
        }
        match app.handle(&name) {
            Some(service) => Ok(Ok(self.table.push(service)?)),
            None => Ok(invalid("the service is not there")),
        }
    }

    fn remove_service(&mut self, this: AppHandle, name: String) -> Changed {
        self.limiter.change()?;
        Ok(self.table.get_mut(&this)?.remove(&name))
    }

    fn networks(&mut self, this: AppHandle) -> wasmtime::Result<Vec<String>> {
        let networks = self.table.get(&this)?.networks.get();
        Ok(networks.keys().cloned().collect())
    }

    fn network(
        &mut self,
        this: AppHandle,
        name: String,
    ) -> wasmtime::Result<Option<Resource<NetworkResource>>> {
        let networks = self.table.get(&this)?.networks.clone();
        match NetworkResource::new(name, networks) {
            Some(network) => Ok(Some(self.table.push(network)?)),
            None => Ok(None),
        }
    }

    fn add_network(
        &mut self,
        this: AppHandle,
        name: String,
    ) -> wasmtime::Result<Result<Resource<NetworkResource>, ChangeError>> {
        self.limiter.change()?;
        let app = self.table.get_mut(&this)?;
        if let Err(error) = app.add_network(&name) {
            return Ok(Err(error));
        }
        match NetworkResource::new(name, app.networks.clone()) {
            Some(network) => Ok(Ok(self.table.push(network)?)),
            None => Ok(invalid("the network is not there")),
        }
    }

    fn remove_network(&mut self, this: AppHandle, name: String) -> Changed {
        self.limiter.change()?;
        Ok(self.table.get_mut(&this)?.remove_network(&name))
    }

    fn volumes(&mut self, this: AppHandle) -> wasmtime::Result<Vec<String>> {
        let volumes = self.table.get(&this)?.volumes.get();
        Ok(volumes.keys().cloned().collect())
    }

    fn volume(
        &mut self,
        this: AppHandle,
        name: String,
    ) -> wasmtime::Result<Option<Resource<VolumeResource>>> {
        let volumes = self.table.get(&this)?.volumes.clone();
        match VolumeResource::new(name, volumes) {
            Some(volume) => Ok(Some(self.table.push(volume)?)),
            None => Ok(None),
        }
    }

    fn add_volume(
        &mut self,
        this: AppHandle,
        name: String,
    ) -> wasmtime::Result<Result<Resource<VolumeResource>, ChangeError>> {
        self.limiter.change()?;
        let app = self.table.get_mut(&this)?;
        if let Err(error) = app.add_volume(&name) {
            return Ok(Err(error));
        }
        match VolumeResource::new(name, app.volumes.clone()) {
            Some(volume) => Ok(Ok(self.table.push(volume)?)),
            None => Ok(invalid("the volume is not there")),
        }
    }

    fn remove_volume(&mut self, this: AppHandle, name: String) -> Changed {
        self.limiter.change()?;
        Ok(self.table.get_mut(&this)?.remove_volume(&name))
    }

    fn drop(&mut self, this: AppHandle) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl HostService for State {
    fn name(&mut self, this: ServiceHandle) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.name.to_string())
    }

    fn image(&mut self, this: ServiceHandle) -> wasmtime::Result<Option<String>> {
        Ok(match &*self.table.get(&this)?.parts.image.get() {
            Image::Build(_) => None,
            Image::Ready(reference) => Some(reference.clone()),
        })
    }

    fn set_image(&mut self, this: ServiceHandle, image: String) -> Changed {
        self.limiter.change()?;
        if let Err(error) = reference(&image) {
            return Ok(Err(error));
        }
        *self.table.get(&this)?.parts.image.get() = Image::Ready(image);
        Ok(Ok(()))
    }

    fn build(&mut self, this: ServiceHandle) -> wasmtime::Result<Option<Resource<BuildResource>>> {
        let service = self.table.get(&this)?;
        let build = match &*service.parts.image.get() {
            Image::Build(build) => build.clone(),
            Image::Ready(_) => return Ok(None),
        };
        let build = BuildResource::new(build, service.files.clone(), service.grants.clone());
        Ok(Some(self.table.push(build)?))
    }

    fn container(&mut self, this: ServiceHandle) -> wasmtime::Result<Resource<SpecResource>> {
        let service = self.table.get(&this)?;
        let (dockerfile, image) = match &*service.parts.image.get() {
            Image::Build(build) => (build.get().dockerfile.clone(), None),
            Image::Ready(reference) => (None, Some(reference.clone())),
        };
        let container = service.parts.container.clone();
        let spec = SpecResource::new(container, dockerfile, image, service.grants.clone());
        Ok(self.table.push(spec)?)
    }

    fn networks(&mut self, this: ServiceHandle) -> wasmtime::Result<Vec<String>> {
        let container = self.table.get(&this)?.parts.container.get();
        Ok(container.networks.keys().cloned().collect())
    }

    fn join_network(&mut self, this: ServiceHandle, name: String, aliases: Vec<String>) -> Changed {
        let bytes = aliases.iter().map(String::len).sum();
        self.limiter.change()?;
        self.limiter.collect(bytes)?;
        Ok(self.table.get(&this)?.join(&name, aliases))
    }

    fn leave_network(&mut self, this: ServiceHandle, name: String) -> Changed {
        self.limiter.change()?;
        Ok(self.table.get(&this)?.leave(&name))
    }

    fn drop(&mut self, this: ServiceHandle) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> AppResource {
        let name = |text: &str| Name::parse(text).expect("a name");
        let image = ImageSource::Image("nginx:1".to_owned());
        let service = Service::new(name("web"), image, ContainerSpec::default());
        let app = App::new(name("shop"), [service]);
        AppResource::new(app, Contexts::new(), Grants::default())
    }

    #[test]
    fn only_what_can_be_a_service_is_added() {
        let mut app = app();
        for name in [
            "",
            "web",
            "side:1",
            "a b",
            "a/../b",
            "a\nb",
            "ü",
            &"a".repeat(64),
        ] {
            assert!(app.add(name, "nginx:1".to_owned()).is_err(), "{name:?}");
        }
        assert_eq!(app.into_app().services.len(), 1);
    }

    #[test]
    fn an_image_has_the_letters_of_an_image() {
        let digest = format!(
            "registry.example.com:5000/team/app@sha256:{}",
            "0".repeat(64)
        );
        for good in ["nginx", "nginx:1.27-alpine", "a/b_c/d", &digest] {
            assert!(reference(good).is_ok(), "{good}");
        }
        let long = "a".repeat(MAX_IMAGE_NAME_BYTES + 1);
        for bad in [
            "",
            "-v",
            "/etc",
            "../a",
            "a b",
            "a?x=1",
            "a#b",
            "a%2f",
            "a\nb",
            "a\0",
            "a;b",
            "\u{202e}a",
            &long,
        ] {
            assert!(reference(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_app_can_not_be_made_to_grow_for_ever() {
        let mut app = app();
        let added = (0..1000).filter(|i| app.add(&format!("s{i}"), "nginx".to_owned()).is_ok());
        assert_eq!(added.count(), MAX_SERVICES - 1);
        assert_eq!(app.into_app().services.len(), MAX_SERVICES);
    }

    #[test]
    fn what_others_need_is_not_removed() {
        let mut app = app();
        app.add("side", "nginx:1".to_owned()).expect("added");
        let side = app.handle("side").expect("it");
        for bad in ["", "-n", "a b", "a/b", "ü", &"n".repeat(129)] {
            assert!(app.add_network(bad).is_err(), "{bad:?}");
            assert!(app.add_volume(bad).is_err(), "{bad:?}");
        }
        assert!(side.join("back", Vec::new()).is_err());
        app.add_network("back").expect("added");
        assert!(app.add_network("back").is_err());
        assert!(side.join("back", vec!["a b".to_owned()]).is_err());
        side.join("back", vec!["alias".to_owned()]).expect("joined");
        assert!(app.remove_network("back").is_err());
        side.leave("back").expect("left");
        assert!(side.leave("back").is_err());
        app.remove_network("back").expect("removed");
        app.add_volume("data").expect("added");
        for source in ["data", "shop_data"] {
            side.parts.container.get().mounts = vec![crate::app::Mount {
                source: MountSource::Volume(source.to_owned()),
                target: "/data".to_owned(),
                read_only: false,
                options: crate::app::MountOptions::default(),
            }];
            assert!(app.remove_volume("data").is_err());
        }
        side.parts.container.get().network_mode = Some("service:web".to_owned());
        assert!(side.join("back", Vec::new()).is_err());
        assert!(app.remove("web").is_err());
        assert!(app.remove("none").is_err());
        app.remove("side").expect("removed");
        app.remove_volume("data").expect("removed");
        assert!(app.remove_volume("data").is_err());
        let app = app.into_app();
        assert_eq!(app.services.len(), 1);
        assert!(app.networks.is_empty() && app.volumes.is_empty());
    }

    #[test]
    fn handles_of_one_service_share_it_and_outlive_nothing() {
        let app = app();
        let (one, other) = (
            app.handle("web").expect("it"),
            app.handle("web").expect("it"),
        );
        one.parts.container.get().hostname = Some("h".to_owned());
        assert_eq!(other.parts.container.get().hostname.as_deref(), Some("h"));
        assert!(app.handle("none").is_none());
        // Taken over although handles are still there, and no longer theirs to change.
        let taken = app.into_app();
        one.parts.container.get().privileged = true;
        assert_eq!(
            taken.services["web"].container.hostname.as_deref(),
            Some("h")
        );
        assert!(!taken.services["web"].container.privileged);
    }
}
