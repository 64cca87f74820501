//! What the daemon has for an app: one snapshot, read once before planning.

use std::collections::{BTreeMap, BTreeSet};

use super::edge::EdgeSlot;
use crate::app::{Fields, Name, Protocol};
use crate::edge::{Program, Routes, TargetState};

/// The labels under which rengine keeps its state in the daemon.
pub mod label {
    /// The app's name, on every container and image of it.
    pub const APP: &str = "dev.rengine.app";
    /// The service's name, on every container and image of it.
    pub const SERVICE: &str = "dev.rengine.service";
    /// A container's number among those of its service, from 1.
    pub const REPLICA: &str = "dev.rengine.replica";
    /// On a container for one command: the app that it belongs to, in the place of [`APP`].
    pub const ONE_OFF: &str = "dev.rengine.oneoff";
    /// The id of the release that made a container.
    pub const RELEASE: &str = "dev.rengine.release";
    /// The fingerprint of what an image was built from, or a container made from.
    pub const FINGERPRINT: &str = "dev.rengine.fingerprint";
    /// The [`Fields`](crate::app::Fields) behind the fingerprint, as a JSON object: they tell a
    /// later plan what changed.
    pub const INPUTS: &str = "dev.rengine.inputs";
    /// On an image: the base images that were on the daemon when it was built, as JSON, an
    /// object of reference to image id.
    pub const BASES: &str = "dev.rengine.bases";
    /// On the container that is an app's lock: who holds it, as JSON.
    pub const LOCK: &str = "dev.rengine.lock";
    /// On a volume that is a sign of life of who holds the lock: the id of the lock's container.
    pub const BEAT: &str = "dev.rengine.beat";
    /// On a volume: the plugin whose state it holds.
    pub const STATE: &str = "dev.rengine.state";
    /// On such a volume: a number that grows with each.
    pub const STATE_VERSION: &str = "dev.rengine.state.version";
    /// On such a volume: the keys and values, as a JSON object.
    pub const STATE_VALUES: &str = "dev.rengine.state.values";
    /// On a volume: the release whose record it holds.
    pub const RECORD: &str = "dev.rengine.record";
    /// On such a volume: which version of the record, from 1; the highest counts.
    pub const RECORD_VERSION: &str = "dev.rengine.record.version";
    /// On such a volume: the record, as a JSON object.
    pub const RECORD_VALUE: &str = "dev.rengine.record.value";
    /// On an edge's container: the release of rengine whose edge it is; its image has it, too.
    pub const EDGE: &str = "dev.rengine.edge";
    /// On an edge's container: the ports that it publishes, as JSON.
    pub const EDGE_SLOTS: &str = "dev.rengine.edge.slots";
    /// On a container behind an edge: the name under which the edge finds it.
    pub const EDGE_TARGET: &str = "dev.rengine.edge.target";
    /// On such a container: the ports that the edge publishes for it, as JSON.
    pub const EDGE_PORTS: &str = "dev.rengine.edge.ports";
    /// Every label of rengine's starts with this; plugins and files can't set such.
    pub const PREFIX: &str = "dev.rengine.";
}

/// One snapshot of a daemon, for one app.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// The app's containers, running or not, without its lock; oldest first.
    pub containers: Vec<ObservedContainer>,
    /// The containers of its edges.
    pub edges: Vec<ObservedEdge>,
    /// The images that were built for the app.
    pub images: Vec<ObservedImage>,
    /// The images that the app names without building them, and the base images of its
    /// Dockerfiles, by the reference as it is written. A reference that the daemon does not
    /// have is not here.
    pub references: BTreeMap<String, ImageFacts>,
    /// Ports that running containers outside the app hold on the host.
    pub taken_ports: Vec<TakenPort>,
    /// The daemon's networks: the app's own, and those that it names.
    pub networks: Vec<ObservedNetwork>,
    /// The daemon's volumes that the app names.
    pub volumes: Vec<ObservedVolume>,
    /// True if somebody holds the app's lock.
    pub locked: bool,
}

impl Observed {
    /// The releases that have containers which serve.
    pub fn serving(&self) -> BTreeSet<&str> {
        let serving = self.containers.iter().filter(|one| one.serves());
        serving.map(|one| one.release.as_str()).collect()
    }
}

/// An edge's container.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedEdge {
    /// The daemon's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: ContainerState,
    /// The program that it is.
    pub program: Program,
    /// The ports that it publishes.
    pub slots: Vec<EdgeSlot>,
    /// The names of the networks that it is in.
    pub networks: Vec<String>,
    /// What it does; `None` if it was told nothing yet, or that can't be read.
    pub routes: Option<Routes>,
}

impl ObservedEdge {
    /// True if it runs.
    pub fn is_running(&self) -> bool {
        self.state == ContainerState::Running
    }

    /// True if it is in this network.
    pub fn is_in(&self, network: &str) -> bool {
        self.networks.iter().any(|name| name == network)
    }

