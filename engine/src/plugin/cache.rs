//! Compiled code on disk, so that a plugin is compiled once for each machine.

use std::fs;
use std::hash::{Hash, Hasher};
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
        // SAFETY: the file is native code, and is run. It was written by `put`: the folder and
        // the file belong to this user, nobody else can write to them, and neither is a link;
        // a file appears under its name only when it is whole. wasmtime checks that it was made
        // by the same version with the same settings.
        #[allow(unsafe_code)]
        let component = unsafe { Component::deserialize_file(engine, &path) };
        component
            // Damaged, as after a full disk: away with it, and compile anew.
            .inspect_err(|_| drop(fs::remove_file(&path)))
            .ok()
    }

    /// Keeps a component.
    pub fn put(&self, digest: &str, component: &Component) {
        let Some(path) = self.path(digest) else {
            return;
        };
        let Some(folder) = &self.folder else { return };
        let Ok(code) = component.serialize() else {
            return;
        };
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
