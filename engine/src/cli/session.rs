//! What most commands begin with: the manifest, and the daemon.

use super::error::CliError;
use super::GlobalArgs;
use crate::docker::{Docker, DockerError, Endpoint};
use crate::manifest::{self, Manifest};

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads plugins.toml, or what stands for it.
pub fn load_manifest(global: &GlobalArgs) -> Result<Manifest, CliError> {
    Ok(manifest::load(&global.directory, global.file.as_deref(), &env)?)
}

/// Finds the daemon: the command line before the file before the environment.
pub fn endpoint(global: &GlobalArgs, manifest: Option<&Manifest>) -> Result<Endpoint, DockerError> {
    let file = manifest.and_then(|manifest| manifest.docker.host.as_deref());
    Endpoint::discover(global.host.as_deref().or(file), &env)
}

/// Reaches the daemon.
pub async fn connect(global: &GlobalArgs, manifest: &Manifest) -> Result<Docker, CliError> {
    let endpoint = endpoint(global, Some(manifest))?;
    let buildkit = env("DOCKER_BUILDKIT").is_none_or(|value| value != "0");
    Ok(Docker::connect(endpoint, buildkit).await?)
}
