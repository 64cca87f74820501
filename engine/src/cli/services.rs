//! The containers that a command is about, by the names of services.

use super::error::CliError;
use crate::app::Name;
use crate::docker::Docker;
use crate::manifest::Manifest;
use crate::plan::observed::ObservedContainer;

/// The containers of these services, or of all of them, each service's in order.
///
/// # Errors
///
/// If a name is no service of the app's, nor of a container that the app had.
pub async fn containers(
    manifest: &Manifest,
    docker: &Docker,
    services: &[String],
) -> Result<Vec<ObservedContainer>, CliError> {
    let observed = docker.observe(&manifest.app.name, &[]).await?;
    let name = |container: &ObservedContainer| container.service.clone();
    let known = |service: &String| {
        manifest.app.services.contains_key(service.as_str())
            || observed
                .containers
                .iter()
                .any(|container| name(container).is_some_and(|name| name.as_str() == service))
    };
    if let Some(unknown) = services.iter().find(|service| !known(service)) {
        return Err(no_service(manifest, unknown));
    }
    let wanted = |container: &ObservedContainer| {
        let name = name(container);
        let name = name.as_ref().map_or("", Name::as_str);
        services.is_empty() || services.iter().any(|service| service == name)
    };
    let mut containers: Vec<_> = observed.containers.into_iter().filter(wanted).collect();
    let place = |container: &ObservedContainer| {
        let name = container.service.as_ref()?;
        manifest.app.services.get_index_of(name)
    };
    containers.sort_by_key(|container| (place(container), container.replica));
    Ok(containers)
}

/// One running container of a service: that with this number.
///
/// # Errors
///
/// If there is no such service, or it does not run.
pub async fn running(
    manifest: &Manifest,
    docker: &Docker,
    service: &str,
    index: u32,
) -> Result<ObservedContainer, CliError> {
    let services = [service.to_owned()];
    let containers = containers(manifest, docker, &services).await?;
    let running = containers.into_iter().find(|container| {
        container.is_running() && !container.is_candidate() && container.replica == index
    });
    running.ok_or_else(|| CliError::NotRunning {
        service: service.to_owned(),
        index,
    })
}

pub fn no_service(manifest: &Manifest, service: &str) -> CliError {
    let names: Vec<_> = manifest.app.services.keys().map(Name::as_str).collect();
    CliError::NoService {
        app: manifest.app.name.to_string(),
        service: service.to_owned(),
        known: names.join(", "),
    }
}
