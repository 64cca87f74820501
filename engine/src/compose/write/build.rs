//! How an image is built.

use std::path::Path;

use indexmap::IndexMap;

use super::super::model;
use super::{Writer, container};
use crate::app::ImageBuild;

impl Writer<'_> {
    pub(super) fn build(&self, build: &ImageBuild, lost: &mut Vec<String>) -> model::Build {
        let own = &self.service.container.platform;
        // Whose contents are not told: as the project has it, by files and variables.
        let origin = self.origin.and_then(|service| service.build.as_ref());
        let (dockerfile, dockerfile_inline) = match &build.dockerfile {
            Some(text) if !is(text, &build.context.join(&build.dockerfile_path)) => {
                (None, Some(text.clone()))
            }
            _ => (Some(build.dockerfile_path.clone()), None),
        };
        if !build.generated.is_empty() {
            let files: Vec<_> = build
                .generated
                .keys()
                .map(|path| format!("`{path}`"))
                .collect();
            lost.push(format!(
                "the files that plugins add to the build context of `{}`: {}",
                self.service.name,
                files.join(", ")
            ));
        }
        let run = &build.run;
        if !run.ssh.is_empty() && origin.is_none() {
            lost.push(format!(
                "the ssh keys of the build of `{}`",
                self.service.name
            ));
        }
        let contexts = build.contexts.iter();
        model::Build {
            context: build.context.display().to_string(),
            dockerfile,
            dockerfile_inline,
            args: build
                .args
                .iter()
                .map(|(name, value)| (name.clone(), Some(value.clone())))
                .collect(),
            ssh: origin.map(|build| build.ssh.clone()).unwrap_or_default(),
            labels: build.labels.clone(),
            cache_from: build.cache_from.clone(),
            cache_to: build
                .inline_cache
                .then(|| "type=inline".to_owned())
                .into_iter()
                .collect(),
            no_cache: build.no_cache,
            additional_contexts: contexts
                .map(|(name, context)| (name.clone(), context.to_string()))
                .collect(),
            network: run.network.clone(),
            pull: build.pull,
            target: build.target.clone(),
            shm_size: run.shm_size,
            extra_hosts: hosts(&run.extra_hosts),
            secrets: origin
                .map(|build| build.secrets.clone())
                .unwrap_or_default(),
            // The first is the service's `image`.
            tags: build.tags.iter().skip(1).cloned().collect(),
            ulimits: container::ulimits(&run.ulimits),
            platforms: match own {
                Some(_) => Vec::new(),
                None => build.platform.iter().cloned().collect(),
            },
            ..model::Build::default()
        }
    }
}

/// True if a file has just this text.
fn is(text: &str, path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|contents| contents == text.as_bytes())
}

/// Lines of /etc/hosts by their names.
pub(super) fn hosts(lines: &[String]) -> IndexMap<String, Vec<String>> {
    let mut hosts: IndexMap<String, Vec<String>> = IndexMap::new();
    for (name, address) in lines.iter().filter_map(|line| line.split_once(':')) {
        hosts
            .entry(name.to_owned())
            .or_default()
            .push(address.to_owned());
    }
    hosts
}
