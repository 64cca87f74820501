//! What is known of a file without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// How old a change of a file must be. One that comes right after it, in the same tick of the file
/// system's clock, could not be told from it; the coarsest clock, FAT's, has ticks of 2 seconds.
const SETTLED: Duration = Duration::from_secs(3);

/// A file as it was at one time. Whoever changes it, changes this: nobody sets back the time of
/// the last change of an inode, which the kernel keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// As the file system describes it.
    pub fn of(facts: &Metadata) -> Self {
        Self {
            device: facts.dev(),
            inode: facts.ino(),
            size: facts.size(),
            modified: (facts.mtime(), facts.mtime_nsec()),
            changed: (facts.ctime(), facts.ctime_nsec()),
        }
    }

    /// The file's bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// True if a change from now on will show.
    pub fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let latest = self.modified.0.max(self.changed.0);
        now.is_ok_and(|now| {
            let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            now.saturating_sub(latest) > SETTLED.as_secs() as i64
        })
    }

    /// A name for what is kept of the file: each has one at most.
    pub fn file_name(&self) -> String {
        format!("{:x}-{:x}.json", self.device, self.inode)
    }
}
