//! The context as BuildKit takes it: a list of what there is, of which it asks for what it needs.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use sha2::{Digest, Sha256};

use super::follow::{below, follow};
use super::memory::Stamp;
use super::read::FixedSize;
use super::{Context, ContextError, Entry, Kind};

const SECOND: i64 = 1_000_000_000;

/// The folder that a Dockerfile which is ignored is in, if that is ignored, too.
static FOLDER: Entry = Entry {
    kind: Kind::Directory,
    mode: 0o755,
    modified: 0,
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What can be copied into the image.
    Context,
    /// That, and the Dockerfile even if it is ignored.
    Dockerfile,
}

/// One thing in a context, as a builder is told of it before it asks for what is in it.
#[derive(Debug)]
pub struct Listed<'a> {
    /// Relative to the context, with `/`.
    pub path: &'a str,
    /// What it is.
    pub kind: ListedKind<'a>,
    /// Permission bits.
    pub mode: u32,
    /// Bytes of a file, or of a symbolic link's target.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
}

/// What something in a context is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedKind<'a> {
    /// A folder.
    Folder,
    /// A file of the context's folder.
    File,
    /// A file that a plugin made or changed.
    Contents(&'a [u8]),
    /// A file that has this path, too, which comes before it.
    Again(&'a str),
    /// A symbolic link, to this.
    Link(&'a str),
}

impl Context {
    /// Lists what a builder asks for: each folder before what is in it, and each folder's entries in
    /// the order of their bytes, as BuildKit wants them. `paths` is what it needs; all if it is empty.
    /// Blocks.
    ///
    /// BuildKit keeps what it got and asks again only for files of another size or time. So a file that
    /// changed has to have another time, and to the nanosecond. A time in whole seconds was set by
    /// somebody (an archive, a plugin) and says nothing: such files get, as a fraction of their second,
    /// a digest of what the kernel knows of all of them, or of their contents. It is one
    /// fraction, so that what was equally old stays so; images have whole seconds.
    ///
    /// # Errors
    ///
    /// If a file is gone.
    pub fn list(&self, part: Part, paths: &[String]) -> Result<Vec<Listed<'_>>, ContextError> {
        let entries = self.entries_of(part, paths);
        let mut listed = Vec::with_capacity(entries.len());
        let mut stamps = Sha256::new();
        let mut texts = Sha256::new();
        let mut first_paths = HashMap::new();
        for (path, entry) in entries {
            let seconds = i64::try_from(entry.modified).unwrap_or(0);
            let mut one = Listed {
                path,
                kind: ListedKind::Folder,
                mode: entry.mode,
                size: 0,
                modified: seconds.saturating_mul(SECOND),
            };
            match &entry.kind {
                Kind::Directory => {}
                Kind::Symlink(target) => {
                    one.kind = ListedKind::Link(target);
                    one.size = target.len() as u64;
                }
                Kind::Contents(contents) => {
                    one.kind = ListedKind::Contents(contents);
                    one.size = contents.len() as u64;
                    update(&mut texts, path, &Sha256::digest(contents));
                }
                Kind::File => {
                    let metadata = fs::symlink_metadata(self.inner.root.join(path));
                    let metadata = metadata.map_err(|source| self.unread(path, source))?;
                    if !metadata.is_file() {
                        return Err(self.changed(path));
                    }
                    one.kind = ListedKind::File;
                    one.size = metadata.len();
                    if metadata.mtime() >= 0 {
                        let seconds = metadata.mtime().saturating_mul(SECOND);
                        one.modified = seconds.saturating_add(metadata.mtime_nsec());
                    }
                    if one.is_set_by_hand() {
                        update(&mut stamps, path, &Stamp::of(&metadata).bytes());
                    }
                    if metadata.nlink() > 1 {
                        let id = (metadata.dev(), metadata.ino());
                        let first = *first_paths.entry(id).or_insert(path);
                        if first != path {
                            one.kind = ListedKind::Again(first);
                            one.size = 0;
                        }
                    }
                }
            }
            listed.push(one);
        }
        let (stamps, texts) = (fraction(stamps), fraction(texts));
        for one in &mut listed {
            let fraction = match one.kind {
                ListedKind::File | ListedKind::Again(_) if one.is_set_by_hand() => stamps,
                ListedKind::Contents(_) => texts,
                _ => 0,
            };
            one.modified = one.modified.saturating_add(fraction);
        }
        Ok(listed)
    }

    /// Opens a file of a list. Reading it fails if it has not the size that was told.
    ///
    /// # Errors
    ///
    /// If it is gone, or something else now.
    pub fn open_listed<'a>(&self, listed: &Listed<'a>) -> Result<ListedFile<'a>, ContextError> {
        match listed.kind {
            ListedKind::Contents(contents) => Ok(ListedFile::Contents(contents)),
            _ => match self.open(listed.path)? {
                file if file.left() == listed.size => Ok(ListedFile::File(file)),
                _ => Err(self.changed(listed.path)),
            },
        }
    }

    /// The error for a file that could not be read.
    pub fn reading_failed(&self, listed: &Listed<'_>, source: io::Error) -> ContextError {
        self.unread(listed.path, source)
    }

    fn entries_of(&self, part: Part, paths: &[String]) -> Vec<(&str, &Entry)> {
        let all = &self.inner.entries;
        let mut entries: Vec<(&str, &Entry)> = Vec::new();
        let found = match paths {
            [] => None,
            paths => follow(all, paths),
        };
        match &found {
            None => entries.extend(all.iter().map(pair)),
            Some(found) => {
                for path in found {
                    let above = path.match_indices('/').map(|(at, _)| &path[..at]);
                    let here = above.chain([path.as_str()]);
                    entries.extend(here.filter_map(|path| all.get_key_value(path)).map(pair));
                    entries.extend(all.range(below(path)).map(pair));
                }
            }
        }
        if part == Part::Dockerfile
            && let Some(dockerfile) = &self.inner.ignored_dockerfile
        {
            let path = self.inner.dockerfile_path.as_str();
            let is_it = |asked: &String| normal(asked) == path;
            if paths.is_empty() || paths.iter().any(is_it) {
                let above = path.match_indices('/').map(|(at, _)| &path[..at]);
                entries.extend(above.map(|path| (path, all.get(path).unwrap_or(&FOLDER))));
                entries.push((path, dockerfile));
            }
        }
        entries.sort_by(|(a, _), (b, _)| in_order(a, b));
        entries.dedup_by_key(|(path, _)| *path);
        entries
    }
}

