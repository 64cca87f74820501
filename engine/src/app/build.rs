//! What a build gives to the steps that run commands.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::{ByteSize, Name, Ulimit};

/// What `RUN` steps of a build are given beyond the context. Nothing of it is kept in the image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BuildRun {
    /// The network: `default`, `none` or `host`, or another that the builder knows.
    pub network: Option<String>,
    /// Lines of /etc/hosts, as `name:address`.
    pub extra_hosts: Vec<String>,
    /// The size of /dev/shm.
    pub shm_size: Option<ByteSize>,
    /// Limits of processes, by name as `nofile`.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// What `--mount=type=secret` finds, by id.
    pub secrets: BTreeMap<String, BuildSecret>,
    /// What `--mount=type=ssh` reaches, by id.
    pub ssh: BTreeMap<String, SshSource>,
}

/// A secret of a build.
///
/// Its contents are no part of what the image is built from: another one builds nothing anew, as
/// BuildKit has it, and nothing of it is in a label, a plan or a digest.
#[derive(Clone, PartialEq, Eq)]
pub struct BuildSecret(pub Vec<u8>);

impl fmt::Debug for BuildSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BuildSecret(…)")
    }
}

impl Serialize for BuildSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("secret")
    }
}

/// Where keys for ssh come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SshSource {
    /// The agent of the environment, or the one that listens at this socket.
    Agent(PathBuf),
    /// This private key alone.
    Key(PathBuf),
}

/// Files that a Dockerfile names beside those of its context, with `FROM` or `--from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedContext {
    /// Those of an image that is there, or is fetched.
    Image(String),
    /// Those of the image that is built for another service.
    Service(Name),
    /// Those of a folder of this machine; an absolute path.
    Folder(PathBuf),
}

impl fmt::Display for NamedContext {
    /// As Compose writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(reference) => write!(f, "docker-image://{reference}"),
            Self::Service(service) => write!(f, "service:{service}"),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}
