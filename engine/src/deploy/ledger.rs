//! The records of an app's releases: begun, ended, and kept no longer than they are needed.

use super::recording::services;
use super::{DeployError, Event, Prepared, Reporter};
use crate::app::Name;
use crate::docker::{Docker, DockerError, KeptRecord};
use crate::plan::observed::{Observed, ObservedContainer, ObservedImage};
use crate::release::{Garbage, ImageRecord, Record, ReleaseOutcome, Seal, garbage};

/// The records of an app's releases, in the order in which they were made. What can't be read, as
/// that of a later version of rengine, is left out.
///
/// # Errors
///
/// If the daemon can't be asked.
pub async fn releases(docker: &Docker, app: &Name) -> Result<Vec<Record>, DeployError> {
    Ok(Ledger::load(docker, app, Seal::default()).await?.records())
}

/// The records that the daemon keeps. All but reading them is for who holds the app's lock.
pub struct Ledger<'a> {
    docker: &'a Docker,
    app: &'a Name,
    seal: Seal,
    entries: Vec<(KeptRecord, Record)>,
}

impl<'a> Ledger<'a> {
    pub async fn load(docker: &'a Docker, app: &'a Name, seal: Seal) -> Result<Self, DockerError> {
        let kept = docker.records(app).await?.into_iter();
        let read = |kept: KeptRecord| {
            let record = Record::from_text(&kept.text)?;
            Some((kept, record))
        };
        let mut entries: Vec<_> = kept.filter_map(read).collect();
        entries.sort_by_key(|(_, record)| record.number);
        Ok(Self {
            docker,
            app,
            seal,
            entries,
        })
    }

    pub fn records(self) -> Vec<Record> {
        self.entries.into_iter().map(|(_, record)| record).collect()
    }

    /// The records as they are by now.
    pub fn all(&self) -> Vec<Record> {
        let all = self.entries.iter();
        all.map(|(_, record)| record.clone()).collect()
    }

    /// True if there is something to do though nothing is to be deployed: a deploy was killed
    /// before it had said how it ended, or before it had cleared up.
    pub fn is_untidy(&self, keep: usize, observed: &Observed) -> bool {
        let left = |(kept, record): &(KeptRecord, Record)| {
            record.outcome == ReleaseOutcome::Running || kept.has_leftovers()
        };
        self.entries.iter().any(left) || !self.garbage(keep, observed).is_empty()
    }

    /// Closes the records of deploys that were killed. The lock is held, so none of them goes on.
    pub async fn close_left(&mut self, prepared: &Prepared) -> Result<(), DockerError> {
        for (kept, record) in &mut self.entries {
            if record.outcome == ReleaseOutcome::Running {
                // All that it was to do is there: it had only not come to say so.
                record.outcome = match prepared.plan.is_empty() && is_what_runs(record, prepared) {
                    true => ReleaseOutcome::Succeeded,
                    false => ReleaseOutcome::Unfinished,
                };
                if record.succeeded() {
                    add_images(record, &prepared.observed);
                }
                let text = record.to_text(&self.seal);
                let version = kept.version + 1;
                self.docker
                    .save_record(self.app, &record.release, version, text)
                    .await?;
                kept.version = version;
            } else if kept.has_leftovers() {
                self.docker.remove_old_versions(kept).await?;
            }
        }
        Ok(())
    }

    /// Writes down that a release is begun.
    pub async fn begin(&mut self, mut record: Record) -> Result<Record, DockerError> {
        let last = self.entries.last().map_or(0, |(_, last)| last.number);
        record.number = last + 1;
        let text = record.to_text(&self.seal);
        self.docker
            .save_record(self.app, &record.release, 1, text)
            .await?;
        Ok(record)
    }

    /// Writes down how it ended.
    pub async fn end(&mut self, record: &Record) -> Result<(), DockerError> {
        let text = record.to_text(&self.seal);
        self.docker
            .save_record(self.app, &record.release, 2, text)
            .await
    }

    fn garbage(&self, keep: usize, observed: &Observed) -> Garbage {
        let records = self.all();
        let images: Vec<_> = observed
            .images
            .iter()
            .map(|image| image.id.as_str())
            .collect();
        let used = observed.containers.iter();
        let used: Vec<_> = used.map(|container| container.image_id.as_str()).collect();
        garbage(&records, keep, &images, &used)
    }

    /// Removes what no kept release needs. What can't be removed is told, and is no reason to fail.
    pub async fn clean(
        &self,
        keep: usize,
        prepared: &Prepared,
        observed: &Observed,
        reporter: &dyn Reporter,
    ) {
        let Garbage { records, images } = self.garbage(keep, observed);
        let mut trouble = Vec::new();
        for (kept, record) in &self.entries {
            if records.contains(&record.release) {
                trouble.extend(self.docker.remove_record(kept).await.err());
            }
        }
        for image in observed
            .images
            .iter()
            .filter(|one| images.contains(&one.id))
        {
            trouble.extend(self.remove_image(prepared, image).await.err());
        }
        for error in trouble {
            reporter.report(Event::Warning {
                message: format!("what is left of old releases could not be removed: {error}"),
                help: None,
            });
        }
    }

    /// Takes the names from an image that are rengine's own; the last one takes the image with it.
    async fn remove_image(
        &self,
        prepared: &Prepared,
        image: &ObservedImage,
    ) -> Result<(), DockerError> {
        let repository = image.service.as_ref();
        let repository = repository.map(|service| prepared.app.repository(service));
        let own = |tag: &&String| {
            let name = tag.rsplit_once(':').map_or(tag.as_str(), |(name, _)| name);
            let short = ["docker.io/library/", "localhost/"];
            let short = short.iter().find_map(|prefix| name.strip_prefix(prefix));
            Some(short.unwrap_or(name)) == repository.as_deref()
        };
        let (own, others): (Vec<_>, Vec<_>) = image.tags.iter().partition(own);
        let names = own.into_iter().cloned();
        // Somebody else's name keeps it.
        let id = others.is_empty().then(|| image.id.clone());
        for name in names.chain(id) {
            match self.docker.remove_image(&name).await {
                // A container of somebody's own, or an image that was built upon it, needs it.
                Err(DockerError::Daemon {
                    status: Some(409), ..
                }) => return Ok(()),
                removed => removed?,
            }
        }
        Ok(())
    }
}

/// True if what a record says is what is wanted now.
fn is_what_runs(record: &Record, prepared: &Prepared) -> bool {
    let now = services(prepared);
    now.len() == record.services.len()
        && now.iter().all(|(name, now)| {
            record.services.get(name).is_some_and(|then| {
                then.container == now.container
                    && then.build == now.build
                    && then.replicas == now.replicas
            })
        })
}

/// Notes the images that the services' containers have.
pub fn add_images(record: &mut Record, observed: &Observed) {
    for (name, service) in &mut record.services {
        let own = |container: &&ObservedContainer| {
            let service = container.service.as_ref();
            service.is_some_and(|service| service.as_str() == name) && !container.is_candidate()
        };
        let newest = observed.containers.iter().rev().find(own);
        if let Some(container) = newest {
            let image = service.image.get_or_insert_with(|| ImageRecord {
                id: String::new(),
                reference: None,
                digest: None,
            });
            image.id.clone_from(&container.image_id);
        }
    }
}
