//! Where an app answers.

use super::{DeployError, Prepared, ServiceSummary};
use crate::app::{Name, Protocol};
use crate::docker::Docker;
use crate::plan::observed::{Observed, PublishedPort};

/// The services of a deploy that run, by what was seen.
pub fn of_observed(
    observed: &Observed,
    prepared: &Prepared,
    docker: &Docker,
) -> Vec<ServiceSummary> {
    let names: Vec<Name> = prepared.app.services.keys().cloned().collect();
    of(observed, &names, docker)
}

/// The same where nothing was to be done: they run as they were seen for the plan.
pub fn seen(prepared: &Prepared, docker: &Docker) -> Vec<ServiceSummary> {
    of_observed(&prepared.observed, prepared, docker)
}

/// Where these services of an app answer now; those that do not run are left out.
pub async fn summaries(
    app: &Name,
    services: &[Name],
    docker: &Docker,
) -> Result<Vec<ServiceSummary>, DeployError> {
    let observed = docker.observe(app, &[]).await?;
    Ok(of(&observed, services, docker))
}

fn of(observed: &Observed, services: &[Name], docker: &Docker) -> Vec<ServiceSummary> {
    let host = docker.endpoint().host_address();
    let mut running = Vec::new();
    for name in services {
        let mut containers: Vec<_> = observed
            .containers
            .iter()
            .filter(|container| container.service.as_ref() == Some(name) && container.is_running())
            .collect();
        // The newest of each place.
        containers
            .sort_by_key(|container| (container.replica, std::cmp::Reverse(container.created)));
        containers.dedup_by_key(|container| container.replica);
        running.extend(containers.into_iter().map(|container| ServiceSummary {
            service: name.to_string(),
            container: container.name.clone(),
            addresses: addresses(&container.ports, host),
        }));
    }
    running
}

/// Published ports as addresses that a person can open.
pub fn addresses(ports: &[PublishedPort], host: &str) -> Vec<String> {
    let mut addresses: Vec<String> = ports
        .iter()
        .map(|port| {
            let everywhere = matches!(port.host_address.as_str(), "" | "0.0.0.0" | "::");
            let host = match (everywhere, host) {
                (true, "127.0.0.1" | "::1") => "localhost",
                (true, host) => host,
                (false, _) => port.host_address.as_str(),
            };
            let host = if host.contains(':') {
                format!("[{host}]")
            } else {
                host.to_owned()
            };
            let scheme = match port.protocol {
                Protocol::Tcp => "http",
                Protocol::Udp => "udp",
                Protocol::Sctp => "sctp",
            };
            format!("{scheme}://{host}:{}", port.host_port)
        })
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}
