//! The SDK for Rust, as it is written into projects.
//!
//! It is on no registry, and its version must fit the rengine that runs the plugin. So each
//! project gets the sources that this rengine was built with: it then builds with nothing but the
//! registry, and is built the same for ever.

use std::path::Path;

use super::write;
use crate::author::render::render;
use crate::author::{AuthorError, wit};

/// Where the SDK goes. Its bindings are made from `../../wit`, which is the project's `wit`.
const FOLDER: &str = "vendor/rengine-plugin";
const MANIFEST: &str = include_str!("../templates/rust/sdk.toml.in");

macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../plugins/sdk-rust/src/", $path)))),*]
    };
}

const SOURCES: &[(&str, &str)] = sources![
    "bindings.rs",
    "config.rs",
    "config/json.rs",
    "config/tests.rs",
    "config/toggle.rs",
    "config/units.rs",
    "config/value.rs",
    "error.rs",
    "exec.rs",
    "export.rs",
    "fetch.rs",
    "http.rs",
    "lib.rs",
    "log.rs",
    "refusal.rs",
    "secrets.rs",
    "state.rs",
];

pub fn write_sdk(dir: &Path) -> Result<(), AuthorError> {
    for (path, text) in wit::FILES {
        write(&dir.join("wit").join(path), text)?;
    }
    let sdk = dir.join(FOLDER);
    write(&sdk.join("Cargo.toml"), render(MANIFEST, "", &[]))?;
    for (path, text) in SOURCES {
        write(&sdk.join("src").join(path), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdk() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/sdk-rust")
    }

    #[test]
    fn every_source_of_the_sdk_is_there() {
        let mut folders = vec![sdk().join("src")];
        let mut wanted = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => wanted.push(path),
                }
            }
        }
        wanted.sort();
        let mut told: Vec<_> = SOURCES
            .iter()
            .map(|(path, _)| sdk().join("src").join(path))
            .collect();
        told.sort();
        assert_eq!(told, wanted);
    }

    #[test]
    fn its_dependencies_are_those_of_the_sdk() {
        let own = std::fs::read_to_string(sdk().join("Cargo.toml")).expect("the manifest");
        let own: toml::Table = own.parse().expect("TOML");
        let written: toml::Table = render(MANIFEST, "", &[]).parse().expect("TOML");
        assert_eq!(written["dependencies"], own["dependencies"]);
    }
}
