//! Where what came from registries is kept on this machine: by its digest, shared by all projects of a
//! user.
//!
//! ```text
//! store/blobs/sha256/<digest>     whole, read-only; appears by a rename
//! store/partial/<digest>          what has come of one that is downloaded; gone on with after a kill
//! store/locks/<digest>            who fills it holds a lock on this, which ends with the process
//! store/used/<digest>             when it was used last, as the time of the file
//! store/outlines/<digest>         what a component exports and imports
//! store/signatures/<digest>       those of an artifact, as its registry had them
//! store/seen/<inode>              says that a blob was read and found to be what its name says
//! ```
//!
//! The folder is this user's alone, and nothing in it is trusted for being there: a blob counts
//! when it has been read and has its digest, and for as long as the inode did not change since.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use miette::Diagnostic;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::io::AsyncSeekExt;

use super::{Digest, Outline, Signature};
use crate::app::hex;
use crate::stamp::Stamp;

/// What is wrong with the store.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("the store of plugins can't be used: {}: {reason}", path.display())]
#[diagnostic(help(
    "see that the folder belongs to you and the disk has room; `rengine plugin cache --prune` makes some. \
     XDG_CACHE_HOME says where it is"
))]
pub struct StoreError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

impl StoreError {
    fn new(path: &Path, error: &io::Error) -> Self {
        Self {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }
}

/// What is in it.
const FOLDERS: [&str; 7] = [
    "blobs/sha256",
    "locks",
    "outlines",
    "partial",
    "seen",
    "signatures",
    "used",
];
/// How old the note of a use may be before it is written again.
const USE_NOTE: Duration = Duration::from_secs(60 * 60);

/// The store. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// A blob that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was used last.
    pub used: SystemTime,
}

