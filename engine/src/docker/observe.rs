//! The snapshot of what the daemon has for an app.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::{
    ContainerSummary, ContainerSummaryStateEnum, ImageSummary, PortSummary, PortSummaryTypeEnum,
};
use bollard::query_parameters::{ListContainersOptions, ListImagesOptions};
use futures_util::future::{join_all, try_join_all};
use tokio::time::{Instant, sleep};

use super::error::status;
use super::inspect::{host_address, image_id, plain_name};
use super::{Docker, DockerError};
use crate::app::{App, Fields, Name, Protocol};
use crate::edge::{EDGE_FOLDER, EDGE_PROGRAM, KEPT, Program, kept_routes};
use crate::plan::edge::target_name;
use crate::plan::observed::{
    ContainerState, Observed, ObservedContainer, ObservedEdge, ObservedImage, PublishedPort,
    TakenPort, label,
};

/// How often Podman is asked for images while others remove some.
pub(super) const IMAGE_TRIES: u32 = 10;
/// How long containers are waited for that are being stopped: with Podman a stop goes on after who
/// asked for it is gone, and what is seen before its end does not last.
const STOPPING_TIMEOUT: Duration = Duration::from_secs(20);
/// Time between two looks at them.
const STOPPING_INTERVAL: Duration = Duration::from_millis(100);

/// True if Podman found an image that is not the one that it was asked for removed while it read.
pub(super) fn is_image_gone(error: &bollard::errors::Error) -> bool {
    let words = error.to_string();
    let gone = ["image not known", "layer not known"];
    status(error) == Some(500) && gone.iter().any(|gone| words.contains(gone))
}

impl Docker {
    /// Reads what the daemon has for an app, and the facts of these images, in a few requests at
    /// the same time.
    pub async fn observe(
        &self,
        app: &Name,
        references: &[String],
    ) -> Result<Observed, DockerError> {
        let filter = format!("{}={app}", label::APP);
        let references: BTreeSet<&String> = references.iter().collect();
        let (all, running, images, facts) = tokio::try_join!(
            self.settled(&filter),
            self.containers(false, None),
            self.images("label", &filter),
            try_join_all(references.iter().map(|reference| self.image(reference))),
        )?;
        let has_label = |container: &ContainerSummary, key: &str| {
            container
                .labels
                .as_ref()
                .is_some_and(|labels| labels.contains_key(key))
        };
        let own = |container: &ContainerSummary| {
            let labels = container.labels.as_ref();
            labels
                .and_then(|labels| labels.get(label::APP))
                .is_some_and(|name| name == app.as_str())
        };
        // An image may have any label, and its containers have it then; but what rengine makes of
        // it has one of these, and an edge none. Certificates are put into edges.
        let is_edge = |container: &ContainerSummary| {
            let others = [label::SERVICE, label::RELEASE, label::ONE_OFF];
            let is_other = others.iter().any(|key| has_label(container, key));
            has_label(container, label::EDGE_SLOTS) && !is_other
        };
        let (fronts, all): (Vec<_>, Vec<_>) = all.into_iter().partition(is_edge);
        let edges = join_all(fronts.into_iter().map(|front| self.edge(front))).await;
        let locked = all
            .iter()
            .any(|container| own(container) && has_label(container, label::LOCK));
        let mut containers: Vec<ObservedContainer> = all
            .into_iter()
            .filter(|container| !has_label(container, label::LOCK))
            // A container has its image's labels, too: one that somebody made by hand from the
            // app's image is not the app's.
            .filter(|container| has_label(container, label::RELEASE))
            .map(|summary| behind(container(summary), &edges))
            .collect();
        // The id decides between two of one second, so that the order is always the same.
        containers.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        let mut images: Vec<ObservedImage> = images.into_iter().map(image).collect();
        images.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(Observed {
            containers,
            edges,
            images,
            locked,
            references: references
                .into_iter()
                .zip(facts)
                .filter_map(|(reference, facts)| Some((reference.clone(), facts?)))
                .collect(),
            taken_ports: running
                .into_iter()
                .filter(|container| !own(container))
                .flat_map(taken_ports)
                .collect(),
            ..Observed::default()
        })
    }

    /// What the daemon has for an app, with its networks and volumes.
    pub async fn observe_app(
        &self,
        app: &App,
        references: &[String],
    ) -> Result<Observed, DockerError> {
        let names = app.networks.values().map(|network| network.name.as_str());
        let networks: BTreeSet<&str> = names.collect();
        let names = app.volumes.values().map(|volume| volume.name.as_str());
        let volumes: BTreeSet<&str> = names.collect();
        let of_the_app = async {
            // Most apps of one service have none, and need not ask.
            match networks.is_empty() {
                true => Ok(Vec::new()),
                false => self.networks(&app.name, &networks).await,
            }
        };
        let (observed, networks, volumes) = tokio::try_join!(
            self.observe(&app.name, references),
            of_the_app,
            self.volumes(&volumes)
        )?;
        Ok(Observed {
            networks,
            volumes,
            ..observed
        })
    }

