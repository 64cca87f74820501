//! From a Compose project to the app that rengine deploys.

mod build;
mod container;
mod devices;
mod files;
mod rollout;

use indexmap::IndexMap;

use super::error::{ComposeError, Problem};
use super::model::{self, Project};
use super::source::Span;
use crate::app::{
    AddressPool, App, Command, Condition, Dependency, ImageSource, Name, Network, ParseNameError,
    PullPolicy, Service, Volume,
};

type Result<T> = std::result::Result<T, ComposeError>;

impl Project {
    /// The app that these files describe. Reads Dockerfiles, and the files of configs and secrets.
    ///
    /// # Errors
    ///
    /// The files ask for what rengine can't do ([`Project::refused`]), a file is missing, or a
    /// value has no counterpart in an app.
    pub fn to_app(&self) -> Result<App> {
        if !self.refused.is_empty() {
            return Err(ComposeError::Refused {
                problems: self.refused.clone(),
            });
        }
        let name = self.named(
            Name::parse_app(&self.name),
            &self.name,
            self.span(&["name"]),
        )?;
        let mut services = IndexMap::new();
        for (key, service) in &self.services {
            let converter = Converter {
                project: self,
                key,
                service,
            };
            let service = converter.service()?;
            services.insert(service.name.clone(), service);
        }
        let networks = self.networks.iter();
        let volumes = self.volumes.iter();
        let mut app = App {
            name,
            services,
            networks: networks
                .map(|(key, net)| (key.clone(), network(net)))
                .collect(),
            volumes: volumes
                .map(|(key, vol)| (key.clone(), volume(vol)))
                .collect(),
        };
        self.link(&mut app);
        Ok(app)
    }

    fn name(&self, text: &str, span: &Span) -> Result<Name> {
        self.named(Name::parse(text), text, span)
    }

    fn named(
        &self,
        name: std::result::Result<Name, ParseNameError>,
        text: &str,
        span: &Span,
    ) -> Result<Name> {
        name.map_err(|error| {
            let message = format!("`{text}` can't be a name here: {error}");
            Problem::new(span, message, Some("give it another name".into())).into()
        })
    }

    /// `db:database` in `links` is one more name of `db`, on the networks that both are on.
    fn link(&self, app: &mut App) {
        for (key, service) in &self.services {
            let links = service.links.iter().filter_map(|link| link.split_once(':'));
            for (target, alias) in links {
                let shared: Vec<_> = match app.services.get(key.as_str()) {
                    Some(own) => own.container.networks.keys().cloned().collect(),
                    None => continue,
                };
                let Some(target) = app.services.get_mut(target) else {
                    continue;
                };
                for network in shared {
                    if let Some(attached) = target.container.networks.get_mut(&network)
                        && !attached.aliases.iter().any(|known| known == alias)
                    {
                        attached.aliases.push(alias.to_owned());
                    }
                }
            }
        }
    }
}

/// Converts one service.
struct Converter<'a> {
    project: &'a Project,
    key: &'a str,
    service: &'a model::Service,
}

impl Converter<'_> {
    /// Where a key of the service stands.
    fn span(&self, path: &[&str]) -> &Span {
        let path: Vec<_> = ["services", self.key].iter().chain(path).copied().collect();
        self.project.span(&path)
    }

    /// An error about a key of the service.
    fn error(&self, path: &[&str], what: impl std::fmt::Display) -> ComposeError {
        ComposeError::at(self.span(path), format!("service `{}` {what}", self.key))
    }

    fn service(&self) -> Result<Service> {
        let service = self.service;
        let name = self.project.name(self.key, self.span(&[]))?;
        let image = match (&service.build, &service.container.image) {
            (Some(build), _) => ImageSource::Build(Box::new(self.build(build)?)),
            (None, Some(image)) => ImageSource::Image(image.clone()),
            (None, None) => return Err(self.error(&[], "has no image")),
        };
        let mut depends_on = IndexMap::new();
        for (other, dependency) in &service.depends_on {
            let other = self
                .project
                .name(other, self.span(&["depends_on", other]))?;
            depends_on.insert(other, needs(dependency));
        }
        let (strategy, batches) = self.rollout()?;
        Ok(Service {
            name,
            image,
            container: self.container()?,
            replicas: service.replicas(),
            container_name: service.container_name.clone(),
            pull: match service.container.pull_policy {
                Some(model::PullPolicy::Always) => PullPolicy::Always,
                Some(model::PullPolicy::Never) => PullPolicy::Never,
                Some(model::PullPolicy::Every(time)) => PullPolicy::Every(time),
                _ => PullPolicy::Missing,
            },
            strategy,
            batches,
            depends_on,
            post_start: service.post_start.iter().map(command).collect(),
            pre_stop: service.pre_stop.iter().map(command).collect(),
        })
    }
}

/// The extension of a service that is rengine's.
pub(super) const OWN: &str = "x-rengine";

fn needs(dependency: &model::Dependency) -> Dependency {
    Dependency {
        condition: match dependency.condition {
            model::Condition::Started => Condition::Started,
            model::Condition::Healthy => Condition::Healthy,
            model::Condition::Completed => Condition::Completed,
        },
        restart: dependency.restart,
        required: dependency.required,
    }
}

fn command(hook: &model::Hook) -> Command {
    let env = hook.environment.iter();
    Command {
        command: hook.command.clone(),
        user: hook.user.clone(),
        privileged: hook.privileged,
        working_dir: hook.working_dir.clone(),
        env: env
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
            .collect(),
    }
}

fn network(network: &model::Network) -> Network {
    let pool = |pool: &model::IpamPool| AddressPool {
        subnet: pool.subnet.clone(),
        range: pool.ip_range.clone(),
        gateway: pool.gateway.clone(),
        auxiliary: pool.aux_addresses.clone(),
    };
    Network {
        name: network.name.clone(),
        external: network.external,
        driver: network.driver.clone(),
        options: network.driver_opts.clone(),
        labels: network.labels.clone(),
        internal: network.internal,
        attachable: network.attachable,
        ipv4: network.enable_ipv4,
        ipv6: network.enable_ipv6.unwrap_or_default(),
        ipam_driver: network.ipam.driver.clone(),
        ipam_options: network.ipam.options.clone(),
        pools: network.ipam.config.iter().map(pool).collect(),
    }
}

fn volume(volume: &model::Volume) -> Volume {
    Volume {
        name: volume.name.clone(),
        external: volume.external,
        driver: volume.driver.clone(),
        options: volume.driver_opts.clone(),
        labels: volume.labels.clone(),
    }
}
