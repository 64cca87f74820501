//! Changing a plugins.toml that a person wrote, and nothing in it but what is asked for.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;
use toml_edit::{DocumentMut, Item, Table, value};

use super::{ManifestError, read};

/// What keeps a plugins.toml from being changed.
#[derive(Debug, Error, Diagnostic)]
pub enum EditError {
    /// It can't be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Read(#[from] ManifestError),
    /// It is no TOML.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It has a plugin of this name already.
    #[error("{} has a plugin `{name}` already", path.display())]
    #[diagnostic(help(
        "name this one with `--name`, or take a newer one with `rengine plugin update {name}`"
    ))]
    Taken {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// It has no plugin of this name.
    #[error("{} has no plugin `{name}`", path.display())]
    #[diagnostic(help("its plugins: {known}"))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// Those that it has.
        known: String,
    },
    /// It can't be written.
    #[error("{} can't be written: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A plugins.toml that is being changed; nothing is written before [`Edit::save`].
#[derive(Debug)]
pub struct Edit {
    path: PathBuf,
    document: DocumentMut,
}

impl Edit {
    /// Reads a file; one that is not there is empty.
    ///
    /// # Errors
    ///
    /// If it can't be read, or is no TOML.
    pub fn open(path: &Path) -> Result<Self, EditError> {
        let text = match read(path) {
            Ok(text) => text,
            Err(ManifestError::Missing { .. }) => String::new(),
            Err(error) => return Err(error.into()),
        };
        let document = text
            .parse()
            .map_err(|error: toml_edit::TomlError| EditError::Invalid {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            path: path.to_owned(),
            document,
        })
    }

    /// Adds a plugin from a registry behind all others.
    ///
    /// # Errors
    ///
    /// If there is one of the name.
    pub fn add(&mut self, name: &str, source: &str) -> Result<(), EditError> {
        let plugins = self.document.entry("plugins").or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        let taken = plugins.get(name).is_some();
        let Some(plugins) = plugins.as_table_like_mut().filter(|_| !taken) else {
            return Err(EditError::Taken {
                path: self.path.clone(),
                name: name.to_owned(),
            });
        };
        let mut table = Table::new();
        table.insert("source", value(source));
        plugins.insert(name, Item::Table(table));
        Ok(())
    }

    /// Says where a plugin comes from.
    ///
    /// # Errors
    ///
    /// If there is none of the name.
    pub fn set_source(&mut self, name: &str, source: &str) -> Result<(), EditError> {
        let unknown = self.unknown(name);
        let plugin = self
            .document
            .get_mut("plugins")
            .and_then(|all| all.get_mut(name));
        let plugin = plugin.and_then(Item::as_table_like_mut).ok_or(unknown)?;
        plugin.insert("source", value(source));
        Ok(())
    }

    /// Removes a plugin, with its settings.
    ///
    /// # Errors
    ///
    /// If there is none of the name.
    pub fn remove(&mut self, name: &str) -> Result<(), EditError> {
        let unknown = self.unknown(name);
        let plugins = self.document.get_mut("plugins");
        let plugins = plugins.and_then(Item::as_table_like_mut);
        let removed = plugins.and_then(|plugins| plugins.remove(name));
        removed.map(drop).ok_or(unknown)
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    ///
    /// If it can't be written.
    pub fn save(&self) -> Result<(), EditError> {
        use std::io::Write;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            let mode = std::fs::metadata(&self.path)
                .map(|facts| facts.permissions())
                .ok();
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(self.document.to_string().as_bytes())?;
            let fresh = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(mode.unwrap_or(fresh))?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().map_err(|error| EditError::Write {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }

    fn unknown(&self, name: &str) -> EditError {
        let plugins = self.document.get("plugins").and_then(Item::as_table_like);
        let known: Vec<_> = plugins
            .iter()
            .flat_map(|plugins| plugins.iter())
            .map(|(name, _)| name)
            .collect();
        EditError::Unknown {
            path: self.path.clone(),
            name: name.to_owned(),
            known: match known.is_empty() {
                true => "none".to_owned(),
                false => known.join(", "),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_else_stays_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugins.toml");
        let text = "# mine\n[app]\nports = [ \"8080:80\" ]   # odd spaces\n\n\
                    [plugins.first]\npath = \"first.wasm\"\nconfig = { a = 1 }\n";
        std::fs::write(&path, text).expect("written");
        let mut edit = Edit::open(&path).expect("readable");
        edit.add("second", "oci://r.example/second:^1.2")
            .expect("added");
        edit.save().expect("written");
        let added = std::fs::read_to_string(&path).expect("readable");
        let more = "\n[plugins.second]\nsource = \"oci://r.example/second:^1.2\"\n";
        assert_eq!(added, format!("{text}{more}"));
        assert!(matches!(
            edit.add("first", "x"),
            Err(EditError::Taken { .. })
        ));
        edit.set_source("second", "oci://r.example/second:2")
            .expect("there");
        edit.remove("second").expect("there");
        edit.save().expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), text);
        let error = edit.remove("secnd").expect_err("there is none");
        assert!(error.to_string().contains("no plugin `secnd`"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugins.toml");
        let mut edit = Edit::open(&path).expect("empty");
        edit.add("one", "oci://r.example/one:1").expect("added");
        edit.save().expect("written");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert_eq!(text, "[plugins.one]\nsource = \"oci://r.example/one:1\"\n");
    }
}
