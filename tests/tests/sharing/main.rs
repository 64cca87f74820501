//! Plugins that one team publishes in a registry, and another runs.

mod faults;
mod provenance;
mod publishing;
mod registries;
mod trust;

use std::path::Path;

use rengine_tests::registry::Registry;

/// The largest file that the registry has: the component.
fn largest(registry: &Registry) -> std::path::PathBuf {
    fn walk(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path().is_dir() {
                true => walk(&entry.path(), found),
                false => found.push(entry.path()),
            }
        }
    }
    let mut found = Vec::new();
    walk(&registry.data(), &mut found);
    let size = |path: &std::path::PathBuf| std::fs::metadata(path).expect("there").len();
    found.into_iter().max_by_key(size).expect("a file")
}
