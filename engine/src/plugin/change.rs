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

/// The changes between two states of an app, service by service, and then those of its networks and
/// volumes, which are no service's. What was added or removed has a field of its own for that:
/// `service`, `networks.NAME` or `volumes.NAME`.
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
    let gone = before
        .services
        .keys()
        .filter(|name| !after.services.contains_key(*name));
    let gone = gone.flat_map(|name| {
        let old = there("service");
        told(plugin, hook, name.as_str(), &old, &Fields::default())
    });
    let (old, new) = (shared(before), shared(after));
    let shared = told(plugin, hook, "", &old, &new);
    changes.chain(gone).chain(shared).collect()
}

/// What says that something was there before.
fn there(field: &str) -> Fields {
    let mut fields = Fields::default();
    fields.set(field, "there".to_owned());
    fields
}

/// The fields of what services share.
fn shared(app: &App) -> Fields {
    let mut all = Fields::default();
    for (name, network) in &app.networks {
        let part = format!("networks.{name}");
        all.set(&part, "there".to_owned());
        all.add_part(&part, Fields::of(network));
    }
    for (name, volume) in &app.volumes {
        let part = format!("volumes.{name}");
        all.set(&part, "there".to_owned());
        all.add_part(&part, Fields::of(volume));
    }
    all
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
