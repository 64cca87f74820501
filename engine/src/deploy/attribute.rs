//! Which plugin is behind each field that differs.

use crate::plan::{Cause, OperationKind, Plan};
use crate::plugin::{Change, Hook};

/// Writes the plugins that set a field to each difference of a plan.
pub fn attribute(plan: &mut Plan, changes: &[Change]) {
    for operation in &mut plan.operations {
        let Some(service) = &operation.service else {
            continue;
        };
        let build = match &operation.kind {
            OperationKind::Build { .. } => true,
            OperationKind::Create { .. } => false,
            _ => continue,
        };
        let Cause::Changed { differences } = &mut operation.cause else {
            continue;
        };
        for difference in differences {
            for change in changes {
                let field = match (change.hook, build) {
                    (Hook::PreBuild, true) | (Hook::PreRun, false) => Some(change.field.as_str()),
                    // It changes both: fields of the build have its name before theirs.
                    (Hook::Configure, true) => change.field.strip_prefix("build."),
                    (Hook::Configure, false) => Some(change.field.as_str()),
                    _ => None,
                };
                let here = change.service == service.as_str();
                let its = here && field == Some(difference.field.as_str());
                if its && !difference.plugins.contains(&change.plugin) {
                    difference.plugins.push(change.plugin.clone());
                }
            }
        }
    }
}
