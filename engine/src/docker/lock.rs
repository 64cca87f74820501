//! The lock that a deploy holds, in the daemon itself.
//!
//! It is a container that is never started. A name is unique in a daemon, so creating the
//! container is what takes the lock, atomically and across all clients; and a lock is removed by
//! its id, so two who find the same dead holder can't remove each other's new lock.

use std::collections::HashMap;
use std::fmt;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::ImportImageOptions;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Docker, DockerError};
use crate::app::Name;
use crate::plan::observed::label;

/// The image of lock containers: it has no files, and is made where it is missing.
const IMAGE: &str = "rengine-lock:1";
/// How often a lock that vanishes while it is looked at is tried again.
const ATTEMPTS: usize = 5;

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LockHolder {
    /// The user's name.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The host's start, by the id that Linux gives it: after a restart no process is the same.
    pub boot_id: String,
    /// When the process started, in Linux's clock ticks since the host did: another process may
    /// have its number by now.
    pub pid_start: Option<u64>,
    /// Where the number counts, as Linux names it (`pid:[…]`): containers have numbers of their
    /// own.
    #[serde(default)]
    pub pid_namespace: String,
    /// When the lock was taken.
    pub since: Timestamp,
    /// What is being done.
    pub command: String,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user,
            host,
            pid,
            since,
            command,
            ..
        } = self;
        write!(
            f,
            "by {user} on {host} (`{command}`, process {pid}) since {}",
            since.strftime("%F %T UTC")
        )
    }
}

impl LockHolder {
    /// This process, as the holder of a lock.
    pub fn this_process(user: String, command: String, since: Timestamp) -> Self {
        let pid = std::process::id();
        Self {
            user,
            host: read("/proc/sys/kernel/hostname"),
            pid,
            boot_id: read("/proc/sys/kernel/random/boot_id"),
            pid_start: process_start(pid),
            pid_namespace: pid_namespace(),
            since,
            command,
        }
    }

    /// True if the holder is known to be no more: it ran where this process runs, and is gone.
    fn is_dead(&self) -> bool {
        let here = !self.boot_id.is_empty()
            && self.boot_id == read("/proc/sys/kernel/random/boot_id")
            && self.host == read("/proc/sys/kernel/hostname")
            && self.pid_namespace == pid_namespace();
        here && self.pid_start.is_some() && process_start(self.pid) != self.pid_start
    }
}

/// What a file of the kernel says; nothing on systems without it, where no holder is ever known
/// to be dead.
fn read(path: &str) -> String {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn pid_namespace() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().into_owned()
}

/// The 22nd field of `/proc/PID/stat`. The second is the program's name in parentheses, which may
/// have blanks and parentheses itself.
fn process_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    // A process that has ended, and waits for its parent to notice, holds nothing any more.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// A lock that is held. It stays until it is released: not on drop, which can't wait for the
/// daemon; the lock of a process that is no more is taken over by the next deploy.
#[derive(Debug)]
#[must_use = "a lock stays until it is released"]
pub struct Lock {
    docker: Docker,
    id: String,
}

impl Lock {
    /// Gives the lock back.
    pub async fn release(self) -> Result<(), DockerError> {
        self.docker.remove(&self.id, true).await
    }
}

