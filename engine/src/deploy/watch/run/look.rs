//! Looking at all that there is: containers, the record of their release, and the lock.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Going;
use crate::app::{HealthCheck, Name};
use crate::deploy::watch::act::holder;
use crate::deploy::watch::checkup::Checkup;
use crate::deploy::watch::core::Seen;
use crate::deploy::watch::edge::running;
use crate::deploy::watch::slot::Facts;
use crate::deploy::watch::spec::Spec;
use crate::deploy::{DeployError, Hooks};
use crate::plan::observed::{ContainerState, Observed, ObservedContainer};
use crate::plugin::CallContext;

use super::Watch;

impl Going {
    /// Looks at all that there is.
    pub(super) async fn refresh(&mut self) -> Result<(), DeployError> {
        let Watch {
            manifest, docker, ..
        } = &self.watch;
        let app = &manifest.app.name;
        let (observed, lock) = tokio::try_join!(docker.observe(app, &[]), docker.find_lock(app))?;
        // That of a holder that is no more is taken over by whoever needs it next.
        let held = lock.filter(|lock| !lock.is_dead() && !lock.is_silent());
        self.read_spec(&observed, held.is_some()).await?;
        self.edges = running(&observed.edges);
        let facts = self.facts(&observed);
        let running = self.spec.running.as_ref().filter(|_| !facts.is_empty());
        let running = running.map(|release| release.at(Timestamp::now()));
        let lock = match held {
            Some(lock) => Seen::Locked(holder(lock.holder.as_ref())),
            None => Seen::Unlocked,
        };
        self.look_at(&facts);
        self.see(lock).await;
        self.see(Seen::Roster(facts, running)).await;
        Ok(())
    }

    /// Reads the record of the release that runs, if it may be another, or has others before it.
    async fn read_spec(&mut self, observed: &Observed, locked: bool) -> Result<(), DeployError> {
        let containers = observed.containers.iter();
        let releases: BTreeSet<String> = containers.map(|one| one.release.clone()).collect();
        // Records may be large. Who has the lock may write one.
        if !self.core.is_locked() && self.spec_of.as_ref() == Some(&releases) {
            return Ok(());
        }
        let Watch {
            manifest,
            docker,
            reporter,
            ..
        } = &self.watch;
        let there = (observed, locked);
        let spec = Spec::read(docker, manifest, &**reporter, &self.spec, there).await?;
        if spec.id() != self.spec.id() {
            // Its checks may be others.
            self.checkups.abort_all();
            self.looked_at.clear();
        }
        self.spec = spec;
        self.spec_of = Some(releases);
        Ok(())
    }

    /// The containers that count: of each place one.
    pub(super) fn facts(&mut self, observed: &Observed) -> Vec<Facts> {
        let mut containers: Vec<&ObservedContainer> = observed.containers.iter().collect();
        containers.retain(|container| !container.is_unproven() && container.service.is_some());
        containers.sort_by_key(|container| {
            let service = container.service.as_ref().map(ToString::to_string);
            let better = (container.routed, container.is_running(), container.created);
            (service, container.replica, std::cmp::Reverse(better))
        });
        containers.dedup_by_key(|container| (container.service.clone(), container.replica));
        let status = containers.iter();
        let status = status.map(|one| (one.id.clone(), one.status.clone()));
        self.status = status.collect();
        let facts = containers.into_iter().filter_map(|container| {
            let service = container.service.as_ref()?.to_string();
            let spec = self.spec.service(&service);
            let retries = spec
                .check
                .map_or(HealthCheck::RETRIES, |check| check.retries);
            Some(Facts {
                id: container.id.clone(),
                name: container.final_name().to_owned(),
                service,
                replica: container.replica,
                release: container.release.clone(),
                target: container.edge_target.clone(),
                running: matches!(
                    container.state,
                    ContainerState::Running | ContainerState::Restarting | ContainerState::Paused
                ),
                retries,
                lasts: spec.lasts,
            })
        });
        facts.collect()
    }

    /// Has each running container looked at, and no other.
    pub(super) fn look_at(&mut self, facts: &[Facts]) {
        let there: BTreeSet<&String> = facts.iter().map(|facts| &facts.id).collect();
        self.looked_at.retain(|id, task| {
            let stays = there.contains(id);
            if !stays {
                task.abort();
            }
            stays
        });
        for facts in facts.iter().filter(|facts| facts.lasts) {
            let Ok(service) = Name::parse(&facts.service) else {
                continue;
            };
            if self.looked_at.contains_key(&facts.id) {
                continue;
            }
            let watch = &self.watch;
            let checkup = Checkup {
                docker: watch.docker.clone(),
                hooks: match watch.options.look_only {
                    true => Hooks::default(),
                    false => watch.hooks.clone(),
                },
                reporter: watch.reporter.clone(),
                context: CallContext {
                    app: watch.manifest.app.name.to_string(),
                    service: facts.service.clone(),
                    release: facts.release.clone(),
                    planning: false,
                },
                check: self.spec.service(&facts.service).check,
                service,
                interval: watch.options.settings.interval,
                patience: watch.manifest.deploy.timeout,
                id: facts.id.clone(),
            };
            let task = self.checkups.spawn(checkup.go_on(self.to.clone()));
            self.looked_at.insert(facts.id.clone(), task);
        }
        // Those that were ended are no more than remembered.
        while self.checkups.try_join_next().is_some() {}
    }
}
