//! A daemon on another machine, reached with the user's own `ssh`.
//!
//! Each connection is a process: `ssh HOST docker system dial-stdio`, as the `docker` command does
//! it; its standard streams are the connection. So the user's configuration holds, with agents,
//! jump hosts and multiplexing; any number of connections is independent of each other; and
//! nothing has to be cleaned up, since the process ends with its pipes, however rengine ends.
//! Where the other machine has a daemon and no program to connect to it, ssh forwards its socket
//! (`ssh/forward.rs`).

use std::io;
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use super::{Dial, Stream};
use crate::docker::endpoint::SshAddress;
use failure::Words;
use forward::Forward;
use stream::SshStream;

mod failure;
mod forward;
mod stream;

pub use failure::SshFailure;

/// Time for ssh to connect and log in. Its own, for one address, is shorter.
pub(in crate::docker) const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Log-ins that go on at once: a server drops some where there are more than 10 (`MaxStartups`).
const LOGINS: usize = 4;
/// What the script on the other side writes before the connection begins. Whatever a shell's
/// start-up files write stands before it.
const MARK: &str = "rengine-ssh:";
/// The most that may stand before it.
const MAX_NOISE: usize = 64 * 1024;
/// Options for every call. Nobody is there to answer questions while a deploy runs, and a
/// connection that is dead is to end some time.
const OPTIONS: [&str; 8] = [
    "-T",
    "-oBatchMode=yes",
    "-oConnectTimeout=10",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=4",
    "-oForwardX11=no",
    "-oRequestTTY=no",
    "-oEscapeChar=none",
];

/// A machine with a daemon.
pub struct Ssh {
    address: SshAddress,
    logins: Semaphore,
    /// What forwards the daemon's socket, where that is the way.
    forward: OnceCell<Forward>,
}

/// What the script on the other side found.
enum Found {
    /// It is connected to the daemon now.
    Connected,
    /// There is this socket, and nothing that connects to it.
    Socket(String),
}

impl Ssh {
    pub fn new(address: SshAddress) -> Self {
        Self {
            address,
            logins: Semaphore::new(LOGINS),
            forward: OnceCell::new(),
        }
    }

    async fn connect(&self) -> Result<Stream, SshFailure> {
        if let Some(forward) = self.forward.get() {
            return forward.connect().await;
        }
        // The semaphore is never closed.
        let permit = self.logins.acquire().await.ok();
        let mut process = Process::start(&self.address, &script(self.address.socket.as_deref()))?;
        let found = match timeout(LOGIN_TIMEOUT, process.found()).await {
            Ok(found) => found?,
            Err(_) => return Err(SshFailure::Silent(LOGIN_TIMEOUT)),
        };
        drop(permit);
        match found {
            Found::Connected => Ok(Stream::new(SshStream::new(process))),
            Found::Socket(socket) => {
                let start = || Forward::start(&self.address, &socket);
                self.forward.get_or_try_init(start).await?.connect().await
            }
        }
    }
}

impl Dial for Ssh {
    fn dial(self: Arc<Self>) -> BoxFuture<'static, io::Result<Stream>> {
        async move { self.connect().await.map_err(io::Error::other) }.boxed()
    }
}

/// The name or address that ssh connects to: `~/.ssh/config` may give the host another.
pub(in crate::docker) async fn host_name(address: &SshAddress) -> Option<String> {
    let mut command = Command::new("ssh");
    command
        .args(["-G", "--", &address.host])
        .stdin(Stdio::null());
    let output = command.kill_on_drop(true).output();
    let output = timeout(LOGIN_TIMEOUT, output).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let name = text.lines().find_map(|line| line.strip_prefix("hostname "));
    name.map(|name| name.trim().to_owned())
}

/// An `ssh` that runs; it is ended when this is dropped.
struct Process {
    child: Child,
    /// What it says of errors. A file, so that it can't fill up, and needs nobody who reads it.
    words: std::fs::File,
}

impl Process {
    fn start(address: &SshAddress, script: &str) -> Result<Self, SshFailure> {
        let mut command = Command::new("ssh");
        command.args(OPTIONS).kill_on_drop(true);
        Self::spawn(command, address, script)
    }

    /// Runs `command`, which ends in options of ssh, with what follows them.
    fn spawn(mut command: Command, address: &SshAddress, script: &str) -> Result<Self, SshFailure> {
        if let Some(user) = &address.user {
            command.args(["-l", user]);
        }
        if let Some(port) = address.port {
            command.args(["-p", &port.to_string()]);
        }
        let other = |error: io::Error| SshFailure::Other(error.to_string());
        let words = tempfile::tempfile().map_err(other)?;
        let child = command
            .args(["--", &address.host, script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(words.try_clone().map_err(other)?)
            // Ctrl-C is for rengine, which has something to tell the daemon after it.
            .process_group(0)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => SshFailure::NotInstalled,
                _ => other(error),
            })?;
        Ok(Self { child, words })
    }

