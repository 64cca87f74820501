//! A plan in a file: made by one person, seen by another, and carried out as it is or not at all.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::recording::seal;
use super::{DeployError, Options, Prepared, clean_changes, clean_plan, lock_holder};
use crate::app::{Fields, Name, hex};
use crate::manifest::Manifest;
use crate::plan::observed::ContainerState;
use crate::plan::{container_inputs, network_inputs, volume_inputs};
use crate::release::store;

/// The largest file that is taken for a plan, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// A plan, and all that it was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SavedPlan {
    /// The version of this form: [`SavedPlan::FORMAT`].
    pub format: u32,
    /// The version of rengine that made it.
    pub rengine: String,
    /// The app.
    pub app: String,
    /// The id of the release that it makes.
    pub release: String,
    /// When it was made.
    pub made: Timestamp,
    /// Who made it.
    pub user: String,
    /// On which machine.
    pub host: String,
    /// What was asked for.
    pub options: Options,
    /// The plan, as `rengine plan --json` tells it.
    pub plan: serde_json::Value,
    /// What plugins changed on the way.
    pub changes: serde_json::Value,
    /// What the plan was made from: plugins, the app as they made it, and what the daemon had.
    pub basis: Fields,
}

impl SavedPlan {
    /// The version of the form that this version of rengine writes.
    pub const FORMAT: u32 = 1;

