//! What an address of a daemon says.

use std::fmt;
use std::path::PathBuf;

use super::EndpointError;

/// The port of a daemon without TLS, where an address names none.
const PLAIN_PORT: u16 = 2375;
/// The port of one with TLS.
const TLS_PORT: u16 = 2376;

/// Where a daemon is, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket of this machine.
    Unix(PathBuf),
    /// A port of some machine.
    Tcp {
        /// The machine; an IPv6 address is in brackets.
        host: String,
        /// The port.
        port: u16,
        /// True if the URL itself asks for TLS.
        tls: bool,
    },
    /// A machine that runs one, reached by ssh.
    Ssh(SshAddress),
    /// A Podman that is started for this alone: `podman://`.
    OwnPodman,
}

/// A machine as `ssh` knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAddress {
    /// Who logs in there; as the configuration of ssh says if it is `None`.
    pub user: Option<String>,
    /// Its name, which may be one from `~/.ssh/config`.
    pub host: String,
    /// Its port; as the configuration of ssh says if it is `None`.
    pub port: Option<u16>,
    /// The daemon's socket there; what the `docker` command there uses if it is `None`.
    pub socket: Option<String>,
    /// What `~/.ssh/config` gives for the host; `None` until it was asked.
    pub host_name: Option<String>,
}

impl Address {
    /// Reads a URL. `tls` is true if something beside the URL asks for TLS.
    pub fn parse(url: &str, tls: bool) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed {
            url: url.to_owned(),
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            "tcp" | "http" | "https" => {
                let tls = tls || scheme == "https";
                let (host, port) =
                    host_and_port(rest.trim_end_matches('/')).ok_or_else(malformed)?;
                if host.is_empty() || host.contains(['/', '@', '?', '#', ' ']) {
                    return Err(malformed());
                }
                Ok(Self::Tcp {
                    host: host.to_owned(),
                    port: port.unwrap_or(if tls { TLS_PORT } else { PLAIN_PORT }),
                    tls,
                })
            }
            "ssh" => SshAddress::parse(rest).map(Self::Ssh).ok_or_else(malformed),
            "podman" if rest.is_empty() => Ok(Self::OwnPodman),
            "npipe" | "fd" => Err(EndpointError::Unsupported {
                url: url.to_owned(),
                scheme: scheme.to_owned(),
            }),
            _ => Err(malformed()),
        }
    }
}

impl SshAddress {
    /// Reads `user@host:port/path/to/socket`; all but the host may be left out.
    ///
    /// What ssh could take for an option is refused, and so is a password: it would stand in the
    /// list of processes.
    fn parse(text: &str) -> Option<Self> {
        let (machine, socket) = match text.find('/') {
            Some(at) => (&text[..at], text[at..].trim_end_matches('/')),
            None => (text, ""),
        };
        let (user, machine) = match machine.rsplit_once('@') {
            Some((user, machine)) => (Some(user), machine),
            None => (None, machine),
        };
        let (host, port) = host_and_port(machine)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let word = |text: &str, also: &str| {
            let character = |c: char| c.is_alphanumeric() || also.contains(c);
            !text.is_empty() && !text.starts_with('-') && text.chars().all(character)
        };
        let fine = word(host, "._-:%")
            && user.is_none_or(|user| word(user, "._-+@\\"))
            && !socket.contains(|c: char| c.is_control());
        fine.then(|| Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            socket: (!socket.is_empty()).then(|| socket.to_owned()),
            host_name: None,
        })
    }

    /// As it is given to `ssh` by hand: `deploy@web1 -p 2222`.
    pub fn words(&self) -> String {
        let user = self.user.as_ref();
        let user = user.map_or_else(String::new, |user| format!("{user}@"));
        let port = self
            .port
            .map_or_else(String::new, |port| format!(" -p {port}"));
        format!("{user}{}{port}", self.host)
    }
}

/// Splits at the last colon that is no part of an IPv6 address, which is in brackets.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => Some((host, Some(port.parse().ok()?))),
        _ => Some((text, None)),
    }
}

impl fmt::Display for Address {
    /// As its URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
            Self::OwnPodman => f.write_str("podman://"),
            Self::Ssh(ssh) => {
                f.write_str("ssh://")?;
                if let Some(user) = &ssh.user {
                    write!(f, "{user}@")?;
                }
                match ssh.host.contains(':') {
                    true => write!(f, "[{}]", ssh.host)?,
                    false => f.write_str(&ssh.host)?,
                }
                if let Some(port) = ssh.port {
                    write!(f, ":{port}")?;
                }
                f.write_str(ssh.socket.as_deref().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for (url, expected) in [
            ("unix:///run/d.sock", Some("unix:///run/d.sock")),
            ("tcp://h", Some("tcp://h:2375")),
            ("https://h/", Some("tcp://h:2376")),
            ("tcp://[::1]:99", Some("tcp://[::1]:99")),
            ("tcp://[::1]", Some("tcp://[::1]:2375")),
            ("podman://", Some("podman://")),
            ("podman://x", None),
            ("ssh://web1", Some("ssh://web1")),
            ("ssh://deploy@web1:2222", Some("ssh://deploy@web1:2222")),
            ("ssh://d@[::1]:22", Some("ssh://d@[::1]:22")),
            (
                "ssh://h/run/user/1000/docker.sock",
                Some("ssh://h/run/user/1000/docker.sock"),
            ),
            ("ssh://h/", Some("ssh://h")),
            ("ssh://", None),
            ("ssh://-oProxyCommand=id", None),
            ("ssh://-l@h", None),
            ("ssh://user:secret@h", None),
            ("ssh://h:port", None),
            ("ssh://h;id", None),
            ("tcp://h:port", None),
            ("tcp://", None),
            ("tcp://h/x:1", None),
            ("unix://relative", None),
            ("/run/d.sock", None),
            ("ftp://x", None),
        ] {
            let address = Address::parse(url, false).ok();
            let address = address.map(|address| address.to_string());
            assert_eq!(address.as_deref(), expected, "{url}");
        }
        let tls = Address::parse("tcp://h", true).expect("an address");
        assert_eq!(tls.to_string(), "tcp://h:2376");
    }

    #[test]
    fn ssh_is_told_as_one_would_write_it() {
        let Ok(Address::Ssh(ssh)) = Address::parse("ssh://deploy@web1:2222/d.sock", false) else {
            panic!("an address");
        };
        assert_eq!(ssh.words(), "deploy@web1 -p 2222");
        assert_eq!(ssh.socket.as_deref(), Some("/d.sock"));
    }
}
