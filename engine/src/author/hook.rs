//! Hooks by their names.

use crate::plugin::Hook;

/// A word that names no hook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no hook `{0}`")]
pub struct UnknownHook(String);

impl UnknownHook {
    /// The hooks there are.
    pub fn known() -> String {
        let names: Vec<_> = Hook::ALL.iter().map(|hook| hook.name()).collect();
        names.join(", ")
    }
}

/// The hook of a name.
///
/// # Errors
///
/// If no hook has it.
pub fn parse_hook(name: &str) -> Result<Hook, UnknownHook> {
    Hook::ALL
        .into_iter()
        .find(|hook| hook.name() == name)
        .ok_or_else(|| UnknownHook(name.to_owned()))
}
