//! What can go wrong between rengine and the daemon.

use std::io;
use std::time::Duration;

use bollard::errors::Error as ClientError;

use super::{Endpoint, LockHolder, SshFailure, TlsFailure, Unreachable};
use crate::context::ContextError;
use crate::credentials::CredentialsError;

/// Why something could not be done with the daemon.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum DockerError {
    /// The daemon does not answer.
    #[error("the daemon at {endpoint} can't be reached: {reason}")]
    #[diagnostic(code(rengine::docker::unreachable), help("{}", reason.advice()))]
    Unreachable {
        /// Its URL.
        endpoint: String,
        /// Why it does not answer.
        reason: Unreachable,
    },
    /// The daemon answered with an error.
    #[error("the daemon could not {action}: {message}")]
    #[diagnostic(code(rengine::docker::daemon))]
    Daemon {
        /// What it was asked to do, as in `start the container web-1`.
        action: String,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// The daemon's words.
        message: String,
    },
    /// The daemon has no room left for what it was asked to do.
    #[error("the daemon's disk is full: it could not {action}: {message}")]
    #[diagnostic(code(rengine::docker::disk_full), help("{ROOM}"))]
    DiskFull {
        /// What it was asked to do.
        action: String,
        /// The daemon's words.
        message: String,
    },
    /// There is no such image, neither on the daemon nor in its registry.
    #[error("there is no image `{reference}`: {message}")]
    #[diagnostic(
        code(rengine::docker::no_such_image),
        help(
            "check its name and tag; for a private registry, log the daemon's host in with `docker login`"
        )
    )]
    NoSuchImage {
        /// The reference.
        reference: String,
        /// The daemon's words.
        message: String,
    },
    /// A registry does not let this user do it.
    #[error("{registry} does not let {} {what} `{reference}`: {message}", user.as_deref().unwrap_or("just anybody"))]
    #[diagnostic(
        code(rengine::docker::denied),
        help("{}", match (trouble, user) {
            (Some(trouble), _) => format!("{trouble}; mend that, or log in again with `docker login {registry}`"),
            (None, Some(_)) => format!("log in as somebody who may: `docker login {registry}`"),
            (None, None) => format!("log in first: `docker login {registry}`"),
        })
    )]
    Denied {
        /// `pull` or `push`.
        what: &'static str,
        /// The image.
        reference: String,
        /// Its registry.
        registry: String,
        /// Whose credentials it was shown.
        user: Option<String>,
        /// Why it was shown none, though there should be some.
        trouble: Option<Box<CredentialsError>>,
        /// The daemon's words.
        message: String,
    },
    /// Something that is no image reference.
    #[error("`{reference}` is no image reference")]
    #[diagnostic(
        code(rengine::docker::reference),
        help(
            "write it like `name`, `name:tag`, `registry.example.com/name:tag` or `name@sha256:…`"
        )
    )]
    BadReference {
        /// The text.
        reference: String,
    },
    /// The build context can't be sent.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Context(#[from] ContextError),
    /// There is no Dockerfile to build from.
    #[error("there is no Dockerfile: {path} is missing")]
    #[diagnostic(
        code(rengine::docker::no_dockerfile),
        help("write one, name another in the manifest, or use a plugin that writes one")
    )]
    NoDockerfile {
        /// The path at which it is expected.
        path: String,
    },
    /// The builder can't do what a build asks for.
    #[error("{builder} can't build with `{key}`")]
    #[diagnostic(code(rengine::docker::builder_can_not), help("{help}"))]
    BuilderCanNot {
        /// Which builder.
        builder: String,
        /// What it can't, as it is called in a Compose file.
        key: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// A key for ssh can't be used in a build.
    #[error("the ssh key {} can't be used in a build: {reason}", key.display())]
    #[diagnostic(
        code(rengine::docker::ssh_key),
        help("a key with a passphrase has to be in an ssh agent: write `ssh: [default]`")
    )]
    SshKey {
        /// Its file.
        key: std::path::PathBuf,
        /// Why.
        reason: String,
    },
    /// The build failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    BuildFailed(Box<BuildFailure>),
    /// Podman has no init process to give to a container.
    #[error("`{container}` can't have an init process: Podman finds none on its host")]
    #[diagnostic(
        code(rengine::docker::no_init),
        help("install it there (`sudo apt-get install catatonit`), or leave `init` out")
    )]
    NoInit {
        /// The container.
        container: String,
    },
    /// Others share the namespaces of a container that is to be removed.
    #[error("`{container}` can't be removed before those that share its namespaces: {message}")]
    #[diagnostic(
        code(rengine::docker::shared),
        help("remove those first: `docker rm -f ID`")
    )]
    Shared {
        /// The container.
        container: String,
        /// The daemon's words, with the ids of the others.
        message: String,
    },
    /// A name that a new container should have is in use.
    #[error("the name `{name}` is in use by another container")]
    #[diagnostic(
        code(rengine::docker::name_taken),
        help("remove it: `docker rm -f {name}`")
    )]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A port that a container should publish is in use on the host.
    #[error(
        "`{container}` can't publish port {port}: {} already does",
        holder.as_ref().map_or("another program on the host".to_owned(), |name| format!("the container `{name}`"))
    )]
    #[diagnostic(
        code(rengine::docker::port_taken),
        help("{}", match holder {
            Some(name) => format!("stop it (`docker stop {name}`), or publish another port"),
            None => format!("find it with `sudo ss -ltnp 'sport = :{port}'` and stop it, or publish another port"),
        })
    )]
    PortTaken {
        /// The host's port.
        port: u16,
        /// The container that holds it, where it is one.
        holder: Option<String>,
        /// The container that could not start.
        container: String,
    },
    /// A command in a container took too long.
    #[error("`{command}` in `{container}` did not end within {}", humantime::format_duration(*timeout))]
    #[diagnostic(
        code(rengine::docker::exec_timeout),
        help("it may still run: no daemon can end one command in a container")
    )]
    ExecTimeout {
        /// The container.
        container: String,
        /// The command.
        command: String,
        /// The time it had.
        timeout: Duration,
        /// What it printed up to then.
        output: String,
    },
    /// A program of rengine's own printed more than is read of it.
    #[error("`{command}` in {container} printed more than {limit} bytes")]
    #[diagnostic(
        code(rengine::docker::exec_output),
        help("`docker exec` shows what it says")
    )]
    ExecOutput {
        /// The container.
        container: String,
        /// The command.
        command: String,
        /// What is read, in bytes.
        limit: usize,
    },
    /// Somebody else deploys this app, or keeps others from doing so.
    #[error("`{app}` is {}", locked(holder.as_deref()))]
    #[diagnostic(
        code(rengine::docker::locked),
        help("{}", match holder.as_ref().is_some_and(|holder| holder.message.is_some()) {
            true => "ask them, or wait for it with `--wait`; `rengine lock release --force` releases it",
            false => "wait for it with `--wait`; if that deploy is no more, break its lock with `rengine deploy --break-lock`",
        })
    )]
    Locked {
        /// The app.
        app: String,
        /// Who holds the lock, where that can be read.
        holder: Option<Box<LockHolder>>,
    },
    /// Somebody took the lock over while this process was cut off from the daemon.
    #[error("the lock of `{app}` is gone: another took it over, or released it by force")]
    #[diagnostic(
        code(rengine::docker::lock_lost),
        help("what was begun is left to whoever holds it now; deploy again when that is done")
    )]
    LockLost {
        /// The app.
        app: String,
    },
}

