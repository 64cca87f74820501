//! The ways to a container's ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;

use tokio::net::TcpStream;

use super::access::RunningContainer;
use crate::app::Protocol;

impl RunningContainer {
    /// True if it has taken a connection itself: a proxy of the daemon takes them even where nobody
    /// listens behind it.
    pub fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// The way to a port of the container without a proxy in between, where there may be one.
    fn direct(&self, port: u16) -> Option<(IpAddr, u16)> {
        // Elsewhere than on Linux, containers run in a machine of their own.
        let local = self.docker.endpoint().socket_path().is_some() && cfg!(target_os = "linux");
        let address = self.detail.address.unwrap_or(Ipv4Addr::LOCALHOST.into());
        local.then_some((address, port))
    }

    /// Where the daemon publishes a port of the container.
    fn published(&self, port: u16) -> Vec<(String, u16)> {
        let endpoint = self.docker.endpoint();
        let published = self.detail.ports.iter().filter(|published| {
            published.container_port == port && published.protocol == Protocol::Tcp
        });
        let routes = published.filter_map(|published| {
            let address: IpAddr = published.host_address.parse().ok()?;
            let address = match endpoint.socket_path() {
                _ if address.is_unspecified() => endpoint.host_address().to_owned(),
                // Another machine's own address is none of this one.
                None if address.is_loopback() => return None,
                _ => address.to_string(),
            };
            Some((address, published.host_port))
        });
        routes.collect()
    }

    /// A connection to a port, in the most direct way that there is.
    pub(super) async fn connect(&self, port: u16) -> Result<TcpStream, String> {
        let mut last = format!("port {port} is neither published nor on a network reached here");
        let no = |error: &io::Error| format!("no connection to port {port}: {}", plain(error));
        if let Some(address) = self.direct(port) {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    self.answered.store(true, Ordering::Relaxed);
                    return Ok(stream);
                }
                // Somebody is there who says no: a proxy would only hide that.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    if self.detail.address.is_some() {
                        return Err(no(&error));
                    }
                    last = no(&error);
                }
                Err(error) => last = no(&error),
            }
        }
        for (host, port) in self.published(port) {
            match TcpStream::connect((host.as_str(), port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = no(&error),
            }
        }
        Err(last)
    }
}

/// An error of the network without its wrappings: `connection refused`.
pub(super) fn plain(error: impl std::error::Error) -> String {
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    text.to_lowercase()
}
