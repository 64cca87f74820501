//! A `podman system service` for this process alone.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::docker::Unreachable;

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
pub struct Service {
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
pub fn is_installed(path: Option<&OsStr>) -> bool {
    path.is_some_and(|path| {
        std::env::split_paths(path).any(|folder| folder.join("podman").is_file())
    })
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
