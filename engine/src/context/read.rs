//! Reads single files of a context.

use std::fs::File;
use std::io::{self, Read};

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

    /// Opens a file of the folder, to be sent.
    pub(super) fn open(&self, path: &str) -> Result<FixedSize, ContextError> {
        let opened = File::open(self.inner.root.join(path)).and_then(|file| {
            let metadata = file.metadata()?;
            Ok((file, metadata))
        });
        match opened {
            Ok((file, metadata)) if metadata.is_file() => Ok(FixedSize {
                file,
                left: metadata.len(),
            }),
            Ok(_) => Err(self.changed(path)),
            Err(source) => Err(self.unread(path, source)),
        }
    }

    /// The error for a file that can't be read, or that is no longer what it was.
    pub(super) fn unread(&self, path: &str, source: io::Error) -> ContextError {
        match source.get_ref() {
            Some(inner) if inner.is::<SizeChanged>() => self.changed(path),
            _ => ContextError::Read {
                path: self.inner.root.join(path),
                source,
            },
        }
    }

    /// The error for a file that is not what it was when it was listed.
    pub(super) fn changed(&self, path: &str) -> ContextError {
        ContextError::Changed {
            path: self.inner.root.join(path),
        }
    }
}

/// A file that has to have the size that it had when it was opened: that is what the builder was
/// told. In an archive, a byte more or less would shift everything behind it.
#[derive(Debug)]
pub struct FixedSize {
    file: File,
    left: u64,
}

impl FixedSize {
    /// The bytes that are still to come.
    pub(super) fn left(&self) -> u64 {
        self.left
    }
}

#[derive(Debug, thiserror::Error)]
#[error("its size changed while it was read")]
struct SizeChanged;

impl Read for FixedSize {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = self.file.read(buffer)?;
        match (length as u64, self.left) {
            (0, 0) => Ok(0),
            (length, left) if length == 0 || length > left => Err(io::Error::other(SizeChanged)),
            (read, _) => {
                self.left -= read;
                Ok(length)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_shrank_or_grew_is_an_error() {
        for (left, fits) in [(3, true), (4, false), (2, false), (0, false)] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("file");
            std::fs::write(&path, "abc").expect("a file");
            let mut file = FixedSize {
                file: File::open(path).expect("a file"),
                left,
            };
            let copied = io::copy(&mut file, &mut io::sink());
            assert_eq!(copied.is_ok(), fits, "3 bytes where {left} were announced");
        }
    }
}
