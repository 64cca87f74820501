//! What an author says of a plugin before it is published: `plugin.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::Deserialize;
use thiserror::Error;

use crate::app::ByteSize;

/// The largest README that goes with a plugin, in bytes: manifests are limited, too.
const MAX_README_BYTES: u64 = 64 << 10;
/// The largest file of metadata, in bytes.
const MAX_METADATA_BYTES: u64 = 64 << 10;

/// What an author says of a plugin: `plugin.toml` beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metadata {
    /// Its name; the last part of the repository's path if it says none.
    pub name: Option<String>,
    /// What it does, in a sentence.
    pub description: Option<String>,
    /// An SPDX expression.
    pub license: Option<String>,
    /// Where its source is.
    pub source: Option<String>,
    /// A file with more words on it, beside this one.
    pub readme: Option<PathBuf>,
    /// The grants that it would need, each with a sentence that says what for.
    pub grants: BTreeMap<String, String>,
    /// The text of `readme`.
    #[serde(skip)]
    pub readme_text: Option<String>,
    /// The revision of its source.
    #[serde(skip)]
    pub revision: Option<String>,
}

/// What is wrong with a plugin's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("{}: {reason}", path.display())]
pub struct MetadataError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong; with line and column, where there is one.
    pub reason: String,
    /// What to write.
    #[help]
    pub help: Option<String>,
}

/// Grants as plugins.toml names them.
const GRANT_NAMES: [&str; 13] = [
    "bind-mounts",
    "cap-add",
    "context",
    "devices",
    "docker-socket",
    "env",
    "exec",
    "host-namespaces",
    "http",
    "privileged",
    "secrets",
    "security-options",
    "state",
];

impl Metadata {
    /// Reads a file, and the README that it names.
    ///
    /// # Errors
    ///
    /// If one can't be read, or says what can't be meant.
    pub fn load(path: &Path) -> Result<Self, MetadataError> {
        let error = |reason: String, help: Option<String>| MetadataError {
            path: path.to_owned(),
            reason,
            help,
        };
        let text = text(path, MAX_METADATA_BYTES)?;
        let mut read: Self = toml::from_str(&text).map_err(|wrong| {
            let line = wrong
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            error(
                format!("line {line}: {}", wrong.message()),
                Some("it has name, description, license, source, readme, and [grants]".to_owned()),
            )
        })?;
        for name in read.grants.keys() {
            if !GRANT_NAMES.contains(&name.as_str()) {
                let near = GRANT_NAMES
                    .iter()
                    .max_by_key(|known| (strsim::jaro(known, name) * 1000.0) as u32);
                let help = near.map(|near| format!("did you mean `{near}`?"));
                return Err(error(format!("there is no grant `{name}`"), help));
            }
        }
        if let Some(readme) = &read.readme {
            let path = path.with_file_name("").join(readme);
            read.readme_text = Some(self::text(&path, MAX_README_BYTES)?);
        }
        Ok(read)
    }
}

fn text(path: &Path, limit: u64) -> Result<String, MetadataError> {
    let error = |reason: String| MetadataError {
        path: path.to_owned(),
        reason,
        help: None,
    };
    let facts = std::fs::metadata(path).map_err(|wrong| error(wrong.to_string()))?;
    if facts.len() > limit {
        return Err(error(format!("it is larger than {}", ByteSize(limit))));
    }
    std::fs::read_to_string(path).map_err(|wrong| error(wrong.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_checked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugin.toml");
        let load = |text: &str| {
            std::fs::write(&path, text).expect("written");
            Metadata::load(&path)
        };
        std::fs::write(folder.path().join("README.md"), "# Words\n").expect("written");
        let read = load("license = \"MIT\"\nreadme = \"README.md\"\n[grants]\nhttp = \"why\"\n");
        assert_eq!(
            read.expect("readable").readme_text.as_deref(),
            Some("# Words\n")
        );
        for (text, said) in [
            ("licence = \"MIT\"", "line 1"),
            ("[grants]\nhtpp = \"why\"", "no grant `htpp`"),
            ("readme = \"NO.md\"", "NO.md"),
        ] {
            let error = load(text).expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
