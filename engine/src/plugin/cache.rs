//! Compiled code on disk, so that a plugin is compiled once for each machine.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

/// A folder of compiled components, named by the digest of what they were compiled from.
///
/// wasmtime's own cache compresses, and takes 140 ms to unpack a Python plugin; files that are
/// mapped take 3 ms. Mapping trusts the file, so the folder must be the user's alone.
///
/// The cache may fail in any way without harm: what it does not have is compiled.
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// Opens the part of the cache below `root` that belongs to this engine's version and
    /// settings.
    pub fn open(root: Option<&Path>, engine: &Engine) -> Self {
        let mut hasher = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let folder = root.and_then(|root| {
            let folder = root.join(format!("compiled-{:016x}", hasher.finish()));
            private_folder(&folder).then_some(folder)
        });
        Self { folder }
    }

    /// The component compiled from the file of this digest.
    pub fn get(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest)?;
        if !is_private(&fs::symlink_metadata(&path).ok()?, false) {
            return None;
        }
        if !is_whole(&path) {
            // As after a full disk or a power cut: away with it, and compile anew.
            drop(fs::remove_file(&path));
            return None;
        }
        // SAFETY: the file is native code, and is run. It was written by `put`: the folder and
        // the file belong to this user, nobody else can write to them, and neither is a link;
        // its checksum says that it is as it was written. wasmtime checks that it was made by
        // the same version with the same settings.
        #[allow(unsafe_code)]
        let component = unsafe { Component::deserialize_file(engine, &path) };
        component.inspect_err(|_| drop(fs::remove_file(&path))).ok()
    }

    /// Keeps a component.
    pub fn put(&self, digest: &str, component: &Component) {
        let Some(path) = self.path(digest) else {
            return;
        };
        let Some(folder) = &self.folder else { return };
        let Ok(mut code) = component.serialize() else {
            return;
        };
        let mut sum = Checksum::default();
        sum.add(&code);
        // Behind the code, where a reader of ELF files does not look.
        code.extend_from_slice(&sum.end());
        // Written beside and renamed: a reader finds nothing or all of it, also when two
        // processes write the same, or one is killed half way.
        let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
            std::io::Write::write_all(&mut file, &code)?;
            Ok(file)
        });
        if let Ok(file) = written {
            let _ = file.persist(path);
        }
    }

    fn path(&self, digest: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{digest}.cwasm")))
    }
}

/// Makes a folder that only this user can reach; false if it is there and others can write
/// to it.
fn private_folder(folder: &Path) -> bool {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.is_ok() && fs::symlink_metadata(folder).is_ok_and(|facts| is_private(&facts, true))
}

fn is_private(facts: &fs::Metadata, folder: bool) -> bool {
    use std::os::unix::fs::MetadataExt;
    let kind = if folder {
        facts.is_dir()
    } else {
        facts.is_file()
    };
    // The owner of a process' own entry is the effective user, without a crate for geteuid.
    let own = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == facts.uid());
    kind && own && facts.mode() & 0o022 == 0
}

/// True if a file ends in the checksum of what comes before.
fn is_whole(path: &Path) -> bool {
    let check = || -> std::io::Result<bool> {
        let mut file = fs::File::open(path)?;
        let size = file.metadata()?.len();
        let Some(mut left) = size.checked_sub(CHECKSUM_BYTES as u64) else {
            return Ok(false);
        };
        let mut sum = Checksum::default();
        // A multiple of the checksum's block, so that only the last part is not.
        let mut buffer = vec![0; 256 << 10];
        while left > 0 {
            let part = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            file.read_exact(&mut buffer[..part])?;
            sum.add(&buffer[..part]);
            left -= part as u64;
        }
        let mut expected = [0; CHECKSUM_BYTES];
        file.read_exact(&mut expected)?;
        Ok(sum.end() == expected)
    };
    check().unwrap_or(false)
}

const LANES: usize = 4;
const CHECKSUM_BYTES: usize = LANES * 8;

/// A checksum against accidents, as fast as memory: a digest would take longer than all else
/// that loading does. Whoever can change the file on purpose can change the checksum as well.
///
/// Each lane is FNV-1a with words for bytes, and a rotation, so that high bits matter too. Every
/// step can be undone, so two inputs of one length that differ in one word never agree.
#[derive(Debug)]
struct Checksum([u64; LANES]);

impl Default for Checksum {
    fn default() -> Self {
        Self([1, 2, 3, 4])
    }
}

impl Checksum {
    /// Adds a part. All but the last must be multiples of [`CHECKSUM_BYTES`].
    fn add(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<CHECKSUM_BYTES>();
        for block in blocks {
            self.block(block);
        }
        if !rest.is_empty() {
            let mut block = [0; CHECKSUM_BYTES];
            block[..rest.len()].copy_from_slice(rest);
            self.block(&block);
            // So that zeros at the end count.
            self.0[0] ^= rest.len() as u64;
        }
    }

    fn block(&mut self, block: &[u8; CHECKSUM_BYTES]) {
        let (words, _) = block.as_chunks::<8>();
        for (lane, word) in self.0.iter_mut().zip(words) {
            *lane = (*lane ^ u64::from_le_bytes(*word))
                .wrapping_mul(0x0000_0100_0000_01b3)
                .rotate_left(23);
        }
    }

    fn end(&self) -> [u8; CHECKSUM_BYTES] {
        let mut bytes = [0; CHECKSUM_BYTES];
        for (part, lane) in bytes.chunks_exact_mut(8).zip(self.0) {
            part.copy_from_slice(&lane.to_le_bytes());
        }
        bytes
    }
}
