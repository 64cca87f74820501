//! The daemon: the one that builds images and runs containers, Docker's or Podman's.
//!
//! The only code that knows the client library, bollard. Two things about it matter here: it
//! sends requests without an API version in their path, so a daemon answers with its newest one
//! and nothing has to be negotiated; and it puts names into paths as they are, so what comes from
//! a file or a plugin is checked first (in `docker/reference.rs`).

use std::sync::Arc;
use std::time::Duration;

mod attend;
mod build;
mod container;
mod disk;
mod endpoint;
mod error;
mod exec;
mod facts;
mod files;
mod image;
mod inspect;
mod lines;
mod lock;
mod logs;
mod network;
mod observe;
mod podman;
mod records;
mod reference;
mod session;
mod spec;
mod state;
mod stats;
mod transport;
mod unreachable;
mod watch;
mod wire;

pub use build::{BuildEvent, BuiltImage, StepState};
pub use container::NewContainer;
pub use endpoint::{Endpoint, EndpointError, EndpointSource};
pub use error::{BuildFailure, DockerError};
pub use exec::ExecOutcome;
pub use facts::{Builder, BuilderChoice, DaemonFacts};
pub use image::TransferEvent;
pub use inspect::{ContainerDetail, DaemonHealth, HealthStatus};
pub use lock::{Lock, LockHolder, LockNews, LockState, Wait};
pub use logs::{LogLine, LogOptions, LogStream};
pub use records::KeptRecord;
pub use session::{Session, Wiring};
pub use spec::Joined;
pub use transport::{SshFailure, TlsFailure};
pub use unreachable::Unreachable;
pub use watch::{DaemonEvent, Processes};

use crate::credentials::Credentials;

/// Time for the daemon's first answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for what the daemon says of itself, once that is known to be late though the daemon lives.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for an ordinary request. Creating and starting containers can take long on a host whose
/// disk is busy, and giving up does not undo it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Time for requests that last as long as the work does: builds, pulls, logs, stops.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A connection to a daemon. Cloning is cheap; clones share it.
#[derive(Debug, Clone)]
pub struct Docker {
    inner: Arc<Inner>,
    credentials: Credentials,
}

#[derive(Debug)]
struct Inner {
    client: bollard::Docker,
    patient: bollard::Docker,
    endpoint: Endpoint,
    facts: DaemonFacts,
    /// What was started to have a daemon; it ends with the last clone.
    _service: Option<podman::Service>,
}

impl Docker {
    /// Connects to a daemon and asks what it is.
    pub async fn connect(endpoint: Endpoint, builder: BuilderChoice) -> Result<Self, DockerError> {
        let unreachable = |reason| DockerError::unreachable(&endpoint, reason);
        let service = match endpoint.is_own_podman() {
            true => Some(podman::Service::start().await.map_err(unreachable)?),
            false => None,
        };
        let endpoint = match &service {
            Some(service) => endpoint.at(service.socket()),
            None => endpoint.resolved().await,
        };
        let client = endpoint.client(REQUEST_TIMEOUT)?;
        let limit = endpoint.connect_timeout();
        let facts = match facts::ask_within(limit, BUSY_TIMEOUT, &client, builder).await {
            Ok(facts) => facts.map_err(|error| error.into_docker_error(&endpoint))?,
            Err(reason) => return Err(DockerError::unreachable(&endpoint, reason)),
        };
        let patient = client.clone().with_timeout(PATIENCE);
        Ok(Self {
            inner: Arc::new(Inner {
                client,
                patient,
                endpoint,
                facts,
                _service: service,
            }),
            credentials: Credentials::default(),
        })
    }

    /// The same daemon, whose registries are told who asks.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// What the daemon says of itself.
    pub fn facts(&self) -> &DaemonFacts {
        &self.inner.facts
    }

    /// Where the daemon is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    /// True if containers can be reached by their addresses from here: they run on this machine, and
    /// not in a network of their own.
    pub fn reaches_containers(&self) -> bool {
        let local = self.endpoint().socket_path().is_some() && cfg!(target_os = "linux");
        local && !self.facts().rootless
    }

    fn client(&self) -> &bollard::Docker {
        &self.inner.client
    }

    fn patient(&self) -> &bollard::Docker {
        &self.inner.patient
    }

    /// An error of the client, met while doing this: `start the container web-1`.
    fn error(&self, action: impl Into<String>, error: bollard::errors::Error) -> DockerError {
        error::from_client(&self.inner.endpoint, action.into(), error)
    }
}
