//! Networks and volumes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{
    Ipam, IpamConfig, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest,
    VolumeCreateRequest,
};
use bollard::query_parameters::{ListNetworksOptions, ListVolumesOptions, RemoveVolumeOptions};

use super::error::status;
use super::spec::{Joined, endpoint};
use super::{Docker, DockerError};
use crate::app::{Fields, Name, Network, Volume};
use crate::plan::observed::{ObservedNetwork, ObservedVolume, label};

/// The label by which Compose knows whose a network or volume is.
const COMPOSE_PROJECT: &str = "com.docker.compose.project";

impl Docker {
    /// The app's networks, and those with these names.
    pub async fn networks(
        &self,
        app: &Name,
        names: &BTreeSet<&str>,
    ) -> Result<Vec<ObservedNetwork>, DockerError> {
        let list = self
            .client()
            .list_networks(None::<ListNetworksOptions>)
            .await;
        let list = list.map_err(|error| self.error("list the networks", error))?;
        let networks = list.into_iter().map(|network| {
            let labels = network.labels.unwrap_or_default();
            ObservedNetwork {
                id: network.id.unwrap_or_default(),
                name: network.name.unwrap_or_default(),
                app: owner(&labels),
                inputs: inputs(&labels),
            }
        });
        Ok(networks
            .filter(|network| {
                network.app.as_ref() == Some(app) || names.contains(network.name.as_str())
            })
            .collect())
    }

    /// The volumes with these names that the daemon has.
    pub async fn volumes(
        &self,
        names: &BTreeSet<&str>,
    ) -> Result<Vec<ObservedVolume>, DockerError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = names.iter().map(|&name| name.to_owned()).collect();
        let options = ListVolumesOptions {
            filters: Some(HashMap::from([("name".to_owned(), wanted)])),
        };
        let list = self.client().list_volumes(Some(options)).await;
        let list = list.map_err(|error| self.error("list the volumes", error))?;
        let volumes = list.volumes.unwrap_or_default().into_iter();
        Ok(volumes
            .filter(|volume| names.contains(volume.name.as_str()))
            .map(|volume| ObservedVolume {
                app: owner(&volume.labels),
                inputs: inputs(&volume.labels),
                name: volume.name,
            })
            .collect())
    }

    /// Makes a network. Daemons allow several of one name, and then start no container in any: one
    /// that a process that was killed had asked for may be there a moment later, and goes again.
    pub async fn create_network(
        &self,
        network: &Network,
        labels: BTreeMap<String, String>,
    ) -> Result<(), DockerError> {
        let pools = network.pools.iter().map(|pool| IpamConfig {
            subnet: pool.subnet.clone(),
            ip_range: pool.range.clone(),
            gateway: pool.gateway.clone(),
            auxiliary_addresses: map(&pool.auxiliary),
        });
        let pools: Vec<_> = pools.collect();
        let has_ipam =
            network.ipam_driver.is_some() || !pools.is_empty() || !network.ipam_options.is_empty();
        let all = network.labels.clone().into_iter().chain(labels.clone());
        let request = NetworkCreateRequest {
            name: network.name.clone(),
            driver: network.driver.clone(),
            internal: network.internal.then_some(true),
            attachable: network.attachable.then_some(true),
            enable_ipv4: network.ipv4,
            enable_ipv6: network.ipv6.then_some(true),
            ipam: has_ipam.then(|| Ipam {
                driver: network.ipam_driver.clone(),
                config: (!pools.is_empty()).then_some(pools),
                options: map(&network.ipam_options),
            }),
            options: map(&network.options),
            labels: Some(all.collect()),
            ..NetworkCreateRequest::default()
        };
        let created = self.client().create_network(request).await;
        created
            .map_err(|error| self.error(format!("create the network {}", network.name), error))?;
        let names = BTreeSet::from([network.name.as_str()]);
        let own = labels
            .get(label::APP)
            .and_then(|app| Name::parse_app(app).ok());
        let Some(own) = own else { return Ok(()) };
        let same = self.networks(&own, &names).await?.into_iter();
        let same = same.filter(|one| one.name == network.name && one.app.as_ref() == Some(&own));
        let mut same: Vec<_> = same.map(|one| one.id).collect();
        // Whoever looks keeps the same one.
        same.sort_unstable();
        for id in same.iter().skip(1) {
            self.remove_network(id, &network.name).await?;
        }
        Ok(())
    }

    /// Removes a network; one that is not there is left alone.
    pub async fn remove_network(&self, id: &str, name: &str) -> Result<(), DockerError> {
        match self.client().remove_network(id).await {
            Err(error) if status(&error) == Some(404) => Ok(()),
            result => {
                result.map_err(|error| self.error(format!("remove the network {name}"), error))
            }
        }
    }

    /// Has a container join another network.
    pub async fn join(&self, id: &str, network: &Joined) -> Result<(), DockerError> {
        let request = NetworkConnectRequest {
            container: id.to_owned(),
            endpoint_config: Some(endpoint(network)),
        };
        let joined = self.client().connect_network(&network.name, request).await;
        joined.map_err(|error| self.error(format!("connect {id} to {}", network.name), error))
    }

    /// Has a container leave a network; one that is not in it is left alone.
    pub async fn leave(&self, id: &str, network: &str) -> Result<(), DockerError> {
        let request = NetworkDisconnectRequest {
            container: id.to_owned(),
            force: Some(true),
        };
        match self.client().disconnect_network(network, request).await {
            Err(error) if matches!(status(&error), Some(403 | 404)) => Ok(()),
            result => {
                result.map_err(|error| self.error(format!("disconnect {id} from {network}"), error))
            }
        }
    }

    /// Makes a volume, or takes the one of that name that appeared meanwhile.
    pub async fn create_volume(
        &self,
        volume: &Volume,
        labels: BTreeMap<String, String>,
    ) -> Result<(), DockerError> {
        let all = volume.labels.clone().into_iter().chain(labels);
        let request = VolumeCreateRequest {
            name: Some(volume.name.clone()),
            driver: volume.driver.clone(),
            driver_opts: map(&volume.options),
            labels: Some(all.collect()),
            ..VolumeCreateRequest::default()
        };
        let created = self.client().create_volume(request).await;
        created
            .map(drop)
            .map_err(|error| self.error(format!("create the volume {}", volume.name), error))
    }

    /// Removes a volume with all that is in it; false if there is none of that name.
    pub async fn remove_volume(&self, name: &str) -> Result<bool, DockerError> {
        let removed = self
            .client()
            .remove_volume(name, None::<RemoveVolumeOptions>)
            .await;
        match removed {
            Err(error) if status(&error) == Some(404) => Ok(false),
            result => result
                .map(|()| true)
                .map_err(|error| self.error(format!("remove the volume {name}"), error)),
        }
    }
}

fn owner(labels: &HashMap<String, String>) -> Option<Name> {
    let name = labels.get(label::APP).or(labels.get(COMPOSE_PROJECT))?;
    Name::parse_app(name).ok()
}

fn inputs(labels: &HashMap<String, String>) -> Fields {
    let text = labels.get(label::INPUTS).map(String::as_str);
    serde_json::from_str(text.unwrap_or_default()).unwrap_or_default()
}

fn map(map: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    let entries = map.iter().map(|(key, value)| (key.clone(), value.clone()));
    (!map.is_empty()).then(|| entries.collect())
}
