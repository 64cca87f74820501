//! What was begun is taken back.

use std::sync::PoisonError;

use super::Execution;
use crate::app::Name;
use crate::deploy::health::last_output;
use crate::deploy::{DeployError, Event};

impl Execution<'_> {
    /// Takes back what was begun: new containers go, and those that ran before run again.
    pub(super) async fn take_back(&self, error: &DeployError) {
        if self.is_switched() {
            self.reporter.report(Event::Warning {
                message: "requests go to the new containers already, so they stay".to_owned(),
                help: Some(
                    "`rengine deploy` brings it to its end, `rengine rollback` goes back to the \
                     release before"
                        .to_owned(),
                ),
            });
            return;
        }
        // To take away what requests may go to would be worse than to leave more than is needed.
        if !self.unshift().await {
            return;
        }
        let places = std::mem::take(&mut *self.lock_places());
        // Before containers get ports back that it holds.
        let edges = std::mem::take(&mut *self.edges.lock().unwrap_or_else(PoisonError::into_inner));
        for (edge, id) in edges {
            if let Err(error) = self.docker.remove(&id, true).await {
                self.warn(format!("the edge {edge} could not be removed: {error}"));
            }
        }
        let mut places: Vec<_> = places.into_iter().collect();
        // Podman wants those that share namespaces to be removed before those they share them with.
        places.sort_by_key(|((name, _), _)| std::cmp::Reverse(self.sharing_depth(name)));
        for ((name, _), progress) in places {
            self.rename_back(&progress.renamed).await;
            let Some((id, container)) = progress.candidate else {
                // Nothing new is there yet, or it is proven; but something may be stopped.
                self.start_again(&progress.stopped).await;
                continue;
            };
            if progress.started.is_some() && !matches!(error, DeployError::Interrupted) {
                let lines = last_output(self.docker, &id).await;
                self.reporter.report(Event::ContainerOutput {
                    container: container.clone(),
                    lines,
                });
            }
            if let Err(error) = self.docker.remove(&id, true).await {
                self.warn(format!(
                    "the new container {container} could not be removed: {error}"
                ));
            }
            let restarted = self.start_again(&progress.stopped).await;
            let still = self.prepared.observed.containers.iter().find(|old| {
                old.service.as_ref() == Some(&name) && old.is_running() && !old.is_candidate()
            });
            self.reporter.report(Event::RolledBack {
                service: name.to_string(),
                removed: container,
                running: restarted.or_else(|| still.map(|old| old.name.clone())),
            });
        }
        self.start_edges_again().await;
    }

    /// Starts edges again whose ports nobody else has any more.
    async fn start_edges_again(&self) {
        let stopped = self.stopped_edges.lock();
        let stopped = std::mem::take(&mut *stopped.unwrap_or_else(PoisonError::into_inner));
        self.start_again(&stopped).await;
    }

    /// How many services stand behind the namespaces that a service shares, one behind the other.
    fn sharing_depth(&self, service: &Name) -> usize {
        let services = &self.prepared.app.services;
        let shared = |name: &str| {
            services
                .get(name)
                .and_then(|other| other.shares_with().next())
        };
        let chain = std::iter::successors(shared(service.as_str()), |name| shared(name));
        // It is no circle: that was an error when the file was read.
        chain.take(services.len()).count()
    }

    async fn rename_back(&self, renamed: &[(String, String)]) {
        for (id, name) in renamed {
            if let Err(error) = self.docker.rename(id, name).await {
                self.warn(format!("{name} could not be given its name back: {error}"));
            }
        }
    }

    /// Starts what was stopped; returns the name of one that runs again.
    pub(in crate::deploy) async fn start_again(
        &self,
        stopped: &[(String, String)],
    ) -> Option<String> {
        let mut running = None;
        for (id, name) in stopped {
            match self.docker.start(id).await {
                Ok(()) => running = Some(name.clone()),
                Err(error) => {
                    self.warn(format!(
                        "{name}, which ran before, could not be started: {error}"
                    ));
                }
            }
        }
        running
    }
}
