//! What is recorded of a release.

use std::collections::BTreeSet;
use std::fmt;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{PolicyRecord, Seal};
use crate::app::Fields;

/// One release: what a deploy or a rollback made of an app, or tried to.
///
/// Its JSON form is what the daemon keeps and what `rengine show --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The version of this form: [`Record::FORMAT`].
    pub format: u32,
    /// The release's id.
    pub release: String,
    /// The app.
    pub app: String,
    /// Its number among the app's releases. It grows with each, whatever clocks say.
    pub number: u64,
    /// How it ended.
    pub outcome: ReleaseOutcome,
    /// What went wrong, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The release that it went back to, where it is a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_to: Option<String>,
    /// When it was begun.
    pub started: Timestamp,
    /// How long it took, in milliseconds; `None` while it goes on, or where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Who made it.
    pub user: String,
    /// On which machine.
    pub host: String,
    /// What made it on its own, where no person asked for it: `rengine watch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The version of rengine.
    pub rengine: String,
    /// The project's revision, where it is in a git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitRevision>,
    /// The plugins, in the order in which they run.
    pub plugins: Vec<PluginRecord>,
    /// The bases that plugins.toml extends, and what they require.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRecord>,
    /// What each service is, as plugins made it.
    pub services: IndexMap<String, ServiceRecord>,
    /// What plugins changed on the way.
    pub changes: Vec<ChangeRecord>,
    /// What was done.
    pub steps: Vec<StepRecord>,
    /// The app as plugins made it, as [`super::store`] writes it.
    pub spec: serde_json::Value,
}

/// How a release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseOutcome {
    /// It is being made.
    Running,
    /// It was there.
    Succeeded,
    /// It failed, and what ran before ran again.
    RolledBack,
    /// It failed.
    Failed,
    /// A person stopped it.
    Interrupted,
    /// Whatever made it ended before it did.
    Unfinished,
}

impl fmt::Display for ReleaseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled back",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Unfinished => "unfinished",
        })
    }
}

/// A revision of a git repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GitRevision {
    /// The commit's full id.
    pub commit: String,
    /// True if files of the project are not as they are in that commit.
    pub dirty: bool,
}

impl fmt::Display for GitRevision {
    /// As much of the commit as people use, with a `+` if it is dirty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: usize = 9;
        let commit: String = self.commit.chars().take(DIGITS).collect();
        let dirty = if self.dirty { "+" } else { "" };
        write!(f, "{commit}{dirty}")
    }
}

/// A plugin that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PluginRecord {
    /// Its name in plugins.toml.
    pub name: String,
    /// The sha256 of its file.
    pub digest: String,
    /// What it came as, where that was from a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<ArtifactRecord>,
}

/// What a plugin came as from a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ArtifactRecord {
    /// Where: `HOST/PATH`.
    pub repository: String,
    /// The tag that was picked, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The digest of its manifest, `sha256:…`: what signatures are for.
    pub digest: String,
    /// Whose signatures it had that counted; empty where none was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<SignerRecord>,
}

impl fmt::Display for ArtifactRecord {
    /// As a source names it to the byte: `HOST/PATH:VERSION@sha256:…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            repository, digest, ..
        } = self;
        match &self.version {
            Some(version) => write!(f, "{repository}:{version}@{digest}"),
            None => write!(f, "{repository}@{digest}"),
        }
    }
}

/// Whose signature an artifact had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignerRecord {
    /// What `[trust]` calls the key: its file.
    pub key: String,
    /// The sha256 of the public key, as a SubjectPublicKeyInfo.
    pub fingerprint: String,
}

impl fmt::Display for SignerRecord {
    /// As people compare it: the key's name, and the start of its fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: usize = 16;
        let Self { key, fingerprint } = self;
        let start: String = fingerprint.chars().take(DIGITS).collect();
        write!(f, "{key} ({start})")
    }
}

