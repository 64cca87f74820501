//! Containers: created, joined to networks, begun and ended, and given their names.

use super::{COMMAND_TIMEOUT, Execution, Place};
use crate::app::{ContainerSpec, Fields, ImageSource, SERVICE_MODE, Service, VolumesOwner};
use crate::deploy::{DeployError, Event};
use crate::docker::{Joined, NewContainer};
use crate::plan::edge::target_name;
use crate::plan::observed::ObservedContainer;

impl Execution<'_> {
    pub(super) async fn create(
        &self,
        place: &Place,
        service: &Service,
        container: &str,
        image: Option<&str>,
        inputs: &Fields,
    ) -> Result<(), DeployError> {
        let (name, replica) = place;
        let made = self.image(name);
        let image = match (image.map(str::to_owned).or(made), &service.image) {
            (Some(id), _) => id,
            // Pulled by a step before; its name serves as well.
            (None, ImageSource::Image(reference)) => reference.clone(),
            (None, ImageSource::Build(_)) => self.latest(name),
        };
        let unproven = format!("{container}{}", ObservedContainer::CANDIDATE_SUFFIX);
        let mut labels = service.container.labels.clone();
        labels.extend(self.labels.container(service, *replica, inputs, &image));
        let spec = self.with_shared(service)?;
        let networks = self.networks(service, *replica, true);
        let new = NewContainer {
            name: &unproven,
            image: &image,
            spec: &spec,
            labels: &labels,
            networks: &networks,
            stdin_once: false,
        };
        let id = self.docker.create_container(new).await?;
        self.progress(place, |progress| progress.candidate = Some((id, unproven)));
        Ok(())
    }

    /// The specification with the containers of other services in the place of their names.
    pub(in crate::deploy) fn with_shared(
        &self,
        service: &Service,
    ) -> Result<ContainerSpec, DeployError> {
        let mut spec = service.container.clone();
        let modes = [
            &mut spec.network_mode,
            &mut spec.pid_mode,
            &mut spec.ipc_mode,
        ];
        for mode in modes.into_iter().flatten() {
            if let Some(other) = mode.strip_prefix(SERVICE_MODE) {
                let id = self.container_of(other);
                let id = id.ok_or_else(|| DeployError::NoSharedContainer {
                    service: service.name.to_string(),
                    other: other.to_owned(),
                })?;
                *mode = format!("container:{id}");
            }
        }
        for volumes in &mut spec.volumes_from {
            if let VolumesOwner::Service(other) = &volumes.owner {
                let id = self.container_of(other);
                let id = id.ok_or_else(|| DeployError::NoSharedContainer {
                    service: service.name.to_string(),
                    other: other.clone(),
                })?;
                volumes.owner = VolumesOwner::Container(id);
            }
        }
        Ok(spec)
    }

    /// The id of a service's first container: the new one, or the one that stays.
    fn container_of(&self, service: &str) -> Option<String> {
        let places = self.lock_places();
        let mut new = places.iter();
        let new = new
            .find(|((name, _), progress)| name.as_str() == service && progress.started.is_some());
        if let Some((_, progress)) = new {
            return progress.started.clone();
        }
        let mut there = self.prepared.observed.containers.iter().rev();
        let there = there.find(|container| {
            let its = container
                .service
                .as_ref()
                .is_some_and(|name| name.as_str() == service);
            its && !container.is_candidate() && container.is_running()
        });
        there.map(|container| container.id.clone())
    }

    /// The networks that a service's containers join, the one with the highest priority first.
    /// `serving` is false for a container that others are not to find under the service's name.
    pub(in crate::deploy) fn networks(
        &self,
        service: &Service,
        replica: u32,
        serving: bool,
    ) -> Vec<Joined> {
        let app = &self.prepared.app;
        let mut attachments: Vec<_> = service.container.networks.iter().collect();
        attachments.sort_by_key(|(_, attachment)| std::cmp::Reverse(attachment.priority));
        let networks = attachments.into_iter().filter_map(|(key, attachment)| {
            let name = app.networks.get(key)?.name.clone();
            if !serving {
                // Nor can it have an address that the service's own container has.
                return Some(Joined {
                    name,
                    ..Joined::default()
                });
            }
            let mut aliases = vec![service.name.to_string()];
            aliases.extend(attachment.aliases.iter().cloned());
            let edge = self.prepared.edge_of(&service.name);
            if edge.is_some_and(|edge| edge.network == *key) {
                let release = &self.prepared.plan.release;
                aliases.push(target_name(&service.name, replica, release));
            }
            aliases.dedup();
            Some(Joined {
                name,
                aliases,
                attachment: attachment.clone(),
            })
        });
        networks.collect()
    }

    /// Runs the commands that a service has for a container that was started.
    pub(super) async fn post_start(&self, service: &Service, id: &str) -> Result<(), DeployError> {
        for command in &service.post_start {
            let failed = |why: String| DeployError::PostStart {
                service: service.name.to_string(),
                command: command.command.join(" "),
                why,
            };
            let run = self.docker.exec_as(id, command, COMMAND_TIMEOUT);
            let outcome = self.interruptible(run).await??;
            if outcome.exit_code != 0 {
                let output = outcome.output.trim_end();
                return Err(failed(format!("exit code {}\n{output}", outcome.exit_code)));
            }
        }
        Ok(())
    }

    /// Lets a container end what it does before it is stopped. Whatever comes of it, it is stopped.
    pub(super) async fn drain(&self, service: &Service, id: &str) -> Result<(), DeployError> {
        let context = self.context(&service.name);
        let hooks = &self.prepared.hooks;
        let drained = hooks.pre_stop(self.docker, &context, &service.name, id, self.reporter);
        // A plugin may take as long as its limit lets it.
        if self.course.unless_stopped(drained).await?.is_none() {
            self.reporter.report(Event::Warning {
                message: format!(
                    "the plugins' `pre-stop` for service `{}` was not waited for",
                    service.name
                ),
                help: None,
            });
        }
        for command in &service.pre_stop {
            let run = self.docker.exec_as(id, command, COMMAND_TIMEOUT);
            let why = match self.interruptible(run).await? {
                Ok(outcome) if outcome.exit_code == 0 => continue,
                Ok(outcome) => format!("exit code {}", outcome.exit_code),
                Err(error) => error.to_string(),
            };
            let command = command.command.join(" ");
            self.reporter.report(Event::Warning {
                message: format!(
                    "the pre_stop command `{command}` of service `{}` failed: {why}",
                    service.name
                ),
                help: None,
            });
        }
        Ok(())
    }

    /// Gives the new container its name: from here on it is not taken back.
    pub(super) async fn commit(
        &self,
        place: &Place,
        service: &Service,
        container: &str,
    ) -> Result<(), DeployError> {
        let candidate = self.progress(place, |progress| progress.candidate.clone());
        let Some((id, _)) = candidate else {
            return Ok(());
        };
        self.docker.rename(&id, container).await?;
        self.course.committed();
        self.progress(place, |progress| {
            progress.candidate = None;
            progress.stopped.clear();
            progress.retired.clear();
            progress.renamed.clear();
        });
        if service.image.build().is_some() {
            self.tag_latest(&place.0, &id).await;
        }
        Ok(())
    }
}
