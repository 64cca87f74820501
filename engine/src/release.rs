//! Releases: what is recorded of a deploy, how two of them differ, and which are kept.
//!
//! Pure: a record is a value with a text form. Where records are kept is `docker`'s business, when
//! they are made is `deploy`'s.

mod damage;
mod diff;
mod keep;
mod model;
mod policy;
mod provenance;
mod record;
mod seal;
mod sources;
mod stored;
#[cfg(test)]
mod tests;

pub use damage::Damage;
pub use diff::{FieldDiff, ReleaseDiff, diff};
pub use keep::{Garbage, garbage};
pub use policy::{BaseRecord, OverrideRecord, PolicyRecord, RequiredRecord};
pub use provenance::{PAYLOAD_TYPE, PREDICATE, Places, STATEMENT, provenance};
pub use record::{
    ArtifactRecord, ChangeRecord, GitRevision, ImageRecord, PluginRecord, Record, ReleaseOutcome,
    ServiceRecord, SignerRecord, StepRecord, close, find, previous, running,
};
pub use seal::{Seal, Unseal};

use crate::app::App;

/// An app as it is put into a record: all that is needed to run it again from images that are
/// there, without secrets.
pub fn store(app: &App, seal: &Seal) -> serde_json::Value {
    stored::Stored::store(app, seal)
}

/// The app of a record. What its images were built from is not in it.
///
/// # Errors
///
/// If the record is damaged or of another version, or needs a secret that `unseal` does not have.
pub fn restore(value: &serde_json::Value, unseal: &Unseal<'_>) -> Result<App, Damage> {
    let mut app: App = stored::Stored::restore(value, unseal)?;
    unseal.files(&mut app)?;
    Ok(app)
}