impl Docker {
    /// Takes an app's lock, or says who holds it. The lock of a holder that is no more is taken
    /// over.
    pub async fn lock(&self, app: &Name, holder: &LockHolder) -> Result<Lock, DockerError> {
        let name = container_name(app);
        let text = serde_json::to_string(holder).unwrap_or_default();
        let labels = HashMap::from([
            (label::LOCK.to_owned(), text),
            (label::APP.to_owned(), app.to_string()),
        ]);
        let body = ContainerCreateBody {
            image: Some(IMAGE.to_owned()),
            // Never run, but no container can be without one.
            cmd: Some(vec!["lock".to_owned()]),
            labels: Some(labels),
            ..ContainerCreateBody::default()
        };
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.create(&name, body.clone()).await {
                Ok(id) => {
                    return Ok(Lock {
                        docker: self.clone(),
                        id,
                    });
                }
                Err(DockerError::NoSuchImage { .. }) => self.make_lock_image().await?,
                Err(DockerError::NameTaken { .. }) => {
                    let Some((id, found)) = self.find_lock(app).await? else {
                        continue;
                    };
                    match &found {
                        Some(found) if found.is_dead() => self.remove(&id, true).await?,
                        _ => {
                            let holder = found.map(Box::new);
                            return Err(DockerError::Locked {
                                app: app.to_string(),
                                holder,
                            });
                        }
                    }
                    last = found;
                }
                Err(error) => return Err(error),
            }
        }
        Err(DockerError::Locked {
            app: app.to_string(),
            holder: last.map(Box::new),
        })
    }

    /// Who holds an app's lock; `None` if nobody does, or if it can't be read.
    pub async fn lock_holder(&self, app: &Name) -> Result<Option<LockHolder>, DockerError> {
        Ok(self.find_lock(app).await?.and_then(|(_, holder)| holder))
    }

    /// Removes an app's lock, whoever holds it; false if there was none.
    pub async fn break_lock(&self, app: &Name) -> Result<bool, DockerError> {
        match self.find_lock(app).await? {
            Some((id, _)) => self.remove(&id, true).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn find_lock(
        &self,
        app: &Name,
    ) -> Result<Option<(String, Option<LockHolder>)>, DockerError> {
        let Some(detail) = self.inspect(&container_name(app)).await? else {
            return Ok(None);
        };
        let holder = detail
            .labels
            .get(label::LOCK)
            .and_then(|text| serde_json::from_str(text).ok());
        Ok(Some((detail.id, holder)))
    }

    /// Makes [`IMAGE`]. It is the same each time, down to its id, so two who do this at once
    /// leave one image behind.
    async fn make_lock_image(&self) -> Result<(), DockerError> {
        let archive = lock_image(&self.facts().arch).map_err(|error| DockerError::Daemon {
            action: "make the image of locks".to_owned(),
            status: None,
            message: error.to_string(),
        })?;
        let body = bollard::body_full(archive.into());
        let loading = self
            .client()
            .import_image(ImportImageOptions::default(), body, None);
        let loaded: Result<Vec<_>, _> = loading.try_collect().await;
        loaded
            .map(|_| ())
            .map_err(|error| self.error("load the image of locks", error))
    }
}

fn container_name(app: &Name) -> String {
    format!("rengine-lock-{app}")
}

/// An image with one empty layer, in the format of `docker save`.
fn lock_image(arch: &str) -> std::io::Result<Vec<u8>> {
    let hex = |bytes: &[u8]| {
        Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    // An empty tar archive: two empty blocks.
    let layer = [0; 1024];
    let config = serde_json::json!({
        "architecture": arch,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer))] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "rengine" }],
    })
    .to_string();
    let config_name = format!("{}.json", hex(config.as_bytes()));
    let manifest = serde_json::json!([{ "Config": config_name, "RepoTags": [IMAGE], "Layers": ["layer.tar"] }]);
    let mut builder = tar::Builder::new(Vec::new());
    let files = [
        (config_name.as_str(), config.as_bytes()),
        ("layer.tar", &layer),
        ("manifest.json", manifest.to_string().as_bytes()),
    ]
    .map(|(name, contents)| (name.to_owned(), contents.to_vec()));
    for (name, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(contents.len() as u64);
        builder.append_data(&mut header, name, &contents[..])?;
    }
    builder.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let this =
            LockHolder::this_process("me".to_owned(), "deploy".to_owned(), Timestamp::UNIX_EPOCH);
        assert!(!this.is_dead());
        assert!(
            LockHolder {
                pid_start: Some(1),
                ..this.clone()
            }
            .is_dead(),
            "another process has its number"
        );
        assert!(
            LockHolder {
                pid: u32::MAX,
                ..this.clone()
            }
            .is_dead(),
            "no such process"
        );
        let elsewhere = LockHolder {
            host: "elsewhere".to_owned(),
            pid_start: Some(1),
            ..this.clone()
        };
        assert!(!elsewhere.is_dead(), "nobody can know");
        let before = LockHolder {
            boot_id: "before".to_owned(),
            pid_start: Some(1),
            ..this
        };
        assert!(!before.is_dead());
    }

    #[test]
    fn a_holder_can_be_read_again() {
        let holder =
            LockHolder::this_process("me".to_owned(), "deploy".to_owned(), Timestamp::UNIX_EPOCH);
        let text = serde_json::to_string(&holder).expect("text");
        assert_eq!(
            serde_json::from_str::<LockHolder>(&text).expect("a holder"),
            holder
        );
    }
}
