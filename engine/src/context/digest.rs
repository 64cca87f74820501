//! The digest of a context: the same for two contexts that a builder can't tell apart.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::memory::{Memory, Stamp};
use super::{Context, ContextError, Entry, Kind};

/// A SHA-256 over the paths, types, executable bits and contents of a context's files.
///
/// Times, owners and the other permission bits are no part of it: they differ between two
/// checkouts of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContextDigest([u8; 32]);

impl fmt::Display for ContextDigest {
    /// As `sha256:` and 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Context {
    /// Reads every file and computes the digest of the context, on as many threads as there are
    /// CPUs. Blocks: in async code call it from `spawn_blocking`.
    pub fn digest(&self) -> Result<ContextDigest, ContextError> {
        self.digest_with(&Memory::default())
    }

    /// The same, but does not read files that are as they were in the last deploy from this
    /// folder; what is known of them is kept below `cache`.
    pub fn digest_remembered(&self, cache: &Path) -> Result<ContextDigest, ContextError> {
        self.digest_with(&Memory::open(cache, &self.inner.root))
    }

    fn digest_with(&self, memory: &Memory) -> Result<ContextDigest, ContextError> {
        let mut entries: Vec<(&str, &Entry)> = self.entries_sent().collect();
        // Not the order of the map, in which an ignored Dockerfile comes last.
        entries.sort_unstable_by_key(|(path, _)| *path);
        let contents = self.hash_files(&entries, memory)?;

        let mut all = Sha256::new();
        for ((path, entry), hash) in entries.into_iter().zip(contents) {
            // Each part has its length before it, so no two contexts are written alike.
            let part = |all: &mut Sha256, part: &[u8]| {
                all.update((part.len() as u64).to_le_bytes());
                all.update(part);
            };
            part(&mut all, path.as_bytes());
            match &entry.kind {
                Kind::Directory => part(&mut all, b"folder"),
                Kind::Symlink(target) => {
                    part(&mut all, b"link");
                    part(&mut all, target.as_bytes());
                }
                Kind::File | Kind::Contents(_) => {
                    let executable = entry.mode & 0o111 != 0;
                    part(&mut all, if executable { b"program" } else { b"file" });
                    part(&mut all, &hash);
                }
            }
        }
        Ok(ContextDigest(all.finalize().into()))
    }

    /// The entries with the Dockerfile, whether it is ignored or not.
    pub(super) fn entries_sent(&self) -> impl Iterator<Item = (&str, &Entry)> {
        let dockerfile = self.inner.ignored_dockerfile.as_ref();
        let dockerfile = dockerfile.map(|entry| (self.inner.dockerfile_path.as_str(), entry));
        self.inner
            .entries
            .iter()
            .map(|(path, entry)| (path.as_str(), entry))
            .chain(dockerfile)
    }

    /// The hash of each entry's contents, in the order of `entries`.
    fn hash_files(
        &self,
        entries: &[(&str, &Entry)],
        memory: &Memory,
    ) -> Result<Vec<[u8; 32]>, ContextError> {
        let begun = SystemTime::now();
        let hashes = Mutex::new(vec![Hashed::default(); entries.len()]);
        let failure = Mutex::new(None);
        let next = AtomicUsize::new(0);
        // Threads for a handful of files would take longer than the files.
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(entries.len() / 16 + 1);
        let work = || {
            let mut buffer = vec![0; 128 * 1024];
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((path, entry)) = entries.get(index) else {
                    return;
                };
                let path = self.inner.root.join(path);
                match hash(&path, entry, memory, &mut buffer) {
                    Ok(hashed) => lock(&hashes)[index] = hashed,
                    Err(source) => {
                        *lock(&failure) = Some(ContextError::Read { path, source });
                        next.store(entries.len(), Ordering::Relaxed);
                        return;
                    }
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        if let Some(error) = lock(&failure).take() {
            return Err(error);
        }
        let hashes = hashes
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let known = hashes.iter();
        let known = known.filter_map(|hashed| Some((hashed.stamp?, hashed.contents)));
        memory.keep(known, begun);
        Ok(hashes.into_iter().map(|hashed| hashed.contents).collect())
    }
}

/// A panic in another thread leaves nothing half-written behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What is known of an entry.
#[derive(Debug, Clone, Default)]
struct Hashed {
    /// The hash of its contents; zeros for what has none.
    contents: [u8; 32],
    /// The file as it was before and after it was read.
    stamp: Option<Stamp>,
}

fn hash(path: &Path, entry: &Entry, memory: &Memory, buffer: &mut [u8]) -> io::Result<Hashed> {
    match &entry.kind {
        Kind::Directory | Kind::Symlink(_) => Ok(Hashed::default()),
        Kind::Contents(contents) => Ok(Hashed {
            contents: Sha256::digest(contents).into(),
            stamp: None,
        }),
        Kind::File => {
            let before = Stamp::of(&fs::symlink_metadata(path)?);
            if let Some(contents) = memory.get(&before) {
                return Ok(Hashed {
                    contents,
                    stamp: Some(before),
                });
            }
            let mut file = File::open(path)?;
            let mut hash = Sha256::new();
            loop {
                match file.read(buffer) {
                    Ok(0) => {
                        let after = Stamp::of(&file.metadata()?);
                        return Ok(Hashed {
                            contents: hash.finalize().into(),
                            stamp: (before == after).then_some(after),
                        });
                    }
                    Ok(length) => hash.update(&buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
