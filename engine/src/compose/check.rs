//! What only the whole project can tell: names that lead nowhere, keys that exclude each other,
//! dependencies that go in a circle.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::error::{ComposeError, did_you_mean};
use super::files::clean;
use super::model::{FileMount, Namespace, Project, Service, VolumeType};
use super::node::Node;
use super::source::Span;

type Result = std::result::Result<(), ComposeError>;

/// Checks a project.
pub fn check(project: &Project) -> Result {
    if project.services.is_empty() && project.inactive.is_empty() {
        let span = project.span(&[]);
        let error = ComposeError::at(span, "the project has no services");
        return Err(error.help("write them under `services:`"));
    }
    for (name, service) in &project.services {
        let checker = Checker {
            project,
            name,
            service,
        };
        checker.image()?;
        checker.dependencies()?;
        checker.networks()?;
        checker.mounts()?;
        checker.limits()?;
    }
    resources(project)?;
    super::circles::check(project)
}

struct Checker<'a> {
    project: &'a Project,
    name: &'a str,
    service: &'a Service,
}

impl Checker<'_> {
    /// An error about a key of the service.
    fn error(&self, path: &[&str], message: impl std::fmt::Display) -> ComposeError {
        let path: Vec<&str> = ["services", self.name]
            .iter()
            .chain(path)
            .copied()
            .collect();
        ComposeError::at(
            self.project.span(&path),
            format!("service `{}` {message}", self.name),
        )
    }

    /// An error about a name that is not declared.
    fn unknown<'k>(
        &self,
        path: &[&str],
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'k String>,
    ) -> ComposeError {
        let error = self.error(path, format!("has no {what} `{name}` to use"));
        match did_you_mean(name, known.map(String::as_str)) {
            Some(help) => error.help(help),
            None => error.help(format!("declare it under `{what}s:` at the top")),
        }
    }

    fn image(&self) -> Result {
        let Service {
            build, container, ..
        } = self.service;
        let Some(build) = build else {
            if container.image.is_none() && self.service.provider.is_none() {
                let error = self.error(&[], "has neither an `image` nor a `build`");
                return Err(error.help("say where its image comes from"));
            }
            return Ok(());
        };
        if build.dockerfile.is_some() && build.dockerfile_inline.is_some() {
            let path = ["build", "dockerfile_inline"];
            return Err(self.error(&path, "has a `dockerfile` and a `dockerfile_inline`"));
        }
        for (key, context) in &build.additional_contexts {
            let path = ["build", "additional_contexts", key];
            let Some(other) = context.strip_prefix("service:") else {
                continue;
            };
            let known = self.project.services.get(other);
            let Some(known) = known else {
                return Err(self.unknown(&path, "service", other, self.project.services.keys()));
            };
            if known.build.is_none() {
                return Err(self.error(&path, format!("builds on `{other}`, which is not built")));
            }
        }
        if let Some(platform) = &container.platform
            && !build.platforms.is_empty()
            && !build.platforms.contains(platform)
        {
            let message = format!("runs on {platform}, and is not built for it");
            return Err(self.error(&["build", "platforms"], message));
        }
        let path = ["build", "secrets"];
        self.declared("secret", &build.secrets, &path, &self.project.secrets)
    }

    /// What is mounted is declared at the top.
    fn declared<T>(
        &self,
        what: &str,
        mounts: &[FileMount],
        path: &[&str],
        known: &IndexMap<String, T>,
    ) -> Result {
        for (index, mount) in mounts.iter().enumerate() {
            if !known.contains_key(&mount.source) {
                let index = index.to_string();
                let path = [path, &[index.as_str()]].concat();
                return Err(self.unknown(&path, what, &mount.source, known.keys()));
            }
        }
        Ok(())
    }

    fn dependencies(&self) -> Result {
        for name in self.service.depends_on.keys() {
            if self.project.services.contains_key(name) {
                continue;
            }
            let error = if self.project.inactive.contains(name) {
                let message = format!("needs `{name}`, which no active profile has");
                self.error(&[], message).help(format!(
                    "activate a profile of `{name}` with `--profile`, or write `required: false`"
                ))
            } else {
                self.unknown(&[], "service", name, self.project.services.keys())
            };
            return Err(error.moved(self.needed_at(name)));
        }
        Ok(())
    }

    /// Where it stands that the service needs another: in `depends_on`, or in another key.
    fn needed_at(&self, name: &str) -> &Span {
        let service = ["services", self.name];
        let node = service
            .iter()
            .chain(&["depends_on"])
            .try_fold(&self.project.tree, |node, step| node.get(step));
        let entry = node.and_then(Node::as_map).and_then(|map| map.get(name));
        entry.map_or(self.project.span(&service), |entry| &entry.key)
    }

    fn networks(&self) -> Result {
        let container = &self.service.container;
        if container.network_mode.is_some() && !container.networks.is_empty() {
            let error = self.error(&["network_mode"], "has a `network_mode` and `networks`");
            return Err(error.help("remove one of them"));
        }
        for network in container.networks.keys() {
            if !self.project.networks.contains_key(network) {
                let known = self.project.networks.keys();
                return Err(self.unknown(&["networks", network], "network", network, known));
            }
        }
        if matches!(&container.network_mode, Some(Namespace::Named(mode)) if mode == "host")
            && !self.service.ports.is_empty()
        {
            let message = "publishes ports, and is on the host's network";
            return Err(self
                .error(&["ports"], message)
                .help("remove `ports`: they are open already"));
        }
        Ok(())
    }

    fn mounts(&self) -> Result {
        let container = &self.service.container;
        let mut places: BTreeMap<String, String> = BTreeMap::new();
        let tmpfs = container.tmpfs.iter().enumerate().map(|(index, text)| {
            let target = clean(text.split(':').next().unwrap_or(text));
            (target, "tmpfs", index)
        });
        let volumes = container.volumes.iter().enumerate();
        let volumes = volumes.map(|(index, mount)| (mount.target.clone(), "volumes", index));
        for (target, key, index) in tmpfs.chain(volumes) {
            let index = index.to_string();
            if let Some(first) = places.insert(target.clone(), format!("{key}[{index}]")) {
                let message = format!("mounts something else at {target} already, in `{first}`");
                return Err(self.error(&[key, &index], message));
            }
        }
        for (index, mount) in container.volumes.iter().enumerate() {
            let path = ["volumes", &index.to_string(), "source"];
            match (mount.kind, &mount.source) {
                (VolumeType::Bind, None) => {
                    return Err(self.error(&path[..2], "has a bind mount without a `source`"));
                }
                (VolumeType::Tmpfs, Some(_)) => {
                    return Err(self.error(&path, "has a tmpfs with a `source`"));
                }
                (VolumeType::Volume, Some(source))
                    if !self.project.volumes.contains_key(source) =>
                {
                    let known = self.project.volumes.keys();
                    return Err(self.unknown(&path, "volume", source, known));
                }
                _ => {}
            }
        }
        self.declared(
            "secret",
            &container.secrets,
            &["secrets"],
            &self.project.secrets,
        )?;
        self.declared(
            "config",
            &container.configs,
            &["configs"],
            &self.project.configs,
        )?;
        for model in container.models.keys() {
            if !self.project.models.contains_key(model) {
                let known = self.project.models.keys();
                return Err(self.unknown(&["models", model], "model", model, known));
            }
        }
        Ok(())
    }

    /// What can be said in two places must be said the same.
    fn limits(&self) -> Result {
        let Service {
            container, deploy, ..
        } = self.service;
        let (limits, reserved) = (&deploy.resources.limits, &deploy.resources.reservations);
        let differ = [
            (
                "scale",
                "deploy.replicas",
                differ(&self.service.scale, &deploy.replicas),
            ),
            (
                "cpus",
                "deploy.resources.limits.cpus",
                differ(&container.cpus, &limits.cpus),
            ),
            (
                "mem_limit",
                "deploy.resources.limits.memory",
                differ(&container.mem_limit, &limits.memory),
            ),
            (
                "pids_limit",
                "deploy.resources.limits.pids",
                differ(&container.pids_limit, &limits.pids),
            ),
            (
                "mem_reservation",
                "deploy.resources.reservations.memory",
                differ(&container.mem_reservation, &reserved.memory),
            ),
        ];
        if let Some((key, other, _)) = differ.into_iter().find(|(_, _, differ)| *differ) {
            let message = format!("has different values for `{key}` and `{other}`");
            return Err(self.error(&[key], message).help("remove one of them"));
        }
        if self.service.container_name.is_some() && self.service.replicas() > 1 {
            let message = "has a `container_name`, and more containers than one";
            return Err(self
                .error(&["container_name"], message)
                .help("remove the name"));
        }
        for (index, watch) in self.service.develop.watch.iter().enumerate() {
            use super::model::WatchAction::{Rebuild, Restart};
            if watch.target.is_none() && !matches!(watch.action, Rebuild | Restart) {
                let path = ["develop", "watch", &index.to_string()];
                return Err(self.error(&path, "copies files without a `target`"));
            }
        }
        Ok(())
    }
}

