//! Ports that are published.

use std::fmt;

use serde::Serialize;

/// A container port published on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortMapping {
    /// The port in the container, 1 to 65535.
    pub container_port: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The host's port; chosen by the daemon if `None`.
    pub host_port: Option<u16>,
    /// The last of several ports of the host, of which the daemon takes one that is free.
    pub host_port_last: Option<u16>,
    /// The host's address; all of them if `None`.
    pub host_address: Option<std::net::IpAddr>,
    /// What is spoken on it, for who proxies it. No part of how a container is made.
    pub app_protocol: Option<AppProtocol>,
}

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppProtocol {
    /// HTTP/1.1, and what begins as such: WebSocket.
    Http,
    /// HTTP/2 without TLS, from the first byte: gRPC.
    H2c,
    /// Anything else over TCP.
    Tcp,
}

impl AppProtocol {
    /// A word that [`Self::from_word`] takes for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::H2c => "h2c",
            Self::Tcp => "tcp",
        }
    }

    /// What a word for people means, as `app_protocol` in Compose has it; `None` if that is not
    /// known.
    pub fn from_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "http" | "http1" | "http/1.1" | "ws" | "websocket" => Some(Self::Http),
            "h2c" | "http2" | "http/2" | "grpc" => Some(Self::H2c),
            "tcp" | "tls" | "https" | "wss" => Some(Self::Tcp),
            _ => None,
        }
    }
}

impl fmt::Display for PortMapping {
    /// As Docker writes it: `127.0.0.1:8080:80/tcp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_address {
            Some(std::net::IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            Some(address) => write!(f, "{address}:")?,
            None => {}
        }
        match self.host_port {
            Some(port) => match self.host_port_last {
                Some(last) => write!(f, "{port}-{last}:")?,
                None => write!(f, "{port}:")?,
            },
            None if self.host_address.is_some() => write!(f, ":")?,
            None => {}
        }
        write!(f, "{}", self.container_port)?;
        match self.protocol {
            Protocol::Tcp => Ok(()),
            Protocol::Udp => write!(f, "/udp"),
            Protocol::Sctp => write!(f, "/sctp"),
        }
    }
}

/// A transport protocol.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// `tcp`, `udp` or `sctp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}