impl Store {
    /// The store in a folder, which is made, for this user alone, if it is not there.
    ///
    /// # Errors
    ///
    /// If it can't be made, or others can write to it.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        use std::os::unix::fs::{DirBuilderExt, MetadataExt};
        let store = Self {
            root: root.to_owned(),
        };
        for folder in FOLDERS {
            let path = root.join(folder);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|error| StoreError::new(&path, &error))?;
        }
        let facts = fs::metadata(root).map_err(|error| StoreError::new(root, &error))?;
        let own = rustix::process::geteuid().as_raw() == facts.uid();
        if !own || facts.mode() & 0o022 != 0 {
            return Err(StoreError {
                path: root.to_owned(),
                reason: "others can write to it".to_owned(),
            });
        }
        Ok(store)
    }

    /// The file with a digest, if it is there and whole. One that is not what its name says is removed.
    ///
    /// # Errors
    ///
    /// If it is there and can't be read.
    pub fn get(&self, digest: &Digest) -> Result<Option<PathBuf>, StoreError> {
        let path = self.blob(digest);
        if !self.is(&path, digest)? {
            return Ok(None);
        }
        self.use_now(digest);
        Ok(Some(path))
    }

    /// The bytes with a digest, if they are there and whole.
    ///
    /// # Errors
    ///
    /// If they are there and can't be read.
    pub fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.blob(digest);
        match fs::read(&path) {
            Ok(bytes) if Digest::of(&bytes) == *digest => {
                self.use_now(digest);
                Ok(Some(bytes))
            }
            Ok(_) => {
                fs::remove_file(&path).map_err(|error| StoreError::new(&path, &error))?;
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::new(&path, &error)),
        }
    }

    /// Keeps some bytes.
    ///
    /// # Errors
    ///
    /// If they can't be written.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        use std::io::Write;
        let digest = Digest::of(bytes);
        let path = self.blob(&digest);
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(self.root.join("partial"))?;
            file.write_all(bytes)?;
            // It is small, and read whole whenever it is used: what a crash leaves of it is found then.
            protect(file.as_file())?;
            file.persist(&path)?;
            Ok(())
        };
        match path.exists() && self.is(&path, &digest)? {
            true => {}
            false => write().map_err(|error| StoreError::new(&path, &error))?,
        }
        Ok(digest)
    }

    /// Takes the turn to fill the place of a digest; `None` if it is there by then.
    pub(super) async fn fill(&self, digest: &Digest) -> Result<Option<Filling>, StoreError> {
        let store = self.clone();
        let digest = digest.clone();
        let work = move || {
            if store.get(&digest)?.is_some() {
                return Ok(None);
            }
            let turn = Turn::take(&store.root.join("locks").join(digest.hex()))?;
            // Whoever had the turn before has filled it.
            if store.get(&digest)?.is_some() {
                return Ok(None);
            }
            let partial = store.root.join("partial").join(digest.hex());
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&partial)
                .map_err(|error| StoreError::new(&partial, &error))?;
            Ok(Some(Filling {
                file: tokio::fs::File::from_std(file),
                partial,
                path: store.blob(&digest),
                _turn: turn,
            }))
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// The signatures that are kept of an artifact. They count for nothing before they are verified.
    pub fn signatures(&self, digest: &Digest) -> Vec<Signature> {
        read_signatures(&self.root.join("signatures").join(digest.hex()))
    }

    /// Keeps the signatures of an artifact.
    ///
    /// # Errors
    ///
    /// If they can't be written.
    pub fn put_signatures(
        &self,
        digest: &Digest,
        signatures: &[Signature],
    ) -> Result<(), StoreError> {
        let path = self.root.join("signatures").join(digest.hex());
        let text = serde_json::to_vec(signatures).unwrap_or_default();
        self.write(&path, &text)
            .map_err(|error| StoreError::new(&path, &error))
    }

    /// All that is kept, by digest.
    ///
    /// # Errors
    ///
    /// If the folder can't be read.
    pub fn list(&self) -> Result<Vec<Kept>, StoreError> {
        let folder = self.root.join("blobs/sha256");
        let error = |error: io::Error| StoreError::new(&folder, &error);
        let mut kept = Vec::new();
        for entry in fs::read_dir(&folder).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = entry.file_name();
            let digest = format!("sha256:{}", name.to_string_lossy());
            let (Ok(digest), Ok(facts)) = (digest.parse(), entry.metadata()) else {
                continue;
            };
            kept.push(Kept {
                bytes: facts.len(),
                used: self
                    .used(&digest)
                    .or(facts.modified().ok())
                    .unwrap_or(SystemTime::UNIX_EPOCH),
                digest,
            });
        }
        kept.sort_by(|a, b| a.digest.cmp(&b.digest));
        Ok(kept)
    }

    /// Removes what is kept, but for `but`; and what is left of downloads that nobody goes on with. Says
    /// how many files went, and their bytes.
    ///
    /// # Errors
    ///
    /// If something can't be removed.
    pub fn prune(&self, but: &dyn Fn(&Kept) -> bool) -> Result<(usize, u64), StoreError> {
        let (mut count, mut bytes) = (0, 0);
        let mut remove = |path: &Path, size: u64| match fs::remove_file(path) {
            Ok(()) => {
                count += 1;
                bytes += size;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StoreError::new(path, &error)),
        };
        for kept in self.list()? {
            if !but(&kept) {
                remove(&self.blob(&kept.digest), kept.bytes)?;
            }
        }
        let partial = self.root.join("partial");
        for entry in fs::read_dir(&partial).map_err(|error| StoreError::new(&partial, &error))? {
            let Ok(entry) = entry else { continue };
            let lock = self.root.join("locks").join(entry.file_name());
            // One that is being filled has a holder, and nobody begins to before it is away.
            if let Some(_turn) = Turn::try_take(&lock) {
                remove(
                    &entry.path(),
                    entry.metadata().map_or(0, |facts| facts.len()),
                )?;
            }
        }
        let seen = self.root.join("seen");
        if let Ok(entries) = fs::read_dir(&seen) {
            for entry in entries.flatten() {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok((count, bytes))
    }

    /// True if a file, here or elsewhere, has a digest. One that has another is removed if it is the
    /// store's own.
    pub(super) fn is(&self, path: &Path, digest: &Digest) -> Result<bool, StoreError> {
        let facts = match fs::symlink_metadata(path) {
            Ok(facts) if facts.is_file() => facts,
            Ok(_) => {
                return Err(StoreError {
                    path: path.to_owned(),
                    reason: "it is not a file".to_owned(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StoreError::new(path, &error)),
        };
        let stamp = Stamp::of(&facts);
        let receipt = self.root.join("seen").join(stamp.file_name());
        if let Ok(text) = fs::read(&receipt)
            && serde_json::from_slice(&text).ok() == Some((stamp, digest.clone()))
        {
            return Ok(true);
        }
        let actual = hash(path).map_err(|error| StoreError::new(path, &error))?;
        if actual == *digest {
            if stamp.is_settled()
                && fs::symlink_metadata(path).is_ok_and(|facts| Stamp::of(&facts) == stamp)
                && let Ok(text) = serde_json::to_vec(&(stamp, digest))
            {
                // A receipt that is not written costs nothing but reading.
                let _ = self.write(&receipt, &text);
            }
            return Ok(true);
        }
        if path.starts_with(&self.root) {
            fs::remove_file(path).map_err(|error| StoreError::new(path, &error))?;
        }
        Ok(false)
    }

    /// What a component that is kept here, or was checked elsewhere, exports and imports. It is
    /// read once: the digest says that it stays so.
    ///
    /// # Errors
    ///
    /// If it is no component, in words.
    pub(super) fn outline(&self, digest: &Digest, path: &Path) -> Result<Outline, String> {
        let note = self.root.join("outlines").join(digest.hex());
        let known = fs::read(&note).ok();
        if let Some(outline) = known.and_then(|text| serde_json::from_slice(&text).ok()) {
            return Ok(outline);
        }
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let outline = Outline::of(&bytes)?;
        // One that is not kept costs nothing but reading.
        let _ = self.write(&note, &serde_json::to_vec(&outline).unwrap_or_default());
        Ok(outline)
    }

    /// Notes that a blob is used, for whoever prunes. The time of the last access says little: who
    /// has compiled code does not read the component.
    fn use_now(&self, digest: &Digest) {
        let recent = self.used(digest).is_some_and(|used| {
            SystemTime::now()
                .duration_since(used)
                .is_ok_and(|age| age < USE_NOTE)
        });
        if !recent {
            // One that is not written is as if it had not been used.
            let _ = fs::write(self.root.join("used").join(digest.hex()), "");
        }
    }

    fn used(&self, digest: &Digest) -> Option<SystemTime> {
        let facts = fs::metadata(self.root.join("used").join(digest.hex()));
        facts.ok()?.modified().ok()
    }

    /// Writes a file that appears whole, or not at all.
    fn write(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        use std::io::Write;
        let mut file = tempfile::NamedTempFile::new_in(self.root.join("partial"))?;
        file.write_all(contents)?;
        file.persist(path)?;
        Ok(())
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }
}

/// Reads a file of signatures; what can't be read has none.
pub(super) fn read_signatures(path: &Path) -> Vec<Signature> {
    let text = fs::read(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// A place in the store that this process fills.
#[derive(Debug)]
pub(super) struct Filling {
    file: tokio::fs::File,
    partial: PathBuf,
    path: PathBuf,
    _turn: Turn,
}

impl Filling {
    /// Bytes that are there.
    pub async fn len(&self) -> Result<u64, StoreError> {
        let facts = self.file.metadata().await;
        facts
            .map(|facts| facts.len())
            .map_err(|error| self.error(&error))
    }

    /// Begins anew.
    pub async fn clear(&mut self) -> Result<(), StoreError> {
        let cleared = async {
            self.file.set_len(0).await?;
            self.file.seek(io::SeekFrom::Start(0)).await?;
            Ok(())
        };
        let cleared: io::Result<()> = cleared.await;
        cleared.map_err(|error| self.error(&error))
    }

    pub fn file(&mut self) -> &mut tokio::fs::File {
        &mut self.file
    }

    pub fn error(&self, error: &io::Error) -> StoreError {
        StoreError::new(&self.partial, error)
    }

    /// Puts it in its place, if it is what it should be; otherwise says what it is.
    pub async fn finish(
        &mut self,
        digest: &Digest,
        size: u64,
    ) -> Result<Result<(), String>, StoreError> {
        let (partial, path, digest) = (self.partial.clone(), self.path.clone(), digest.clone());
        let work = move || -> io::Result<Result<(), String>> {
            let file = File::open(&partial)?;
            let bytes = file.metadata()?.len();
            let actual = hash(&partial)?;
            if bytes != size || actual != digest {
                return Ok(Err(match actual == digest {
                    true => format!("{bytes} bytes, not {size}"),
                    false => actual.to_string(),
                }));
            }
            // A partial file has to be one that can be gone on with, so it is sealed in its place.
            file.sync_data()?;
            fs::rename(&partial, &path)?;
            protect(&file)?;
            Ok(Ok(()))
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|error| self.error(&error)),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// The turn to fill a place: a lock of the kernel's, which ends with the process.
#[derive(Debug)]
struct Turn(#[expect(dead_code, reason = "it is held, not read")] File);

impl Turn {
    fn take(path: &Path) -> Result<Self, StoreError> {
        let error = |error: io::Error| StoreError::new(path, &error);
        let file = Self::open(path).map_err(error)?;
        loop {
            match rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self(file)),
                Err(rustix::io::Errno::INTR) => {}
                Err(wrong) => return Err(error(wrong.into())),
            }
        }
    }

    /// The turn, if nobody has it.
    fn try_take(path: &Path) -> Option<Self> {
        let file = Self::open(path).ok()?;
        let taken = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        taken.is_ok().then_some(Self(file))
    }

    fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
    }
}

/// Makes it a file that nobody writes to by mistake.
fn protect(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o400))
}

fn hash(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
    let text = format!("sha256:{}", hex(&hasher.finalize()));
    text.parse()
        .map_err(|_| io::Error::other("a digest that is none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("store")).expect("a store");
        (folder, store)
    }

    #[test]
    fn what_is_kept_comes_back_and_what_was_changed_does_not() {
        let (_folder, store) = store();
        let digest = store.put(b"a component").expect("kept");
        assert_eq!(
            store.put(b"a component").as_ref(),
            Ok(&digest),
            "twice is once"
        );
        let path = store.get(&digest).expect("readable").expect("there");
        assert_eq!(
            store.read(&digest).expect("readable").as_deref(),
            Some(&b"a component"[..])
        );
        // As another program, or a bad disk, may do it.
        fs::remove_file(&path).expect("it was there");
        fs::write(&path, b"A component").expect("written");
        assert_eq!(store.get(&digest), Ok(None), "it has another digest");
        assert!(!path.exists(), "it is away");
        assert_eq!(store.read(&digest), Ok(None));
    }

    #[test]
    fn pruning_leaves_what_is_used_and_what_is_being_filled() {
        let (_folder, store) = store();
        let [used, unused] =
            [&b"used"[..], b"not used"].map(|bytes| store.put(bytes).expect("kept"));
        let filled = Digest::of(b"being filled");
        let partial = store.root.join("partial").join(filled.hex());
        fs::write(&partial, b"being").expect("written");
        let turn = Turn::take(&store.root.join("locks").join(filled.hex())).expect("a turn");
        let gone = store.prune(&|kept| kept.digest == used).expect("pruned");
        assert_eq!(gone, (1, 8));
        assert!(store.get(&used).expect("readable").is_some());
        assert_eq!(store.get(&unused), Ok(None));
        assert!(partial.exists(), "somebody fills it");
        drop(turn);
        assert_eq!(store.prune(&|_| true).expect("pruned"), (1, 5));
    }

    #[test]
    fn what_is_used_is_known_without_being_read() {
        let (_folder, store) = store();
        let digest = store.put(b"used each day").expect("kept");
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let path = store.blob(&digest);
        let file = File::open(&path).expect("there");
        file.set_modified(long_ago).expect("set");
        assert_eq!(store.list().expect("readable")[0].used, long_ago);
        store.get(&digest).expect("readable").expect("there");
        assert!(store.list().expect("readable")[0].used > long_ago);
    }

    #[tokio::test]
    async fn one_that_is_killed_before_it_is_in_place_can_be_gone_on_with() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, store) = store();
        let digest = Digest::of(b"whole");
        let mut filling = store.fill(&digest).await.expect("a turn").expect("to fill");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        tokio::io::AsyncWriteExt::write_all(filling.file(), b"whole")
            .await
            .expect("written");
        tokio::io::AsyncWriteExt::flush(filling.file())
            .await
            .expect("written");
        assert_ne!(mode(&filling.partial) & 0o200, 0, "who goes on can write");
        filling
            .finish(&digest, 5)
            .await
            .expect("readable")
            .expect("it fits");
        assert_eq!(mode(&store.blob(&digest)), 0o400);
    }

    #[tokio::test]
    async fn one_fills_and_the_others_wait() {
        let (_folder, store) = store();
        let bytes = b"downloaded once";
        let digest = Digest::of(bytes);
        let mut first = store.fill(&digest).await.expect("a turn").expect("to fill");
        let waiting = tokio::spawn({
            let (store, digest) = (store.clone(), digest.clone());
            async move { store.fill(&digest).await.map(|filling| filling.is_none()) }
        });
        tokio::io::AsyncWriteExt::write_all(first.file(), bytes)
            .await
            .expect("written");
        tokio::io::AsyncWriteExt::flush(first.file())
            .await
            .expect("written");
        let wrong = first.finish(&digest, 3).await.expect("readable");
        assert_eq!(wrong, Err("15 bytes, not 3".to_owned()));
        first
            .finish(&digest, bytes.len() as u64)
            .await
            .expect("readable")
            .expect("it fits");
        drop(first);
        assert_eq!(waiting.await.expect("ends"), Ok(true), "it is there");
    }

    #[test]
    fn a_folder_of_others_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("set");
        let error = Store::open(folder.path()).expect_err("others can write");
        assert!(error.to_string().contains("others can write"), "{error}");
    }
}
