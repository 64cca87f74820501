//! What plugins can reach: one file for each capability.
//!
//! Each links what it provides into the linker that all plugins share. One that needs a grant as
//! soon as it is imported says so with a [`Gate`], which is checked before anything runs; and it
//! asks the grants again at each call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub mod app;
pub mod build;
pub mod container;
mod context;
mod convert;
pub mod declared;
pub mod deployment;
pub mod exec;
pub mod http;
pub mod image;
pub mod log;
pub mod running;
pub mod secrets;
pub mod state;

use wasmtime::component::Linker;

use super::bindings::rengine::plugin::types::ChangeError;
use super::call::State;
use super::limits::{MAX_ELEMENTS, MAX_TEXT_BYTES};
use crate::grants::{Denied, Grants};
use crate::plan::observed::label;

/// An interface that a component may import only with a grant.
#[derive(Debug)]
pub struct Gate {
    /// The interface, without its version.
    pub interface: &'static str,
    /// What the grants say; the line to add if they say no.
    pub granted: fn(&Grants) -> Result<(), Denied>,
}

impl Gate {
    const ALL: [Self; 4] = [exec::GATE, http::GATE, secrets::GATE, state::GATE];

    /// The gate of an import; `None` for one that is free.
    pub fn of(import: &str) -> Option<Self> {
        let interface = import.split('@').next().unwrap_or(import);
        Self::ALL
            .into_iter()
            .find(|gate| gate.interface == interface)
    }
}

/// Links what plugins can import with a grant, and what takes the place of what WASI has.
pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    context::link(linker)?;
    exec::link(linker)?;
    http::link(linker)?;
    secrets::link(linker)?;
    state::link(linker)
}

/// A specification in the hands of a plugin: the handles of one thing share it, as those that
/// `configure` takes of a service do.
#[derive(Debug)]
pub struct Shared<T>(Arc<Mutex<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone> Shared<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    /// The value, for as long as one call of the host takes.
    pub fn get(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What plugins made of it.
    pub fn into_value(self) -> T {
        match Arc::try_unwrap(self.0) {
            Ok(value) => value.into_inner().unwrap_or_else(PoisonError::into_inner),
            Err(shared) => Self(shared).get().clone(),
        }
    }
}

/// The result of a setter. The outer result ends the call, the inner is for the guest.
type Changed = wasmtime::Result<Result<(), ChangeError>>;

impl super::bindings::rengine::plugin::types::Host for super::call::State {}

impl From<Denied> for ChangeError {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied.to_string())
    }
}

impl ChangeError {
    /// Why, for an interface whose errors are texts.
    fn into_text(self) -> String {
        match self {
            Self::Denied(why) | Self::Invalid(why) => why,
        }
    }
}

fn invalid<T>(why: impl Into<String>) -> Result<T, ChangeError> {
    Err(ChangeError::Invalid(why.into()))
}

/// A text of bearable length without NUL, which no kernel interface can carry.
fn text(what: &str, value: &str) -> Result<(), ChangeError> {
    if value.len() > MAX_TEXT_BYTES {
        return invalid(format!(
            "{what} has {} bytes, and {MAX_TEXT_BYTES} is the limit",
            value.len()
        ));
    }
    if value.contains('\0') {
        return invalid(format!("{what} has a NUL character in it"));
    }
    Ok(())
}

/// A text that is one line.
fn line(what: &str, value: &str) -> Result<(), ChangeError> {
    text(what, value)?;
    if value.chars().any(char::is_control) {
        return invalid(format!("{what} has a control character in it"));
    }
    Ok(())
}

/// A list of bearable length: empty texts have no bytes to count.
fn elements(what: &str, count: usize, limit: usize) -> Result<(), ChangeError> {
    if count > limit {
        return invalid(format!(
            "{what} has {count} elements, and {limit} is the limit"
        ));
    }
    Ok(())
}

fn texts(what: &str, values: &[String]) -> Result<(), ChangeError> {
    elements(what, values.len(), MAX_ELEMENTS)?;
    if values.iter().map(String::len).sum::<usize>() > MAX_TEXT_BYTES {
        return invalid(format!("{what} is longer than {MAX_TEXT_BYTES} bytes"));
    }
    values.iter().try_for_each(|value| text(what, value))
}

/// The name of an environment variable or build argument.
fn variable(name: &str) -> Result<(), ChangeError> {
    line("the name", name)?;
    if name.is_empty() || name.contains('=') {
        return invalid(format!(
            "`{}` is no name of a variable",
            name.escape_debug()
        ));
    }
    Ok(())
}

/// A label that is the plugin's to set.
fn label(name: &str) -> Result<(), ChangeError> {
    line("the label's name", name)?;
    if name.is_empty() {
        return invalid("a label needs a name");
    }
    if name.starts_with(label::PREFIX) {
        return invalid(format!(
            "labels that start with `{}` are rengine's own",
            label::PREFIX
        ));
    }
    Ok(())
}

/// The name that an app has for a network or volume, in the letters that Compose allows.
fn key(what: &str, name: &str) -> Result<(), ChangeError> {
    const MAX_BYTES: usize = 128;
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !first || name.len() > MAX_BYTES || !name.chars().all(fine) {
        let shown: String = name.chars().take(80).collect();
        return invalid(format!("`{}` is no name of {what}", shown.escape_debug()));
    }
    Ok(())
}

/// An absolute path in a container.
fn absolute(what: &str, path: &str) -> Result<(), ChangeError> {
    line(what, path)?;
    if !path.starts_with('/') {
        return invalid(format!(
            "{what} must be an absolute path, and `{path}` is not"
        ));
    }
    Ok(())
}

/// An absolute path of a mount or device, which are written `source:target`: with a colon in it,
/// a plan could not tell where one ends.
fn mountable(what: &str, path: &str) -> Result<(), ChangeError> {
    absolute(what, path)?;
    if path.contains(':') {
        return invalid(format!("{what} has a colon in it: `{path}`"));
    }
    Ok(())
}
