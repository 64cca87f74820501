//! What a command can end with.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::author::AuthorError;
use crate::compose::ComposeError;
use crate::deploy::{DeployError, ExitCode};
use crate::docker::DockerError;
use crate::edge::{ControlError, EdgeError};
use crate::manifest::ManifestError;
use crate::plugin::LoadError;

/// What ended a command.
#[derive(Debug, Error, Diagnostic)]
pub enum CliError {
    /// The library's own.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Deploy(#[from] DeployError),
    /// A tool for authors failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Author(#[from] AuthorError),
    /// A Compose file can't be read, or can't be meant.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Compose(#[from] ComposeError),
    /// An edge can't start or go on.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Edge(#[from] EdgeError),
    /// An edge does not do what it is asked.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Control(#[from] ControlError),
    /// No daemon can be found.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Endpoint(#[from] crate::docker::EndpointError),
    /// A file can't be read or written.
    #[error("{what} {} failed: {reason}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        reason: String,
    },
    /// `init` would write over a file.
    #[error("{} is there already", path.display())]
    #[diagnostic(help("edit it, or write a new one with `rengine init --force`"))]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// `plugin pull` would write over a file that nobody named.
    #[error("{} is there already", path.display())]
    #[diagnostic(help(
        "nothing was written: `-o FILE` says where to, and `--force` writes over what is there"
    ))]
    PullExists {
        /// The file.
        path: PathBuf,
    },
    /// `plugin keygen` would write over a key.
    #[error("{} is there already, and no key is written over", path.display())]
    #[diagnostic(help(
        "what it signed would be nobody's: give the new pair another name, `rengine plugin keygen NAME`"
    ))]
    KeyExists {
        /// The file.
        path: PathBuf,
    },
    /// A service that the app does not have.
    #[error("the app `{app}` has no service `{service}`")]
    #[diagnostic(help("its services: {known}"))]
    NoService {
        /// The app.
        app: String,
        /// What was asked for.
        service: String,
        /// What there is.
        known: String,
    },
    /// plugins.toml can't be changed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Edit(#[from] crate::manifest::EditError),
    /// A plugin that a base requires is not to be removed, or another one.
    #[error("plugin `{name}` is required by the base {base}, which {at} extends")]
    #[diagnostic(help(
        "nothing was changed; what the base leaves open can be configured under [plugins.{name}]: see SHARING.md"
    ))]
    Required {
        /// The plugin.
        name: String,
        /// The base.
        base: String,
        /// Where it is extended.
        at: String,
    },
    /// A base that has to be extended is not.
    #[error("{} does not extend the base {base}, and {variable} asks for it", path.display())]
    #[diagnostic(help(
        "nothing was touched; add `extends = [\"oci://{base}:VERSION\"]` at its top"
    ))]
    NoBase {
        /// plugins.toml.
        path: PathBuf,
        /// The base.
        base: String,
        /// The variable that asks for it.
        variable: &'static str,
    },
    /// A plugin that a base brings.
    #[error("plugin `{name}` comes from the base {base}")]
    #[diagnostic(help(
        "nothing was changed; `enabled = false` under [plugins.{name}] leaves it out, and another plugin \
         needs another name"
    ))]
    Brought {
        /// The plugin.
        name: String,
        /// The base.
        base: String,
    },
    /// A plugin that does not come from a registry, or is not there.
    #[error("there is no plugin `{name}` from a registry")]
    #[diagnostic(help("those that are: {known}"))]
    NoPlugin {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A question that nobody can answer.
    #[error("it asks for more than before, and there is no terminal to ask whether to {what} it")]
    #[diagnostic(help("look at what is listed above, and say `--yes` if that is right"))]
    Unasked {
        /// What was to be done.
        what: &'static str,
    },
    /// A version that is published already, with something else in it.
    #[error("{reference} is there already, as another artifact: {digest}")]
    #[diagnostic(help(
        "versions that people use should stay what they are: publish a new one, or write over it with --force"
    ))]
    VersionTaken {
        /// The reference.
        reference: String,
        /// What is there.
        digest: String,
    },
    /// A volume that the daemon does not have.
    #[error("there is no volume `{volume}`: the daemon has none of the name {name}")]
    NoVolume {
        /// What was asked for.
        volume: String,
        /// Its name on the daemon.
        name: String,
    },
    /// A service without the container that was asked for.
    #[error("service `{service}` has no running container {index}")]
    #[diagnostic(help("`rengine status` shows what runs; `rengine start {service}` starts it"))]
    NotRunning {
        /// The service.
        service: String,
        /// The container's number.
        index: u32,
    },
    /// No image has a place to be pushed to.
    #[error("`{app}` has no image to push")]
    #[diagnostic(help(
        "name where it goes with `image` beside `build`: `image: registry.example.com/team/web:1`"
    ))]
    NothingToPush {
        /// The app.
        app: String,
    },
    /// No image of a release is in a registry.
    #[error("no image that release {release} built is in a registry")]
    #[diagnostic(help(
        "name where they go with `image` beside `build`, and send them with `rengine push`"
    ))]
    NotPushed {
        /// The release.
        release: String,
    },
    /// A service that has no container, and so no image of a release.
    #[error("service `{service}` is not deployed: there is no release of it to push")]
    #[diagnostic(help("deploy it first: `rengine deploy`"))]
    NotDeployed {
        /// The service.
        service: String,
    },
    /// A lock that another holds, or a deploy.
    #[error("the lock of `{app}` is not yours to release: it is held {holder}")]
    #[diagnostic(help("ask them; or release it all the same: `rengine lock release --force`"))]
    NotYourLock {
        /// The app.
        app: String,
        /// Who holds it.
        holder: String,
    },
    /// A process in a container ended so. It said why itself.
    #[error("exit code {code}")]
    Ended {
        /// Its exit code.
        code: i64,
    },
    /// A setting that is written wrongly.
    #[error("`{text}` is no {what}")]
    #[diagnostic(help("{help}"))]
    Malformed {
        /// What was given.
        text: String,
        /// What it was to be.
        what: &'static str,
        /// How to write it.
        help: &'static str,
    },
    /// `doctor` found something.
    #[error("{count} of the checks failed")]
    Unwell {
        /// How many.
        count: usize,
        /// True if it was the daemon that could not be reached.
        unreachable: bool,
    },
    /// Cases of `plugin test` failed.
    #[error("{failed} of {count} cases failed")]
    Cases {
        /// How many.
        failed: usize,
        /// Of how many.
        count: usize,
    },
    /// `plugin check` found something.
    #[error("{count} of the checks failed: the plugin will not do what it should")]
    Unfit {
        /// How many.
        count: usize,
    },
}

