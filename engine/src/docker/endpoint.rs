//! Where the daemon is, and how that was found out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use tokio::net::{TcpStream, UnixStream};

use super::error::from_client;
use super::transport::{self, Dial};
use super::{DockerError, Unreachable};

mod address;
mod contexts;
mod discover;

pub use address::{Address, SshAddress};

/// Where a daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    address: Address,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`, or some of them, where TLS uses
    /// others than the system's.
    certificates: Option<PathBuf>,
    source: EndpointSource,
}

/// What named an [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointSource {
    /// `--host`, or `docker.host` of plugins.toml.
    Host,
    /// The environment variable `DOCKER_HOST`.
    Environment,
    /// The Docker context of this name.
    Context(String),
    /// It is one of the usual sockets, and is there.
    UsualSocket,
    /// No daemon answers at the usual sockets, and there is a `podman` to start one.
    NoDaemon,
}

impl fmt::Display for EndpointSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("--host"),
            Self::Environment => f.write_str("DOCKER_HOST"),
            Self::Context(name) => write!(f, "the Docker context `{name}`"),
            Self::UsualSocket => f.write_str("the usual sockets"),
            Self::NoDaemon => f.write_str("what is installed"),
        }
    }
}

impl fmt::Display for Endpoint {
    /// As its URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// Why no daemon's address could be found out.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum EndpointError {
    /// There is no socket at the usual places.
    #[error("no Docker or Podman found on this machine")]
    #[diagnostic(
        code(rengine::docker::not_found),
        help(
            "install Podman (`sudo apt-get install podman`), which needs no daemon; or Docker \
             (`sudo apt-get install docker.io`), or start it (`sudo systemctl start docker`); \
             or name a daemon elsewhere with `--host ssh://USER@HOST` or DOCKER_HOST"
        )
    )]
    NotFound {
        /// The sockets that were looked for.
        looked_for: Vec<PathBuf>,
    },
    /// An address that is understood, but not supported.
    #[error("`{url}`: {scheme}:// is not supported")]
    #[diagnostic(
        code(rengine::docker::scheme),
        help("there are unix://, tcp://, ssh:// and podman://")
    )]
    Unsupported {
        /// The address.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// Something that is no address.
    #[error("`{url}` is no daemon's address")]
    #[diagnostic(
        code(rengine::docker::address),
        help("write it like unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host")
    )]
    Malformed {
        /// The text.
        url: String,
    },
    /// The Docker context that is chosen can't be used.
    #[error("the Docker context `{name}` can't be used: {reason}")]
    #[diagnostic(
        code(rengine::docker::context),
        help("`docker context ls` lists those that there are; DOCKER_CONTEXT=default takes none")
    )]
    Context {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Endpoint {
    /// Finds the daemon as the `docker` command does: `host_flag`, `DOCKER_HOST`, the Docker
    /// context; and then the first of the usual sockets that answers, Docker's before Podman's.
    /// Where none does and `podman` is installed, that is it.
    ///
    /// `env` gives environment variables.
    pub fn discover(
        host_flag: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, EndpointError> {
        discover::discover(host_flag, env)
    }

    /// The endpoint of a socket on this machine.
    pub fn socket(path: impl Into<PathBuf>) -> Self {
        Self {
            address: Address::Unix(path.into()),
            certificates: None,
            source: EndpointSource::Host,
        }
    }

    /// True if it is a service that is to be started first.
    pub fn is_own_podman(&self) -> bool {
        self.address == Address::OwnPodman
    }

    /// True if it is a socket of this machine.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.address, Address::Unix(_) | Address::OwnPodman)
    }

    /// What named this endpoint.
    pub fn source(&self) -> &EndpointSource {
        &self.source
    }

    /// The host on which published ports answer, as seen from here: an address or a name.
    pub fn host_address(&self) -> &str {
        match &self.address {
            Address::Unix(_) | Address::OwnPodman => "127.0.0.1",
            Address::Tcp { host, .. } => host.trim_matches(['[', ']']),
            Address::Ssh(ssh) => ssh.host_name.as_ref().unwrap_or(&ssh.host),
        }
    }

    /// The socket's path, where it is one.
    pub fn socket_path(&self) -> Option<&Path> {
        match &self.address {
            Address::Unix(path) => Some(path),
            _ => None,
        }
    }

    /// The host as `ssh` is given it, where it is reached so.
    pub(super) fn ssh_words(&self) -> String {
        match &self.address {
            Address::Ssh(ssh) => ssh.words(),
            _ => self.host_address().to_owned(),
        }
    }

    /// True if there is a certificate to show to the daemon.
    pub(super) fn has_client_certificate(&self) -> bool {
        let folder = self.certificates.as_ref();
        folder.is_some_and(|folder| folder.join("cert.pem").exists())
    }

    /// Time for the first answer.
    pub(super) fn connect_timeout(&self) -> Duration {
        match self.address {
            Address::Ssh(_) => transport::LOGIN_TIMEOUT * 2,
            _ => super::CONNECT_TIMEOUT,
        }
    }

    /// The same daemon, with the host as others than ssh know it.
    pub(super) async fn resolved(mut self) -> Self {
        if let Address::Ssh(ssh) = &mut self.address {
            ssh.host_name = transport::host_name(ssh).await;
        }
        self
    }

    /// The same daemon, now that it listens.
    pub(super) fn at(&self, socket: PathBuf) -> Self {
        Self {
            address: Address::Unix(socket),
            ..self.clone()
        }
    }

    /// A connection of its own, for what the client library has no call for.
    pub(super) async fn open(&self) -> io::Result<transport::Stream> {
        match &self.address {
            Address::Unix(path) => Ok(transport::Stream::new(UnixStream::connect(path).await?)),
            Address::Tcp {
                host,
                port,
                tls: false,
            } => {
                let host = host.trim_matches(['[', ']']);
                let stream = TcpStream::connect((host, *port)).await?;
                Ok(transport::Stream::new(stream))
            }
            Address::Tcp { host, port, .. } => {
                let tls = transport::Tls::new(host, *port, self.certificates.as_deref());
                Arc::new(tls.map_err(io::Error::other)?).dial().await
            }
            Address::Ssh(ssh) => Arc::new(transport::Ssh::new(ssh.clone())).dial().await,
            Address::OwnPodman => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// What makes connections of its own to this endpoint, for what the client library can't ask.
    pub(super) fn dialer(&self) -> Result<Arc<dyn transport::Dial>, DockerError> {
        let unreachable = |reason| DockerError::unreachable(self, reason);
        Ok(match &self.address {
            Address::OwnPodman => return Err(unreachable(Unreachable::NoSocket)),
            Address::Unix(path) => Arc::new(transport::Unix(path.clone())),
            Address::Tcp {
                host,
                port,
                tls: false,
            } => Arc::new(transport::Tcp(host.clone(), *port)),
            Address::Tcp {
                host,
                port,
                tls: true,
            } => {
                let tls = transport::Tls::new(host, *port, self.certificates.as_deref());
                Arc::new(tls.map_err(|error| unreachable(Unreachable::Tls(error)))?)
            }
            Address::Ssh(ssh) => Arc::new(transport::Ssh::new(ssh.clone())),
        })
    }

    /// A client for this endpoint; connects when it is used.
    pub(super) fn client(&self, timeout: Duration) -> Result<bollard::Docker, DockerError> {
        let version = bollard::API_DEFAULT_VERSION;
        let seconds = timeout.as_secs();
        let unreachable = |reason| DockerError::unreachable(self, reason);
        let client = match &self.address {
            Address::OwnPodman => return Err(unreachable(Unreachable::NoSocket)),
            Address::Unix(path) if !path.exists() => {
                return Err(unreachable(Unreachable::NoSocket));
            }
            Address::Unix(path) => {
                bollard::Docker::connect_with_unix(&path.to_string_lossy(), seconds, version)
            }
            Address::Tcp {
                host,
                port,
                tls: false,
            } => bollard::Docker::connect_with_http(
                &format!("tcp://{host}:{port}"),
                seconds,
                version,
            ),
            Address::Tcp {
                host,
                port,
                tls: true,
            } => {
                let tls = transport::Tls::new(host, *port, self.certificates.as_deref());
                let tls = tls.map_err(|error| unreachable(Unreachable::Tls(error)))?;
                transport::client(tls, timeout)
            }
            Address::Ssh(ssh) => transport::client(transport::Ssh::new(ssh.clone()), timeout),
        };
        let client =
            client.map_err(|error| from_client(self, "set up the connection".to_owned(), error))?;
        Ok(client.with_request_modifier(url_safe_credentials))
    }
}

/// Daemons read credentials in the Base64 of URLs (Docker Engine API, `X-Registry-Auth`), and take
/// others for none, or refuse them. The client writes the other one: it differs in two characters.
fn url_safe_credentials(mut request: bollard::BollardRequest) -> bollard::BollardRequest {
    let headers = request.headers_mut();
    if let Some(value) = headers.get_mut("x-registry-auth")
        && let Ok(text) = value.to_str()
        && let Ok(safe) = text.replace('+', "-").replace('/', "_").parse()
    {
        *value = safe;
    }
    request
}
