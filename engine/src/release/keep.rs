//! Which releases are kept.

use std::collections::BTreeSet;

use super::{Record, ReleaseOutcome};

/// What nothing needs any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Garbage {
    /// The ids of releases whose records go.
    pub records: Vec<String>,
    /// The ids of images that go.
    pub images: Vec<String>,
}

impl Garbage {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.images.is_empty()
    }
}

/// What can go when the last `keep` releases that succeeded are kept, the one that runs among
/// them, and as many that did not. `images` are those that were built for the app, and `used`
/// those of its containers.
///
/// An image stays that a container has, or a kept release needs. Where no release ever succeeded
/// nothing is known of what is needed, and all stays.
pub fn garbage(records: &[Record], keep: usize, images: &[&str], used: &[&str]) -> Garbage {
    if !records.iter().any(Record::succeeded) {
        return Garbage::default();
    }
    let mut newest: Vec<&Record> = records.iter().collect();
    newest.sort_by_key(|record| std::cmp::Reverse(record.number));
    let (good, bad): (Vec<&Record>, Vec<&Record>) =
        newest.into_iter().partition(|record| record.succeeded());
    let goes = |records: &[&Record]| -> Vec<String> {
        let old = records.iter().skip(keep.max(1));
        let ended = old.filter(|record| record.outcome != ReleaseOutcome::Running);
        ended.map(|record| record.release.clone()).collect()
    };
    let mut gone = goes(&good);
    gone.extend(goes(&bad));
    let kept = records
        .iter()
        .filter(|record| !gone.contains(&record.release));
    let needed = kept.flat_map(|record| record.services.values());
    let needed = needed.filter_map(|service| Some(service.image.as_ref()?.id.as_str()));
    let needed: BTreeSet<&str> = needed.chain(used.iter().copied()).collect();
    let images = images.iter().filter(|image| !needed.contains(**image));
    Garbage {
        images: images.map(|image| (*image).to_owned()).collect(),
        records: gone,
    }
}
