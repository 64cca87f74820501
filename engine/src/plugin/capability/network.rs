//! The resource `network`: one that the app describes.

use indexmap::IndexMap;
use wasmtime::component::Resource;

use super::{Changed, Shared, invalid, label, text};
use crate::app::Network;
use crate::plugin::bindings::rengine::plugin::app::HostNetwork;
use crate::plugin::bindings::rengine::plugin::types::ChangeError;
use crate::plugin::call::State;

/// The networks of an app, in order.
pub type Networks = Shared<IndexMap<String, Network>>;

/// A network in the hands of a plugin: a name in the app that it is part of.
pub struct NetworkResource {
    name: String,
    all: Networks,
}

impl NetworkResource {
    /// The one of that name, if there is one.
    pub fn new(name: String, all: Networks) -> Option<Self> {
        let there = all.get().contains_key(&name);
        there.then_some(Self { name, all })
    }

    /// Reads it. One that was removed since is as one of which nothing is said.
    fn read<T>(&self, read: impl FnOnce(&Network) -> T) -> T {
        match self.all.get().get(&self.name) {
            Some(network) => read(network),
            None => read(&Network::default()),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Network)) -> Result<(), ChangeError> {
        match self.all.get().get_mut(&self.name) {
            Some(network) if network.external => {
                invalid(format!("network `{}` is not the app's own", self.name))
            }
            Some(network) => {
                change(network);
                Ok(())
            }
            None => invalid(format!("network `{}` was removed", self.name)),
        }
    }

    fn set_label(&self, name: String, value: String) -> Result<(), ChangeError> {
        label(&name)?;
        text("the label", &value)?;
        self.change(|network| drop(network.labels.insert(name, value)))
    }

    fn remove_label(&self, name: &str) -> Result<(), ChangeError> {
        label(name)?;
        self.change(|network| drop(network.labels.remove(name)))
    }
}

type Handle = Resource<NetworkResource>;

impl HostNetwork for State {
    fn name(&mut self, this: Handle) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.name.clone())
    }

    fn external(&mut self, this: Handle) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.read(|network| network.external))
    }

    fn internal(&mut self, this: Handle) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.read(|network| network.internal))
    }

    fn set_internal(&mut self, this: Handle, on: bool) -> Changed {
        self.limiter.change()?;
        let network = self.table.get(&this)?;
        Ok(network.change(|network| network.internal = on))
    }

    fn labels(&mut self, this: Handle) -> wasmtime::Result<Vec<(String, String)>> {
        let network = self.table.get(&this)?;
        Ok(network.read(|network| network.labels.clone().into_iter().collect()))
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
