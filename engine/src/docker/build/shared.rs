//! Under which name BuildKit keeps the files of a context from one build to the next.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::app::{ImageBuild, hex};

/// What tells this machine from others that build from a folder with the same path.
const MACHINE: [&str; 2] = ["/etc/machine-id", "/proc/sys/kernel/hostname"];

/// The key of a build: of the machine, the folder, and of what says which of its files are needed, so
/// that several builds from one folder do not take each other's files away.
///
/// It only saves sending files again: another build with this key gets its own files all the same.
pub fn key(build: &ImageBuild, root: &Path) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for file in MACHINE {
        part(&fs::read(file).unwrap_or_default());
    }
    part(root.as_os_str().as_encoded_bytes());
    part(build.dockerfile_path.as_bytes());
    part(build.target.as_deref().unwrap_or_default().as_bytes());
    hex(&hash.finalize())
}
