//! From an app to a Compose file that describes it: what [`Project::to_app`] does, backwards.

mod build;
mod container;

use indexmap::IndexMap;
use serde::Serialize;

use super::emit;
use super::model::{self, Project};
use crate::app::{
    self, App, Command, Condition, ContainerSpec, Dependency, ImageSource, Network, Service, Volume,
};

/// An app as a Compose file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Written {
    name: String,
    services: IndexMap<String, model::Service>,
    networks: IndexMap<String, model::Network>,
    volumes: IndexMap<String, model::Volume>,
    secrets: IndexMap<String, model::Secret>,
    configs: IndexMap<String, model::Config>,
    /// What of the app a Compose file has no words for, each as a sentence.
    #[serde(skip)]
    pub lost: Vec<String>,
}

impl Written {
    /// The file as a JSON value.
    pub fn to_json(&self) -> serde_json::Value {
        emit::sections(serde_json::json!(self))
    }

    /// The file's text.
    pub fn to_yaml(&self) -> String {
        emit::yaml(&self.to_json())
    }
}

/// Writes an app. What is in configs and secrets is told as the project that it was made from has
/// it, as files and variables: nothing of it is in what is written. Plugins can't change them.
pub fn write(app: &App, project: Option<&Project>) -> Written {
    let mut written = Written {
        name: app.name.to_string(),
        ..Written::default()
    };
    if let Some(project) = project {
        written.secrets.clone_from(&project.secrets);
        written.configs.clone_from(&project.configs);
    }
    for service in app.services.values() {
        let writer = Writer {
            app,
            service,
            project,
            origin: project.and_then(|project| project.services.get(service.name.as_str())),
        };
        let text = writer.write(&mut written.lost);
        written.services.insert(service.name.to_string(), text);
    }
    let networks = app.networks.iter();
    written.networks = networks
        .map(|(key, one)| (key.clone(), network(one)))
        .collect();
    let volumes = app.volumes.iter();
    written.volumes = volumes
        .map(|(key, one)| (key.clone(), volume(one)))
        .collect();
    written
}

/// Writes one service.
struct Writer<'a> {
    app: &'a App,
    service: &'a Service,
    project: Option<&'a Project>,
    /// What the project says of it.
    origin: Option<&'a model::Service>,
}

impl Writer<'_> {
    fn write(&self, lost: &mut Vec<String>) -> model::Service {
        let service = self.service;
        let spec = &service.container;
        let mut container = self.container(lost);
        let (image, build) = match &service.image {
            ImageSource::Image(reference) => (Some(reference.clone()), None),
            ImageSource::Build(build) => {
                (build.tags.first().cloned(), Some(self.build(build, lost)))
            }
        };
        container.image = image;
        container.pull_policy = match service.pull {
            app::PullPolicy::Missing => None,
            app::PullPolicy::Always => Some(model::PullPolicy::Always),
            app::PullPolicy::Never => Some(model::PullPolicy::Never),
            app::PullPolicy::Every(time) => Some(model::PullPolicy::Every(time)),
        };
        let depends_on = service.depends_on.iter();
        let mut written = model::Service {
            container,
            build,
            container_name: service.container_name.clone(),
            depends_on: depends_on
                .map(|(name, dependency)| (name.to_string(), needs(dependency)))
                .collect(),
            expose: spec
                .expose
                .iter()
                .map(|(port, protocol)| format!("{port}/{}", protocol.as_str()))
                .collect(),
            external_links: links(spec),
            healthcheck: self.health(lost),
            ports: spec.ports.iter().map(container::port).collect(),
            post_start: service.post_start.iter().map(hook).collect(),
            pre_stop: service.pre_stop.iter().map(hook).collect(),
            restart: Some(spec.restart),
            stdin_open: spec.stdin_open,
            tty: spec.tty,
            ..model::Service::default()
        };
        let own = rollout(service);
        if !own.is_empty() {
            let name = super::convert::OWN.to_owned();
            written.extensions.insert(name, own.into());
        }
        if service.replicas != 1 {
            written.deploy.replicas = Some(service.replicas);
        }
        let requests = spec.device_requests.iter();
        written.deploy.resources.reservations.devices = requests.map(container::request).collect();
        written
    }
}

/// What of a service's rollout only rengine has words for.
fn rollout(service: &app::Service) -> serde_json::Map<String, serde_json::Value> {
    let mut own = serde_json::Map::new();
    let name = match &service.strategy {
        None => None,
        Some(app::Strategy::Rolling) => Some("rolling"),
        Some(app::Strategy::Recreate) => Some("recreate"),
        Some(app::Strategy::Canary(canary)) => {
            own.insert("canary".to_owned(), settings(canary));
            Some("canary")
        }
    };
    if let Some(name) = name {
        own.insert("strategy".to_owned(), name.into());
    }
    if let Some(batches) = &service.batches {
        own.insert("rolling".to_owned(), settings(batches));
    }
    own
}

/// Settings as they are written: without what is not set.
fn settings(settings: &impl serde::Serialize) -> serde_json::Value {
    let mut value = serde_json::to_value(settings).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| !value.is_null() && value != "0s");
    }
    value
}

/// Links are those of all networks.
fn links(spec: &ContainerSpec) -> Vec<String> {
    let networks = spec.networks.values().next();
    networks.map_or_else(Vec::new, |attachment| attachment.links.clone())
}

fn needs(dependency: &Dependency) -> model::Dependency {
    model::Dependency {
        condition: match dependency.condition {
            Condition::Started => model::Condition::Started,
            Condition::Healthy => model::Condition::Healthy,
            Condition::Completed => model::Condition::Completed,
        },
        required: dependency.required,
        restart: dependency.restart,
    }
}

fn hook(command: &Command) -> model::Hook {
    let env = command.env.iter();
    model::Hook {
        command: command.command.clone(),
        user: command.user.clone(),
        privileged: command.privileged,
        working_dir: command.working_dir.clone(),
        environment: env
            .map(|(name, value)| (name.clone(), Some(value.clone())))
            .collect(),
    }
}

fn network(network: &Network) -> model::Network {
    let pool = |pool: &app::AddressPool| model::IpamPool {
        subnet: pool.subnet.clone(),
        ip_range: pool.range.clone(),
        gateway: pool.gateway.clone(),
        aux_addresses: pool.auxiliary.clone(),
    };
    model::Network {
        name: network.name.clone(),
        driver: network.driver.clone(),
        driver_opts: network.options.clone(),
        ipam: model::Ipam {
            driver: network.ipam_driver.clone(),
            config: network.pools.iter().map(pool).collect(),
            options: network.ipam_options.clone(),
        },
        external: network.external,
        internal: network.internal,
        enable_ipv4: network.ipv4,
        enable_ipv6: network.ipv6.then_some(true),
        attachable: network.attachable,
        labels: network.labels.clone(),
    }
}

fn volume(volume: &Volume) -> model::Volume {
    model::Volume {
        name: volume.name.clone(),
        driver: volume.driver.clone(),
        driver_opts: volume.options.clone(),
        external: volume.external,
        labels: volume.labels.clone(),
    }
}
