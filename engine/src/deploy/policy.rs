//! Policy: what bases require of a deploy, and what is written down of it.

use super::{DeployError, Event, Hooks, Reporter};
use crate::manifest::{Manifest, Policy};
use crate::release::{BaseRecord, OverrideRecord, PolicyRecord, Record, RequiredRecord};

/// Sees that each plugin that a base requires takes part.
///
/// # Errors
///
/// If one does not.
pub fn check(manifest: &Manifest, hooks: &Hooks) -> Result<(), DeployError> {
    let policy = &manifest.policy;
    let there = |name: &str| hooks.all().any(|plugin| plugin.name() == name);
    for (plugin, index) in &policy.required {
        let own = manifest.plugins.contains_key(plugin.as_str());
        if !own || !there(plugin.as_str()) {
            let base = policy.bases.get(*index);
            return Err(DeployError::NotRequired {
                plugin: plugin.to_string(),
                base: base.map_or(String::new(), |base| base.reference.clone()),
            });
        }
    }
    Ok(())
}

/// Tells of bases, and of what is said in their stead.
pub fn tell(manifest: &Manifest, reporter: &dyn Reporter) {
    if let Some(policy) = record(&manifest.policy) {
        reporter.report(Event::Bases { policy });
    }
}

/// Tells of what is required by now and was no part of a release that is brought back. It is brought back all
/// the same: who goes back is in need.
pub fn tell_back(manifest: &Manifest, target: &Record, reporter: &dyn Reporter) {
    let was = |name: &str| target.plugins.iter().any(|plugin| plugin.name == name);
    for (plugin, index) in &manifest.policy.required {
        if !was(plugin.as_str()) {
            let base = manifest.policy.bases.get(*index);
            let base = base.map_or("", |base| &base.reference);
            reporter.report(Event::Warning {
                message: format!(
                    "release {} was made without plugin `{plugin}`, which the base {base} requires",
                    target.release
                ),
                help: Some("deploy again as soon as that is possible".to_owned()),
            });
        }
    }
}

/// What is recorded of a policy; `None` where nothing is extended.
pub fn record(policy: &Policy) -> Option<PolicyRecord> {
    if policy.bases.is_empty() {
        return None;
    }
    let reference = |index: usize| {
        let base = policy.bases.get(index);
        base.map_or(String::new(), |base| base.reference.clone())
    };
    Some(PolicyRecord {
        bases: (policy.bases.iter())
            .map(|base| BaseRecord {
                reference: base.reference.clone(),
                version: base.version.clone(),
                digest: base.digest.clone(),
                signers: super::sources::signers(base.signers.iter().cloned()),
            })
            .collect(),
        required: (policy.required.iter())
            .map(|(plugin, index)| RequiredRecord {
                plugin: plugin.to_string(),
                base: reference(*index),
            })
            .collect(),
        overrides: (policy.overrides.iter())
            .map(|one| OverrideRecord {
                plugin: one.plugin.to_string(),
                base: reference(one.base),
                key: one.key.clone(),
                at: one.at.clone(),
                old: one.old.clone(),
                new: one.new.clone(),
            })
            .collect(),
    })
}
