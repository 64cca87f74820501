//! The resource `volume`: one that the app describes.

use indexmap::IndexMap;
use wasmtime::component::Resource;

use super::{Changed, Shared, invalid, label, text};
use crate::app::Volume;
use crate::plugin::bindings::rengine::plugin::app::HostVolume;
use crate::plugin::bindings::rengine::plugin::types::ChangeError;
use crate::plugin::call::State;

/// The volumes of an app, in order.
pub type Volumes = Shared<IndexMap<String, Volume>>;

/// A volume in the hands of a plugin: a name in the app that it is part of.
pub struct VolumeResource {
    name: String,
    all: Volumes,
}

impl VolumeResource {
    /// The one of that name, if there is one.
    pub fn new(name: String, all: Volumes) -> Option<Self> {
        let there = all.get().contains_key(&name);
        there.then_some(Self { name, all })
    }

    /// Reads it. One that was removed since is as one of which nothing is said.
    fn read<T>(&self, read: impl FnOnce(&Volume) -> T) -> T {
        match self.all.get().get(&self.name) {
            Some(volume) => read(volume),
            None => read(&Volume::default()),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Volume)) -> Result<(), ChangeError> {
        match self.all.get().get_mut(&self.name) {
            Some(volume) if volume.external => {
                invalid(format!("volume `{}` is not the app's own", self.name))
            }
            Some(volume) => {
                change(volume);
                Ok(())
            }
            None => invalid(format!("volume `{}` was removed", self.name)),
        }
    }

    fn set_label(&self, name: String, value: String) -> Result<(), ChangeError> {
        label(&name)?;
        text("the label", &value)?;
        self.change(|volume| drop(volume.labels.insert(name, value)))
    }

    fn remove_label(&self, name: &str) -> Result<(), ChangeError> {
        label(name)?;
        self.change(|volume| drop(volume.labels.remove(name)))
    }
}

type Handle = Resource<VolumeResource>;

impl HostVolume for State {
    fn name(&mut self, this: Handle) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.name.clone())
    }

    fn external(&mut self, this: Handle) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.read(|volume| volume.external))
    }

    fn labels(&mut self, this: Handle) -> wasmtime::Result<Vec<(String, String)>> {
        let volume = self.table.get(&this)?;
        Ok(volume.read(|volume| volume.labels.clone().into_iter().collect()))
    }

    fn set_label(&mut self, this: Handle, name: String, value: String) -> Changed {
        self.limiter.change()?;
        self.limiter.collect(name.len() + value.len())?;
        Ok(self.table.get(&this)?.set_label(name, value))
    }

    fn remove_label(&mut self, this: Handle, name: String) -> Changed {
        self.limiter.change()?;
        Ok(self.table.get(&this)?.remove_label(&name))
    }

    fn drop(&mut self, this: Handle) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