    /// The containers for one command that were left of an app: id and name.
    pub async fn one_offs(&self, app: &Name) -> Result<Vec<(String, String)>, DockerError> {
        let filter = format!("{}={app}", label::ONE_OFF);
        let left = self.containers(true, Some(&filter)).await?.into_iter();
        Ok(left
            .map(|one| (one.id.unwrap_or_default(), name(one.names.as_deref())))
            .collect())
    }

    /// The apps of which the daemon has a container.
    pub async fn apps(&self) -> Result<Vec<Name>, DockerError> {
        let containers = self.containers(true, Some(label::APP)).await?;
        let name =
            |container: ContainerSummary| Name::parse_app(container.labels?.get(label::APP)?).ok();
        let names: BTreeSet<Name> = containers.into_iter().filter_map(name).collect();
        Ok(names.into_iter().collect())
    }

    /// The running container that holds a port of the host, but for `except`.
    pub(super) async fn port_holder(&self, port: u16, except: &str) -> Option<String> {
        let running = self.containers(false, None).await.ok()?;
        let others = running
            .into_iter()
            .filter(|container| container.id.as_deref() != Some(except));
        others
            .flat_map(taken_ports)
            .find(|taken| taken.port.host_port == port)
            .map(|taken| taken.holder)
    }

    /// All containers with a label, as soon as none of them is being stopped.
    async fn settled(&self, label: &str) -> Result<Vec<ContainerSummary>, DockerError> {
        let deadline = Instant::now() + STOPPING_TIMEOUT;
        loop {
            let all = self.containers(true, Some(label)).await?;
            let stopping = Some(ContainerSummaryStateEnum::STOPPING);
            let settled = all.iter().all(|container| container.state != stopping);
            if settled || Instant::now() > deadline {
                return Ok(all);
            }
            sleep(STOPPING_INTERVAL).await;
        }
    }

    /// An edge's container, with what it was told last: that is kept in a file there, which is read
    /// much faster than the edge is asked.
    async fn edge(&self, summary: ContainerSummary) -> ObservedEdge {
        let labels = summary.labels.unwrap_or_default();
        let label = |key: &str| labels.get(key).map(String::as_str).unwrap_or_default();
        let id = summary.id.unwrap_or_default();
        let path = format!("{EDGE_FOLDER}/{KEPT}");
        let kept = self.read_file(&id, &path).await.ok().flatten();
        let (routes, program) = kept.and_then(|json| kept_routes(&json)).unzip();
        let networks = summary.network_settings.unwrap_or_default().networks;
        ObservedEdge {
            name: name(summary.names.as_deref()),
            state: state(summary.state),
            // As it was made; it may have been upgraded since.
            program: program.flatten().unwrap_or_else(|| Program {
                version: label(label::EDGE).to_owned(),
                program: vec![EDGE_PROGRAM.to_owned()],
            }),
            slots: serde_json::from_str(label(label::EDGE_SLOTS)).unwrap_or_default(),
            networks: networks.unwrap_or_default().into_keys().collect(),
            routes,
            id,
        }
    }

    async fn containers(
        &self,
        all: bool,
        label: Option<&str>,
    ) -> Result<Vec<ContainerSummary>, DockerError> {
        if self.facts().is_podman() {
            return self.podmans_containers(all, label).await;
        }
        let filters =
            label.map(|label| HashMap::from([("label".to_owned(), vec![label.to_owned()])]));
        let options = ListContainersOptions {
            all,
            filters,
            ..Default::default()
        };
        let list = self.client().list_containers(Some(options)).await;
        list.map_err(|error| self.error("list the containers", error))
    }

    /// The names that a repository's images have, with their tags.
    pub async fn tags_of(&self, repository: &str) -> Result<Vec<String>, DockerError> {
        let images = self.images("reference", repository).await?;
        Ok(images.into_iter().flat_map(|one| one.repo_tags).collect())
    }

    async fn images(&self, filter: &str, value: &str) -> Result<Vec<ImageSummary>, DockerError> {
        let filters = Some(HashMap::from([(filter.to_owned(), vec![value.to_owned()])]));
        let options = ListImagesOptions {
            filters,
            ..Default::default()
        };
        let mut tries = 1;
        loop {
            let list = self.client().list_images(Some(options.clone())).await;
            match list {
                // Podman reads the images one by one after it has listed them, and fails where
                // somebody removed one in between, of whatever app.
                Err(error) if tries < IMAGE_TRIES && is_image_gone(&error) => tries += 1,
                list => return list.map_err(|error| self.error("list the images", error)),
            }
        }
    }
}

