//! How a service's image is built.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::super::error::ComposeError;
use super::super::model;
use super::super::syntax;
use super::container::{hosts, ulimit};
use super::{Converter, Result};
use crate::app::{BuildRun, BuildSecret, ImageBuild, NamedContext, SshSource};

/// The Dockerfile where nothing else is said.
const DOCKERFILE: &str = "Dockerfile";
/// The variable with the socket of the ssh agent.
const AGENT: &str = "SSH_AUTH_SOCK";

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
        Ok(ImageBuild {
            context,
            dockerfile_path,
            dockerfile,
            args: args
                .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
                .collect(),
            labels: build.labels.clone(),
            target: build.target.clone(),
            platform: self.platform(build)?,
            cache_from: build.cache_from.clone(),
            no_cache: build.no_cache,
            pull: build.pull,
            inline_cache: build.cache_to.iter().any(|to| cache_type(to) == "inline"),
            run: self.run(build)?,
            tags: self.tags(build),
            contexts: self.contexts(build)?,
            generated: BTreeMap::new(),
        })
    }

    /// What the Dockerfile may name beside the context.
    fn contexts(&self, build: &model::Build) -> Result<BTreeMap<String, NamedContext>> {
        let mut contexts = BTreeMap::new();
        for (name, text) in &build.additional_contexts {
            let path = ["build", "additional_contexts", name];
            let context = if let Some(reference) = text.strip_prefix("docker-image://") {
                NamedContext::Image(reference.to_owned())
            } else if let Some(other) = text.strip_prefix("service:") {
                NamedContext::Service(self.project.name(other, self.span(&path))?)
            } else if syntax::is_remote_context(text) {
                let error = self.error(&path, "names files that are fetched from elsewhere");
                return Err(error.help(
                    "a context is a folder, `docker-image://NAME` or `service:NAME`: fetch the \
                     files into a folder, and name that",
                ));
            } else {
                NamedContext::Folder(PathBuf::from(text))
            };
            if build.pull && !matches!(context, NamedContext::Image(_)) {
                let what = "fetches each image that it builds on, and one of them is made here";
                let error = self.error(&["build", "pull"], what);
                return Err(error.help(format!("take `pull` away, or the context `{name}`")));
            }
            contexts.insert(name.clone(), context);
        }
        Ok(contexts)
    }

    /// The platform to build for; of several, the one that the service runs on.
    fn platform(&self, build: &model::Build) -> Result<Option<String>> {
        let own = &self.service.container.platform;
        match (own, &build.platforms[..]) {
            (Some(own), _) => Ok(Some(own.clone())),
            (None, []) => Ok(None),
            (None, [platform]) => Ok(Some(platform.clone())),
            (None, _) => {
                let error = self.error(&["build", "platforms"], "is built for several platforms");
                Err(error.help("say with `platform` which one it runs on"))
            }
        }
    }

    /// The names that the image is to have: `image` first, as Compose has it.
    fn tags(&self, build: &model::Build) -> Vec<String> {
        let image = self.service.container.image.iter();
        let mut tags: Vec<String> = Vec::new();
        for tag in image.chain(&build.tags) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        tags
    }

    /// What steps that run commands are given.
    fn run(&self, build: &model::Build) -> Result<BuildRun> {
        let ulimits = build.ulimits.iter();
        Ok(BuildRun {
            network: build.network.clone(),
            extra_hosts: hosts(&build.extra_hosts),
            shm_size: build.shm_size,
            ulimits: ulimits
                .map(|(name, limit)| (name.clone(), ulimit(*limit)))
                .collect(),
            secrets: self.build_secrets(build)?,
            ssh: self.ssh(build)?,
        })
    }

    fn build_secrets(&self, build: &model::Build) -> Result<BTreeMap<String, BuildSecret>> {
        let mut secrets = BTreeMap::new();
        for mount in &build.secrets {
            let Some(secret) = self.project.secrets.get(&mount.source) else {
                continue;
            };
            let id = match mount.target.as_str() {
                "" => &mount.source,
                target => target,
            };
            if let Some(contents) = self.secret(&mount.source, secret)? {
                secrets.insert(id.to_owned(), BuildSecret(contents));
            }
        }
        Ok(secrets)
    }

    fn ssh(&self, build: &model::Build) -> Result<BTreeMap<String, SshSource>> {
        let mut sources = BTreeMap::new();
        for (id, path) in &build.ssh {
            let place = ["build", "ssh", id];
            let source = match path {
                Some(path) => {
                    let path = PathBuf::from(path);
                    let found = std::fs::metadata(&path).map_err(|error| {
                        self.error(&place, format!("has a key that can't be read: {error}"))
                    })?;
                    match found.file_type().is_socket() {
                        true => SshSource::Agent(path),
                        false => SshSource::Key(path),
                    }
                }
                None => match self.project.environment.get(AGENT) {
                    Some(socket) => SshSource::Agent(socket.into()),
                    None => {
                        let error = self.error(&place, "needs an ssh agent, and there is none");
                        let help = format!("start one, so that {AGENT} is set, or name a key");
                        return Err(error.help(help));
                    }
                },
            };
            sources.insert(id.clone(), source);
        }
        Ok(sources)
    }

    /// The path of the Dockerfile in the context, and its text.
    fn dockerfile(&self, build: &model::Build, context: &Path) -> Result<(String, Option<String>)> {
        let named = build.dockerfile.as_deref().unwrap_or(DOCKERFILE);
        let file = super::super::files::normalized(&context.join(named));
        let Ok(inside) = file.strip_prefix(context) else {
            // It is sent with the context all the same, as one that is written in the file.
            let text = std::fs::read_to_string(&file).map_err(|error| {
                let what = format!("has a Dockerfile that can't be read: {}", file.display());
                let error = format!("{what}: {error}");
                self.error(&["build", "dockerfile"], error)
            })?;
            return Ok((DOCKERFILE.to_owned(), Some(text)));
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

/// The kind of a cache, as in `type=registry,ref=…`; what is written alone is the name of an image.
fn cache_type(cache: &str) -> &str {
    let mut fields = cache.split(',').filter_map(|field| field.split_once('='));
    let kind = fields.find(|(name, _)| name.trim() == "type");
    kind.map_or("registry", |(_, kind)| kind.trim())
}
