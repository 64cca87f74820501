//! A daemon's socket, forwarded by ssh: for machines without a program that connects to it.

use std::io;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::timeout;

use super::{LOGIN_TIMEOUT, MARK, OPTIONS, Process, SshFailure};
use crate::docker::endpoint::SshAddress;
use crate::docker::transport::Stream;

/// An `ssh` that forwards a socket for as long as this is there.
///
/// The shell that it runs in removes the folder when ssh has ended. Both see the end of their
/// input when rengine is gone, so nothing is left even if it was killed.
pub(super) struct Forward {
    /// Its pipes are kept: the other side waits for their end.
    process: Process,
    socket: PathBuf,
    /// The socket on the other side.
    remote: String,
}

impl Forward {
    pub async fn start(address: &SshAddress, remote: &str) -> Result<Self, SshFailure> {
        let other = |error: io::Error| SshFailure::Other(error.to_string());
        // Open to this user alone: who can connect to it is as good as root there.
        let folder = tempfile::Builder::new()
            .prefix("rengine-")
            .tempdir()
            .map_err(other)?;
        let socket = folder.path().join("docker.sock");
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"ssh "$@"; rm -rf "$0""#])
            .arg(folder.path())
            .args(OPTIONS)
            // In a connection that is shared with others, the forwarding would outlive this.
            .args(["-oControlMaster=no", "-oControlPath=none"])
            .args(["-oExitOnForwardFailure=yes", "-oStreamLocalBindMask=0177"])
            .arg("-L")
            .arg(format!("{}:{remote}", socket.display()));
        let script = format!("echo {MARK}forwarded; exec cat >/dev/null");
        let mut process = Process::spawn(command, address, &script)?;
        // The shell removes it from now on.
        let _ = folder.keep();
        match timeout(LOGIN_TIMEOUT, process.line()).await {
            Ok(Some(_)) => {
                let forward = Self {
                    process,
                    socket,
                    remote: remote.to_owned(),
                };
                forward.check().await.map(|()| forward)
            }
            Ok(None) => Err(process.failure().await),
            Err(_) => Err(SshFailure::Silent(LOGIN_TIMEOUT)),
        }
    }

    /// Asks the daemon for a sign of life: ssh takes connections before it knows whether the other
    /// side does.
    async fn check(&self) -> Result<(), SshFailure> {
        let ask = async {
            let mut stream = UnixStream::connect(&self.socket).await?;
            let request = b"GET /_ping HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await?;
            stream.read_u8().await
        };
        let error = match timeout(LOGIN_TIMEOUT, ask).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => return Err(SshFailure::Silent(LOGIN_TIMEOUT)),
        };
        let words = self.process.words();
        // A server that may not forward says no more than one that can't.
        Err(match words.contains("open failed") {
            true => SshFailure::NotForwarded(self.remote.clone()),
            false => SshFailure::Other(error),
        })
    }

    pub async fn connect(&self) -> Result<Stream, SshFailure> {
        match UnixStream::connect(&self.socket).await {
            Ok(stream) => Ok(Stream::new(stream)),
            Err(error) => Err(SshFailure::Other(format!(
                "ssh forwards {} no longer: {error}",
                self.remote
            ))),
        }
    }
}
