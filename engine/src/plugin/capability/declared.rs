//! The resources `network` and `volume`: what an app declares beside its services.

use indexmap::IndexMap;
use wasmtime::component::Resource;

use super::{Changed, Shared, invalid, label, text};
use crate::app::{Network, Volume};
use crate::plugin::bindings::rengine::plugin::app::{HostNetwork, HostVolume};
use crate::plugin::bindings::rengine::plugin::types::ChangeError;
use crate::plugin::call::State;

/// What has a name in an app, labels, and maybe another owner.
pub trait Declaration: Clone + Default + 'static {
    /// What it is called in errors.
    const KIND: &'static str;
    /// True if it is not the app's.
    fn external(&self) -> bool;
    /// Its labels.
    fn labels(&self) -> &Labels;
    /// The same, to be changed.
    fn labels_mut(&mut self) -> &mut Labels;
}

type Labels = std::collections::BTreeMap<String, String>;

macro_rules! declaration {
    ($type:ty, $kind:literal) => {
        impl Declaration for $type {
            const KIND: &'static str = $kind;

            fn external(&self) -> bool {
                self.external
            }

            fn labels(&self) -> &Labels {
                &self.labels
            }

            fn labels_mut(&mut self) -> &mut Labels {
                &mut self.labels
            }
        }
    };
}

declaration!(Network, "network");
declaration!(Volume, "volume");

/// Those of an app, in order.
pub type Declared<T> = Shared<IndexMap<String, T>>;
/// The networks of an app.
pub type Networks = Declared<Network>;
/// The volumes of an app.
pub type Volumes = Declared<Volume>;

/// One in the hands of a plugin: a name in the app that it is part of.
pub struct DeclaredResource<T> {
    name: String,
    all: Declared<T>,
}

/// A network in the hands of a plugin.
pub type NetworkResource = DeclaredResource<Network>;
/// A volume in the hands of a plugin.
pub type VolumeResource = DeclaredResource<Volume>;

impl<T: Declaration> DeclaredResource<T> {
    /// The one of that name, if there is one.
    pub fn new(name: String, all: Declared<T>) -> Option<Self> {
        let there = all.get().contains_key(&name);
        there.then_some(Self { name, all })
    }

    /// Reads it. One that was removed since is as one of which nothing is said.
    fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        match self.all.get().get(&self.name) {
            Some(declared) => read(declared),
            None => read(&T::default()),
        }
    }

    fn change(&self, change: impl FnOnce(&mut T)) -> Result<(), ChangeError> {
        match self.all.get().get_mut(&self.name) {
            Some(declared) if declared.external() => {
                invalid(format!("{} `{}` is not the app's own", T::KIND, self.name))
            }
            Some(declared) => {
                change(declared);
                Ok(())
            }
            None => invalid(format!("{} `{}` was removed", T::KIND, self.name)),
        }
    }

    fn labels(&self) -> Vec<(String, String)> {
        self.read(|declared| declared.labels().clone().into_iter().collect())
    }

    fn set_label(&self, name: String, value: String) -> Result<(), ChangeError> {
        label(&name)?;
        text("the label", &value)?;
        self.change(|declared| drop(declared.labels_mut().insert(name, value)))
    }

    fn remove_label(&self, name: &str) -> Result<(), ChangeError> {
        label(name)?;
        self.change(|declared| drop(declared.labels_mut().remove(name)))
    }
}

type Handle<T> = Resource<DeclaredResource<T>>;

impl State {
    fn set_declared_label<T: Declaration + Send>(
        &mut self,
        this: &Handle<T>,
        name: String,
        value: String,
    ) -> Changed {
        self.limiter.change()?;
        self.limiter.collect(name.len() + value.len())?;
        Ok(self.table.get(this)?.set_label(name, value))
    }

    fn remove_declared_label<T: Declaration + Send>(
        &mut self,
        this: &Handle<T>,
        name: &str,
    ) -> Changed {
        self.limiter.change()?;
        Ok(self.table.get(this)?.remove_label(name))
    }
}

/// What both resources have.
macro_rules! host_functions {
    ($type:ty) => {
        fn name(&mut self, this: Handle<$type>) -> wasmtime::Result<String> {
            Ok(self.table.get(&this)?.name.clone())
        }

        fn external(&mut self, this: Handle<$type>) -> wasmtime::Result<bool> {
            Ok(self.table.get(&this)?.read(Declaration::external))
        }

        fn labels(&mut self, this: Handle<$type>) -> wasmtime::Result<Vec<(String, String)>> {
            Ok(self.table.get(&this)?.labels())
        }

        fn set_label(&mut self, this: Handle<$type>, name: String, value: String) -> Changed {
            self.set_declared_label(&this, name, value)
        }

        fn remove_label(&mut self, this: Handle<$type>, name: String) -> Changed {
            self.remove_declared_label(&this, &name)
        }

        fn drop(&mut self, this: Handle<$type>) -> wasmtime::Result<()> {
            self.table.delete(this)?;
            Ok(())
        }
    };
}

impl HostNetwork for State {
    host_functions!(Network);

    fn internal(&mut self, this: Handle<Network>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.read(|network| network.internal))
    }

    fn set_internal(&mut self, this: Handle<Network>, on: bool) -> Changed {
        self.limiter.change()?;
        let network = self.table.get(&this)?;
        Ok(network.change(|network| network.internal = on))
    }
}

impl HostVolume for State {
    host_functions!(Volume);
}
