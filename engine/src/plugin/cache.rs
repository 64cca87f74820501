//! Compiled code on disk, so that a plugin is compiled once for each machine.

mod checksum;
mod receipt;

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use checksum::{Checksum, is_whole};
use receipt::Receipt;

use crate::stamp::Stamp;

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
        private_file(&path)?;
        if !is_whole(&path) {
            // As after a full disk or a power cut: away with it, and compile anew.
            drop(fs::remove_file(&path));
            return None;
        }
        map(engine, &path)
    }

    /// The component compiled from a plugin's file, and the file's digest; if that was told to
    /// [`Cache::remember`], and neither the file nor the compiled code changed since.
    pub fn recall(&self, engine: &Engine, plugin: &Stamp) -> Option<(Component, String)> {
        let path = self.folder.as_ref()?.join(plugin.file_name());
        private_file(&path)?;
        let receipt: Receipt = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let path = self.path(&receipt.digest)?;
        let code = private_file(&path)?;
        if receipt.plugin != *plugin || receipt.code != code {
            return None;
        }
        Some((map(engine, &path)?, receipt.digest))
    }

    /// Remembers that a plugin's file has a digest, whose code [`Cache::get`] found to be whole.
    pub fn remember(&self, plugin: Stamp, digest: &str) {
        let Some(path) = self.path(digest) else {
            return;
        };
        let Some(code) = private_file(&path) else {
            return;
        };
        if plugin.is_settled() && code.is_settled() {
            let receipt = Receipt {
                plugin,
                code,
                digest: digest.to_owned(),
            };
            if let Ok(text) = serde_json::to_vec(&receipt) {
                // One that a power cut left empty is no receipt, and costs nothing but reading.
                self.write(&plugin.file_name(), &text, |_| Ok(()));
            }
        }
    }

    /// Keeps a component.
    pub fn put(&self, digest: &str, component: &Component) {
        if self.folder.is_none() {
            return;
        }
        let Ok(mut code) = component.serialize() else {
            return;
        };
        let mut sum = Checksum::default();
        sum.add(&code);
        // Behind the code, where a reader of ELF files does not look.
        code.extend_from_slice(&sum.end());
        // So that a power cut leaves no file of the right size with nothing in it.
        self.write(&file_name(digest), &code, File::sync_data);
    }

    /// Writes a file beside and renames it: a reader finds nothing or all of it, also when two
    /// processes write the same, or one is killed half way.
    fn write(&self, name: &str, contents: &[u8], keep: fn(&File) -> io::Result<()>) {
        let Some(folder) = &self.folder else { return };
        let written = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(contents)?;
            keep(file.as_file())?;
            file.persist(folder.join(name))?;
            Ok(())
        };
        // What can't be kept is compiled again.
        let _ = written();
    }

    fn path(&self, digest: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(file_name(digest)))
    }
}

fn file_name(digest: &str) -> String {
    format!("{digest}.cwasm")
}

/// Maps compiled code that [`private_file`] has said yes to, and that is as it was written.
fn map(engine: &Engine, path: &Path) -> Option<Component> {
    // SAFETY: the file is native code, and is run. It was written by `Cache::put`: the folder and
    // the file belong to this user, nobody else can write to them, and neither is a link; its
    // checksum says that it is as it was written, or its stamp that it is as it was when that was
    // looked at. wasmtime checks that it was made by the same version with the same settings.
    #[allow(unsafe_code)]
    let component = unsafe { Component::deserialize_file(engine, path) };
    component.inspect_err(|_| drop(fs::remove_file(path))).ok()
}

/// The stamp of a file that only this user can have written.
fn private_file(path: &Path) -> Option<Stamp> {
    let facts = fs::symlink_metadata(path).ok()?;
    is_private(&facts, false).then(|| Stamp::of(&facts))
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
    let own = rustix::process::geteuid().as_raw() == facts.uid();
    kind && own && facts.mode() & 0o022 == 0
}
