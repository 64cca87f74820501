//! The records of an app's releases: as a plugin's state, each is in the labels of a volume that
//! holds nothing else.
//!
//! Labels can't be changed, so what becomes of a record is a volume of its own, with a higher
//! version; the one before is removed after. The highest counts, so a process that ends in between
//! leaves the new one.

use std::collections::{BTreeMap, HashMap};

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::ListVolumesOptionsBuilder;

use super::{Docker, DockerError};
use crate::app::Name;
use crate::plan::observed::label;

/// A record that the daemon keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRecord {
    /// The release's id.
    pub release: String,
    /// Which version of the record it is.
    pub version: u64,
    /// What is recorded.
    pub text: String,
    /// The volumes that hold it and versions before it.
    volumes: Vec<String>,
    /// The one of them that counts.
    newest: String,
}

impl Docker {
    /// The records of an app's releases, in the order of their ids.
    pub async fn records(&self, app: &Name) -> Result<Vec<KeptRecord>, DockerError> {
        let filter = [format!("{}={app}", label::APP), label::RECORD.to_owned()];
        let filters = HashMap::from([("label", filter.to_vec())]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let listed = self.client().list_volumes(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list volumes", error))?;
        let mut records: BTreeMap<String, KeptRecord> = BTreeMap::new();
        for volume in listed.volumes.unwrap_or_default() {
            let mut labels = volume.labels;
            // Podman takes one of several labels as enough.
            let own = labels
                .get(label::APP)
                .is_some_and(|name| name == app.as_str());
            let Some(release) = labels.remove(label::RECORD).filter(|_| own) else {
                continue;
            };
            let version = labels.get(label::RECORD_VERSION);
            let version = version
                .and_then(|version| version.parse().ok())
                .unwrap_or(0);
            let record = records
                .entry(release.clone())
                .or_insert_with(|| KeptRecord {
                    release,
                    version,
                    text: String::new(),
                    volumes: Vec::new(),
                    newest: String::new(),
                });
            record.volumes.push(volume.name.clone());
            if version >= record.version {
                record.newest = volume.name;
                record.version = version;
                record.text = labels.remove(label::RECORD_VALUE).unwrap_or_default();
            }
        }
        Ok(records.into_values().collect())
    }

    /// Keeps a version of a record, in the place of the one before it. For who holds the app's lock.
    pub async fn save_record(
        &self,
        app: &Name,
        release: &str,
        version: u64,
        text: String,
    ) -> Result<(), DockerError> {
        let name = volume_name(app, release, version);
        let labels = HashMap::from([
            (label::APP.to_owned(), app.to_string()),
            (label::RECORD.to_owned(), release.to_owned()),
            (label::RECORD_VERSION.to_owned(), version.to_string()),
            (label::RECORD_VALUE.to_owned(), text),
        ]);
        let request = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(labels),
            ..VolumeCreateRequest::default()
        };
        let created = self.client().create_volume(request).await;
        created.map_err(|error| self.error(format!("create the volume {name}"), error))?;
        if let Some(before) = version.checked_sub(1).filter(|before| *before > 0) {
            self.remove_volume(&volume_name(app, release, before))
                .await?;
        }
        Ok(())
    }

    /// Removes a record.
    pub async fn remove_record(&self, record: &KeptRecord) -> Result<(), DockerError> {
        for volume in &record.volumes {
            self.remove_volume(volume).await?;
        }
        Ok(())
    }

    /// Removes what is left of versions before the one that counts.
    pub async fn remove_old_versions(&self, record: &KeptRecord) -> Result<(), DockerError> {
        for volume in record.volumes.iter().filter(|name| **name != record.newest) {
            self.remove_volume(volume).await?;
        }
        Ok(())
    }
}

impl KeptRecord {
    /// True if a version before it is still there.
    pub fn has_leftovers(&self) -> bool {
        self.volumes.len() > 1
    }
}

fn volume_name(app: &Name, release: &str, version: u64) -> String {
    format!("{app}_rengine-release-{release}-{version}")
}
