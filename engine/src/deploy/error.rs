//! What can end a deploy.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use super::ExitCode;
use crate::context::ContextError;
use crate::docker::DockerError;
use crate::edge::ImageError;
use crate::manifest::ManifestError;
use crate::plan::Conflict;
use crate::plugin::{LoadError, PluginError};
use crate::registry::RegistryError;
use crate::release::Damage;

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
    /// A plugin can't be had from its registry, or is not what it should be.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Registry(Box<RegistryError>),
    /// A base can't be had, or is not what it should be.
    #[error("{at}: {error}")]
    Base {
        /// Where it is extended: file, line and column.
        at: String,
        /// Why.
        error: Box<RegistryError>,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// A plugin that a base requires did not take part.
    #[error("plugin `{plugin}` takes no part, and the base {base} requires it")]
    #[diagnostic(help(
        "nothing was touched; that should not be: please report it, with plugins.toml and the base"
    ))]
    NotRequired {
        /// The plugin.
        plugin: String,
        /// The base.
        base: String,
    },
    /// A plugin can't be loaded.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Load(#[from] LoadError),
    /// A plugin refused or failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Plugin(Box<PluginError>),
    /// The edge's image can't be made.
    #[error(transparent)]
    #[diagnostic(transparent)]
    EdgeImage(#[from] ImageError),
    /// A certificate is for a port that no edge has.
    #[error("there is a certificate for port {port}, which the edge does not have")]
    #[diagnostic(help(
        "the edge has the fixed TCP ports of services that roll: see EDGE.md for which these are"
    ))]
    NoEdgePort {
        /// The port.
        port: u16,
    },
    /// A Dockerfile names the image of a service that has none of its own.
    #[error("{service} is built from the image of {other}, which is not built")]
    #[diagnostic(
        code(rengine::deploy::no_context_image),
        help("a plugin has removed it, or given it an image that is there: see `rengine plan`")
    )]
    NoContextImage {
        /// The service.
        service: String,
        /// The other one.
        other: String,
    },
    /// The edge did not do what it was asked.
    #[error("the edge {container} did not do what it was told: {reason}")]
    #[diagnostic(help(
        "`docker logs {container}` may tell more; if it is broken, remove it \
                       (`docker rm -f {container}`) and deploy again"
    ))]
    Edge {
        /// Its container.
        container: String,
        /// Why, in its words.
        reason: String,
        /// True if it was not there to say no: it may be when it is asked again.
        away: bool,
    },
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
    /// The daemon can't do what the app can't do without.
    #[error("{daemon} can't do what is asked for: {what}")]
    #[diagnostic(help("nothing was touched; {help}"))]
    DaemonCanNot {
        /// Its name and version.
        daemon: String,
        /// What, and where.
        what: String,
        /// What can be done about it.
        help: String,
    },
    /// Something stands in the way that was seen before anything was touched.
    #[error("{what}")]
    #[diagnostic(help("nothing was touched; {help}"))]
    Conflict {
        /// What.
        what: String,
        /// What can be done about it.
        help: String,
    },
    /// A container that others wait for ended without success.
    #[error("service `{service}` did not end well: {container} has exit code {code}")]
    #[diagnostic(help("its last lines are above; nothing was started that waits for it"))]
    JobFailed {
        /// The service.
        service: String,
        /// The container.
        container: String,
        /// Its exit code.
        code: i64,
    },
    /// A command that is to run in a new container failed.
    #[error("the post_start command `{command}` of service `{service}` failed: {why}")]
    PostStart {
        /// The service.
        service: String,
        /// The command.
        command: String,
        /// Its exit code and output.
        why: String,
    },
    /// Another service's container is needed and not there.
    #[error("service `{service}` shares a namespace with `{other}`, which has no container")]
    NoSharedContainer {
        /// The service.
        service: String,
        /// The other one.
        other: String,
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
    /// A canary did not do as well as it has to.
    #[error("the canary of service `{service}` is taken back: {why}")]
    #[diagnostic(help(
        "its last output is above; `canary` under [app] or in `x-rengine` says what it has to do: see CONFIG.md"
    ))]
    Canary {
        /// The service.
        service: String,
        /// What was measured, and the limit.
        why: String,
    },
    /// A service that is to have a canary has no edge.
    #[error(
        "{place}service `{service}` can't have a canary: {why}, so no edge shares out its requests"
    )]
    #[diagnostic(help(
        "nothing was touched; take `strategy` away, or see EDGE.md for who is behind an edge"
    ))]
    NoCanary {
        /// Where its strategy is written, with `: ` at its end.
        place: String,
        /// The service.
        service: String,
        /// Why it has no edge.
        why: String,
    },
    /// A file that holds no plan.
    #[error("{} can't be carried out: {why}", path.display())]
    #[diagnostic(help("make it anew: `rengine plan --out {}`", path.display()))]
    BadPlan {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// What a plan was made from is not so any more.
    #[error("the plan can't be carried out, for what it was made from has moved: {}", moved.join("; "))]
    #[diagnostic(help(
        "nothing was touched; make the plan anew and have it looked at: `rengine plan --out plan.json`"
    ))]
    Moved {
        /// What.
        moved: Vec<String>,
    },
    /// What was to be done was for a release that does not run any more.
    #[error("release {runs} runs by now, and no longer {saw}")]
    #[diagnostic(help("nothing was touched"))]
    OtherRelease {
        /// The release that was seen.
        saw: String,
        /// The one that runs, or `none`.
        runs: String,
    },
    /// There is no release of that id.
    #[error("{}", match found.is_empty() {
        true => format!("`{app}` has no release `{prefix}`"),
        false => format!("`{prefix}` is the beginning of several releases of `{app}`: {found}"),
    })]
    #[diagnostic(help("`rengine history` shows them"))]
    NoRelease {
        /// The app.
        app: String,
        /// What was asked for.
        prefix: String,
        /// The releases whose ids begin so, with commas between them.
        found: String,
    },
    /// No release ever succeeded.
    #[error("`{app}` has no release that succeeded")]
    #[diagnostic(help("`rengine deploy` makes one; `rengine history` shows what there was"))]
    NoReleases {
        /// The app.
        app: String,
    },
    /// A release is the first one.
    #[error("there is no release of `{app}` before {release} that it could be compared with")]
    #[diagnostic(help("name both: `rengine diff A B`; `rengine history` shows them"))]
    NothingToCompare {
        /// The app.
        app: String,
        /// The release.
        release: String,
    },
    /// There is nothing to go back to.
    #[error("there is no release of `{app}` to go back to")]
    #[diagnostic(help(
        "`rengine history` shows what there is; only releases that succeeded are gone back to by themselves"
    ))]
    NothingBefore {
        /// The app.
        app: String,
    },
    /// A release never had all of its images.
    #[error("release {release} can't be brought back: it {outcome}, and never ran as a whole")]
    #[diagnostic(help("choose one that succeeded: `rengine history`"))]
    NeverRan {
        /// The release.
        release: String,
        /// How it ended.
        outcome: String,
    },
    /// An image of a release is not there any more.
    #[error(
        "release {release} can't be brought back: the image of service `{service}` is gone ({image})"
    )]
    #[diagnostic(help(
        "check out that release's sources and run `rengine deploy`, or choose another release: `rengine history`"
    ))]
    ImageGone {
        /// The release.
        release: String,
        /// The service.
        service: String,
        /// The image's id.
        image: String,
    },
    /// A record can't be used.
    #[error("release {release} can't be brought back: {damage}")]
    #[diagnostic(help("{}", damage.help()))]
    Unusable {
        /// The release.
        release: String,
        /// Why.
        damage: Damage,
    },
    /// The person who deploys stopped it.
    #[error("interrupted")]
    Interrupted,
}