/// One service of a release.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceRecord {
    /// Its image, once there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRecord>,
    /// What its image was built from; empty where it was not built.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub build: Fields,
    /// How many containers it has.
    pub replicas: u32,
    /// What its containers are made from.
    pub container: Fields,
}

/// An image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageRecord {
    /// Its id on the daemon, `sha256:…`.
    pub id: String,
    /// Its name, where it was not built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Its digest in a registry, `name@sha256:…`, where it is from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// One field that a plugin changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangeRecord {
    /// The plugin.
    pub plugin: String,
    /// The hook.
    pub hook: String,
    /// The service; empty for what is the app's.
    pub service: String,
    /// The field.
    pub field: String,
    /// The value before.
    pub old: Option<String>,
    /// The value after.
    pub new: Option<String>,
}

/// One step of making a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepRecord {
    /// What was done, such as `build`.
    pub operation: String,
    /// For which service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// False for the one that failed.
    pub succeeded: bool,
}

impl Record {
    /// The version of the form that this version of rengine writes.
    pub const FORMAT: u32 = 1;

    /// The record as the daemon keeps it, without secrets.
    pub fn to_text(&self, seal: &Seal) -> String {
        // Types of ours, with string keys: they always serialise.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        seal.clean(&mut text);
        text
    }

    /// Reads what [`Self::to_text`] wrote; `None` for what is no record, or one of a later form.
    pub fn from_text(text: &str) -> Option<Self> {
        let record: Self = serde_json::from_str(text).ok()?;
        (record.format <= Self::FORMAT).then_some(record)
    }

    /// True if what it says was there.
    pub fn succeeded(&self) -> bool {
        self.outcome == ReleaseOutcome::Succeeded
    }
}

/// The release that runs: the last that succeeded, or one that came later and has containers that
/// serve, though whoever made it ended, or failed, before it was all done. `serving` are the
/// releases that have such containers. One that is still being made does not count yet.
pub fn running<'a>(records: &'a [Record], serving: &BTreeSet<&str>) -> Option<&'a Record> {
    let runs = |record: &&Record| match record.outcome {
        ReleaseOutcome::Succeeded => true,
        ReleaseOutcome::Running => false,
        _ => serving.contains(record.release.as_str()),
    };
    let running = records.iter().filter(runs);
    running.max_by_key(|record| record.number)
}

/// Takes releases that are being made for ones that are not made any more, since nobody makes them.
pub fn close(records: &mut [Record]) {
    for record in records {
        if record.outcome == ReleaseOutcome::Running {
            record.outcome = ReleaseOutcome::Unfinished;
        }
    }
}

/// The release to go back to from another: the last before it that succeeded. Of a rollback, the
/// last before the one that it went back to, so that two rollbacks go back twice.
pub fn previous<'a>(records: &'a [Record], from: &Record) -> Option<&'a Record> {
    let origin = from.rollback_to.as_deref();
    let known = origin.and_then(|id| records.iter().find(|record| record.release == id));
    if let Some(origin) = known.filter(|origin| origin.number < from.number) {
        return previous(records, origin);
    }
    let before = records.iter().filter(|record| match origin {
        None => record.number < from.number,
        // Its record is not kept any more; ids sort as time does.
        Some(origin) => record.release.as_str() < origin,
    });
    let before = before.filter(|record| record.succeeded());
    before.max_by_key(|record| record.number)
}

/// The release whose id begins so, or the ids of all that do where it is not one.
pub fn find<'a>(records: &'a [Record], prefix: &str) -> Result<&'a Record, Vec<&'a str>> {
    if let Some(record) = records.iter().find(|record| record.release == prefix) {
        return Ok(record);
    }
    let found = records.iter();
    let found: Vec<_> = found
        .filter(|record| !prefix.is_empty() && record.release.starts_with(prefix))
        .collect();
    match found[..] {
        [record] => Ok(record),
        _ => Err(found.iter().map(|record| record.release.as_str()).collect()),
    }
}
