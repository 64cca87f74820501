//! What most commands begin with: the manifest, and the daemon.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::time::timeout;

use super::error::CliError;
use super::{GlobalArgs, demands};
use crate::credentials::Credentials;
use crate::deploy::{Demand, DeployError, Reporter, Sources, gather};
use crate::docker::{BuilderChoice, Docker, DockerError, Endpoint, EndpointError, EndpointSource};
use crate::manifest::{Bases, Draft, Manifest};
use crate::registry::{Mode, RegistryError};
use crate::ui::Ui;

/// Who waits longer for a daemon is told so. One that does not live at all is given up before, but for ssh.
const LONG: Duration = Duration::from_secs(15);

/// How plugins from registries are had.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct SourceArgs {
    /// Fail if plugins.lock is not as plugins.toml wants it, rather than write it
    #[arg(long)]
    locked: bool,
    /// Ask no registry: plugins are in the store, or in plugins.vendor
    #[arg(long)]
    offline: bool,
}

impl SourceArgs {
    /// Where plugins come from, who one is there, and who is told.
    pub fn sources(self, reporter: &Arc<dyn Reporter>) -> Sources {
        Sources {
            mode: Mode {
                locked: self.locked,
                offline: self.offline,
            },
            credentials: Credentials::from_env(&env),
            reporter: reporter.clone(),
            demands: Vec::new(),
        }
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads plugins.toml, or what stands for it, with the bases that it extends, and those that whoever runs the
/// deploys wants extended. Its secrets are not printed from then on, by reporters that are made then.
pub async fn load_manifest(
    global: &GlobalArgs,
    sources: SourceArgs,
    ui: Ui,
) -> Result<Manifest, CliError> {
    let demands = demands::read(&env)?;
    let draft = draft(global)?;
    let with = Sources {
        demands: demands.clone(),
        ..sources.sources(&ui.reporter())
    };
    let bases = gather(&draft, &with, &|_| false).await?;
    let manifest = finish(global, &draft, &bases, ui)?;
    demands::check(&demands, &manifest, draft.path())?;
    Ok(manifest)
}

/// The same for commands that deploy nothing, whatever has to be extended.
pub async fn load_undemanded(
    global: &GlobalArgs,
    sources: SourceArgs,
    ui: Ui,
) -> Result<Manifest, CliError> {
    let draft = draft(global)?;
    let bases = gather(&draft, &sources.sources(&ui.reporter()), &|_| false).await?;
    finish(global, &draft, &bases, ui)
}

/// The bases that whoever runs the deploys wants extended, and whose signatures say which those are.
pub fn signed_demands() -> Result<Vec<Demand>, CliError> {
    let mut demands = demands::read(&env)?;
    demands.retain(|demand| !demand.keys.is_empty());
    Ok(demands)
}

/// The same for commands that call no plugin: no registry is asked. Bases that are not on this machine are gone
/// without, since an app has to be looked at, and stopped, whatever is with them.
pub async fn load_app(global: &GlobalArgs, ui: Ui) -> Result<Manifest, CliError> {
    let draft = draft(global)?;
    let here = SourceArgs {
        offline: true,
        ..SourceArgs::default()
    };
    let bases = gather(&draft, &here.sources(&ui.reporter()), &|_| false).await;
    let bases = bases.unwrap_or_else(|error| {
        let away = |error: &RegistryError| {
            matches!(
                error,
                RegistryError::NotKept { .. } | RegistryError::NotLocked { .. }
            )
        };
        let why = match &error {
            DeployError::Base { error, .. } if away(error) => {
                "they are not on this machine: `rengine plugin fetch` gets them".to_owned()
            }
            error => error.to_string(),
        };
        ui.note(&format!("warning: going on without bases: {why}"));
        Bases::Unknown
    });
    finish(global, &draft, &bases, ui)
}

/// Reads the project once more, for what goes on for long. Of its secrets `ui` knows only those that it had at the
/// start.
pub async fn load_again(global: &GlobalArgs, sources: &Sources) -> Result<Manifest, DeployError> {
    let draft = Draft::open(&global.directory, global.file.as_deref())?;
    let bases = gather(&draft, sources, &|_| false).await?;
    let compose = global.project.options(global.directory.clone());
    Ok(draft.finish(compose, &bases, &env)?)
}

/// plugins.toml, or what stands for it, before its bases are there.
pub fn draft(global: &GlobalArgs) -> Result<Draft, CliError> {
    Ok(Draft::open(&global.directory, global.file.as_deref())?)
}

/// Puts plugins.toml and its bases together.
pub fn finish(
    global: &GlobalArgs,
    draft: &Draft,
    bases: &Bases,
    ui: Ui,
) -> Result<Manifest, CliError> {
    let compose = global.project.options(global.directory.clone());
    let manifest = draft.finish(compose, bases, &env)?;
    ui.hide(manifest.redactor());
    Ok(manifest)
}

/// Finds the daemon: the command line before the file before the environment.
pub fn endpoint(
    global: &GlobalArgs,
    manifest: Option<&Manifest>,
) -> Result<Endpoint, EndpointError> {
    let file = manifest.and_then(|manifest| manifest.docker.host.as_deref());
    Endpoint::discover(global.host.as_deref().or(file), &env)
}

/// Reaches the daemon.
pub async fn connect(global: &GlobalArgs, manifest: &Manifest, ui: Ui) -> Result<Docker, CliError> {
    let endpoint = endpoint(global, Some(manifest))?;
    if *endpoint.source() == EndpointSource::NoDaemon {
        ui.note("no daemon runs here: Podman serves this command");
    }
    let docker = reach(endpoint, ui).await?;
    Ok(docker.with_credentials(Credentials::from_env(&env)))
}

/// Connects to a daemon, and says so if that takes long.
pub async fn reach(endpoint: Endpoint, ui: Ui) -> Result<Docker, DockerError> {
    let waiting = format!("the daemon at {endpoint} has not said yet what it is: waiting");
    let mut docker = pin!(Docker::connect(endpoint, builder()));
    match timeout(LONG, &mut docker).await {
        Ok(docker) => docker,
        Err(_) => {
            ui.note(&waiting);
            docker.await
        }
    }
}

/// The builder that the environment asks for.
pub fn builder() -> BuilderChoice {
    BuilderChoice::from_env(env("DOCKER_BUILDKIT").as_deref())
}