impl CliError {
    /// The exit code that tells of it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Deploy(error) => error.exit_code(),
            Self::Author(error) if error.is_bad_input() => ExitCode::BadInput,
            Self::Author(_) => ExitCode::Failed,
            Self::Endpoint(crate::docker::EndpointError::NotFound { .. }) => ExitCode::Unreachable,
            Self::Edge(EdgeError::Invalid(_)) => ExitCode::BadInput,
            Self::Control(ControlError::Unreachable { .. }) => ExitCode::Unreachable,
            Self::Edge(_) | Self::Control(_) => ExitCode::Failed,
            Self::Compose(_)
            | Self::Endpoint(_)
            | Self::Io { .. }
            | Self::Exists { .. }
            | Self::PullExists { .. }
            | Self::KeyExists { .. }
            | Self::NoService { .. }
            | Self::Edit(_)
            | Self::Required { .. }
            | Self::Brought { .. }
            | Self::NoBase { .. }
            | Self::NoPlugin { .. }
            | Self::Unasked { .. }
            | Self::VersionTaken { .. }
            | Self::NotRunning { .. }
            | Self::NothingToPush { .. }
            | Self::NotDeployed { .. }
            | Self::NotPushed { .. }
            | Self::Malformed { .. }
            | Self::NoVolume { .. } => ExitCode::BadInput,
            Self::NotYourLock { .. } => ExitCode::Locked,
            Self::Ended { .. } => ExitCode::Failed,
            Self::Cases { .. } | Self::Unfit { .. } => ExitCode::Failed,
            Self::Unwell { unreachable, .. } => match unreachable {
                true => ExitCode::Unreachable,
                false => ExitCode::Failed,
            },
        }
    }
}

impl From<DockerError> for CliError {
    fn from(error: DockerError) -> Self {
        Self::Deploy(error.into())
    }
}

impl From<ManifestError> for CliError {
    fn from(error: ManifestError) -> Self {
        Self::Deploy(error.into())
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        Self::Deploy(error.into())
    }
}
