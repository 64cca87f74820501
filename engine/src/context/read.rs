//! Reads one file of a context, for those who may not read anything else.

use std::fs::File;
use std::io::Read;

use super::{Context, ContextError, Kind};

impl Context {
    /// The contents of one file, at most `limit` bytes.
    ///
    /// Only files that are sent can be read, so not those that are ignored, which is where
    /// secrets are. A symbolic link is followed where it leads to such a file.
    pub fn read_file(&self, path: &str, limit: u64) -> Result<Vec<u8>, ContextError> {
        let missing = || ContextError::NoSuchFile {
            path: path.to_owned(),
        };
        let too_large = || ContextError::TooLarge {
            path: path.to_owned(),
            limit,
        };
        if !self.has_file(path) {
            return Err(missing());
        }
        let full = self.inner.root.join(path);
        let read = |source| ContextError::Read {
            path: full.clone(),
            source,
        };

        let kind = |path: &str| self.inner.entries.get(path).map(|entry| &entry.kind);
        let real = match kind(path) {
            Some(Kind::Contents(contents)) => {
                return match contents.len() as u64 > limit {
                    true => Err(too_large()),
                    false => Ok(contents.to_vec()),
                };
            }
            Some(Kind::File) => full.clone(),
            // Resolved by the system, and then looked up again: where it leads has to be a
            // file that is sent, under its own name.
            _ => {
                let root = self.inner.root.canonicalize().map_err(read)?;
                let real = full.canonicalize().map_err(|_| missing())?;
                let inside = real.strip_prefix(&root).ok().and_then(|path| path.to_str());
                let inside = inside.ok_or_else(missing)?;
                match kind(inside) {
                    Some(Kind::File) => real,
                    Some(Kind::Contents(_)) => return self.read_file(inside, limit),
                    _ => return Err(missing()),
                }
            }
        };
        let mut contents = Vec::new();
        let mut file = File::open(real)
            .map_err(read)?
            .take(limit.saturating_add(1));
        file.read_to_end(&mut contents).map_err(read)?;
        match contents.len() as u64 > limit {
            true => Err(too_large()),
            false => Ok(contents),
        }
    }
}