fn container(summary: ContainerSummary) -> ObservedContainer {
    let labels = summary.labels.unwrap_or_default();
    let label = |key: &str| labels.get(key).cloned().unwrap_or_default();
    let service = Name::parse(&label(label::SERVICE)).ok();
    // Those that older versions made have no number, and are alone.
    let replica = label(label::REPLICA).parse().unwrap_or(1);
    // Another name comes from the image, and means nothing.
    let own_target = service
        .as_ref()
        .map(|service| target_name(service, replica, &label(label::RELEASE)));
    ObservedContainer {
        name: name(summary.names.as_deref()),
        id: summary.id.unwrap_or_default(),
        service,
        replica,
        exit_code: exit_code(summary.status.as_deref().unwrap_or_default()),
        release: label(label::RELEASE),
        fingerprint: label(label::FINGERPRINT),
        inputs: inputs(&label(label::INPUTS)),
        image_id: image_id(&summary.image_id.unwrap_or_default()),
        state: state(summary.state),
        ports: ports(summary.ports),
        edge_target: own_target.filter(|own| labels.get(label::EDGE_TARGET) == Some(own)),
        routed: false,
        created: summary.created.unwrap_or(0),
        status: summary.status.unwrap_or_default(),
    }
}

/// A container with what edges do for it.
fn behind(mut container: ObservedContainer, edges: &[ObservedEdge]) -> ObservedContainer {
    let Some(target) = &container.edge_target else {
        return container;
    };
    let ports = edges.iter().flat_map(|edge| edge.ports_of(target));
    let ports: Vec<PublishedPort> = ports.collect();
    container.routed = !ports.is_empty();
    container.ports.extend(ports);
    container.ports.sort();
    container.ports.dedup();
    container
}

/// The exit code in the daemon's words for a state: `Exited (0) 5 minutes ago`.
fn exit_code(status: &str) -> Option<i64> {
    let (code, _) = status.strip_prefix("Exited (")?.split_once(')')?;
    code.parse().ok()
}

/// What a label says of a fingerprint's fields; none where it can't be read.
fn inputs(label: &str) -> Fields {
    serde_json::from_str(label).unwrap_or_default()
}

fn image(summary: ImageSummary) -> ObservedImage {
    let label = |key: &str| {
        summary
            .labels
            .get(key)
            .map(String::as_str)
            .unwrap_or_default()
    };
    ObservedImage {
        service: Name::parse(label(label::SERVICE)).ok(),
        fingerprint: label(label::FINGERPRINT).to_owned(),
        inputs: inputs(label(label::INPUTS)),
        // Somebody else's text at worst: then nothing is known, and the image is built anew.
        bases: serde_json::from_str::<BTreeMap<String, String>>(label(label::BASES))
            .unwrap_or_default(),
        id: image_id(&summary.id),
        tags: summary
            .repo_tags
            .into_iter()
            .filter(|tag| tag != "<none>:<none>")
            .collect(),
        created: summary.created,
        size: u64::try_from(summary.size).unwrap_or(0),
    }
}

fn taken_ports(summary: ContainerSummary) -> Vec<TakenPort> {
    let holder = name(summary.names.as_deref());
    ports(summary.ports)
        .into_iter()
        .map(|port| TakenPort {
            port,
            holder: holder.clone(),
        })
        .collect()
}

/// A container has one name; the others that are listed come from old links, with a path.
fn name(names: Option<&[String]>) -> String {
    let names = names
        .unwrap_or_default()
        .iter()
        .map(|name| plain_name(name));
    names
        .min_by_key(|name| name.contains('/'))
        .unwrap_or_default()
}

fn ports(ports: Option<Vec<PortSummary>>) -> Vec<PublishedPort> {
    let published = |port: PortSummary| {
        let protocol = match port.typ {
            Some(PortSummaryTypeEnum::TCP) => Protocol::Tcp,
            Some(PortSummaryTypeEnum::UDP) => Protocol::Udp,
            Some(PortSummaryTypeEnum::SCTP) => Protocol::Sctp,
            _ => return None,
        };
        Some(PublishedPort {
            container_port: port.private_port,
            protocol,
            host_address: host_address(port.ip),
            host_port: port.public_port.filter(|&port| port != 0)?,
        })
    };
    let mut ports: Vec<PublishedPort> = ports
        .unwrap_or_default()
        .into_iter()
        .filter_map(published)
        .collect();
    ports.sort();
    ports.dedup();
    ports
}

fn state(state: Option<ContainerSummaryStateEnum>) -> ContainerState {
    match state {
        Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::STOPPING) => {
            ContainerState::Running
        }
        Some(ContainerSummaryStateEnum::PAUSED) => ContainerState::Paused,
        Some(ContainerSummaryStateEnum::RESTARTING) => ContainerState::Restarting,
        Some(ContainerSummaryStateEnum::REMOVING) => ContainerState::Removing,
        Some(ContainerSummaryStateEnum::EXITED) => ContainerState::Exited,
        Some(ContainerSummaryStateEnum::DEAD) => ContainerState::Dead,
        Some(ContainerSummaryStateEnum::CREATED | ContainerSummaryStateEnum::EMPTY) | None => {
            ContainerState::Created
        }
    }
}
