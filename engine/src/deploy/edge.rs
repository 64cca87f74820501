//! The edges of an app on the daemon.

mod image;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};

use tokio::time::{Instant, sleep};

use image::own_image;
pub use image::{edge_image, why_none};

use super::steps::Execution;
use super::{DeployError, Event, ExitCode};
use crate::app::{ContainerFile, ContainerSpec, Logging, Name, PortMapping, hex};
use crate::docker::{Docker, DockerError, Joined, NewContainer};
use crate::edge::{CERTIFICATE_DIGITS, Certificate, Drained, EDGE_FOLDER, EDGE_PROGRAM, EDGE_USER};
use crate::manifest::EdgeSection;
use crate::plan::edge::{EdgeService, EdgeSlot, returned};
use crate::plan::observed::label;
use crate::plan::{EdgeRoutes, OperationKind};

/// Time for an edge that was started, or died and comes back, to be told what to do.
const READY: Duration = Duration::from_secs(45);
/// Time for one try of that. Of a command in a container that dies as it begins, the daemon never says
/// that it ended.
const TRY: Duration = Duration::from_secs(10);
/// Time for one command to it.
const COMMAND: Duration = Duration::from_secs(30);
/// An edge ends what it does by itself when it is asked to; it has no more to do by then.
const STOP: Duration = Duration::from_secs(2);

/// Gives the ports of edges their certificates, and the files that these are in the edges'
/// containers. Their names are made from what is in them, so others are other routes.
pub fn certify(
    edges: &mut BTreeMap<Name, EdgeService>,
    section: &EdgeSection,
) -> Result<BTreeMap<String, ContainerFile>, DeployError> {
    let mut files = BTreeMap::new();
    for edge in edges.values_mut() {
        edge.hold = section.hold.unwrap_or(edge.hold);
        edge.trust.clone_from(&section.trust);
    }
    for tls in &section.tls {
        let has = |edge: &&mut EdgeService| edge.ports.iter().any(|own| own.host_port == tls.port);
        let edge = edges.values_mut().find(has);
        let edge = edge.ok_or(DeployError::NoEdgePort { port: tls.port })?;
        let digest = Sha256::new().chain_update(&tls.certificate);
        let digest = hex(&digest.chain_update(&tls.key).finalize());
        let mut file = |contents: &[u8], kind: &str| {
            let path = format!("{EDGE_FOLDER}/{}.{kind}", &digest[..CERTIFICATE_DIGITS]);
            let file = ContainerFile {
                contents: contents.to_vec(),
                mode: 0o400,
                uid: EDGE_USER,
                gid: EDGE_USER,
                secret: true,
            };
            files.insert(path.clone(), file);
            PathBuf::from(path)
        };
        let certificate = Certificate {
            names: tls.names.clone(),
            certificate: file(&tls.certificate, "pem"),
            key: file(&tls.key, "key"),
        };
        let of_port = edge.certificates.entry(tls.port);
        of_port.or_default().push(certificate);
    }
    Ok(files)
}

