//! What is Podman's alone: a service for this process, where there is no daemon; its words for what
//! Docker says otherwise; and health checks that have to be asked for.

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, ContainerSummary};
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{BuildFailure, Docker, DockerError, REQUEST_TIMEOUT, Unreachable, wire};
use crate::app::ContainerSpec;

mod service;

pub(super) use service::{Service, is_installed};

/// Takes out of a request what Podman would not leave out by itself.
pub(super) fn leave_out(body: &mut ContainerCreateBody, spec: &ContainerSpec) {
    // The value of a variable without one would come from the environment of its service.
    if let Some(env) = &mut body.env {
        env.retain(|variable| variable.contains('='));
    }
    let log = body.host_config.as_mut();
    let log = log.and_then(|host| host.log_config.as_mut());
    // With options of other drivers than its own, containers don't start.
    if let Some(options) = log.and_then(|log| log.config.as_mut()) {
        options.retain(|option, _| spec.logging.podman_knows(option));
    }
}

/// The network of a build in Podman's words. Unless it is told so, builds are in the host's, and of
/// Docker's word for none it knows only the number that it means.
pub(super) fn build_network(network: Option<&str>) -> Vec<(&'static str, String)> {
    match network {
        Some("none") => vec![("networkmode", "1".to_owned())],
        Some("host") => vec![("networkmode", "host".to_owned())],
        _ => {
            let own = r#"[{"Name":"network","Host":false,"Path":""}]"#;
            vec![("nsoptions", own.to_owned())]
        }
    }
}

/// States of containers that Docker has a word for.
const STATES: [&str; 9] = [
    "created",
    "dead",
    "exited",
    "paused",
    "removing",
    "restarting",
    "running",
    "stopping",
    "",
];

/// Makes a state one that Docker has, as a client would not understand the whole answer.
fn translate(state: &mut Value, stopped: &str) {
    match state.as_str() {
        // Its process has ended, and Podman has not cleared up after it yet.
        Some("stopped") => *state = stopped.into(),
        Some(known) if STATES.contains(&known) => {}
        _ => *state = "".into(),
    }
}

/// How the error of a build ends whose runtime was killed from outside: a command that is killed within
/// a step has an exit status.
const RUNTIME_KILLED: &str = "while running runtime: signal: killed";

/// How the error of a build begins that looked at an image which somebody removed just then: Podman looks at all that
/// there are, of whatever app, for a step that it has done before.
const LOOKED_FOR_STEP: &str = "checking if cached image exists from a previous build: ";

/// Why a build with this error failed, if that was Podman's own doing. Before 4.6 it asks the kernel to end the step
/// with the thread that started it, and threads end when they please
/// (<https://github.com/containers/podman/issues/17918>).
fn own_failure(message: &str) -> Option<&'static str> {
    let gone = ["layer not known", "image not known"];
    if message.ends_with(RUNTIME_KILLED) {
        Some("Podman has killed the step itself, as it does now and then before version 4.6")
    } else if message.contains(LOOKED_FOR_STEP) && gone.iter().any(|gone| message.ends_with(gone)) {
        Some("an image was removed while Podman looked at all of them for this step")
    } else {
        None
    }
}

/// True if a container could not be removed since its process ended just when Podman was about to end it. Once
/// Podman has cleared up after it, it can be.
pub(super) fn ended_meanwhile(message: &str) -> bool {
    message.contains("could not be stopped") && message.contains("container state improper")
}

/// True if there is a server of names, by what Podman says of itself.
fn names_in(info: &Value) -> bool {
    let host = &info["host"];
    // Before 4.4 it says no more than which backend it is.
    match host.get("networkBackendInfo") {
        Some(backend) => {
            let path = backend["dns"]["path"].as_str();
            path.is_some_and(|path| !path.is_empty())
        }
        None => host["networkBackend"] == "netavark",
    }
}

