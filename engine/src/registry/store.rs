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

mod fill;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use miette::Diagnostic;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::bounded::bounded;
use super::{Digest, Outline, Signature};
use crate::app::hex;
use crate::stamp::Stamp;
use fill::Turn;

pub(super) use fill::Filling;

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
/// The largest file of signatures that is read, in bytes.
const MAX_SIGNATURES_BYTES: u64 = 16 << 20;
/// How many signatures of one artifact are kept: of several places, each with the newest of its own.
const MAX_SIGNATURES: usize = 256;
/// How old what a writer left has to be before it is nobody's any more.
const STALE: Duration = Duration::from_secs(60 * 60);
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

    /// The signatures that are kept of an artifact. They count for nothing before they are verified.
    pub fn signatures(&self, digest: &Digest) -> Vec<Signature> {
        read_signatures(&self.root.join("signatures").join(digest.hex()))
    }

    /// Keeps the signatures of an artifact, with those that are kept: one artifact may be in several places, each with
    /// signatures of its own.
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
        // Several processes may have some at the same time.
        let turn = format!("{}.sig", digest.hex());
        let _turn = Turn::take(&self.root.join("locks").join(turn))?;
        let mut kept = read_signatures(&path);
        kept.retain(|known| !signatures.contains(known));
        kept.extend_from_slice(signatures);
        let old = kept.len().saturating_sub(MAX_SIGNATURES);
        let text = serde_json::to_vec(kept.get(old..).unwrap_or_default()).unwrap_or_default();
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
            let Ok(facts) = entry.metadata() else {
                continue;
            };
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if format!("sha256:{name}").parse::<Digest>().is_err() {
                // A file that is about to be put in its place, or was by somebody who was killed.
                let written = facts.modified().ok().and_then(|time| time.elapsed().ok());
                if written.is_some_and(|age| age > STALE) {
                    remove(&entry.path(), facts.len())?;
                }
                continue;
            }
            let lock = self.root.join("locks").join(&*name);
            // One that is being filled has a holder, and nobody begins to before it is away.
            if let Some(_turn) = Turn::try_take(&lock) {
                remove(&entry.path(), facts.len())?;
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
    let text = bounded(path, MAX_SIGNATURES_BYTES).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
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
mod tests;
