//! What can end a deploy.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::context::ContextError;
use crate::docker::DockerError;
use crate::manifest::ManifestError;
use crate::plan::PortConflict;
use crate::plugin::{LoadError, PluginError};

/// What a command ends with. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// It is done.
    Done = 0,
    /// It failed; what ran before runs on.
    Failed = 1,
    /// The input or the usage is wrong; nothing was touched.
    BadInput = 2,
    /// A plugin refused, or broke; what ran before runs on.
    Refused = 3,
    /// The daemon can't be reached.
    Unreachable = 4,
    /// Another deploy of the app is going on.
    Locked = 5,
    /// It was interrupted; what ran before runs on.
    Interrupted = 130,
}

impl ExitCode {
    /// Every code with its meaning, for the help text and the documentation.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Done, "done"),
        (Self::Failed, "failed; what ran before runs on"),
        (Self::BadInput, "bad input or usage; nothing was touched"),
        (Self::Refused, "refused by a plugin, or a plugin failed"),
        (Self::Unreachable, "the daemon can't be reached"),
        (Self::Locked, "locked by another deploy of the app"),
        (Self::Interrupted, "interrupted; what ran before runs on"),
    ];
}

/// What ended a deploy.
#[derive(Debug, Error, Diagnostic)]
pub enum DeployError {
    /// plugins.toml is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Manifest(#[from] Box<ManifestError>),
    /// The build context can't be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Context(#[from] ContextError),
    /// A plugin can't be loaded.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Load(#[from] LoadError),
    /// A plugin refused or failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Plugin(Box<PluginError>),
    /// The daemon did not do what it was asked.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Docker(Box<DockerError>),
    /// Plugins can't run on this machine.
    #[error("plugins can't run on this machine: {reason}")]
    NoHost {
        /// Why.
        reason: String,
    },
    /// There is nothing to build from.
    #[error("service `{service}` has no Dockerfile: there is no {}", path.display())]
    #[diagnostic(help("{help}"))]
    NoDockerfile {
        /// The service.
        service: String,
        /// Where it should be.
        path: PathBuf,
        /// What would help in this folder.
        help: String,
    },
    /// A port that a service needs is held by a container outside of the app.
    #[error("service `{service}` can't have port {port}: the container `{holder}` has it")]
    #[diagnostic(help(
        "nothing was touched; stop it (`docker stop {holder}`), or publish another port"
    ))]
    PortTaken {
        /// The service.
        service: String,
        /// The host's port.
        port: u16,
        /// The container that holds it.
        holder: String,
    },
    /// The new container did not become healthy.
    #[error("service `{service}` is not healthy: {why}")]
    #[diagnostic(help("{help}"))]
    Unhealthy {
        /// The service.
        service: String,
        /// The container.
        container: String,
        /// What was wrong last.
        why: String,
        /// What can be done about it.
        help: String,
    },
    /// The person who deploys stopped it.
    #[error("interrupted")]
    Interrupted,
}

impl From<PortConflict> for DeployError {
    fn from(conflict: PortConflict) -> Self {
        Self::PortTaken {
            service: conflict.service.to_string(),
            port: conflict.port,
            holder: conflict.holder,
        }
    }
}

impl From<DockerError> for DeployError {
    fn from(error: DockerError) -> Self {
        Self::Docker(Box::new(error))
    }
}

impl From<PluginError> for DeployError {
    fn from(error: PluginError) -> Self {
        Self::Plugin(Box::new(error))
    }
}

impl From<ManifestError> for DeployError {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(Box::new(error))
    }
}

impl DeployError {
    /// What the command ends with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Manifest(_)
            | Self::Context(_)
            | Self::Load(_)
            | Self::NoHost { .. }
            | Self::NoDockerfile { .. } => ExitCode::BadInput,
            Self::Plugin(_) => ExitCode::Refused,
            Self::Docker(error) => docker_exit_code(error),
            Self::PortTaken { .. } | Self::Unhealthy { .. } => ExitCode::Failed,
            Self::Interrupted => ExitCode::Interrupted,
        }
    }
}

fn docker_exit_code(error: &DockerError) -> ExitCode {
    match error {
        DockerError::Unreachable { .. } => ExitCode::Unreachable,
        DockerError::Locked { .. } => ExitCode::Locked,
        _ => ExitCode::Failed,
    }
}
