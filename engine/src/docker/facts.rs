//! What a daemon says of itself.

use bollard::models::SystemInfoCgroupDriverEnum;

use super::error::from_client;
use super::{DockerError, Endpoint};

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DaemonFacts {
    /// `Docker`, `Podman`, or what else it calls itself.
    pub product: String,
    /// Its version.
    pub version: String,
    /// The newest API that it speaks, such as `1.41`.
    pub api_version: String,
    /// What builds images.
    pub builder: Builder,
    /// The system that containers run on, such as `linux`.
    pub os: String,
    /// The machine's architecture, as in image names: `amd64`, `arm64`.
    pub arch: String,
    /// The host's name.
    pub host: Option<String>,
    /// How images are stored, such as `overlay2`.
    pub storage_driver: Option<String>,
    /// The folder of the daemon's host that images and containers are kept in.
    pub root_dir: Option<String>,
    /// The host's CPUs.
    pub cpus: Option<u64>,
    /// The host's memory in bytes.
    pub memory: Option<u64>,
    /// True if it runs without root's rights.
    pub rootless: bool,
    /// True if it runs containers' health checks by itself. Podman has systemd do it, and where
    /// there is none, they run when somebody asks.
    pub runs_health_checks: bool,
}

/// What Podman calls itself.
const PODMAN: &str = "Podman";

impl DaemonFacts {
    /// True for Podman.
    pub fn is_podman(&self) -> bool {
        self.product == PODMAN
    }

    /// True if the daemon is this version, or a later one.
    pub fn has_version(&self, version: (u32, u32)) -> bool {
        let mut parts = self.version.split(|c: char| !c.is_ascii_digit());
        let mut next = || parts.next()?.parse().ok();
        next().zip(next()) >= Some(version)
    }

    /// True if the daemon speaks this version of the API.
    pub fn has_api(&self, version: (u32, u32)) -> bool {
        parse_version(&self.api_version) >= Some(version)
    }
}

/// What builds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Builder {
    /// BuildKit, in the daemon.
    BuildKit,
    /// Docker's first builder, or Podman's.
    Classic,
}

/// Which builder is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BuilderChoice {
    /// BuildKit where the daemon has it.
    #[default]
    Automatic,
    /// The classic one, wherever.
    Classic,
}

impl BuilderChoice {
    /// What the environment variable `DOCKER_BUILDKIT` says: `0` and `false` are classic.
    pub fn from_env(value: Option<&str>) -> Self {
        match value {
            Some("0" | "false" | "FALSE" | "False" | "f" | "F") => Self::Classic,
            _ => Self::Automatic,
        }
    }
}

/// The oldest API that builds with BuildKit.
const BUILDKIT_API: (u32, u32) = (1, 39);

/// A failed question, to be told with the endpoint.
pub(super) struct Failed(bollard::errors::Error);

impl Failed {
    pub(super) fn into_docker_error(self, endpoint: &Endpoint) -> DockerError {
        from_client(endpoint, "say what it is".to_owned(), self.0)
    }
}

/// Asks a daemon what it is.
pub(super) async fn ask(
    client: &bollard::Docker,
    choice: BuilderChoice,
) -> Result<DaemonFacts, Failed> {
    let (version, info) = tokio::try_join!(client.version(), client.info()).map_err(Failed)?;
    let components = version.components.unwrap_or_default();
    let podman = components
        .iter()
        .any(|component| component.name.contains(PODMAN));
    let product = match (podman, version.platform) {
        (true, _) => PODMAN.to_owned(),
        (false, Some(platform))
            if !platform.name.is_empty() && !platform.name.starts_with("Docker") =>
        {
            platform.name
        }
        (false, _) => "Docker".to_owned(),
    };
    let api_version = version.api_version.unwrap_or_default();
    let security = info.security_options.unwrap_or_default();
    let builder = match choice {
        BuilderChoice::Automatic
            if !podman && parse_version(&api_version) >= Some(BUILDKIT_API) =>
        {
            Builder::BuildKit
        }
        _ => Builder::Classic,
    };
    Ok(DaemonFacts {
        product,
        version: version.version.unwrap_or_default(),
        api_version,
        builder,
        os: version.os.unwrap_or_default(),
        arch: version.arch.unwrap_or_default(),
        host: info.name,
        storage_driver: info.driver,
        root_dir: info.docker_root_dir,
        cpus: info.ncpu.and_then(|count| u64::try_from(count).ok()),
        memory: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()),
        runs_health_checks: !podman
            || info.cgroup_driver == Some(SystemInfoCgroupDriverEnum::SYSTEMD),
        rootless: security.iter().any(|option| option.contains("rootless")),
    })
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(parse_version("1.100") > Some(BUILDKIT_API));
        assert!(parse_version("1.9") < Some(BUILDKIT_API));
        assert!(parse_version("") < Some(BUILDKIT_API));
    }

    #[test]
    fn the_environment_can_choose_the_classic_builder() {
        assert_eq!(BuilderChoice::from_env(Some("0")), BuilderChoice::Classic);
        assert_eq!(BuilderChoice::from_env(Some("1")), BuilderChoice::Automatic);
        assert_eq!(BuilderChoice::from_env(None), BuilderChoice::Automatic);
    }
}
