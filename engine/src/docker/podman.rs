//! What is Podman's alone: a service for this process, where there is no daemon; and health checks
//! that have to be asked for.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::{Docker, DockerError, REQUEST_TIMEOUT, Unreachable};
use crate::app::ContainerSpec;

/// How long the service stays without a connection: it ends by itself if rengine is killed.
const IDLE_SECONDS: &str = "--time=5";
/// Time for it to listen. The first start of a new user sets up storage.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Time between two looks whether it listens.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// A request that lasts for as long as its connection: events of a container that is not there.
/// A service counts as idle while no request runs, and a deploy has longer pauses than that.
const HOLD: &[u8] =
    b"GET /v1.41/events?filters=%7B%22container%22%3A%5B%22rengine%22%5D%7D HTTP/1.1\r\n\
      Host: podman\r\n\r\n";

/// A `podman system service` that runs; it is stopped when this is dropped.
#[derive(Debug)]
pub(super) struct Service {
    child: Child,
    /// Its socket's: open to this user alone.
    folder: PathBuf,
    /// Keeps it from being idle.
    _hold: UnixStream,
}

impl Service {
    pub async fn start() -> Result<Self, Unreachable> {
        let failed = |error: io::Error| Unreachable::OwnPodman(error.to_string());
        if !is_installed(std::env::var_os("PATH").as_deref()) {
            return Err(Unreachable::NoPodman);
        }
        let folder = tempfile::Builder::new()
            .prefix("rengine-")
            .tempdir()
            .map_err(failed)?;
        let socket = folder.path().join(SOCKET);
        let log = folder.path().join("log");
        let mut child = Command::new("/bin/sh")
            // The shell removes the folder, however it ends and whoever is left by then.
            .args(["-c", r#"podman "$@"; rm -rf "$0""#])
            .arg(folder.path())
            .args(["--log-level=error", "system", "service", IDLE_SECONDS])
            .arg(format!("unix://{}", socket.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).map_err(failed)?)
            // Ctrl-C is for rengine, which has something to tell the daemon after it.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let deadline = Instant::now() + START_TIMEOUT;
        let words = || std::fs::read_to_string(&log).unwrap_or_default();
        let mut hold = loop {
            if let Ok(stream) = UnixStream::connect(&socket).await {
                break stream;
            }
            let said = words();
            if child.try_wait().map_err(failed)?.is_some() {
                let last = said.lines().rev().find(|line| !line.trim().is_empty());
                let last = last.unwrap_or("it ended without a word");
                return Err(Unreachable::OwnPodman(last.to_owned()));
            }
            if Instant::now() > deadline {
                return Err(Unreachable::Silent(START_TIMEOUT));
            }
            sleep(LOOK_INTERVAL).await;
        };
        hold.write_all(HOLD).await.map_err(failed)?;
        Ok(Self {
            child,
            folder: folder.keep(),
            _hold: hold,
        })
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(SOCKET)
    }
}

const SOCKET: &str = "podman.sock";

/// True if there is a `podman` in the folders of a PATH.
pub(super) fn is_installed(path: Option<&OsStr>) -> bool {
    path.is_some_and(|path| {
        std::env::split_paths(path).any(|folder| folder.join("podman").is_file())
    })
}

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

impl Docker {
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

impl Drop for Service {
    fn drop(&mut self) {
        let group = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
            // The group: the shell and the service. If it is gone already, all the better.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
