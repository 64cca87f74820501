//! Plugins that were built against earlier versions of the interface load and run for ever: the
//! components in `tests/compat`, which are never built again.

mod files;
mod hooks;
mod scene;
mod shape;
mod version;

use std::path::{Path, PathBuf};

/// A folder for each version that was ever there.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/compat")
}

/// Every version that was ever there, with its folder.
fn versions() -> Vec<(String, PathBuf)> {
    let mut versions: Vec<_> = std::fs::read_dir(root())
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| (entry.file_name().into_string().expect("text"), entry.path()))
        .collect();
    versions.sort();
    assert!(!versions.is_empty());
    versions
}
