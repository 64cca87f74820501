//! `rengine:plugin/secrets`: secrets by name.

use wasmtime::component::{HasSelf, Linker};

use super::Gate;
use crate::grants::Grants;
use crate::plugin::bindings::granted::rengine::plugin::secrets::{self, Host};
use crate::plugin::call::State;

/// Importing it needs the grant.
pub const GATE: Gate = Gate {
    interface: "rengine:plugin/secrets",
    granted: Grants::reads_secrets,
};

pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    secrets::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<String, String>> {
        let settings = &self.settings;
        if let Err(denied) = settings.grants.reads_secret(&name) {
            return Ok(Err(denied.to_string()));
        }
        let value = settings.secrets.get(name.as_str());
        Ok(value
            .map(|secret| secret.expose().to_owned())
            .ok_or_else(|| format!("the secret `{name}` has no value")))
    }
}