fn locked(holder: Option<&LockHolder>) -> String {
    match holder {
        None => "being deployed by somebody else".to_owned(),
        Some(holder) if holder.message.is_some() => format!("held {holder}"),
        Some(holder) => format!("being deployed {holder}"),
    }
}

/// Where and why a build failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.headline())]
pub struct BuildFailure {
    /// The instruction that failed, such as `RUN make`; `None` if it never came to that.
    pub step: Option<String>,
    /// The Dockerfile's path in the context.
    pub dockerfile: String,
    /// The line of the Dockerfile, from 1.
    pub line: Option<usize>,
    /// The exit status, where a command failed.
    pub exit_code: Option<i64>,
    /// The builder's words.
    pub message: String,
    /// The last lines that the step printed.
    pub log: Vec<String>,
}

/// What makes room.
const ROOM: &str = "`docker system df` shows what takes the room, and `docker system prune` removes what nothing \
                    uses; what ran before runs on";

/// True for the kernel's words for a disk without room, which all daemons pass on.
fn is_full(message: &str) -> bool {
    message
        .to_ascii_lowercase()
        .contains("no space left on device")
}

impl BuildFailure {
    fn headline(&self) -> String {
        let place = match self.line {
            Some(line) => format!("{}, line {line}", self.dockerfile),
            None => self.dockerfile.clone(),
        };
        match (&self.step, self.exit_code) {
            (Some(step), Some(code)) => format!("{place}: `{step}` failed with exit code {code}"),
            (Some(step), None) => format!("{place}: `{step}` failed: {}", self.message),
            (None, _) => format!("{place}: {}", self.message),
        }
    }
}

