//! How a service's image is built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::error::ComposeError;
use super::super::model;
use super::super::syntax;
use super::{Converter, Result};
use crate::app::ImageBuild;

/// The Dockerfile where nothing else is said.
const DOCKERFILE: &str = "Dockerfile";

impl Converter<'_> {
    pub(super) fn build(&self, build: &model::Build) -> Result<ImageBuild> {
        if syntax::is_remote_context(&build.context) {
            let error = self.error(&["build", "context"], "is built from elsewhere");
            return Err(error.help("only folders of this machine can be built"));
        }
        let context = PathBuf::from(&build.context);
        let (dockerfile_path, dockerfile) = match &build.dockerfile_inline {
            Some(text) => (DOCKERFILE.to_owned(), Some(text.clone())),
            None => self.dockerfile(build, &context)?,
        };
        let args = build.args.iter();
        let [platform, others @ ..] = &build.platforms[..] else {
            return Ok(self.image_build(build, context, dockerfile_path, dockerfile, args, None));
        };
        // Of several, the one that the service runs on.
        let platform = match (&self.service.container.platform, others) {
            (Some(own), _) => own,
            (None, []) => platform,
            (None, _) => {
                let error = self.error(&["build", "platforms"], "is built for several platforms");
                return Err(error.help("say with `platform` which one it runs on"));
            }
        };
        let platform = Some(platform.clone());
        Ok(self.image_build(build, context, dockerfile_path, dockerfile, args, platform))
    }

    fn image_build<'b>(
        &self,
        build: &model::Build,
        context: PathBuf,
        dockerfile_path: String,
        dockerfile: Option<String>,
        args: impl Iterator<Item = (&'b String, &'b Option<String>)>,
        platform: Option<String>,
    ) -> ImageBuild {
        ImageBuild {
            context,
            dockerfile_path,
            dockerfile,
            args: args
                .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
                .collect(),
            labels: build.labels.clone(),
            target: build.target.clone(),
            platform: platform.or_else(|| self.service.container.platform.clone()),
            cache_from: build.cache_from.clone(),
            no_cache: build.no_cache,
            generated: BTreeMap::new(),
        }
    }

    /// The path of the Dockerfile in the context, and its text.
    fn dockerfile(&self, build: &model::Build, context: &Path) -> Result<(String, Option<String>)> {
        let named = build.dockerfile.as_deref().unwrap_or(DOCKERFILE);
        let file = super::super::files::normalized(&context.join(named));
        let Ok(inside) = file.strip_prefix(context) else {
            let what = format!(
                "has its Dockerfile outside of its context: {}",
                file.display()
            );
            let error = self.error(&["build", "dockerfile"], what);
            return Err(error.help("move it in, or make the context larger"));
        };
        let inside = inside.to_string_lossy().replace('\\', "/");
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok((inside, Some(text))),
            // A plugin may write it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((inside, None)),
            Err(error) => Err(ComposeError::read(&file, &error)),
        }
    }
}
