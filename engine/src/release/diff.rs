//! Where two releases differ.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Record, ServiceRecord, SignerRecord};
use crate::app::Fields;

/// What differs between two releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReleaseDiff {
    /// The id of the one.
    pub from: String,
    /// The id of the other.
    pub to: String,
    /// Every field that differs, by service in the order of the app; then those of the whole app: its plugins, its
    /// bases, and what these require.
    pub fields: Vec<FieldDiff>,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FieldDiff {
    /// The service; empty for what is the whole app's.
    pub service: String,
    /// The field. What its image is built from has `build.` before it.
    pub field: String,
    /// Its value in the one; `None` where it is not set.
    pub old: Option<String>,
    /// Its value in the other.
    pub new: Option<String>,
    /// The plugins that set it in either.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<String>,
}

/// Compares two releases, field by field.
pub fn diff(from: &Record, to: &Record) -> ReleaseDiff {
    let mut names: Vec<&String> = to.services.keys().collect();
    names.extend(
        from.services
            .keys()
            .filter(|name| !to.services.contains_key(*name)),
    );
    let mut fields = Vec::new();
    for name in names {
        let of = |record: &Record| record.services.get(name).map(all).unwrap_or_default();
        push(name, &of(from), &of(to), [from, to], &mut fields);
    }
    for of in [plugins, policy] {
        push("", &of(from), &of(to), [from, to], &mut fields);
    }
    ReleaseDiff {
        from: from.release.clone(),
        to: to.release.clone(),
        fields,
    }
}

fn push(service: &str, old: &Fields, new: &Fields, both: [&Record; 2], into: &mut Vec<FieldDiff>) {
    into.extend(old.differences(new).map(|(field, old, new)| {
        let changes = both.iter().flat_map(|record| &record.changes);
        let its = changes.filter(|change| change.service == service && changed(change) == field);
        let plugins: BTreeSet<_> = its.map(|change| change.plugin.clone()).collect();
        FieldDiff {
            service: service.to_owned(),
            field: field.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            plugins: plugins.into_iter().collect(),
        }
    }));
}

/// The field of [`all`] that a change is about.
fn changed(change: &super::ChangeRecord) -> String {
    match change.hook.as_str() {
        "pre-build" => format!("build.{}", change.field),
        _ => change.field.clone(),
    }
}

/// All that a record says of a service.
fn all(service: &ServiceRecord) -> Fields {
    let mut fields = service.container.clone();
    fields.add_part("build", service.build.clone());
    fields.set("service", "there".to_owned());
    fields.set("replicas", service.replicas.to_string());
    if let Some(image) = &service.image {
        fields.set("image", image.id.clone());
        if let Some(reference) = &image.reference {
            fields.set("image.name", reference.clone());
        }
        if let Some(digest) = &image.digest {
            fields.set("image.digest", digest.clone());
        }
    }
    fields
}

fn plugins(record: &Record) -> Fields {
    let mut fields = Fields::default();
    for plugin in &record.plugins {
        let digest = plugin
            .digest
            .strip_prefix("sha256:")
            .unwrap_or(&plugin.digest);
        let name = format!("plugin.{}", plugin.name);
        fields.set(&name, format!("sha256:{digest}"));
        if let Some(artifact) = &plugin.artifact {
            fields.set(&format!("{name}.artifact"), artifact.to_string());
            set_signers(&mut fields, &name, &artifact.signers);
        }
    }
    fields
}

/// What bases there were, what they required, and what was said in their stead.
fn policy(record: &Record) -> Fields {
    let mut fields = Fields::default();
    let Some(policy) = &record.policy else {
        return fields;
    };
    for base in &policy.bases {
        let name = format!("base.{}", base.reference);
        fields.set(&name, base.digest.clone());
        if let Some(version) = &base.version {
            fields.set(&format!("{name}.version"), version.clone());
        }
        set_signers(&mut fields, &name, &base.signers);
    }
    for required in &policy.required {
        fields.set(
            &format!("required.{}", required.plugin),
            format!("by {}", required.base),
        );
    }
    for one in &policy.overrides {
        let name = format!("override.{}.{}", one.plugin, one.key);
        fields.set(&name, one.new.clone());
        fields.set(&format!("{name}.of"), one.base.clone());
        if let Some(old) = &one.old {
            fields.set(&format!("{name}.base"), old.clone());
        }
    }
    fields
}

fn set_signers(fields: &mut Fields, name: &str, signers: &[SignerRecord]) {
    if !signers.is_empty() {
        let signers: Vec<_> = signers.iter().map(SignerRecord::to_string).collect();
        fields.set(&format!("{name}.signers"), signers.join(", "));
    }
}
