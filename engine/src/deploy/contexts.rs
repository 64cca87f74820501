//! What images are built from: the contexts of builds, walked and digested, with images in the place
//! of what a Dockerfile names beside its context.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::DeployError;
use crate::app::{App, ImageBuild, Name, NamedContext};
use crate::context::{Context, ContextError};
use crate::dockerfile::place;
use crate::plan::build_inputs;
use crate::secrets::Redactor;

/// How much of a digest is in the tag of an image.
const TAG_DIGITS: usize = 12;

/// The name of the image that a service's build makes.
pub fn built_tag(app: &App, service: &Name, fingerprint: &str) -> String {
    let start = fingerprint.get(..TAG_DIGITS).unwrap_or(fingerprint);
    format!("{}:{start}", app.repository(service))
}

/// A folder that a Dockerfile copies from under a name. Builders take images for such, so it is to
/// be one, of a single layer.
pub struct NamedFolder {
    /// The image's name, which has the digest of what is in it.
    pub reference: String,
    /// What is in it.
    pub context: Arc<Context>,
}

/// A context, and its digest.
type Digested = (Arc<Context>, String);

/// The contexts of an app's builds.
#[derive(Default)]
pub struct Contexts {
    /// Of each service that is built.
    pub own: BTreeMap<Name, Digested>,
    /// The folders that a service's Dockerfile names.
    pub folders: BTreeMap<Name, Vec<NamedFolder>>,
    /// The services whose images it names.
    pub builds_on: BTreeMap<Name, Vec<Name>>,
}

impl Contexts {
    /// Puts images into the places where Dockerfiles name contexts. Only what is named is read.
    pub async fn place(app: &mut App, redactor: &Redactor) -> Result<Self, DeployError> {
        let mut contexts = Self::default();
        for name in in_image_order(app) {
            let Some(build) = app.services.get(&name).and_then(|one| one.image.build()) else {
                continue;
            };
            if build.contexts.is_empty() {
                continue;
            }
            let build = build.clone();
            let text = build.dockerfile.as_deref().unwrap_or_default();
            let names = build.contexts.keys().map(|key| (key.clone(), key.clone()));
            let used = place(text, &names.collect(), &build.args).used;
            let mut images = BTreeMap::new();
            for (key, context) in build.contexts.iter().filter(|(key, _)| used.contains(*key)) {
                let image = match context {
                    NamedContext::Image(reference) => reference.clone(),
                    NamedContext::Service(other) => {
                        let on = contexts.builds_on.entry(name.clone()).or_default();
                        on.push(other.clone());
                        contexts.image_of(app, &name, other, redactor).await?
                    }
                    NamedContext::Folder(folder) => {
                        contexts.folder(app, &name, &build, folder).await?
                    }
                };
                images.insert(key.clone(), image);
            }
            let placed = place(text, &images, &build.args).text;
            let service = app.services.get_mut(&name);
            if let Some(build) = service.and_then(|service| service.image.build_mut()) {
                build.dockerfile = build.dockerfile.as_ref().map(|_| placed);
                let image = |(key, image)| (key, NamedContext::Image(image));
                build.contexts = images.into_iter().map(image).collect();
            }
        }
        Ok(contexts)
    }

    /// Walks and digests what was not looked at yet.
    pub async fn load(mut self, app: &App) -> Result<Self, DeployError> {
        for service in app.services.values() {
            if let Some(build) = service.image.build() {
                self.digested(&service.name, build).await?;
            }
        }
        Ok(self)
    }

    async fn digested(&mut self, name: &Name, build: &ImageBuild) -> Result<&str, DeployError> {
        if !self.own.contains_key(name) {
            let build = build.clone();
            let loaded = digested(move || Context::load(&build)).await?;
            self.own.insert(name.clone(), loaded);
        }
        let digest = self.own.get(name).map(|(_, digest)| digest.as_str());
        Ok(digest.unwrap_or_default())
    }

    /// The image that another service's build makes.
    async fn image_of(
        &mut self,
        app: &App,
        service: &Name,
        other: &Name,
        redactor: &Redactor,
    ) -> Result<String, DeployError> {
        let built = app.services.get(other).and_then(|one| one.image.build());
        let build = built.ok_or_else(|| DeployError::NoContextImage {
            service: service.to_string(),
            other: other.to_string(),
        })?;
        let digest = self.digested(other, build).await?;
        let fingerprint = build_inputs(build, digest, redactor).fingerprint();
        Ok(built_tag(app, other, &fingerprint))
    }

    async fn folder(
        &mut self,
        app: &App,
        service: &Name,
        build: &ImageBuild,
        folder: &Path,
    ) -> Result<String, DeployError> {
        let path = folder.to_owned();
        let (context, digest) = digested(move || Context::of_folder(&path)).await?;
        let digest = digest.strip_prefix("sha256:").unwrap_or(&digest);
        let start = digest.get(..TAG_DIGITS).unwrap_or(digest);
        let platform = build.platform.as_deref().map(|platform| {
            let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
            format!("-{}", platform.chars().map(safe).collect::<String>())
        });
        let platform = platform.unwrap_or_default();
        let reference = format!("{}:context-{start}{platform}", app.repository(service));
        let folders = self.folders.entry(service.clone()).or_default();
        if !folders.iter().any(|known| known.reference == reference) {
            folders.push(NamedFolder {
                reference: reference.clone(),
                context,
            });
        }
        Ok(reference)
    }
}

/// Reads files, which is no task for the threads that everything else runs on.
async fn digested(
    load: impl FnOnce() -> Result<Context, ContextError> + Send + 'static,
) -> Result<Digested, DeployError> {
    let work = tokio::task::spawn_blocking(move || {
        let context = load()?;
        let digest = match super::hooks::cache_folder() {
            Some(cache) => context.digest_remembered(&cache),
            None => context.digest(),
        };
        let digest = digest?.to_string();
        Ok::<_, ContextError>((Arc::new(context), digest))
    });
    match work.await {
        Ok(loaded) => Ok(loaded?),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The services, each after those whose images its own is built from. Who reads an app looks for
/// circles.
fn in_image_order(app: &App) -> Vec<Name> {
    let mut ordered = Vec::new();
    let mut seen = BTreeSet::new();
    for name in app.services.keys() {
        visit(app, name, &mut seen, &mut ordered);
    }
    ordered
}

fn visit(app: &App, name: &Name, seen: &mut BTreeSet<Name>, ordered: &mut Vec<Name>) {
    let Some(service) = app.services.get(name) else {
        return;
    };
    if !seen.insert(name.clone()) {
        return;
    }
    let contexts = service
        .image
        .build()
        .into_iter()
        .flat_map(|build| build.contexts.values());
    for context in contexts {
        if let NamedContext::Service(other) = context {
            visit(app, other, seen, ordered);
        }
    }
    ordered.push(name.clone());
}