    /// Reads on to the mark, byte by byte: what follows is the connection's.
    async fn found(&mut self) -> Result<Found, SshFailure> {
        match self.line().await {
            Some(line) if line == "connected" => Ok(Found::Connected),
            Some(line) => match line.split_once(' ') {
                Some(("socket", path)) => Ok(Found::Socket(path.to_owned())),
                _ => Err(SshFailure::NoDaemon),
            },
            None => Err(self.failure().await),
        }
    }

    async fn line(&mut self) -> Option<String> {
        let stdout = self.child.stdout.as_mut()?;
        marked_line(stdout).await
    }

    /// Why it ended.
    async fn failure(&mut self) -> SshFailure {
        // Its output has ended, so it is about to.
        const GRACE: Duration = Duration::from_secs(2);
        let status = timeout(GRACE, self.child.wait()).await;
        let code = status
            .ok()
            .and_then(Result::ok)
            .and_then(|status| status.code());
        Words(&self.words()).failure(code)
    }

    /// What it said of errors up to now.
    fn words(&self) -> String {
        let mut words = vec![0; MAX_NOISE];
        // What can't be read is not known; the exit code is.
        let length = self.words.read_at(&mut words, 0).unwrap_or(0);
        String::from_utf8_lossy(&words[..length]).into_owned()
    }
}

async fn marked_line(mut from: impl AsyncRead + Unpin) -> Option<String> {
    let mut line = Vec::new();
    for _ in 0..MAX_NOISE {
        match from.read_u8().await.ok()? {
            b'\n' => {
                let text = String::from_utf8_lossy(&line);
                if let Some(at) = text.find(MARK) {
                    return Some(text[at + MARK.len()..].trim_end().to_owned());
                }
                line.clear();
            }
            byte => line.push(byte),
        }
    }
    None
}

/// What runs on the other side: it becomes the connection, or says where the socket is.
///
/// `sh -c '…'` means the same to whatever shell the user has there.
fn script(socket: Option<&str>) -> String {
    let quoted = socket.map(quote);
    let (docker, podman, places) = match &quoted {
        Some(path) => (
            format!("docker --host unix://{path}"),
            format!("podman --url unix://{path}"),
            path.clone(),
        ),
        None => (
            "docker".to_owned(),
            "podman".to_owned(),
            "/var/run/docker.sock \"$run/docker.sock\" \"$HOME/.docker/run/docker.sock\" \
             \"$run/podman/podman.sock\" /run/podman/podman.sock"
                .to_owned(),
        ),
    };
    let script = format!(
        "run=${{XDG_RUNTIME_DIR:-/run/user/$(id -u)}}; \
         if command -v docker >/dev/null 2>&1; then echo {MARK}connected; exec {docker} system dial-stdio; fi; \
         for s in {places}; do if [ -S \"$s\" ]; then \
         echo \"{MARK}socket $s\"; exit 0; fi; done; \
         if command -v podman >/dev/null 2>&1; then echo {MARK}connected; exec {podman} system dial-stdio; fi; \
         echo {MARK}none"
    );
    format!("exec sh -c {}", quote(&script))
}

/// One word to a shell, whatever is in it.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_start_up_files_write_is_passed_over() {
        let output = format!("Welcome!\nfree: 3 GB {MARK}socket /run/my docker.sock\nHTTP/1.1");
        let mut from = output.as_bytes();
        let line = marked_line(&mut from).await;
        assert_eq!(line.as_deref(), Some("socket /run/my docker.sock"));
        assert_eq!(from, b"HTTP/1.1", "not a byte of the connection is taken");
        assert_eq!(marked_line(&b"Welcome!\n"[..]).await, None);
    }

    #[test]
    fn the_script_is_a_script() {
        for socket in [None, Some("/run/it's here/d.sock")] {
            let checked = std::process::Command::new("sh")
                .args(["-n", "-c", &script(socket)])
                .status();
            assert!(checked.expect("sh runs").success());
        }
        // Without anything that it looks for.
        let run = std::process::Command::new("/bin/sh")
            .args(["-c", &script(Some("/none"))])
            .env("PATH", "/none:/bin")
            .env_remove("XDG_RUNTIME_DIR")
            .output()
            .expect("sh runs");
        let output = String::from_utf8_lossy(&run.stdout);
        assert!(
            output.contains("rengine-ssh:none") || output.contains("rengine-ssh:connected"),
            "{output}"
        );
    }
}
