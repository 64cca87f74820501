//! What a case gives to a hook: values, in the place of what a daemon and a file system would say.

mod app;
mod container;
mod deploy;
mod files;
mod image;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;
use toml::Spanned;

pub use app::RawService;
pub use container::RawRunning;
pub use deploy::RawDeploy;
pub use image::RawImage;

use crate::app::{App, ContainerSpec, ImageBuild};
use crate::manifest::{AppTable, ManifestError, Reader};
use crate::plugin::{ContainerAccess, ContextAccess, Contexts, FinishedDeploy, Hook, ImageAccess};
use files::Files;

/// What the hook of a case is handed.
#[derive(Clone)]
pub enum Given {
    /// To `configure`.
    App {
        /// The app.
        app: Box<App>,
        /// The files of its services' build contexts.
        contexts: Contexts,
    },
    /// To `pre-build`.
    Build {
        /// The build.
        build: Box<ImageBuild>,
        /// The files of its context.
        files: Arc<dyn ContextAccess>,
    },
    /// To `pre-run`.
    Container {
        /// The specification.
        spec: Box<ContainerSpec>,
        /// The Dockerfile of the image, where it is built.
        dockerfile: Option<String>,
        /// The image, where it is not.
        image: Option<String>,
    },
    /// To `post-build`.
    Image(Arc<dyn ImageAccess>),
    /// To `health`, `post-run` and `pre-stop`.
    Running(Arc<dyn ContainerAccess>),
    /// To `post-deploy`.
    Deploy(Arc<FinishedDeploy>),
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::App { .. } => "an app",
            Self::Build { .. } => "a build",
            Self::Container { .. } => "a specification",
            Self::Image(_) => "an image",
            Self::Running(_) => "a container",
            Self::Deploy(_) => "a deploy",
        })
    }
}

/// `build`: an image build, with the files of its context.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct RawBuild {
    dockerfile: Option<String>,
    dockerfile_path: Option<String>,
    args: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    target: Option<String>,
    platform: Option<String>,
    cache_from: Vec<String>,
    no_cache: bool,
    files: BTreeMap<String, String>,
}

impl RawBuild {
    fn files(&self) -> Arc<dyn ContextAccess> {
        Arc::new(Files::new(&self.files))
    }

    fn build(&self) -> ImageBuild {
        let path = self.dockerfile_path.as_deref().unwrap_or("Dockerfile");
        ImageBuild {
            context: PathBuf::new(),
            dockerfile_path: path.to_owned(),
            dockerfile: self.dockerfile.clone(),
            args: self.args.clone(),
            labels: self.labels.clone(),
            target: self.target.clone(),
            platform: self.platform.clone(),
            cache_from: self.cache_from.clone(),
            no_cache: self.no_cache,
            pull: false,
            inline_cache: false,
            run: crate::app::BuildRun::default(),
            tags: Vec::new(),
            contexts: BTreeMap::new(),
            generated: BTreeMap::new(),
        }
    }
}

/// All that a case can give, each under its own key.
#[derive(Debug)]
pub struct RawGiven {
    pub services: Option<Spanned<IndexMap<Spanned<String>, RawService>>>,
    pub build: Option<Spanned<RawBuild>>,
    pub container: Option<Spanned<AppTable>>,
    pub image: Option<Spanned<RawImage>>,
    pub running: Option<Spanned<RawRunning>>,
    pub deploy: Option<Spanned<RawDeploy>>,
}

impl RawGiven {
    /// Each key with its place, where the case has it.
    fn places(&self) -> [(&'static str, Option<Range<usize>>); 6] {
        [
            ("services", self.services.as_ref().map(Spanned::span)),
            ("build", self.build.as_ref().map(Spanned::span)),
            ("container", self.container.as_ref().map(Spanned::span)),
            ("image", self.image.as_ref().map(Spanned::span)),
            ("running", self.running.as_ref().map(Spanned::span)),
            ("deploy", self.deploy.as_ref().map(Spanned::span)),
        ]
    }

    /// Makes what the hook is handed. `case` is the place of the whole case, `app` the app's name.
    pub fn convert(
        self,
        reader: &Reader<'_>,
        hook: Hook,
        case: Range<usize>,
        app: &str,
    ) -> Result<Given, ManifestError> {
        let needed = match hook {
            Hook::Configure => "services",
            Hook::PreBuild => "build",
            Hook::PreRun => "container",
            Hook::PostBuild => "image",
            Hook::Health | Hook::PostRun | Hook::PreStop => "running",
            Hook::PostDeploy => "deploy",
        };
        for (key, place) in self.places() {
            // What the hook never sees was given by mistake.
            let seen = key == needed || (hook, key) == (Hook::PreRun, "build");
            if let Some(place) = place.filter(|_| !seen) {
                let message = format!("{hook} is not handed a `{key}`");
                return Err(reader.error(place, message, None));
            }
        }
        let given = match hook {
            Hook::Configure => self
                .services
                .map(|services| app::convert(reader, app, case.clone(), services.into_inner()))
                .transpose()?,
            Hook::PreBuild => self.build.map(|build| Given::Build {
                build: Box::new(build.get_ref().build()),
                files: build.get_ref().files(),
            }),
            Hook::PreRun => match self.container {
                Some(container) => Some(planned(reader, &container, self.build.as_ref())?),
                None => None,
            },
            Hook::PostBuild => match self.image {
                Some(image) => Some(Given::Image(image::convert(reader, image.get_ref())?)),
                None => None,
            },
            Hook::Health | Hook::PostRun | Hook::PreStop => match self.running {
                Some(running) => Some(Given::Running(container::convert(
                    reader,
                    running.get_ref(),
                )?)),
                None => None,
            },
            Hook::PostDeploy => match self.deploy {
                Some(deploy) => Some(Given::Deploy(deploy::convert(reader, deploy.get_ref())?)),
                None => None,
            },
        };
        given.ok_or_else(|| {
            let message = format!("{hook} is handed `{needed}`, and the case gives none");
            let help = format!("add [case.{needed}]; it may be empty");
            reader.error(case, message, Some(help))
        })
    }
}

/// What `pre-run` is handed: a specification, and what its image is made from.
fn planned(
    reader: &Reader<'_>,
    container: &Spanned<AppTable>,
    build: Option<&Spanned<RawBuild>>,
) -> Result<Given, ManifestError> {
    let (spec, image) = specification(reader, container)?;
    if image.is_some() && build.is_some() {
        let message = "an image is built, or it is there: not both".to_owned();
        return Err(reader.error(container.span(), message, None));
    }
    Ok(Given::Container {
        spec: Box::new(spec),
        dockerfile: build.and_then(|build| build.get_ref().dockerfile.clone()),
        image,
    })
}

/// A container in the words of `[app]`, and its image where it is not built.
fn specification(
    reader: &Reader<'_>,
    table: &Spanned<AppTable>,
) -> Result<(ContainerSpec, Option<String>), ManifestError> {
    let (table, span) = (table.get_ref(), table.span());
    let elsewhere = [
        ("name", "[case.context] app", table.name.is_some()),
        ("service", "[case.context] service", table.service.is_some()),
        ("build", "[case.build]", table.build.is_some()),
        ("compose", "no case", table.compose.is_some()),
    ];
    if let Some((key, place, _)) = elsewhere.into_iter().find(|(_, _, given)| *given) {
        let message = format!("`{key}` is not a container's: it belongs to {place}");
        return Err(reader.error(span, message, None));
    }
    let image = table.image.as_ref().map(|image| image.get_ref().clone());
    Ok((reader.container(table.clone())?, image))
}
