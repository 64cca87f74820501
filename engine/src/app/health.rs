//! Whether a container is well, and when it is started again.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::text;

/// How to tell that a container is healthy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HealthCheck {
    /// What to probe.
    pub probe: Probe,
    /// Time between two probes.
    #[serde(serialize_with = "text::duration")]
    pub interval: Duration,
    /// Time for one probe.
    #[serde(serialize_with = "text::duration")]
    pub timeout: Duration,
    /// Failed probes in a row, after the start period, that make the container unhealthy.
    pub retries: u32,
    /// Time from the start in which failed probes do not count.
    #[serde(serialize_with = "text::duration")]
    pub start_period: Duration,
    /// Time between two checks while it starts; `interval` if `None`. Needs Docker 25.
    #[serde(serialize_with = "text::optional_duration")]
    pub start_interval: Option<Duration>,
}

impl HealthCheck {
    /// [`Self::interval`] where it is not said.
    pub const INTERVAL: Duration = Duration::from_secs(1);
    /// [`Self::timeout`] where it is not said.
    pub const TIMEOUT: Duration = Duration::from_secs(5);
    /// [`Self::retries`] where it is not said.
    pub const RETRIES: u32 = 3;
    /// [`Self::start_period`] where it is not said: an app that is slow to start is not
    /// given up before the deploy's own deadline.
    pub const START_PERIOD: Duration = Duration::from_secs(30);

    /// A check with the default timing.
    pub fn new(probe: Probe) -> Self {
        Self {
            probe,
            interval: Self::INTERVAL,
            timeout: Self::TIMEOUT,
            retries: Self::RETRIES,
            start_period: Self::START_PERIOD,
            start_interval: None,
        }
    }
}

/// What a health check probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// An HTTP GET from outside the container.
    Http {
        /// The path, starting with `/`.
        path: String,
        /// The container port; the first published TCP port if `None`.
        port: Option<u16>,
        /// The status expected; any from 200 to 399 if `None`.
        status: Option<u16>,
    },
    /// A TCP connection to this container port.
    Tcp(u16),
    /// A text that the container's shell runs; the daemon sees to it.
    Shell(String),
    /// A program in the container and its arguments, without a shell; the daemon sees to it.
    Exec(Vec<String>),
    /// Nothing: not even what the image says.
    None,
}

impl Probe {
    /// The statuses that HTTP has (RFC 9110, 15).
    pub const STATUSES: std::ops::RangeInclusive<u16> = 100..=599;
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { path, port, status } => {
                write!(f, "GET ")?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                write!(f, "{path}")?;
                match status {
                    Some(status) => write!(f, " is {status}"),
                    None => Ok(()),
                }
            }
            Self::None => f.write_str("none"),
            Self::Tcp(port) => write!(f, "TCP port {port}"),
            // Told apart, since fingerprints are made from this.
            Self::Shell(script) => write!(f, "shell command `{script}`"),
            Self::Exec(words) => write!(f, "command {words:?}"),
        }
    }
}

/// When the daemon starts a container again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Never.
    No,
    /// Whenever it ends.
    Always,
    /// Whenever it ends, unless a person stopped it: rengine's default, since what was
    /// deployed should be there after a reboot.
    #[default]
    UnlessStopped,
    /// When it ends with another status than 0; at most this many times, 0 for no limit.
    OnFailure(u32),
}

impl fmt::Display for RestartPolicy {
    /// As Docker writes it: `on-failure:3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
            Self::OnFailure(0) => f.write_str("on-failure"),
            Self::OnFailure(times) => write!(f, "on-failure:{times}"),
        }
    }
}
