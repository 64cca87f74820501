//! The resource `service`.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::super::build::BuildResource;
use super::super::container::SpecResource;
use super::super::declared::Networks;
use super::super::{Changed, Shared, elements, invalid, key, line};
use crate::app::{ContainerSpec, ImageBuild, ImageSource, Name, Service};
use crate::grants::Grants;
use crate::plugin::ContextAccess;
use crate::plugin::bindings::rengine::plugin::app::HostService;
use crate::plugin::bindings::rengine::plugin::types::ChangeError;
use crate::plugin::call::State;
use crate::plugin::limits::{MAX_ALIASES, MAX_IMAGE_NAME_BYTES};

/// One service of it.
pub struct ServiceResource {
    pub(super) name: Name,
    pub(super) parts: Parts,
    pub(super) networks: Networks,
    pub(super) files: Arc<dyn ContextAccess>,
    pub(super) grants: Grants,
}

/// What handles of a service share.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) image: Shared<Image>,
    pub(super) container: Shared<ContainerSpec>,
    /// What plugins don't see; its image and container stand empty.
    pub(super) rest: Service,
}

#[derive(Clone)]
pub(super) enum Image {
    Build(Shared<ImageBuild>),
    Ready(String),
}

impl Parts {
    pub(super) fn of(mut service: Service) -> Self {
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

    pub(super) fn into_service(self) -> Service {
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

impl ServiceResource {
    pub(super) fn join(&self, network: &str, aliases: Vec<String>) -> Result<(), ChangeError> {
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

    pub(super) fn leave(&self, network: &str) -> Result<(), ChangeError> {
        let mut container = self.parts.container.get();
        match container.networks.remove(network) {
            Some(_) => Ok(()),
            None => invalid(format!("it is not in network `{}`", network.escape_debug())),
        }
    }
}

/// A name of an image, as far as its letters go; whether there is such an image, the daemon says.
pub(in super::super) fn reference(text: &str) -> Result<(), ChangeError> {
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

type ServiceHandle = Resource<ServiceResource>;

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
