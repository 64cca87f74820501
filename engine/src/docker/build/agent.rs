//! An agent for one key, as long as a build goes on: BuildKit speaks to agents alone.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::DockerError;

/// Time for the agent to be there, and to take the key.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether it is there.
const LOOK: Duration = Duration::from_millis(10);

/// A private `ssh-agent`; it ends when this is dropped.
pub struct Agent {
    _process: Child,
    /// A folder that is this user's alone, with the agent's socket.
    folder: tempfile::TempDir,
}

impl Agent {
    /// Starts an agent that holds this key.
    pub async fn start(key: &Path) -> Result<Self, DockerError> {
        let failed = |reason: String| DockerError::SshKey {
            key: key.to_owned(),
            reason,
        };
        let other = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => failed("`ssh-agent` is not installed".to_owned()),
            _ => failed(error.to_string()),
        };
        let folder = tempfile::tempdir().map_err(other)?;
        let socket = socket(folder.path());
        let process = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .map_err(other)?;
        let agent = Self {
            _process: process,
            folder,
        };
        let there = async {
            while !socket.exists() {
                tokio::time::sleep(LOOK).await;
            }
        };
        if timeout(START_TIMEOUT, there).await.is_err() {
            return Err(failed("`ssh-agent` does not start".to_owned()));
        }
        let add = Command::new("ssh-add")
            .arg("-q")
            .arg("--")
            .arg(key)
            .env("SSH_AUTH_SOCK", &socket)
            // Nobody is there to tell the key's passphrase.
            .env("SSH_ASKPASS_REQUIRE", "never")
            .env_remove("DISPLAY")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        match timeout(START_TIMEOUT, add).await {
            Ok(Ok(output)) if output.status.success() => Ok(agent),
            Ok(Ok(output)) => {
                let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(failed(match words.is_empty() {
                    true => "`ssh-add` does not take it".to_owned(),
                    false => words,
                }))
            }
            Ok(Err(error)) => Err(other(error)),
            Err(_) => Err(failed("it has a passphrase".to_owned())),
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        socket(self.folder.path())
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("agent")
}
