//! Digests of files that did not change since they were last read.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::app::hex;

/// What the file begins with; another form has another number.
const MAGIC: &[u8; 8] = b"rengctx1";
/// Numbers of a stamp.
const STAMP: usize = 7;
/// Bytes of a stamp with its digest.
const RECORD: usize = STAMP * 8 + 32;
/// Bytes of the digest at the end.
const SUM: usize = 32;
/// How old a file's last change must be: one in the same tick of the file system's clock could
/// not be told from it. The coarsest clock, FAT's, has ticks of 2 seconds.
const SETTLED: Duration = Duration::from_secs(3);
/// The largest file that is read: a million and a half of files.
const MAX_BYTES: u64 = 128 << 20;

/// A file as it was at one time. The kernel keeps the time of an inode's last change, which nobody
/// can set back; so a file that has the same stamp has the same contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp([i64; STAMP]);

impl Stamp {
    pub fn of(facts: &Metadata) -> Self {
        Self([
            facts.dev().cast_signed(),
            facts.ino().cast_signed(),
            facts.size().cast_signed(),
            facts.mtime(),
            facts.mtime_nsec(),
            facts.ctime(),
            facts.ctime_nsec(),
        ])
    }

    /// True if a change from `now` on will show.
    fn is_settled(&self, now: SystemTime) -> bool {
        let [.., modified, _, changed, _] = self.0;
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        now.saturating_sub(modified.max(changed)) > SETTLED.as_secs().cast_signed()
    }
}

/// The digests of one folder's files as they were known, in a file below the user's cache.
///
/// It may fail in any way without harm: what it does not know is read. Two deploys at once write
/// it one after the other, as a whole; the last one counts.
#[derive(Debug, Default)]
pub struct Memory {
    path: Option<PathBuf>,
    known: HashMap<Stamp, [u8; 32]>,
}

impl Memory {
    /// What is known of the files of `context`, in the folder `cache`; nothing if that can be
    /// written to by others.
    pub fn open(cache: &Path, context: &Path) -> Self {
        let folder = cache.join("contexts");
        if !is_private(&folder) {
            return Self::default();
        }
        let name = Sha256::digest(context.as_os_str().as_encoded_bytes());
        let path = folder.join(&hex(&name)[..32]);
        Self {
            known: read(&path).unwrap_or_default(),
            path: Some(path),
        }
    }

    /// The digest of a file that is as it was.
    pub fn get(&self, stamp: &Stamp) -> Option<[u8; 32]> {
        self.known.get(stamp).copied()
    }

    /// Keeps the digests of a context's files, and forgets all others.
    pub fn keep(&self, files: impl Iterator<Item = (Stamp, [u8; 32])>, now: SystemTime) {
        let Some(path) = &self.path else { return };
        let mut new = 0;
        let mut bytes = MAGIC.to_vec();
        for (stamp, digest) in files.filter(|(stamp, _)| stamp.is_settled(now)) {
            new += usize::from(!self.known.contains_key(&stamp));
            for number in stamp.0 {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(&digest);
        }
        if new == 0 {
            return;
        }
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum);
        // What can't be kept is read again.
        let _ = write(path, &bytes);
    }
}

/// Nothing for a file that is not whole, or that somebody else could have written.
fn read(path: &Path) -> Option<HashMap<Stamp, [u8; 32]>> {
    let facts = fs::symlink_metadata(path).ok()?;
    if !facts.is_file() || !is_own(&facts) || facts.len() > MAX_BYTES {
        return None;
    }
    let bytes = fs::read(path).ok()?;
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM)?)?;
    if Sha256::digest(body)[..] != *sum {
        return None;
    }
    let records = body.strip_prefix(MAGIC)?.as_chunks::<RECORD>().0;
    let record = |record: &[u8; RECORD]| {
        let (stamp, digest) = record.split_at(STAMP * 8);
        let mut numbers = [0; STAMP];
        for (number, bytes) in numbers.iter_mut().zip(stamp.as_chunks::<8>().0) {
            *number = i64::from_le_bytes(*bytes);
        }
        Some((Stamp(numbers), digest.try_into().ok()?))
    };
    records.iter().map(record).collect()
}

/// Writes a file beside and renames it: a reader finds all of it, or what was there before.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// Makes the folder; true if it is the user's alone.
fn is_private(folder: &Path) -> bool {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let facts = fs::symlink_metadata(folder);
    made.is_ok() && facts.is_ok_and(|facts| facts.is_dir() && is_own(&facts))
}

fn is_own(facts: &Metadata) -> bool {
    facts.uid() == rustix::process::geteuid().as_raw() && facts.mode() & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};

    use super::*;

    /// A time at which whatever was written up to now has settled.
    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(10)
    }

    fn stamp(path: &Path) -> Stamp {
        Stamp::of(&fs::symlink_metadata(path).expect("a file"))
    }

    #[test]
    fn a_file_that_changed_is_not_known_whatever_its_time_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "one").expect("a file");
        let old = stamp(&file);
        let memory = Memory::open(folder.path(), folder.path());
        memory.keep([(old, [1; 32])].into_iter(), later());
        let memory = Memory::open(folder.path(), folder.path());
        assert_eq!(memory.get(&stamp(&file)), Some([1; 32]));

        let modified = fs::metadata(&file).and_then(|facts| facts.modified());
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&file, "two").expect("a file");
        let times = FileTimes::new().set_modified(modified.expect("a time"));
        let set = File::options().write(true).open(&file);
        set.and_then(|file| file.set_times(times)).expect("a time");
        assert_eq!(memory.get(&stamp(&file)), None);
    }

    #[test]
    fn a_file_that_may_still_change_in_the_same_tick_is_not_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "one").expect("a file");
        let memory = Memory::open(folder.path(), folder.path());
        memory.keep([(stamp(&file), [1; 32])].into_iter(), SystemTime::now());
        let memory = Memory::open(folder.path(), folder.path());
        assert_eq!(memory.get(&stamp(&file)), None);
    }

    #[test]
    fn what_is_damaged_or_not_ones_own_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let stamp = stamp(folder.path());
        let open = || Memory::open(folder.path(), folder.path());
        open().keep([(stamp, [1; 32])].into_iter(), later());
        let path = open().path.expect("a path");
        let whole = fs::read(&path).expect("a file");
        for at in [0, 20, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).expect("a file");
            assert_eq!(open().get(&stamp), None, "byte {at}");
        }
        fs::write(&path, &whole[..whole.len() / 2]).expect("a file");
        assert_eq!(open().get(&stamp), None);
        fs::write(&path, &whole).expect("a file");
        assert_eq!(open().get(&stamp), Some([1; 32]));
        let open_to_all = fs::Permissions::from_mode(0o666);
        fs::set_permissions(&path, open_to_all).expect("permissions");
        assert_eq!(open().get(&stamp), None);
    }
}
