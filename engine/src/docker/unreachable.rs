//! Daemons that don't answer.

use std::time::Duration;

use super::{SshFailure, TlsFailure};

/// Why a daemon does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// There is no such socket.
    #[error("there is no such socket")]
    NoSocket,
    /// The socket may not be opened by this user.
    #[error("permission denied")]
    Permission,
    /// Nobody listens.
    #[error("nobody listens there")]
    Refused,
    /// Connected, but without an answer for so long.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Silent(Duration),
    /// It answers, but has not said what it is for so long.
    #[error("it answers, but has not said what it is within {}", humantime::format_duration(*.0))]
    Busy(Duration),
    /// It answered, and then the connection ended in the middle of an answer.
    #[error("the connection broke off ({0})")]
    BrokeOff(String),
    /// TLS with it failed.
    #[error("{0}")]
    Tls(TlsFailure),
    /// There is no way to it over ssh.
    #[error("{failure}")]
    Ssh {
        /// The host, as `ssh` is given it.
        host: String,
        /// What is wrong.
        failure: SshFailure,
    },
    /// A Podman of our own was asked for, and there is none.
    #[error("Podman is not installed")]
    NoPodman,
    /// A Podman of our own could not be started.
    #[error("`podman system service` did not start: {0}")]
    OwnPodman(String),
    /// Something else, in the system's words.
    #[error("{0}")]
    Other(String),
}

impl Unreachable {
    /// What to do about it.
    pub(super) fn advice(&self) -> String {
        let advice = match self {
            Self::Tls(failure) => failure.advice(),
            Self::Ssh { host, failure } => return failure.advice(host),
            Self::NoSocket | Self::Refused => {
                "is the daemon running? `sudo systemctl start docker` starts it"
            }
            Self::Permission => {
                "add yourself to the group that may use it (`sudo usermod -aG docker $USER`, then log in again), or use sudo; \
                 `--host podman://` takes a Podman of your own instead"
            }
            Self::Silent(_) => {
                "the daemon may be overloaded: `sudo systemctl restart docker` restarts it"
            }
            Self::Busy(_) => {
                "run it again in a while: Podman 4.3 says nothing of itself while any container is being stopped"
            }
            Self::BrokeOff(_) => {
                "see with `rengine doctor` whether the daemon runs, and deploy again: what is done already is kept"
            }
            Self::NoPodman => {
                "install it (`sudo apt-get install podman`), or leave `podman://` out to use a daemon"
            }
            Self::OwnPodman(_) => "see what `podman info` says; or name a daemon with `--host`",
            Self::Other(_) => "check the address, and that the daemon listens there",
        };
        advice.to_owned()
    }
}
