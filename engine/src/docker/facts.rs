//! What a daemon says of itself.

use std::pin::pin;
use std::time::Duration;

use bollard::models::SystemInfoCgroupDriverEnum;
use tokio::time::{Instant, timeout, timeout_at};

use super::error::from_client;
use super::{DockerError, Endpoint, Unreachable};

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

/// Asks a daemon what it is, which takes `limit` at most; or `busy` more where the daemon is seen to
/// live. Podman 4.3 says nothing of itself while a container is being stopped.
pub(super) async fn ask_within(
    limit: Duration,
    busy: Duration,
    client: &bollard::Docker,
    choice: BuilderChoice,
) -> Result<Result<DaemonFacts, Failed>, Unreachable> {
    let begun = Instant::now();
    let mut facts = pin!(ask(client, choice));
    // The rest of the time is for what a daemon that lives answers at once.
    if let Ok(facts) = timeout(limit / 2, &mut facts).await {
        return Ok(facts);
    }
    let lives = tokio::select! {
        facts = &mut facts => return Ok(facts),
        ping = timeout_at(begun + limit, client.ping()) => matches!(ping, Ok(Ok(_))),
    };
    let (limit, reason): (_, fn(Duration) -> _) = match lives {
        true => (limit + busy, Unreachable::Busy),
        false => (limit, Unreachable::Silent),
    };
    timeout_at(begun + limit, facts)
        .await
        .map_err(|_| reason(limit))
}

/// Asks a daemon what it is.
async fn ask(client: &bollard::Docker, choice: BuilderChoice) -> Result<DaemonFacts, Failed> {
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
    use std::io;

    use bollard::API_DEFAULT_VERSION;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Enough for a busy machine.
    const LIMIT: Duration = Duration::from_secs(3);
    const LONG: Duration = Duration::from_secs(600);

    /// Answers one request: whether it lives if it `lives`, and what it is after `late`.
    async fn answer(connection: TcpStream, lives: bool, late: Duration) -> io::Result<()> {
        let mut connection = BufReader::new(connection);
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            connection.read_line(&mut request).await?;
        }
        let ping = request.contains("/_ping");
        match ping {
            true if lives => {}
            true => tokio::time::sleep(LONG).await,
            false => tokio::time::sleep(late).await,
        }
        let body = if ping {
            "OK"
        } else {
            "{\"Version\":\"4.3.1\"}"
        };
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
        let answer = format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        connection.write_all(answer.as_bytes()).await
    }

    /// What is known of a daemon that answers so.
    async fn known(lives: bool, late: Duration, busy: Duration) -> Result<String, Unreachable> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection, lives, late));
            }
        });
        let client = bollard::Docker::connect_with_http(&address, 60, API_DEFAULT_VERSION);
        let client = client.expect("a client");
        let facts = ask_within(LIMIT, busy, &client, BuilderChoice::Automatic).await?;
        Ok(facts.map_err(|Failed(error)| error).expect("facts").version)
    }

    #[tokio::test]
    async fn a_busy_daemon_has_more_time_than_a_silent_one() {
        let (prompt, late, never, silent) = tokio::join!(
            known(true, Duration::ZERO, LIMIT),
            known(true, LIMIT * 3 / 2, LONG),
            known(true, LONG, LIMIT),
            known(false, LONG, LONG),
        );
        assert_eq!(prompt, Ok("4.3.1".to_owned()));
        assert_eq!(late, Ok("4.3.1".to_owned()));
        assert_eq!(never, Err(Unreachable::Busy(LIMIT * 2)));
        assert_eq!(silent, Err(Unreachable::Silent(LIMIT)));
    }

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
