//! What plugins changed.

use serde::Serialize;

use super::Hook;
use crate::app::Fields;

/// One field that one plugin changed in one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The plugin's name in plugins.toml.
    pub plugin: String,
    /// The hook that made the change.
    pub hook: Hook,
    /// The service whose specification it is.
    pub service: String,
    /// The field, such as `user` or `env.PORT`.
    pub field: String,
    /// The value before; `None` where it was not set.
    pub old: Option<String>,
    /// The value after; `None` where it is not set.
    pub new: Option<String>,
}

/// The changes between two states of a specification.
///
/// Taken by comparing what a call was given with what it left, so that no setter can forget to
/// record: a change that is in the specification is in the list, and one that a plugin took
/// back itself is not.
pub(super) fn between(
    plugin: &str,
    hook: Hook,
    service: &str,
    before: &impl Serialize,
    after: &impl Serialize,
) -> Vec<Change> {
    let (before, after) = (Fields::of(before), Fields::of(after));
    before
        .differences(&after)
        .map(|(field, old, new)| Change {
            plugin: plugin.to_owned(),
            hook,
            service: service.to_owned(),
            field: field.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        })
        .collect()
}
