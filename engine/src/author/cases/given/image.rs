//! The built image that a case gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::manifest::{ManifestError, Reader};
use crate::plan::observed::{HistoryEntry, ImageFacts};
use crate::plugin::ImageAccess;

/// `image`: what it says of itself, and which names are not to be had.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct RawImage {
    id: Option<String>,
    tags: Vec<String>,
    digest: Option<String>,
    size: Option<Spanned<String>>,
    layers: Vec<String>,
    os: Option<String>,
    architecture: Option<String>,
    user: String,
    command: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    working_dir: Option<String>,
    env: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    exposed: Vec<Spanned<Value>>,
    health_check: bool,
    history: Vec<Step>,
    /// Names that belong to other images.
    taken: Vec<String>,
}

/// One step of its history.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Step {
    created_by: String,
    size: Option<Spanned<String>>,
}

#[derive(Debug)]
struct Image {
    facts: ImageFacts,
    history: Vec<HistoryEntry>,
    taken: Vec<String>,
}

pub fn convert(reader: &Reader<'_>, raw: &RawImage) -> Result<Arc<dyn ImageAccess>, ManifestError> {
    let mut exposed = Vec::new();
    for port in &raw.exposed {
        let ports = reader.ports(port)?.into_iter();
        exposed.extend(ports.map(|port| (port.container_port, port.protocol)));
    }
    let size = |text: Option<&Spanned<String>>| {
        let size = reader.size(text)?;
        Ok::<_, ManifestError>(size.map_or(0, |size| size.0))
    };
    let mut history = Vec::new();
    for step in &raw.history {
        history.push(HistoryEntry {
            created_by: step.created_by.clone(),
            size: size(step.size.as_ref())?,
            created_ms: None,
        });
    }
    let or =
        |text: &Option<String>, default: &str| text.clone().unwrap_or_else(|| default.to_owned());
    Ok(Arc::new(Image {
        facts: ImageFacts {
            id: or(&raw.id, &format!("sha256:{}", "0".repeat(64))),
            exposed,
            user: raw.user.clone(),
            has_health_check: raw.health_check,
            size: size(raw.size.as_ref())?,
            labels: raw.labels.clone(),
            tags: raw.tags.clone(),
            tagged: None,
            digest: raw.digest.clone(),
            layers: raw.layers.clone(),
            os: or(&raw.os, "linux"),
            architecture: or(&raw.architecture, "amd64"),
            command: raw.command.clone(),
            entrypoint: raw.entrypoint.clone(),
            working_dir: raw.working_dir.clone(),
            env: raw.env.clone().into_iter().collect(),
        },
        history,
        taken: raw.taken.clone(),
    }))
}

impl ImageAccess for Image {
    fn facts(&self) -> &ImageFacts {
        &self.facts
    }

    fn history(&self) -> BoxFuture<'_, Result<Vec<HistoryEntry>, String>> {
        ready(Ok(self.history.clone())).boxed()
    }

    fn may_tag<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<(), String>> {
        let taken = self.taken.iter().any(|name| name == reference);
        ready(match taken {
            true => Err(format!("`{reference}` is the name of another image")),
            false => Ok(()),
        })
        .boxed()
    }
}