fn differ<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

/// What is declared beside services.
fn resources(project: &Project) -> Result {
    for (key, volume) in &project.volumes {
        let settings = volume.driver.is_some() || !volume.driver_opts.is_empty();
        if volume.external && (settings || !volume.labels.is_empty()) {
            return Err(external(project, "volumes", key));
        }
    }
    for (key, network) in &project.networks {
        let settings = network.driver.is_some()
            || !network.driver_opts.is_empty()
            || network.ipam != super::model::Ipam::default()
            || network.internal;
        if network.external && (settings || !network.labels.is_empty()) {
            return Err(external(project, "networks", key));
        }
    }
    for (key, secret) in &project.secrets {
        let sources = [
            secret.file.is_some(),
            secret.environment.is_some(),
            secret.external,
        ];
        let driver = secret.driver.is_some();
        one_source(
            project,
            "secrets",
            key,
            &sources,
            driver,
            "`file` or `environment`",
        )?;
    }
    for (key, config) in &project.configs {
        let sources = [
            config.file.is_some(),
            config.environment.is_some(),
            config.content.is_some(),
            config.external,
        ];
        let ways = "`file`, `environment` or `content`";
        one_source(project, "configs", key, &sources, false, ways)?;
    }
    Ok(())
}

fn external(project: &Project, section: &str, key: &str) -> ComposeError {
    let span = project.span(&[section, key]);
    let kind = section.trim_end_matches('s');
    ComposeError::at(
        span,
        format!("the {kind} `{key}` is external, and has settings"),
    )
    .help("an external one is made elsewhere: only `name` can be said of it")
}

fn one_source(
    project: &Project,
    section: &str,
    key: &str,
    sources: &[bool],
    elsewhere: bool,
    ways: &str,
) -> Result {
    let count = sources.iter().filter(|&&there| there).count();
    if count == 1 || (count == 0 && elsewhere) {
        return Ok(());
    }
    let kind = section.trim_end_matches('s');
    let span = project.span(&[section, key]);
    let message = match count {
        0 => format!("the {kind} `{key}` comes from nowhere"),
        _ => format!("the {kind} `{key}` comes from more than one place"),
    };
    Err(ComposeError::at(span, message).help(format!("it has one of {ways}")))
}
