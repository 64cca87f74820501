//! What most commands begin with: the manifest, and the daemon.

use std::sync::Arc;

use clap::Args;

use super::GlobalArgs;
use super::error::CliError;
use crate::credentials::Credentials;
use crate::deploy::{Reporter, Sources};
use crate::docker::{BuilderChoice, Docker, Endpoint, EndpointError, EndpointSource};
use crate::manifest::{self, Manifest};
use crate::registry::Mode;
use crate::ui::Ui;

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
        }
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads plugins.toml, or what stands for it. Its secrets are not printed from then on.
pub fn load_manifest(global: &GlobalArgs, ui: Ui) -> Result<Manifest, CliError> {
    let compose = global.project.options(global.directory.clone());
    let manifest = manifest::load(&global.directory, global.file.as_deref(), compose, &env)?;
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
    let docker = Docker::connect(endpoint, builder()).await?;
    Ok(docker.with_credentials(Credentials::from_env(&env)))
}

/// The builder that the environment asks for.
pub fn builder() -> BuilderChoice {
    BuilderChoice::from_env(env("DOCKER_BUILDKIT").as_deref())
}
