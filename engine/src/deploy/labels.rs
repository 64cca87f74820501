//! The labels under which rengine and Compose's tools find an app again.

use std::collections::BTreeMap;

use super::Prepared;
use crate::app::{Fields, Name, Service};
use crate::plan::edge::target_name;
use crate::plan::observed::label;

/// Compose's own labels, so that the tools which people watch their containers with group an app
/// as they do a Compose project.
mod compose {
    pub const PROJECT: &str = "com.docker.compose.project";
    pub const SERVICE: &str = "com.docker.compose.service";
    pub const NUMBER: &str = "com.docker.compose.container-number";
    pub const ONE_OFF: &str = "com.docker.compose.oneoff";
    pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
    pub const IMAGE: &str = "com.docker.compose.image";
    pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
    pub const NETWORK: &str = "com.docker.compose.network";
    pub const VOLUME: &str = "com.docker.compose.volume";
    pub const VERSION: &str = "com.docker.compose.version";
}

/// The version of Compose whose labels these are: tools look at whether there is one.
const COMPOSE_VERSION: &str = "2.0.0";

type Map = BTreeMap<String, String>;

fn map<const N: usize>(labels: [(&str, String); N]) -> Map {
    labels.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Makes the labels of a deploy.
pub struct Labels<'a> {
    pub prepared: &'a Prepared,
}

impl Labels<'_> {
    fn app(&self) -> String {
        self.prepared.app.name.to_string()
    }

    pub fn image(&self, service: &Name, inputs: &Fields, bases: &Map) -> Map {
        map([
            (label::APP, self.app()),
            (label::SERVICE, service.to_string()),
            (label::FINGERPRINT, inputs.fingerprint()),
            (label::INPUTS, json(inputs)),
            (label::BASES, json(bases)),
        ])
    }

    pub fn container(&self, service: &Service, replica: u32, inputs: &Fields, image: &str) -> Map {
        let dependencies = service.depends_on.iter().map(|(name, dependency)| {
            let condition = match dependency.condition {
                crate::app::Condition::Started => "service_started",
                crate::app::Condition::Healthy => "service_healthy",
                crate::app::Condition::Completed => "service_completed_successfully",
            };
            format!("{name}:{condition}:{}", dependency.restart)
        });
        let dependencies: Vec<_> = dependencies.collect();
        let mut labels = map([
            (label::APP, self.app()),
            (label::SERVICE, service.name.to_string()),
            (label::REPLICA, replica.to_string()),
            (label::RELEASE, self.prepared.plan.release.clone()),
            (label::FINGERPRINT, inputs.fingerprint()),
            (label::INPUTS, json(inputs)),
            (compose::PROJECT, self.app()),
            (compose::SERVICE, service.name.to_string()),
            (compose::NUMBER, replica.to_string()),
            (compose::ONE_OFF, "False".to_owned()),
            (compose::CONFIG_HASH, inputs.fingerprint()),
            (compose::IMAGE, image.to_owned()),
            (compose::DEPENDS_ON, dependencies.join(",")),
            (compose::VERSION, COMPOSE_VERSION.to_owned()),
        ]);
        if let Some(edge) = self.prepared.edge_of(&service.name) {
            let target = target_name(&service.name, replica, &self.prepared.plan.release);
            labels.extend(map([
                (label::EDGE_TARGET, target),
                (label::EDGE_PORTS, json(&edge.ports)),
            ]));
        }
        labels
    }

    /// Of a container for one command: a deploy does not take it for one of the service's.
    pub fn one_off(&self, service: &Service) -> Map {
        let mut labels = service.container.labels.clone();
        labels.extend(map([
            (label::ONE_OFF, self.app()),
            (compose::PROJECT, self.app()),
            (compose::SERVICE, service.name.to_string()),
            (compose::ONE_OFF, "True".to_owned()),
            (compose::VERSION, COMPOSE_VERSION.to_owned()),
        ]));
        labels
    }

    pub fn network(&self, key: &str, inputs: &Fields) -> Map {
        map([
            (label::APP, self.app()),
            (label::INPUTS, json(inputs)),
            (compose::PROJECT, self.app()),
            (compose::NETWORK, key.to_owned()),
            (compose::VERSION, COMPOSE_VERSION.to_owned()),
        ])
    }

    pub fn volume(&self, key: &str, inputs: &Fields) -> Map {
        map([
            (label::APP, self.app()),
            (label::INPUTS, json(inputs)),
            (compose::PROJECT, self.app()),
            (compose::VOLUME, key.to_owned()),
            (compose::VERSION, COMPOSE_VERSION.to_owned()),
        ])
    }
}

fn json(value: &impl serde::Serialize) -> String {
    // Maps of strings to strings: there is nothing in them that JSON can't hold.
    serde_json::to_string(value).unwrap_or_default()
}
