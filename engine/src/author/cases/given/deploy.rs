//! The finished deploy that a case gives.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::author::parse_hook;
use crate::manifest::{ManifestError, Reader};
use crate::plugin::{Change, FinishedDeploy, FinishedService, FinishedStep, Outcome};

/// What rengine does in a deploy, as `post-deploy` is told.
const OPERATIONS: [&str; 10] = [
    "pull",
    "build",
    "post-build",
    "create",
    "stop",
    "start",
    "health",
    "post-run",
    "commit",
    "remove",
];

/// `deploy`: how it ended. One that succeeded at once, if nothing is said.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawDeploy {
    outcome: Ended,
    error: Option<String>,
    took: Option<Spanned<String>>,
    steps: Vec<Step>,
    changes: Vec<Changed>,
    services: Vec<Service>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ended {
    #[default]
    Succeeded,
    NothingToDo,
    RolledBack,
    Failed,
    Interrupted,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    operation: Spanned<String>,
    service: Option<String>,
    took: Option<Spanned<String>>,
    #[serde(default)]
    failed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    plugin: String,
    hook: Spanned<String>,
    service: String,
    field: String,
    old: Option<String>,
    new: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    name: String,
    container: Option<String>,
    #[serde(default)]
    addresses: Vec<String>,
}

pub fn convert(reader: &Reader<'_>, raw: &RawDeploy) -> Result<Arc<FinishedDeploy>, ManifestError> {
    let took = |text: Option<&Spanned<String>>| {
        let took = reader.duration(text)?;
        Ok::<_, ManifestError>(took.unwrap_or(Duration::ZERO))
    };
    let mut steps = Vec::new();
    for step in &raw.steps {
        let written = &step.operation;
        let known = OPERATIONS
            .into_iter()
            .find(|name| name == written.get_ref());
        let operation = known.ok_or_else(|| {
            let message = format!("a deploy has no step `{}`", written.get_ref());
            let help = format!("there are {}", OPERATIONS.join(", "));
            reader.error(written.span(), message, Some(help))
        })?;
        steps.push(FinishedStep {
            operation,
            service: step.service.clone(),
            took: took(step.took.as_ref())?,
            succeeded: !step.failed,
        });
    }
    let mut changes = Vec::new();
    for change in &raw.changes {
        let hook = parse_hook(change.hook.get_ref());
        changes.push(Change {
            plugin: change.plugin.clone(),
            hook: hook
                .map_err(|error| reader.error(change.hook.span(), error.to_string(), None))?,
            service: change.service.clone(),
            field: change.field.clone(),
            old: change.old.clone(),
            new: change.new.clone(),
        });
    }
    let services = raw.services.iter().map(|service| FinishedService {
        name: service.name.clone(),
        container: service
            .container
            .clone()
            .unwrap_or_else(|| format!("app-{}", service.name)),
        addresses: service.addresses.clone(),
    });
    Ok(Arc::new(FinishedDeploy {
        outcome: match raw.outcome {
            Ended::Succeeded => Outcome::Succeeded,
            Ended::NothingToDo => Outcome::NothingToDo,
            Ended::RolledBack => Outcome::RolledBack,
            Ended::Failed => Outcome::Failed,
            Ended::Interrupted => Outcome::Interrupted,
        },
        error: raw.error.clone(),
        took: took(raw.took.as_ref())?,
        steps,
        changes,
        services: services.collect(),
    }))
}
