//! What plugins changed.

use serde::Serialize;

use super::Hook;
use crate::app::{App, Fields, ImageSource, Service};

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
pub(super) fn between<T: Serialize + PartialEq>(
    plugin: &str,
    hook: Hook,
    service: &str,
    before: &T,
    after: &T,
) -> Vec<Change> {
    // Told much faster than by making fields of both.
    if before == after {
        return Vec::new();
    }
    told(
        plugin,
        hook,
        service,
        &Fields::of(before),
        &Fields::of(after),
    )
}

/// The changes between two states of an app, service by service. A service that was added has
/// the field `service`.
pub(super) fn between_apps(plugin: &str, hook: Hook, before: &App, after: &App) -> Vec<Change> {
    let fields = |service: &Service| {
        let mut fields = Fields::of(&service.container);
        match &service.image {
            ImageSource::Build(build) => fields.add_part("build", Fields::of(&**build)),
            ImageSource::Image(reference) => fields.set("image", reference.clone()),
        }
        fields
    };
    let changed = after
        .services
        .iter()
        .filter(|(name, service)| before.services.get(*name) != Some(service));
    let changes = changed.flat_map(|(name, service)| {
        let old = before.services.get(name).map(fields);
        let mut new = fields(service);
        if old.is_none() {
            new.set("service", "added".to_owned());
        }
        told(plugin, hook, name.as_str(), &old.unwrap_or_default(), &new)
    });
    changes.collect()
}

fn told(plugin: &str, hook: Hook, service: &str, before: &Fields, after: &Fields) -> Vec<Change> {
    before
        .differences(after)
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
