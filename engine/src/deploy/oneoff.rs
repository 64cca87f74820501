//! A container beside those of a service, for one command.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::steps::Execution;
use super::{DeployError, Event, Prepared, Reporter};
use crate::app::{ImageSource, Name, RestartPolicy, Service};
use crate::docker::{Docker, NewContainer};
use crate::manifest::DEFAULT_DEPLOY_TIMEOUT;
use crate::plan::{Operation, OperationKind};

/// What a container for one command is like, beside what its service says.
#[derive(Debug, Clone)]
pub struct OneOff {
    /// The service.
    pub service: Name,
    /// The container's name.
    pub name: String,
    /// The command; the service's own, if `None`.
    pub command: Option<Vec<String>>,
    /// The entrypoint; the service's own, if `None`.
    pub entrypoint: Option<Vec<String>>,
    /// Who runs it; as the service says, if `None`.
    pub user: Option<String>,
    /// Where; as the service says, if `None`.
    pub working_dir: Option<String>,
    /// Variables beyond the service's own.
    pub env: Vec<(String, String)>,
    /// True to publish the service's ports.
    pub ports: bool,
    /// True for a terminal.
    pub tty: bool,
    /// True if it reads what the caller writes.
    pub stdin: bool,
}

/// Makes a container for one command, and what it needs: its image, networks and volumes. It is
/// not started. What the service depends on is not started either; who is missing is told.
///
/// # Errors
///
/// If the service is not in the app, or something can't be made.
pub async fn create_one_off(
    prepared: &Prepared,
    docker: &Docker,
    wanted: &OneOff,
    reporter: &Arc<dyn Reporter>,
    cancel: &CancellationToken,
) -> Result<String, DeployError> {
    let Some(service) = prepared.app.services.get(&wanted.service) else {
        return Err(DeployError::NoSharedContainer {
            service: wanted.service.to_string(),
            other: wanted.service.to_string(),
        });
    };
    for name in service.depends_on.keys() {
        let mut containers = prepared.observed.containers.iter();
        if !containers.any(|one| one.service.as_ref() == Some(name) && one.is_running()) {
            reporter.report(Event::Warning {
                message: format!("{} depends on {name}, which does not run", service.name),
                help: Some("`rengine deploy` starts it".to_owned()),
            });
        }
    }
    let execution = Execution::new(prepared, docker, DEFAULT_DEPLOY_TIMEOUT, reporter, cancel);
    for (step, operation) in prepared.plan.operations.iter().enumerate() {
        if is_needed(operation, service, prepared) {
            execution.timed(step).await?;
        }
    }
    let image = execution
        .image(&service.name)
        .or_else(|| there(prepared, service));
    let mut spec = execution.with_shared(service)?;
    spec.command = wanted.command.clone().or(spec.command);
    if let Some(entrypoint) = &wanted.entrypoint {
        spec.entrypoint = Some(entrypoint.clone());
    }
    spec.user = wanted.user.clone().or(spec.user);
    spec.working_dir = wanted.working_dir.clone().or(spec.working_dir);
    spec.env.extend(wanted.env.iter().cloned());
    spec.restart = RestartPolicy::No;
    spec.health = None;
    spec.tty = wanted.tty;
    spec.stdin_open = wanted.stdin;
    if !wanted.ports {
        spec.ports.clear();
    }
    let image = image.unwrap_or_else(|| match &service.image {
        ImageSource::Image(reference) => reference.clone(),
        ImageSource::Build(_) => execution.latest(&service.name),
    });
    let labels = execution.labels().one_off(service);
    let networks = execution.networks(service, 0, false);
    let new = NewContainer {
        name: &wanted.name,
        image: &image,
        spec: &spec,
        labels: &labels,
        networks: &networks,
        stdin_once: true,
    };
    Ok(docker.create_container(new).await?)
}

/// True for what makes the service's image, and the networks and volumes that it uses.
fn is_needed(operation: &Operation, service: &Service, prepared: &Prepared) -> bool {
    let spec = &service.container;
    match &operation.kind {
        OperationKind::Pull { .. }
        | OperationKind::Build { .. }
        | OperationKind::PostBuild { .. } => operation.service.as_ref() == Some(&service.name),
        OperationKind::CreateNetwork { key, .. } => {
            let there = |name: &String| {
                let mut networks = prepared.observed.networks.iter();
                prepared
                    .app
                    .networks
                    .get(name)
                    .is_some_and(|network| networks.any(|one| one.name == network.name))
            };
            // One that is to be made anew is left to a deploy.
            spec.networks.contains_key(key) && !there(key)
        }
        OperationKind::CreateVolume { volume, .. } => spec
            .mounts
            .iter()
            .any(|mount| mount.source.volume() == Some(volume)),
        _ => false,
    }
}

/// The image that was built for the service from the same.
fn there(prepared: &Prepared, service: &Service) -> Option<String> {
    let wanted = prepared
        .wanted
        .services
        .iter()
        .find(|one| one.name == service.name)?;
    let fingerprint = wanted.build_inputs.fingerprint();
    let mut images = prepared.observed.images.iter();
    let image = images.find(|image| {
        image.service.as_ref() == Some(&service.name) && image.fingerprint == fingerprint
    });
    image.map(|image| image.id.clone())
}