    /// What is prepared, as a file holds it: without secrets.
    pub fn of(prepared: &Prepared, manifest: &Manifest, options: Options) -> Self {
        let holder = lock_holder("");
        Self {
            format: Self::FORMAT,
            rengine: env!("CARGO_PKG_VERSION").to_owned(),
            app: prepared.app.name.to_string(),
            release: prepared.plan.release.clone(),
            made: Timestamp::now(),
            user: holder.user,
            host: holder.host,
            options,
            plan: plan(prepared, manifest),
            changes: changes(prepared, manifest),
            basis: basis(prepared, manifest),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it can't be read, or is no plan of this version of rengine.
    pub fn read(path: &Path) -> Result<Self, DeployError> {
        let problem = |why: String| DeployError::BadPlan {
            path: path.to_owned(),
            why,
        };
        let length = std::fs::metadata(path)
            .map_err(|error| problem(error.to_string()))?
            .len();
        if length > MAX_BYTES {
            return Err(problem("it is too large".to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
        let saved: Self = serde_json::from_str(&text)
            .map_err(|error| problem(format!("it is no plan: {error}")))?;
        let this = env!("CARGO_PKG_VERSION");
        if saved.format != Self::FORMAT || saved.rengine != this {
            let version = &saved.rengine;
            return Err(problem(format!(
                "rengine {version} made it, and this is {this}"
            )));
        }
        Ok(saved)
    }

    /// Sees whether it is for this app; the file's path is for who is told that it is not.
    ///
    /// # Errors
    ///
    /// If it is for another.
    pub fn check_app(&self, app: &Name, path: &Path) -> Result<(), DeployError> {
        match self.app == app.as_str() {
            true => Ok(()),
            false => Err(DeployError::BadPlan {
                path: path.to_owned(),
                why: format!("it is a plan of `{}`, and this is `{app}`", self.app),
            }),
        }
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        // Types of ours, with string keys: they always serialise.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Sees whether what would be done now is what the file says.
    ///
    /// # Errors
    ///
    /// If something moved, with its name.
    pub fn check(&self, prepared: &Prepared, manifest: &Manifest) -> Result<(), DeployError> {
        let now = basis(prepared, manifest);
        let moved = self.basis.differences(&now);
        let mut moved: Vec<String> = moved.map(|(name, old, new)| told(name, old, new)).collect();
        if moved.is_empty() && self.plan != plan(prepared, manifest) {
            moved.push("the plan itself".to_owned());
        }
        match moved.is_empty() {
            true => Ok(()),
            false => Err(DeployError::Moved { moved }),
        }
    }
}

fn told(name: &str, old: Option<&str>, new: Option<&str>) -> String {
    let what = match (old, new) {
        (None, _) => "is new",
        (_, None) => "is gone",
        _ => "is another",
    };
    format!("{name} {what}")
}

fn plan(prepared: &Prepared, manifest: &Manifest) -> serde_json::Value {
    let mut plan = prepared.plan.clone();
    clean_plan(&mut plan, &manifest.secrets.redactor());
    serde_json::to_value(plan).unwrap_or_default()
}

fn changes(prepared: &Prepared, manifest: &Manifest) -> serde_json::Value {
    let mut changes = prepared.changes.clone();
    clean_changes(&mut changes, &manifest.secrets.redactor());
    serde_json::to_value(changes).unwrap_or_default()
}

/// All that a plan is made from, field by field, in words for whoever is told that one moved.
fn basis(prepared: &Prepared, manifest: &Manifest) -> Fields {
    let mut basis = Fields::default();
    for plugin in prepared.hooks.all() {
        basis.set(
            &format!("plugin {}", plugin.name()),
            plugin.digest().to_owned(),
        );
    }
    for (name, entry) in &manifest.plugins {
        // Its settings and grants; by a digest, since variables that it is granted are among them.
        let settings = digest(format!("{entry:?}").as_bytes());
        basis.set(&format!("plugin {name}: settings"), settings);
    }
    for base in &manifest.policy.bases {
        basis.set(&format!("base {}", base.reference), base.digest.clone());
    }
    let wanted = &prepared.wanted;
    for service in &wanted.services {
        let mut fields = container_inputs(&service.container, &wanted.redactor);
        fields.add_part("build", service.build_inputs.clone());
        fields.set("replicas", service.replicas.to_string());
        if let Some(reference) = service.image.reference() {
            fields.set("image", wanted.redactor.redact(reference).into_owned());
        }
        for (field, value) in fields.iter() {
            basis.set(
                &format!("service {}: {field}", service.name),
                value.to_owned(),
            );
        }
    }
    for (name, network) in &wanted.networks {
        basis.set(
            &format!("network {name}"),
            network_inputs(network).fingerprint(),
        );
    }
    for (name, volume) in &wanted.volumes {
        basis.set(
            &format!("volume {name}"),
            volume_inputs(volume).fingerprint(),
        );
    }
    // What else there is of it: order, dependencies, commands.
    let app = store(&prepared.whole, &seal(manifest)).to_string();
    basis.set("the app as a whole", digest(app.as_bytes()));
    observed(prepared, &mut basis);
    basis
}

fn observed(prepared: &Prepared, basis: &mut Fields) {
    let observed = &prepared.observed;
    for container in &observed.containers {
        // Running is running, whether it began anew meanwhile or not.
        let state = match container.state {
            ContainerState::Restarting => ContainerState::Running,
            state => state,
        };
        let what = format!("{} {state:?} {}", container.id, container.image_id);
        basis.set(&format!("the daemon's container {}", container.name), what);
    }
    for edge in &observed.edges {
        let routes = digest(format!("{:?}", edge.routes).as_bytes());
        let what = format!(
            "{} {:?} {} {routes}",
            edge.id, edge.state, edge.program.version
        );
        basis.set(&format!("the daemon's edge {}", edge.name), what);
    }
    for image in &observed.images {
        let what = format!("{} {}", image.fingerprint, image.tags.join(" "));
        basis.set(&format!("the daemon's image {}", image.id), what);
    }
    for (reference, facts) in &observed.references {
        basis.set(&format!("the daemon's image {reference}"), facts.id.clone());
    }
    for network in &observed.networks {
        basis.set(
            &format!("the daemon's network {}", network.name),
            network.id.clone(),
        );
    }
    for volume in &observed.volumes {
        let inputs = volume.inputs.fingerprint();
        basis.set(&format!("the daemon's volume {}", volume.name), inputs);
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}
