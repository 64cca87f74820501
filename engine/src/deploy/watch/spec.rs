//! What the record of the release that runs says of what is to be watched.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::core::Running;
use crate::app::{App, Condition, HealthCheck, RestartPolicy};
use crate::deploy::ledger::releases;
use crate::deploy::rollback::restore;
use crate::deploy::{DeployError, Event, Reporter};
use crate::docker::Docker;
use crate::manifest::Manifest;
use crate::plan::observed::Observed;
use crate::release::{self, Record};

/// The release that runs, as far as it matters here.
#[derive(Debug, Default)]
pub struct Spec {
    /// It; `None` if nothing was ever deployed.
    pub running: Option<Release>,
    services: BTreeMap<String, ServiceSpec>,
}

/// A release that is there.
#[derive(Debug, Clone)]
pub struct Release {
    /// Its id.
    pub id: String,
    /// Since when it is there.
    since: Timestamp,
    back: Result<String, String>,
}

/// A service, as it is to be.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    /// Its check.
    pub check: Option<HealthCheck>,
    /// False for a job.
    pub lasts: bool,
    /// True if it may end with success, and stay so.
    pub may_end: bool,
}

impl Default for ServiceSpec {
    fn default() -> Self {
        Self {
            check: None,
            lasts: true,
            may_end: false,
        }
    }
}

impl Spec {
    /// Reads it, by what there is. Of a record that can't be used, as of one that needs a secret that is not
    /// here, the checks are those of the manifest. While nobody has the lock, nobody makes a release.
    pub async fn read(
        docker: &Docker,
        manifest: &Manifest,
        reporter: &dyn Reporter,
        before: &Self,
        (observed, locked): (&Observed, bool),
    ) -> Result<Self, DeployError> {
        let mut records = releases(docker, &manifest.app.name).await?;
        if !locked {
            release::close(&mut records);
        }
        let Some(record) = release::running(&records, &observed.serving()) else {
            return Ok(Self::default());
        };
        let running = Some(Release::new(record, &records));
        if before
            .running
            .as_ref()
            .is_some_and(|one| one.id == record.release)
        {
            let services = before.services.clone();
            return Ok(Self { running, services });
        }
        let services = match restore(record, manifest) {
            Ok(app) => services(&app),
            Err(error) => {
                reporter.report(Event::Warning {
                    message: format!(
                        "the checks are those of the project, not of the release: {error}"
                    ),
                    help: miette::Diagnostic::help(&error).map(|help| help.to_string()),
                });
                services(&manifest.app)
            }
        };
        Ok(Self { running, services })
    }

    /// The release's id.
    pub fn id(&self) -> Option<&str> {
        self.running.as_ref().map(|release| release.id.as_str())
    }

    /// What is said of a service.
    pub fn service(&self, name: &str) -> ServiceSpec {
        self.services.get(name).cloned().unwrap_or_default()
    }
}

impl Release {
    fn new(record: &Record, records: &[Record]) -> Self {
        let took = i64::try_from(record.took_ms.unwrap_or_default()).unwrap_or_default();
        let took = jiff::SignedDuration::from_millis(took);
        let back = match &record.rollback_to {
            // There may be a reason for it that nobody here knows; and two bad ones could be
            // brought back in turns for ever.
            Some(target) => Err(format!(
                "it is a rollback to {target}, and from one the watch does not go back further"
            )),
            None => match release::previous(records, record) {
                Some(previous) => Ok(previous.release.clone()),
                None => Err("there is no release before it to go back to".to_owned()),
            },
        };
        Self {
            id: record.release.clone(),
            since: record.started.checked_add(took).unwrap_or(record.started),
            back,
        }
    }

    /// As of a time.
    pub fn at(&self, now: Timestamp) -> Running {
        let age = now.duration_since(self.since);
        Running {
            release: self.id.clone(),
            // One from the future was made on a machine with another clock: it is new.
            age: age.try_into().unwrap_or_default(),
            back: self.back.clone(),
        }
    }
}

fn services(app: &App) -> BTreeMap<String, ServiceSpec> {
    let all = app.services.values();
    let depended = all.clone().flat_map(|service| &service.depends_on);
    let jobs = depended.filter(|(_, wanted)| wanted.condition == Condition::Completed);
    let jobs: BTreeSet<_> = jobs.map(|(name, _)| name).collect();
    let services = all.map(|service| {
        let policy = service.container.restart;
        let spec = ServiceSpec {
            check: service.container.health.clone(),
            lasts: !jobs.contains(&service.name),
            may_end: matches!(policy, RestartPolicy::No | RestartPolicy::OnFailure(_)),
        };
        (service.name.to_string(), spec)
    });
    services.collect()
}