impl Execution<'_> {
    /// Carries out one operation on an edge; returns what is worth telling of it.
    pub(super) async fn edge(&self, kind: &OperationKind) -> Result<Option<String>, DeployError> {
        match kind {
            OperationKind::CreateEdge {
                container,
                slots,
                networks,
            } => {
                self.create_edge(container, slots, networks).await?;
                let ports = slots.iter().map(|slot| slot.host_port.to_string());
                let ports: Vec<String> = ports.collect();
                return Ok(Some(format!("port {}", ports.join(", "))));
            }
            OperationKind::StopEdge { id, container } => {
                // First noted, then done, as with other containers.
                self.stopped_edge(container, id);
                self.docker.stop(id, Some(STOP)).await?;
            }
            OperationKind::StartEdge { id, container } => {
                self.docker.start(id).await?;
                // Its routes may stay as they are, and then nothing else waits for it.
                self.tell(id, container, &["version"], |_| true).await?;
            }
            OperationKind::JoinEdge { id, network, .. } => {
                self.docker.join(id, &joined(network)).await?;
            }
            OperationKind::LeaveEdge { id, network, .. } => {
                self.docker.leave(id, network).await?;
            }
            OperationKind::UpgradeEdge { id, container, .. } => {
                self.upgrade_edge(id, container).await?;
            }
            OperationKind::Shift { edges, back } => self.shift(edges, back).await?,
            OperationKind::Route { edges } => {
                // From here on nobody knows, until all have said so: one may have, and another not, or
                // an answer got lost.
                for edge in self.routes_before(edges) {
                    // What a shift noted is what was before that.
                    self.lock_shifted()
                        .entry(edge.container.clone())
                        .or_insert(edge);
                }
                for edge in edges {
                    self.route(edge).await?;
                }
                self.switched();
            }
            OperationKind::Drain { edges } => return Ok(self.drain_edges(edges).await),
            OperationKind::RemoveEdge { id, .. } => {
                self.docker.stop(id, Some(STOP)).await?;
                self.docker.remove(id, true).await?;
            }
            _ => {}
        }
        Ok(None)
    }

    async fn create_edge(
        &self,
        container: &str,
        slots: &[EdgeSlot],
        networks: &[String],
    ) -> Result<(), DeployError> {
        let mut image = edge_image(self.docker).await?;
        let spec = specification(slots);
        let json = serde_json::to_string(slots).unwrap_or_default();
        let app = self.prepared.app.name.to_string();
        let labels = BTreeMap::from([
            (label::APP.to_owned(), app),
            (label::EDGE.to_owned(), crate::edge::VERSION.to_owned()),
            (label::EDGE_SLOTS.to_owned(), json),
        ]);
        let networks: Vec<Joined> = networks.iter().map(|name| joined(name)).collect();
        let mut again = true;
        let id = loop {
            let new = NewContainer {
                name: container,
                image: &image,
                spec: &spec,
                labels: &labels,
                networks: &networks,
                stdin_once: false,
            };
            match self.docker.create_container(new).await {
                Ok(id) => break id,
                // A rengine of another release has cleared up meanwhile.
                Err(_) if again && self.docker.image(&image).await?.is_none() => {
                    again = false;
                    image = edge_image(self.docker).await?;
                }
                Err(error) => return Err(error.into()),
            }
        };
        self.made_edge(container, &id);
        Ok(self.docker.start(&id).await?)
    }

    /// Puts the program into the edge's container, which then becomes it. If that is not possible the
    /// edge goes on as it was, which is no reason not to deploy.
    async fn upgrade_edge(&self, id: &str, container: &str) -> Result<(), DeployError> {
        let upgraded = self.put_program(id, container).await;
        if let Err(DeployError::Edge { reason, .. }) = &upgraded {
            self.reporter.report(Event::Warning {
                message: format!(
                    "the edge {container} could not be upgraded, and goes on as it was: {reason}"
                ),
                help: Some(format!(
                    "remove it when that harms nobody (`docker rm -f {container}`), and deploy again: \
                     then it is made anew"
                )),
            });
            return Ok(());
        }
        upgraded
    }

    async fn put_program(&self, id: &str, container: &str) -> Result<(), DeployError> {
        let image = own_image(self.docker).await?;
        let path = format!("{EDGE_FOLDER}/{}", image.program_name());
        let file = ContainerFile {
            contents: image.program().to_vec(),
            mode: 0o755,
            uid: EDGE_USER,
            gid: EDGE_USER,
            secret: false,
        };
        let files = BTreeMap::from([(path.clone(), file)]);
        self.docker.put_files(id, &files, false).await?;
        let words = ["upgrade", "--", path.as_str()];
        self.command(id, container, &words, COMMAND).await?;
        self.edge_upgraded(id, vec![path]);
        Ok(())
    }

    pub(super) async fn route(&self, edge: &EdgeRoutes) -> Result<(), DeployError> {
        let Some(id) = edge.id.clone().or_else(|| self.edge_made(&edge.container)) else {
            return Ok(());
        };
        let listeners = edge.routes.listeners.iter();
        if listeners.clone().any(|one| !one.certificates.is_empty()) {
            let files = &self.prepared.edge_files;
            self.docker.put_files(&id, files, false).await?;
        }
        let json = serde_json::to_string(&edge.routes).unwrap_or_default();
        // One that was started just now takes a moment to listen.
        let again = |away| away || self.is_started(edge);
        self.tell(&id, &edge.container, &["apply", &json], again)
            .await
    }

    /// Says something to an edge, as often as needed until it is understood: at most for [`READY`].
    /// `again` decides on an edge that did not take it, by whether it was away.
    async fn tell(
        &self,
        id: &str,
        container: &str,
        words: &[&str],
        again: impl Fn(bool) -> bool + Send,
    ) -> Result<(), DeployError> {
        let begun = Instant::now();
        loop {
            let told = self.command(id, container, words, TRY).await;
            let again = match &told {
                Ok(_) => false,
                Err(DeployError::Edge { away, .. }) => again(*away),
                Err(DeployError::Docker(error)) => {
                    !matches!(**error, DockerError::Unreachable { .. })
                }
                Err(_) => false,
            };
            if !again || begun.elapsed() > READY {
                return told.map(drop);
            }
            // Somebody has killed it.
            if !self.is_running(id).await? {
                self.docker.start(id).await?;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What edges that were there are told if requests are given back. One that is new goes as a whole.
    fn routes_before(&self, edges: &[EdgeRoutes]) -> Vec<EdgeRoutes> {
        let mut before = Vec::new();
        for edge in edges {
            let mut there = self.prepared.observed.edges.iter();
            if let Some(there) = there.find(|there| Some(&there.id) == edge.id.as_ref()) {
                before.push(EdgeRoutes {
                    container: edge.container.clone(),
                    id: edge.id.clone(),
                    routes: returned(&there.routes.clone().unwrap_or_default(), &edge.routes),
                });
            }
        }
        before
    }

    /// True if it is this deploy that started it.
    fn is_started(&self, edge: &EdgeRoutes) -> bool {
        let mut operations = self.prepared.plan.operations.iter();
        operations.any(|operation| match &operation.kind {
            OperationKind::CreateEdge { container, .. }
            | OperationKind::StartEdge { container, .. } => *container == edge.container,
            _ => false,
        })
    }

    async fn is_running(&self, id: &str) -> Result<bool, DeployError> {
        let detail = self.docker.inspect(id).await?;
        Ok(detail.is_some_and(|detail| detail.running))
    }

    /// Whatever comes of it, the old containers are stopped: what they still do is cut off then.
    async fn drain_edges(&self, edges: &[(String, Option<String>)]) -> Option<String> {
        let mut cut = 0;
        for (container, id) in edges {
            let Some(id) = id.clone().or_else(|| self.edge_made(container)) else {
                continue;
            };
            let time = self.prepared.drain;
            let limit = format!("{}ms", time.as_millis());
            let words = ["drain", "--timeout", &limit];
            let asked = self.command(&id, container, &words, time + COMMAND);
            // Who stops a deploy here wants it over: requests go to the new containers already.
            let drained = tokio::select! {
                answer = asked => answer.ok(),
                () = self.halted() => None,
            };
            let drained = drained.and_then(|json| serde_json::from_str::<Drained>(&json).ok());
            cut += drained.map_or(0, |drained| drained.outstanding.values().sum::<usize>());
        }
        if cut > 0 {
            self.reporter.report(Event::Warning {
                message: format!(
                    "{cut} requests or connections did not end within {}, and are cut off",
                    humantime::format_duration(self.prepared.drain)
                ),
                help: Some("`drain` under [edge] in plugins.toml gives them more time".to_owned()),
            });
        }
        None
    }

    /// Asks an edge something; gives its answer.
    pub(super) async fn ask_edge(
        &self,
        id: &str,
        container: &str,
        words: &[&str],
    ) -> Result<String, DeployError> {
        let limit = self.prepared.drain + COMMAND;
        self.command(id, container, words, limit).await
    }

    /// Has the edge's program say something to the edge that runs in the same container. Of a
    /// container's programs it is the one that runs: an older one may not know the words.
    async fn command(
        &self,
        id: &str,
        container: &str,
        words: &[&str],
        limit: Duration,
    ) -> Result<String, DeployError> {
        let mut edges = self.prepared.observed.edges.iter();
        let observed = || Some(edges.find(|edge| edge.id == id)?.program.program.clone());
        let program = self.upgraded_edge(id).or_else(observed);
        let program = program.unwrap_or_else(|| vec![EDGE_PROGRAM.to_owned()]);
        edge_command(self.docker, id, container, &program, words, limit).await
    }
}

/// Has a program of the edge say something to the edge that runs in the same container.
pub(super) async fn edge_command(
    docker: &Docker,
    id: &str,
    container: &str,
    program: &[String],
    words: &[&str],
    limit: Duration,
) -> Result<String, DeployError> {
    let control = ["edge", "ctl"];
    let words = control.iter().chain(words).map(|&word| word.to_owned());
    let words: Vec<String> = program.iter().cloned().chain(words).collect();
    let outcome = docker.exec_own(id, &words, limit).await?;
    match outcome.exit_code {
        0 => Ok(outcome.output),
        code => Err(DeployError::Edge {
            container: container.to_owned(),
            reason: outcome.output.trim().to_owned(),
            // What it says itself are these two.
            away: ![ExitCode::Failed, ExitCode::BadInput]
                .iter()
                .any(|own| i64::from(*own as u8) == code),
        }),
    }
}

fn joined(network: &str) -> Joined {
    Joined {
        name: network.to_owned(),
        ..Joined::default()
    }
}

/// A process without rights that can write to its own folder, and nothing else.
fn specification(slots: &[EdgeSlot]) -> ContainerSpec {
    let ports = slots.iter().map(|slot| PortMapping {
        container_port: slot.listen,
        host_port: Some(slot.host_port),
        host_address: slot.host_address,
        ..PortMapping::default()
    });
    ContainerSpec {
        ports: ports.collect(),
        cap_drop: vec!["ALL".to_owned()],
        no_new_privileges: true,
        init: false,
        stop_timeout: Some(STOP),
        logging: Logging {
            driver: Some("json-file".to_owned()),
            options: BTreeMap::from([
                ("max-size".to_owned(), "10m".to_owned()),
                ("max-file".to_owned(), "3".to_owned()),
            ]),
        },
        ..ContainerSpec::default()
    }
}