impl miette::Diagnostic for BuildFailure {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new("rengine::docker::build_failed"))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let full = self
            .log
            .iter()
            .chain([&self.message])
            .any(|text| is_full(text));
        let room = full.then(|| format!("the daemon's disk is full: {ROOM}"));
        let log = (!self.log.is_empty())
            .then(|| format!("the last lines that it printed:\n{}", self.log.join("\n")));
        let help: Vec<_> = room.into_iter().chain(log).collect();
        (!help.is_empty()).then(|| Box::new(help.join("\n")) as Box<dyn std::fmt::Display>)
    }
}

impl DockerError {
    pub(super) fn unreachable(endpoint: &Endpoint, reason: Unreachable) -> Self {
        Self::Unreachable {
            endpoint: endpoint.to_string(),
            reason,
        }
    }
}

/// The HTTP status of a client error.
pub(super) fn status(error: &ClientError) -> Option<u16> {
    match error {
        ClientError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Tells a daemon that can't be reached from one that says no.
pub(super) fn from_client(endpoint: &Endpoint, action: String, error: ClientError) -> DockerError {
    match error {
        // Go's server says so to whoever speaks no TLS.
        ClientError::DockerResponseServerError { message, .. }
            if message.contains("HTTP request to an HTTPS server") =>
        {
            let words = message.trim().to_owned();
            DockerError::unreachable(endpoint, Unreachable::Tls(TlsFailure::OnlyTls(words)))
        }
        ClientError::DockerResponseServerError { message, .. }
        | ClientError::DockerStreamError { error: message }
            if is_full(&message) =>
        {
            DockerError::DiskFull {
                action,
                message: message.trim().to_owned(),
            }
        }
        ClientError::DockerResponseServerError {
            status_code,
            message,
        } => DockerError::Daemon {
            action,
            status: Some(status_code),
            message: message.trim().to_owned(),
        },
        ClientError::DockerStreamError { error } => DockerError::Daemon {
            action,
            status: None,
            message: error.trim().to_owned(),
        },
        ClientError::SocketNotFoundError(_) => {
            DockerError::unreachable(endpoint, Unreachable::NoSocket)
        }
        ClientError::RequestTimeoutError => {
            DockerError::unreachable(endpoint, Unreachable::Silent(super::REQUEST_TIMEOUT))
        }
        error => match reason(endpoint, &error) {
            Some(reason) => DockerError::unreachable(endpoint, reason),
            None => DockerError::Daemon {
                action,
                status: None,
                message: chain(&error),
            },
        },
    }
}

/// Why a connection could not be made or kept, if that is what the error says.
fn reason(endpoint: &Endpoint, error: &ClientError) -> Option<Unreachable> {
    if let Some(reason) = of_transport(endpoint, error) {
        return Some(reason);
    }
    // The client gives what broke off a stream of answers as an error without a kind.
    let broke_off = match error {
        ClientError::HyperResponseError { .. } => true,
        // Before there was an answer; unless it is what was sent that failed.
        ClientError::HyperLegacyError { err } => !err.is_connect() && !is_senders(err),
        ClientError::IOError { err } => err.kind() == io::ErrorKind::Other,
        _ => false,
    };
    if broke_off {
        return Some(Unreachable::BrokeOff(chain(error)));
    }
    if let ClientError::HyperLegacyError { err } = error
        && !err.is_connect()
    {
        return None;
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(match error.kind() {
                io::ErrorKind::PermissionDenied => Unreachable::Permission,
                io::ErrorKind::NotFound => Unreachable::NoSocket,
                io::ErrorKind::ConnectionRefused => Unreachable::Refused,
                _ => Unreachable::Other(error.to_string()),
            });
        }
        source = error.source();
    }
    matches!(error, ClientError::HyperLegacyError { .. }).then(|| Unreachable::Other(chain(error)))
}

/// True if it is not the connection that failed, but what was to be sent over it.
fn is_senders(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_user();
        }
        source = error.source();
    }
    true
}

/// What the way to the daemon says is wrong with it.
fn of_transport(endpoint: &Endpoint, error: &ClientError) -> Option<Unreachable> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(match error {
        // The client's error passes its own off as what caused this one.
        ClientError::IOError { err } => err,
        error => error,
    });
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let failure = error.get_ref().and_then(|error| error.downcast_ref());
            if let Some(failure) = failure {
                return Some(Unreachable::Ssh {
                    host: endpoint.ssh_words(),
                    failure: SshFailure::clone(failure),
                });
            }
            let shown = endpoint.has_client_certificate();
            if let Some(failure) = TlsFailure::of(error, endpoint.host_address(), shown) {
                return Some(Unreachable::Tls(failure));
            }
        }
        source = error.source();
    }
    None
}

/// An error with what caused it: the client's own texts seldom say enough.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}
