//! A project's plugins.toml before its bases are there.

use std::path::{Path, PathBuf};

use super::base::{Bases, Fragment};
use super::convert::Env;
use super::{FILE_NAME, Manifest, ManifestError, convert, read};
use crate::compose::Options as ComposeOptions;

/// A project's plugins.toml, or that there is none, before its bases are there.
#[derive(Debug, Clone)]
pub struct Draft {
    dir: PathBuf,
    path: Option<PathBuf>,
    fragment: Fragment,
}

impl Draft {
    /// Reads the file of a folder: `file` (relative to the folder), or `plugins.toml` if it is there, or
    /// nothing but defaults.
    ///
    /// # Errors
    ///
    /// If it can't be read.
    pub fn open(dir: &Path, file: Option<&Path>) -> Result<Self, ManifestError> {
        let dir = std::path::absolute(dir)
            .and_then(std::fs::canonicalize)
            .map_err(|error| ManifestError::read(dir, &error))?;
        let path = file.map_or_else(|| dir.join(FILE_NAME), |file| dir.join(file));
        let (text, path) = match read(&path) {
            Ok(text) => (text, Some(path)),
            Err(ManifestError::Missing { .. }) if file.is_none() => (String::new(), None),
            Err(error) => return Err(error),
        };
        let name = path.as_deref().and_then(Path::file_name);
        let name = name.map_or(FILE_NAME.into(), |name| name.to_string_lossy());
        let home = path.as_deref().and_then(Path::parent).unwrap_or(&dir);
        let fragment = Fragment::project(name.into_owned(), text, dir.clone(), home.to_owned());
        Ok(Self {
            dir,
            path,
            fragment,
        })
    }

    /// The file, or where it would be.
    pub fn path(&self) -> PathBuf {
        let default = || self.dir.join(FILE_NAME);
        self.path.clone().unwrap_or_else(default)
    }

    /// The folder of the app.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it says of bases.
    pub fn fragment(&self) -> &Fragment {
        &self.fragment
    }

    /// Puts it together with its bases. `env` gives environment variables. The app is that of a Compose file,
    /// where one is named, by `compose` too, or there is one and `[app]` names no other.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or says what can't be meant, with line and column; if it changes what a base
    /// requires.
    pub fn finish(
        &self,
        compose: ComposeOptions,
        bases: &Bases,
        env: Env<'_>,
    ) -> Result<Manifest, ManifestError> {
        let (text, path, dir) = (self.fragment.text(), self.path.clone(), self.dir.clone());
        convert::manifest(text, path, dir, Some(compose), bases, env)
    }
}