impl Docker {
    /// Why a build failed, if that was Podman's own doing, and another try is as good as the first.
    pub(super) fn own_failure(&self, failure: &BuildFailure) -> Option<&'static str> {
        let of_podman = self.facts().is_podman();
        of_podman.then(|| own_failure(&failure.message)).flatten()
    }

    /// True if containers of one network find each other by their names. Docker's always do, Podman's if its network
    /// backend has a server of names: netavark with aardvark-dns, or CNI with its plugin dnsname.
    pub async fn has_names(&self) -> Result<bool, DockerError> {
        if !self.facts().is_podman() {
            return Ok(true);
        }
        let info = self
            .get("say what networks it has", "/v4.0.0/libpod/info")
            .await?;
        Ok(names_in(&info))
    }

    /// Podman's containers with a label; `all` of them or those that run.
    pub(super) async fn podmans_containers(
        &self,
        all: bool,
        label: Option<&str>,
    ) -> Result<Vec<ContainerSummary>, DockerError> {
        let mut path = format!("/containers/json?all={all}");
        if let Some(label) = label {
            path.push_str("&filters=");
            wire::encode(&json!({ "label": [label] }).to_string(), &mut path);
        }
        let mut list = self.get("list the containers", &path).await?;
        for container in list.as_array_mut().into_iter().flatten() {
            translate(&mut container["State"], "stopping");
        }
        self.understand("list the containers", list)
    }

    /// A container of Podman in detail; `None` if there is none.
    pub(super) async fn podmans_container(
        &self,
        id: &str,
    ) -> Result<Option<ContainerInspectResponse>, DockerError> {
        let action = format!("inspect the container {id}");
        match self.get(&action, &format!("/containers/{id}/json")).await {
            Ok(mut container) => {
                translate(&mut container["State"]["Status"], "exited");
                self.understand(&action, container).map(Some)
            }
            Err(DockerError::Daemon {
                status: Some(404), ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn get(&self, action: &str, path: &str) -> Result<Value, DockerError> {
        let request = wire::get(path).body(wire::nothing());
        let request = request.map_err(|error| DockerError::Daemon {
            action: action.to_owned(),
            status: None,
            message: error.to_string(),
        })?;
        let answer = async {
            let mut lines = self.request(action, request).await?.lines::<Value>();
            let line = lines.next().await.transpose();
            let line = line.map_err(|error| self.error(action, error))?;
            Ok(line.unwrap_or_default())
        };
        match timeout(REQUEST_TIMEOUT, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(DockerError::unreachable(
                self.endpoint(),
                Unreachable::Silent(REQUEST_TIMEOUT),
            )),
        }
    }

    fn understand<T: DeserializeOwned>(
        &self,
        action: &str,
        value: Value,
    ) -> Result<T, DockerError> {
        serde_json::from_value(value).map_err(|error| DockerError::Daemon {
            action: action.to_owned(),
            status: None,
            message: format!("its answer is not understood: {error}"),
        })
    }

    /// Has Podman run the health check of a container once; what came of it is what the container
    /// says of its health from then on. Docker's API has no call for it, so this is Podman's own.
    pub async fn run_health_check(&self, id: &str) -> Result<(), DockerError> {
        let failed = |message: String| DockerError::Daemon {
            action: format!("run the health check of {id}"),
            status: None,
            message,
        };
        let ask = async {
            let stream = self.endpoint().open().await.map_err(|e| e.to_string())?;
            let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
            let (mut sender, connection) = handshake.await.map_err(|e| e.to_string())?;
            let request = http::Request::get(format!("/v4.0.0/libpod/containers/{id}/healthcheck"))
                .header("host", "podman")
                .header("connection", "close")
                .body(Empty::<Bytes>::new())
                .map_err(|e| e.to_string())?;
            // The connection's task in hyper's sense ends with the exchange.
            let exchange = async {
                let response = sender.send_request(request).await?;
                response.into_body().collect().await.map(drop)
            };
            tokio::pin!(exchange);
            let done = tokio::select! {
                done = &mut exchange => done,
                ended = connection => match ended {
                    Ok(()) => exchange.await,
                    Err(error) => Err(error),
                },
            };
            done.map_err(|error| error.to_string())
        };
        match timeout(REQUEST_TIMEOUT, ask).await {
            Ok(done) => done.map_err(failed),
            Err(_) => Err(failed("it took too long".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_podmans_own_doing_is_no_failure_of_the_build() {
        let killed = "building at STEP \"RUN true\": while running runtime: signal: killed";
        assert!(own_failure(killed).is_some());
        let removed = "checking if cached image exists from a previous build: getting top layer info: layer not known";
        assert!(own_failure(removed).is_some());
        for message in [
            "building at STEP \"RUN false\": while running runtime: exit status 1",
            "creating build container: reading image \"a\": image not known",
        ] {
            assert_eq!(own_failure(message), None, "{message}");
        }
    }

    #[test]
    fn a_container_that_ended_on_its_own_is_no_failure_to_end_it() {
        let ended = "cannot remove container 2b7b as it could not be stopped: sending SIGKILL to container 2b7b: \
                     container state improper: stopped";
        assert!(ended_meanwhile(ended));
        let running = "cannot remove container 2b7b as it is running - running or paused containers cannot be \
                       removed without force: container state improper";
        assert!(!ended_meanwhile(running));
    }

    #[test]
    fn names_need_a_server_of_names() {
        let has = |backend: Value| names_in(&json!({ "host": backend }));
        assert!(has(json!({ "networkBackend": "netavark" })));
        assert!(!has(json!({ "networkBackend": "cni" })));
        let with = |dns: Value| json!({ "networkBackend": "netavark", "networkBackendInfo": dns });
        assert!(has(with(
            json!({ "dns": { "path": "/usr/lib/podman/aardvark-dns" } })
        )));
        assert!(!has(with(json!({ "dns": {} }))));
        assert!(!has(json!({})));
    }
}
