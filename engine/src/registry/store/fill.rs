//! What fills a place in the store: one process at a time, which goes on with what another left.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tokio::io::AsyncSeekExt;

use super::{Store, StoreError, hash, protect};
use crate::registry::Digest;

impl Store {
    /// Takes the turn to fill the place of a digest; `None` if it is there by then.
    pub(in crate::registry) async fn fill(
        &self,
        digest: &Digest,
    ) -> Result<Option<Filling>, StoreError> {
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
}

/// A place in the store that this process fills.
#[derive(Debug)]
pub(in crate::registry) struct Filling {
    file: tokio::fs::File,
    pub(super) partial: PathBuf,
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
pub(super) struct Turn(#[expect(dead_code, reason = "it is held, not read")] File);

impl Turn {
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
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
    pub(super) fn try_take(path: &Path) -> Option<Self> {
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
