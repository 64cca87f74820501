//! Digests of files that did not change since they were last read.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::app::hex;

/// What the file begins with; another form has another number.
const MAGIC: &[u8; 8] = b"rengctx2";
/// Numbers of a stamp.
const STAMP: usize = 7;
/// Bytes of a stamp with its digest.
const RECORD: usize = STAMP * 8 + 32;
/// A stamp and its digest.
type Record = [u8; RECORD];
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

    /// As a record has it.
    pub fn bytes(&self) -> [u8; STAMP * 8] {
        let mut bytes = [0; STAMP * 8];
        for (bytes, number) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *bytes = number.to_le_bytes();
        }
        bytes
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
    /// As they are in the file, sorted: a map of a hundred thousand would take half as much again.
    known: Vec<Record>,
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
        let stamp = stamp.bytes();
        let place = self
            .known
            .binary_search_by(|record| record[..STAMP * 8].cmp(&stamp));
        let record = self.known.get(place.ok()?)?;
        record[STAMP * 8..].try_into().ok()
    }

    /// Keeps the digests of a context's files, and forgets all others.
    pub fn keep(&self, files: impl Iterator<Item = (Stamp, [u8; 32])>, now: SystemTime) {
        let Some(path) = &self.path else { return };
        let mut new = false;
        let mut records: Vec<Record> = Vec::new();
        for (stamp, digest) in files.filter(|(stamp, _)| stamp.is_settled(now)) {
            new |= self.get(&stamp).is_none();
            let mut record = [0; RECORD];
            record[..STAMP * 8].copy_from_slice(&stamp.bytes());
            record[STAMP * 8..].copy_from_slice(&digest);
            records.push(record);
        }
        if !new {
            return;
        }
        records.sort_unstable();
        // What can't be kept is read again.
        let _ = write(path, &records);
    }
}

/// Nothing for a file that is not whole, or that somebody else could have written.
fn read(path: &Path) -> Option<Vec<Record>> {
    let mut file = File::open(path).ok()?;
    let facts = file.metadata().ok()?;
    if fs::symlink_metadata(path).ok()?.ino() != facts.ino()
        || !facts.is_file()
        || !is_own(&facts)
        || facts.len() > MAX_BYTES
    {
        return None;
    }
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic).ok()?;
    let length = facts.len().checked_sub((MAGIC.len() + SUM) as u64)?;
    let length = usize::try_from(length).ok()?;
    if magic != *MAGIC || length % RECORD != 0 {
        return None;
    }
    let mut records = vec![[0; RECORD]; length / RECORD];
    file.read_exact(records.as_flattened_mut()).ok()?;
    let mut sum = [0; SUM];
    file.read_exact(&mut sum).ok()?;
    (sum_of(&records) == sum).then_some(records)
}

/// Writes a file beside and renames it: a reader finds all of it, or what was there before.
fn write(path: &Path, records: &[Record]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(MAGIC)?;
    file.write_all(records.as_flattened())?;
    file.write_all(&sum_of(records))?;
    file.persist(path)?;
    Ok(())
}

fn sum_of(records: &[Record]) -> [u8; SUM] {
    let sum = Sha256::new().chain_update(MAGIC);
    sum.chain_update(records.as_flattened()).finalize().into()
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
    use std::fs::FileTimes;

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
