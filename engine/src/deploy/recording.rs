//! The record of the release that is being made.

use std::time::Instant;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::ledger::{Ledger, add_images};
use super::recorder::Recorder;
use super::{DeployError, Prepared, clean_changes, lock_holder};
use crate::docker::{Docker, DockerError};
use crate::manifest::Manifest;
use crate::plan::container_inputs;
use crate::plan::observed::Observed;
use crate::release::{
    ChangeRecord, GitRevision, ImageRecord, PluginRecord, Record, ReleaseOutcome, Seal,
    ServiceRecord, StepRecord, store,
};

/// What keeps a manifest's secrets out of records.
pub fn seal(manifest: &Manifest) -> Seal {
    let secrets = manifest.secrets.values.iter();
    Seal::new(secrets.map(|(name, secret)| (name.to_string(), secret.clone())))
}

/// A release whose record is begun, and has to be ended.
pub struct Recording {
    record: Record,
    begun: Instant,
}

impl Recording {
    /// Writes down that a release is begun, of this revision of the project.
    pub async fn begin(
        manifest: &Manifest,
        prepared: &Prepared,
        git: Option<GitRevision>,
        ledger: &mut Ledger<'_>,
    ) -> Result<Self, DockerError> {
        let begun = Instant::now();
        let holder = lock_holder("");
        let record = Record {
            format: Record::FORMAT,
            release: prepared.plan.release.clone(),
            app: prepared.app.name.to_string(),
            number: 0,
            outcome: ReleaseOutcome::Running,
            error: None,
            rollback_to: (prepared.rollback.as_ref()).map(|target| target.release.clone()),
            started: Timestamp::now(),
            took_ms: None,
            user: holder.user,
            host: holder.host,
            by: (prepared.asker.as_ref()).map(|asker| asker.command.to_owned()),
            reason: (prepared.asker.as_ref()).map(|asker| {
                let redactor = manifest.redactor();
                redactor.redact(&asker.reason).into_owned()
            }),
            rengine: env!("CARGO_PKG_VERSION").to_owned(),
            git: match &prepared.rollback {
                // What runs is of that revision, whatever is checked out now.
                Some(target) => target.git.clone(),
                None => git,
            },
            plugins: plugins(prepared),
            services: services(prepared),
            changes: changes(manifest, prepared),
            steps: Vec::new(),
            spec: store(&prepared.whole, &seal(manifest)),
        };
        let record = ledger.begin(record).await?;
        Ok(Self { record, begun })
    }

    /// Writes down how it ended.
    pub async fn end(
        mut self,
        manifest: &Manifest,
        result: &Result<(), DeployError>,
        recorder: &Recorder,
        images: Images<'_>,
        ledger: &mut Ledger<'_>,
    ) -> Result<(), DockerError> {
        let record = &mut self.record;
        let told = recorder.record();
        record.outcome = match result {
            Ok(()) => ReleaseOutcome::Succeeded,
            Err(DeployError::Interrupted) => ReleaseOutcome::Interrupted,
            Err(_) if told.rolled_back => ReleaseOutcome::RolledBack,
            Err(_) => ReleaseOutcome::Failed,
        };
        let redactor = manifest.secrets.redactor();
        record.error = result
            .as_ref()
            .err()
            .map(|error| redactor.redact(&error.to_string()).into_owned());
        record.took_ms = Some(millis(self.begun.elapsed()));
        record.steps = told.steps.iter().map(step).collect();
        match images {
            Images::Run(observed, docker) => {
                add_images(record, observed);
                add_digests(record, docker).await?;
            }
            Images::Made(made) => add_made(record, made),
        }
        ledger.end(&self.record).await
    }
}

/// What is known of a release's images at its end.
pub enum Images<'a> {
    /// Its containers run, and have them.
    Run(&'a Observed, &'a Docker),
    /// It failed: those that were made for it, by service.
    Made(Vec<(String, String)>),
}

/// What each service is, with the ports that the edge has in its stead.
pub fn services(prepared: &Prepared) -> IndexMap<String, ServiceRecord> {
    let wanted = &prepared.wanted;
    let services = prepared.whole.services.values().map(|service| {
        let image = service.image.reference().map(|reference| ImageRecord {
            id: String::new(),
            reference: Some(reference.to_owned()),
            digest: None,
        });
        let built = wanted.services.iter().find(|one| one.name == service.name);
        let record = ServiceRecord {
            image,
            build: built
                .map(|one| one.build_inputs.clone())
                .unwrap_or_default(),
            replicas: service.replicas,
            container: container_inputs(&service.container, &wanted.redactor),
        };
        (service.name.to_string(), record)
    });
    services.collect()
}

fn plugins(prepared: &Prepared) -> Vec<PluginRecord> {
    if let Some(target) = &prepared.rollback {
        return target.plugins.clone();
    }
    prepared.hooks.records()
}

fn changes(manifest: &Manifest, prepared: &Prepared) -> Vec<ChangeRecord> {
    if let Some(target) = &prepared.rollback {
        return target.changes.clone();
    }
    let mut changes = prepared.changes.clone();
    clean_changes(&mut changes, &manifest.secrets.redactor());
    let changes = changes.into_iter().map(|change| ChangeRecord {
        plugin: change.plugin,
        hook: change.hook.to_string(),
        service: change.service,
        field: change.field,
        old: change.old,
        new: change.new,
    });
    changes.collect()
}

fn step(step: &crate::plugin::FinishedStep) -> StepRecord {
    StepRecord {
        operation: step.operation.to_owned(),
        service: step.service.clone(),
        ms: millis(step.took),
        succeeded: step.succeeded,
    }
}

/// The digests of images that come from a registry.
async fn add_digests(record: &mut Record, docker: &Docker) -> Result<(), DockerError> {
    let images = record.services.values_mut();
    for image in images.filter_map(|service| service.image.as_mut()) {
        if image.reference.is_some() && !image.id.is_empty() {
            image.digest = docker
                .image(&image.id)
                .await?
                .and_then(|facts| facts.digest);
        }
    }
    Ok(())
}

fn add_made(record: &mut Record, made: Vec<(String, String)>) {
    for (service, id) in made {
        if let Some(service) = record.services.get_mut(&service) {
            let image = service.image.get_or_insert_with(|| ImageRecord {
                id: String::new(),
                reference: None,
                digest: None,
            });
            image.id = id;
        }
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