impl Listed<'_> {
    /// True if no clock of a kernel gave it this time.
    fn is_set_by_hand(&self) -> bool {
        self.modified % SECOND == 0
    }
}

/// What is in a file of a list.
#[derive(Debug)]
pub enum ListedFile<'a> {
    /// What a plugin wrote.
    Contents(&'a [u8]),
    /// A file of the folder.
    File(FixedSize),
}

impl Read for ListedFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Contents(contents) => contents.read(buffer),
            Self::File(file) => file.read(buffer),
        }
    }
}

fn pair<'a>((path, entry): (&'a String, &'a Entry)) -> (&'a str, &'a Entry) {
    (path, entry)
}

/// A path without what says nothing.
fn normal(path: &str) -> Cow<'_, str> {
    let is_plain = |part: &str| !matches!(part, "" | ".");
    match path.split('/').all(is_plain) {
        true => Cow::Borrowed(path),
        false => {
            let parts: Vec<_> = path.split('/').filter(|part| is_plain(part)).collect();
            Cow::Owned(parts.join("/"))
        }
    }
}

/// The order in which a walk through folders comes by: `/` before everything else.
fn in_order(a: &str, b: &str) -> Ordering {
    let key = |byte| if byte == b'/' { 0 } else { byte };
    a.bytes().map(key).cmp(b.bytes().map(key))
}

fn update(hash: &mut Sha256, path: &str, facts: &[u8]) {
    hash.update((path.len() as u64).to_le_bytes());
    hash.update(path);
    hash.update(facts);
}

/// A part of a second that says what was hashed; never none.
fn fraction(hash: Sha256) -> i64 {
    let digest: [u8; 32] = hash.finalize().into();
    let start = digest
        .iter()
        .take(7)
        .fold(0, |sum, &byte| sum << 8 | i64::from(byte));
    1 + start % (SECOND - 1)
}

#[cfg(test)]
mod tests;