    /// The ports that it publishes for who is known to it by this name.
    pub fn ports_of(&self, target: &str) -> Vec<PublishedPort> {
        let Some(routes) = &self.routes else {
            return Vec::new();
        };
        let ports = routes.listeners.iter().filter_map(|listener| {
            let service = routes.services.get(&listener.service)?;
            let mut targets = service.targets.iter();
            let target = targets.find(|one| {
                // One on trial has not been found to be well yet.
                let answers = one.state == TargetState::Active && !service.is_on_trial(one);
                answers && one.address.host() == target
            })?;
            let slot = self
                .slots
                .iter()
                .find(|slot| slot.listen == listener.port)?;
            let address = slot.host_address.map(|address| address.to_string());
            Some(PublishedPort {
                container_port: target.address.port(),
                protocol: Protocol::Tcp,
                host_address: address.unwrap_or_else(|| "0.0.0.0".to_owned()),
                host_port: slot.host_port,
            })
        });
        ports.collect()
    }
}

/// A network as the daemon lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedNetwork {
    /// The daemon's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The app that it belongs to, by rengine's label or by Compose's.
    pub app: Option<Name>,
    /// The fields that it was made from; empty if its label can't be read.
    pub inputs: Fields,
}

/// A volume as the daemon lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedVolume {
    /// Its name.
    pub name: String,
    /// The app that it belongs to, by rengine's label or by Compose's.
    pub app: Option<Name>,
    /// The fields that it was made from; empty if its label can't be read.
    pub inputs: Fields,
}

/// A container as the daemon lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedContainer {
    /// The daemon's id.
    pub id: String,
    /// Its name, without a leading `/`.
    pub name: String,
    /// The service it belongs to; `None` if its label is no valid name.
    pub service: Option<Name>,
    /// Its number among the service's containers, from 1.
    pub replica: u32,
    /// The release that made it.
    pub release: String,
    /// The fingerprint of what it was made from.
    pub fingerprint: String,
    /// The fields behind the fingerprint; empty if its label can't be read.
    pub inputs: Fields,
    /// The id of its image, `sha256:…`.
    pub image_id: String,
    /// What it is doing.
    pub state: ContainerState,
    /// The status that its process ended with, where it ended.
    pub exit_code: Option<i64>,
    /// Its published ports, with those that the edge publishes for it.
    pub ports: Vec<PublishedPort>,
    /// The name under which the edge finds it; `None` if it is not behind one.
    pub edge_target: Option<String>,
    /// True if the edge sends it requests.
    pub routed: bool,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// The daemon's words for its state, such as `Up 3 minutes (healthy)`.
    pub status: String,
}

/// What a container is doing, in the Docker API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// Made, never started.
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Being started again by the restart policy.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Beyond repair.
    Dead,
}

/// A port as the daemon has published it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PublishedPort {
    /// The port in the container.
    pub container_port: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The host's address, such as `0.0.0.0`.
    pub host_address: String,
    /// The host's port.
    pub host_port: u16,
}

/// A port of the host that a container outside the app holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenPort {
    /// The port.
    pub port: PublishedPort,
    /// The name of the container that holds it.
    pub holder: String,
}

/// An image that was built for the app.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedImage {
    /// The id, `sha256:…`.
    pub id: String,
    /// The service it was built for.
    pub service: Option<Name>,
    /// The fingerprint of what it was built from.
    pub fingerprint: String,
    /// The fields behind the fingerprint; empty if its label can't be read.
    pub inputs: Fields,
    /// The base images that were on the daemon then: reference to id.
    pub bases: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Its size in bytes.
    pub size: u64,
}

/// What an image says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// The id, `sha256:…`.
    pub id: String,
    /// The ports it exposes.
    pub exposed: Vec<(u16, Protocol)>,
    /// The user it runs as; empty for root.
    pub user: String,
    /// True if it has a `HEALTHCHECK`, other than `NONE`.
    pub has_health_check: bool,
    /// Its size in bytes.
    pub size: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its names.
    pub tags: Vec<String>,
    /// When it last got a name, as it does when it is fetched, in seconds since 1970.
    pub tagged: Option<i64>,
    /// Its digest in a registry, `name@sha256:…`.
    pub digest: Option<String>,
    /// The digests of its layers' contents, the lowest first.
    pub layers: Vec<String>,
    /// The system it is for, such as `linux`.
    pub os: String,
    /// The architecture it is for, such as `amd64`.
    pub architecture: String,
    /// Its command.
    pub command: Option<Vec<String>>,
    /// Its entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// Its working directory.
    pub working_dir: Option<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
}

impl ImageFacts {
    /// True if it got its name longer ago than `age`, or nobody knows when; `now` is in seconds
    /// since 1970.
    pub fn is_older(&self, age: std::time::Duration, now: i64) -> bool {
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        self.tagged
            .is_none_or(|tagged| now.saturating_sub(tagged) >= age)
    }
}

/// One step of how an image came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The instruction, in the builder's words.
    pub created_by: String,
    /// What it added, in bytes.
    pub size: u64,
    /// When, in milliseconds since 1970.
    pub created_ms: Option<u64>,
}

/// What a container uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContainerStats {
    /// CPU time since its start, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory in bytes, without what the kernel caches of files.
    pub memory: u64,
    /// The most memory that it can use, in bytes.
    pub memory_limit: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Bytes received over all its networks.
    pub received: u64,
    /// Bytes sent over all its networks.
    pub sent: u64,
}
