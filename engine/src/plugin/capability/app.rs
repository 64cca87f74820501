//! The resources `app-model` and `service`: what `configure` changes.

mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use wasmtime::component::Resource;

use service::Parts;
pub use service::ServiceResource;
pub(super) use service::reference;

use super::declared::{NetworkResource, Networks, VolumeResource, Volumes};
use super::{Changed, Shared, invalid, key};
use crate::app::{
    App, Attachment, ContainerSpec, ImageSource, MountSource, Name, Network, SERVICE_MODE, Service,
    Volume,
};
use crate::grants::Grants;
use crate::plugin::bindings::rengine::plugin::app::{Host, HostAppModel};
use crate::plugin::bindings::rengine::plugin::types::ChangeError;
use crate::plugin::call::State;
use crate::plugin::limits::{MAX_NETWORKS, MAX_SERVICES, MAX_VOLUMES};
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

#[cfg(test)]
mod tests;