impl From<Conflict> for DeployError {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict {
            help: conflict.help(),
            what: conflict.to_string(),
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
            | Self::BadPlan { .. }
            | Self::Moved { .. }
            | Self::NoRelease { .. }
            | Self::NothingBefore { .. }
            | Self::NoReleases { .. }
            | Self::NothingToCompare { .. }
            | Self::NeverRan { .. }
            | Self::Unusable { .. }
            | Self::NoEdgePort { .. }
            | Self::NoContextImage { .. }
            | Self::NoCanary { .. }
            | Self::DaemonCanNot { .. }
            | Self::NoDockerfile { .. } => ExitCode::BadInput,
            Self::NotRequired { .. } => ExitCode::Refused,
            Self::Registry(error) | Self::Base { error, .. } => match **error {
                RegistryError::Unreachable { .. }
                | RegistryError::Impostor { .. }
                | RegistryError::Failed { .. }
                | RegistryError::Store(_) => ExitCode::Failed,
                _ => ExitCode::BadInput,
            },
            Self::Plugin(_) => ExitCode::Refused,
            Self::Docker(error) => docker_exit_code(error),
            Self::EdgeImage(_)
            | Self::ImageGone { .. }
            | Self::Edge { .. }
            | Self::OtherRelease { .. }
            | Self::Conflict { .. }
            | Self::Unhealthy { .. }
            | Self::Canary { .. }
            | Self::JobFailed { .. }
            | Self::PostStart { .. }
            | Self::NoSharedContainer { .. } => ExitCode::Failed,
            Self::Interrupted => ExitCode::Interrupted,
        }
    }
}

fn docker_exit_code(error: &DockerError) -> ExitCode {
    match error {
        DockerError::Unreachable { .. } => ExitCode::Unreachable,
        DockerError::Locked { .. } | DockerError::LockLost { .. } => ExitCode::Locked,
        _ => ExitCode::Failed,
    }
}

impl From<RegistryError> for DeployError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}
