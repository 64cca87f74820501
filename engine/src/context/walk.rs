//! Lists a folder.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::ignore::{Ignore, ParentMatches};
use super::{ContextError, Entry, Kind};

/// Everything in a folder that is not ignored, by path. Sockets, FIFOs and devices are left out,
/// as they are by Docker: no builder has a use for them.
pub(super) fn walk(root: &Path, ignore: &Ignore) -> Result<Found, ContextError> {
    let mut walk = Walk {
        root,
        ignore,
        found: Found::default(),
    };
    walk.folder("", &ParentMatches::default())?;
    Ok(walk.found)
}

/// What a folder has.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// By path.
    pub entries: BTreeMap<String, Entry>,
    /// The files, whatever path leads to them.
    pub files: HashSet<FileId>,
}

/// The file system and number of a file, which stay when it gets another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FileId(u64, u64);

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

struct Walk<'a> {
    root: &'a Path,
    ignore: &'a Ignore,
    found: Found,
}

impl Walk<'_> {
    /// Adds what is in a folder; `folder` is empty for the top.
    fn folder(&mut self, folder: &str, matches: &ParentMatches) -> Result<(), ContextError> {
        let full = self.root.join(folder);
        let read = |source| ContextError::Read {
            path: full.clone(),
            source,
        };
        for item in fs::read_dir(&full).map_err(read)? {
            let item = item.map_err(read)?;
            let name = item.file_name();
            // A name that isn't UTF-8 may still be ignored, by what can be read of it.
            let lossy = name.to_string_lossy();
            let path = if folder.is_empty() {
                lossy.to_string()
            } else {
                format!("{folder}/{lossy}")
            };
            let excluded = self.ignore.excludes(&path, matches);
            // The type is in the folder itself: what is ignored need not even be looked at.
            let is_folder = item
                .file_type()
                .map_err(|source| ContextError::Read {
                    path: item.path(),
                    source,
                })?
                .is_dir();
            if excluded && !(is_folder && self.ignore.may_include_below(&path)) {
                continue;
            }
            if name.to_str().is_none() {
                return Err(ContextError::NotUtf8 { path: item.path() });
            }
            let metadata = item.metadata().map_err(|source| ContextError::Read {
                path: item.path(),
                source,
            })?;
            if is_folder {
                let before = self.found.entries.len();
                self.folder(&path, &self.ignore.enter(&path, matches))?;
                // A folder that is ignored is there for the sake of what is in it only.
                if !excluded || self.found.entries.len() > before {
                    let entry = entry(Kind::Directory, &metadata);
                    self.found.entries.insert(path, entry);
                }
            } else if let Some(kind) = kind(item.path(), &metadata)? {
                if matches!(kind, Kind::File) {
                    self.found.files.insert(FileId::from(&metadata));
                }
                self.found.entries.insert(path, entry(kind, &metadata));
            }
        }
        Ok(())
    }
}

fn kind(path: PathBuf, metadata: &Metadata) -> Result<Option<Kind>, ContextError> {
    let file_type = metadata.file_type();
    if file_type.is_symlink() {
        let target = match fs::read_link(&path) {
            Ok(target) => target,
            Err(source) => return Err(ContextError::Read { path, source }),
        };
        return match target.into_os_string().into_string() {
            Ok(target) => Ok(Some(Kind::Symlink(target))),
            Err(_) => Err(ContextError::NotUtf8 { path }),
        };
    }
    let special = file_type.is_socket()
        || file_type.is_fifo()
        || file_type.is_block_device()
        || file_type.is_char_device();
    Ok((!special).then_some(Kind::File))
}

fn entry(kind: Kind, metadata: &Metadata) -> Entry {
    Entry {
        kind,
        mode: metadata.mode() & 0o7777,
        modified: u64::try_from(metadata.mtime()).unwrap_or(0),
    }
}
