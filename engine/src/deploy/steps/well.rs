//! Whether containers are well, or have done what they were for.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{Execution, Place};
use crate::app::{HealthCheck, Probe, Service};
use crate::deploy::DeployError;
use crate::deploy::access::RunningContainer;
use crate::deploy::health::HealthGate;
use crate::deploy::hooks::{log_sink, or_warn};
use crate::plugin::Hook;

impl Execution<'_> {
    pub(super) async fn gate(
        &self,
        service: &Service,
        id: &str,
    ) -> Result<Arc<RunningContainer>, DeployError> {
        let check = service.container.health.as_ref();
        self.interruptible(self.is_well(service, check, id)).await?
    }

    /// Waits until a container is well by this check, whether the deploy is to end or not.
    pub(in crate::deploy) async fn is_well(
        &self,
        service: &Service,
        check: Option<&HealthCheck>,
        id: &str,
    ) -> Result<Arc<RunningContainer>, DeployError> {
        let context = self.context(&service.name);
        let gate = HealthGate {
            docker: self.docker,
            hooks: &self.prepared.hooks,
            reporter: self.reporter,
            context: &context,
            service: &service.name,
            check: check.filter(|check| check.probe != Probe::None),
            deadline: self.deadline,
        };
        gate.wait(id).await
    }

    pub(super) async fn health(
        &self,
        place: &Place,
        service: &Service,
    ) -> Result<Option<String>, DeployError> {
        let Some(id) = self.progress(place, |progress| progress.started.clone()) else {
            return Ok(None);
        };
        let running = self.gate(service, &id).await?;
        self.progress(place, |progress| progress.running = Some(running));
        Ok(None)
    }

    /// Waits until a container has ended. There is no limit: nobody knows how long a migration
    /// takes, and the person who deploys can stop it.
    pub(super) async fn complete(&self, place: &Place) -> Result<Option<String>, DeployError> {
        let Some(id) = self.progress(place, |progress| progress.started.clone()) else {
            return Ok(None);
        };
        match self.interruptible(self.docker.wait(&id)).await?? {
            0 => Ok(None),
            code => {
                let detail = self.docker.inspect(&id).await?;
                Err(DeployError::JobFailed {
                    service: place.0.to_string(),
                    container: detail.map_or(id, |detail| detail.name),
                    code,
                })
            }
        }
    }

    pub(super) async fn post_run(&self, place: &Place) -> Result<Option<String>, DeployError> {
        let Some(container) = self.progress(place, |progress| progress.running.clone()) else {
            return Ok(None);
        };
        let context = self.context(&place.0);
        let plugins: Vec<_> = self
            .prepared
            .hooks
            .having(Hook::PostRun, &place.0)
            .collect();
        let calls = plugins.iter().map(|(plugin, _)| {
            let container: Arc<RunningContainer> = container.clone();
            plugin.post_run(&context, container, log_sink(self.reporter))
        });
        let results = self.interruptible(join_all(calls)).await?;
        for (result, (_, on_error)) in results.into_iter().zip(&plugins) {
            or_warn(result, *on_error, (), &**self.reporter)?;
        }
        Ok(None)
    }
}
