//! What a case gives to a hook: values, in the place of what a daemon and a file system would say.

mod container;
mod files;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

pub use container::RawRunning;

use crate::app::{ContainerSpec, ImageBuild};
use crate::manifest::{AppTable, ManifestError, Reader};
use crate::plugin::{ContainerAccess, ContextAccess, Hook};
use files::Files;

/// What the hook of a case is handed.
#[derive(Clone)]
pub enum Given {
    /// To `pre-build`.
    Build {
        /// The build.
        build: ImageBuild,
        /// The files of its context.
        files: Arc<dyn ContextAccess>,
    },
    /// To `pre-run`.
    Container {
        /// The specification.
        spec: ContainerSpec,
        /// The Dockerfile of the image, where it is built.
        dockerfile: Option<String>,
        /// The image, where it is not.
        image: Option<String>,
    },
    /// To `health`.
    Starting(Arc<dyn ContainerAccess>),
    /// To `post-run`.
    Started(Arc<dyn ContainerAccess>),
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Build { .. } => "a build",
            Self::Container { .. } => "a specification",
            Self::Starting(_) | Self::Started(_) => "a container",
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
            generated: BTreeMap::new(),
        }
    }
}

/// Finds what the hook needs among what is given.
pub fn convert(
    reader: &Reader<'_>,
    hook: Hook,
    case: Range<usize>,
    build: Option<&Spanned<RawBuild>>,
    container: Option<&Spanned<AppTable>>,
    running: Option<&Spanned<RawRunning>>,
) -> Result<Given, ManifestError> {
    let missing = |name: &str| {
        let message = format!("{hook} is handed a `{name}`, and the case gives none");
        let help = format!("add [case.{name}]; it may be empty");
        Err(reader.error(case.clone(), message, Some(help)))
    };
    // What the hook never sees was given by mistake.
    let unused = |name: &str, span: Option<Range<usize>>| match span {
        None => Ok(()),
        Some(span) => {
            let message = format!("{hook} is not handed a `{name}`");
            Err(reader.error(span, message, None))
        }
    };
    let container_span = container.map(Spanned::span);
    let running_span = running.map(Spanned::span);
    match hook {
        Hook::PreBuild => {
            unused("container", container_span)?;
            unused("running", running_span)?;
            let Some(build) = build else {
                return missing("build");
            };
            let build = build.get_ref();
            Ok(Given::Build {
                build: build.build(),
                files: Arc::new(Files::new(&build.files)),
            })
        }
        Hook::PreRun => {
            unused("running", running_span)?;
            let Some(container) = container else {
                return missing("container");
            };
            let (spec, image) = specification(reader, container)?;
            let built = build.map(|build| build.get_ref().dockerfile.clone());
            if let (Some(_), Some(_)) = (&image, build) {
                let message = "an image is built, or it is there: not both".to_owned();
                return Err(reader.error(container.span(), message, None));
            }
            Ok(Given::Container {
                spec,
                dockerfile: built.flatten(),
                image,
            })
        }
        Hook::Health | Hook::PostRun => {
            unused("build", build.map(Spanned::span))?;
            unused("container", container_span)?;
            let Some(running) = running else {
                return missing("running");
            };
            let container = container::convert(reader, running.get_ref())?;
            Ok(match hook {
                Hook::Health => Given::Starting(container),
                _ => Given::Started(container),
            })
        }
    }
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
