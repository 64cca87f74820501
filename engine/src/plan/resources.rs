//! Networks and volumes: what is made before containers are, and what goes after.

use std::collections::{BTreeMap, BTreeSet};

use super::builder::{Builder, Owner, Step};
use super::observed::{Observed, ObservedNetwork};
use super::wanted::{Wanted, network_inputs, volume_inputs};
use super::{Cause, Conflict, OperationKind, changed};
use crate::app::{Fields, Network};

/// What planning networks and volumes came to.
#[derive(Debug, Default)]
pub struct Resources {
    /// The operations that make networks, by the app's names for them.
    pub networks: BTreeMap<String, Step>,
    /// The operations that make volumes, by their names on the daemon.
    pub volumes: BTreeMap<String, Step>,
    /// Networks that are made anew: who is in them has to be, too.
    pub replaced: BTreeMap<String, Replaced>,
    pub conflicts: Vec<Conflict>,
    pub warnings: Vec<String>,
}

/// A network that is not what it should be any more.
#[derive(Debug)]
pub struct Replaced {
    id: String,
    name: String,
    old: Fields,
    inputs: Fields,
}

/// Plans what has to be there before containers are.
pub fn plan(wanted: &Wanted, observed: &Observed, builder: &mut Builder) -> Resources {
    let mut resources = Resources::default();
    for key in used_networks(wanted) {
        if let Some(network) = wanted.networks.get(key) {
            resources.network(key, network, wanted, observed, builder);
        }
    }
    let mounted = wanted.services.iter().flat_map(|service| {
        let mounts = service.container.mounts.iter();
        mounts.filter_map(|mount| mount.source.volume())
    });
    let mounted: BTreeSet<&str> = mounted.collect();
    for volume in wanted.volumes.values() {
        if !mounted.contains(volume.name.as_str()) {
            continue;
        }
        let inputs = volume_inputs(volume);
        match observed
            .volumes
            .iter()
            .find(|there| there.name == volume.name)
        {
            None if volume.external => resources.conflicts.push(Conflict::NoVolume {
                volume: volume.name.clone(),
            }),
            None => {
                let kind = OperationKind::CreateVolume {
                    volume: volume.name.clone(),
                    inputs,
                };
                let step = builder.push(Owner::APP, kind, Cause::Missing, []);
                resources.volumes.insert(volume.name.clone(), step);
            }
            Some(there) if there.is_changed(&inputs) && !volume.external => {
                resources.warnings.push(format!(
                    "the volume {} is kept as it is, for it may hold data; what changed of it ({}) \
                     takes effect once it is removed",
                    volume.name,
                    changed(&there.inputs, &inputs)
                ));
            }
            Some(_) => {}
        }
    }
    resources
}

fn used_networks(wanted: &Wanted) -> BTreeSet<&String> {
    let services = wanted.services.iter();
    services
        .flat_map(|service| service.container.networks.keys())
        .collect()
}

impl Resources {
    fn network(
        &mut self,
        key: &str,
        network: &Network,
        wanted: &Wanted,
        observed: &Observed,
        builder: &mut Builder,
    ) {
        let there: Option<&ObservedNetwork> = observed
            .networks
            .iter()
            .find(|there| there.name == network.name);
        let inputs = network_inputs(network);
        match there {
            None if network.external => self.conflicts.push(Conflict::NoNetwork {
                network: network.name.clone(),
            }),
            None => {
                let kind = OperationKind::CreateNetwork {
                    key: key.to_owned(),
                    network: network.name.clone(),
                    inputs,
                };
                let step = builder.push(Owner::APP, kind, Cause::Missing, []);
                self.networks.insert(key.to_owned(), step);
            }
            Some(_) if network.external => {}
            Some(there) if there.app.as_ref() != Some(&wanted.app) => {
                self.conflicts.push(Conflict::ForeignNetwork {
                    network: network.name.clone(),
                });
            }
            Some(there) if there.is_changed(&inputs) => {
                self.replaced.insert(
                    key.to_owned(),
                    Replaced {
                        id: there.id.clone(),
                        name: there.name.clone(),
                        old: there.inputs.clone(),
                        inputs,
                    },
                );
            }
            Some(_) => {}
        }
    }

    /// Makes networks anew, after all that was in them is stopped.
    pub fn replace(&mut self, stopped: &[Step], builder: &mut Builder) {
        for (key, network) in &self.replaced {
            let Replaced {
                id,
                name,
                old,
                inputs,
            } = network;
            let remove = OperationKind::RemoveNetwork {
                id: id.clone(),
                network: name.clone(),
            };
            let cause = changed(old, inputs);
            let removed = builder.push(Owner::APP, remove, cause.clone(), stopped.iter().copied());
            let create = OperationKind::CreateNetwork {
                key: key.clone(),
                network: name.clone(),
                inputs: inputs.clone(),
            };
            let step = builder.push(Owner::APP, create, cause, [removed]);
            self.networks.insert(key.clone(), step);
        }
    }
}

/// Networks of the app that none of its services joins any more.
pub fn orphans<'a>(
    wanted: &'a Wanted,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a ObservedNetwork> {
    let used = used_networks(wanted);
    let names: BTreeSet<&str> = used
        .into_iter()
        .filter_map(|key| Some(wanted.networks.get(key)?.name.as_str()))
        .collect();
    observed.networks.iter().filter(move |network| {
        network.app.as_ref() == Some(&wanted.app) && !names.contains(network.name.as_str())
    })
}
