//! Build contexts: the files of a folder that a builder is sent.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::app::ImageBuild;

mod digest;
mod follow;
mod ignore;
mod listing;
mod memory;
mod pattern;
mod read;
mod report;
mod tar;
mod walk;

pub use digest::ContextDigest;
pub use ignore::Ignore;
pub use listing::{Listed, ListedFile, ListedKind, Part};
pub use pattern::PatternError;
pub use report::Report;
pub use tar::TarStream;

/// The files that a builder is sent: those of a folder without the ones that its ignore file
/// names, the Dockerfile as plugins left it, and the files that they generated.
///
/// Holds names and types, no contents. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    root: PathBuf,
    dockerfile_path: String,
    /// The folder's files that are sent, whatever path leads to them.
    files: HashSet<walk::FileId>,
    /// What the folder has, ignored files left out, with what plugins changed; what can be
    /// `COPY`ed.
    entries: BTreeMap<String, Entry>,
    /// The Dockerfile, where it is ignored: the builder needs it, but can't copy it.
    ignored_dockerfile: Option<Entry>,
}

/// One thing in a context.
#[derive(Debug, Clone)]
struct Entry {
    kind: Kind,
    /// Permission bits.
    mode: u32,
    /// Seconds since 1970; part of what is sent, never of a digest.
    modified: u64,
}

#[derive(Debug, Clone)]
enum Kind {
    Directory,
    /// A file, read from the folder when it is needed.
    File,
    /// A file whose contents are not those on the disk.
    Contents(Arc<[u8]>),
    /// A symbolic link, to this.
    Symlink(String),
}

impl Context {
    /// Lists the folder of a build and applies its ignore file: `<Dockerfile>.dockerignore`
    /// beside the Dockerfile, or else `.dockerignore` at the top.
    ///
    /// Succeeds where there is no Dockerfile, since a plugin may write one: see
    /// [`Self::has_dockerfile`].
    pub fn load(build: &ImageBuild) -> Result<Self, ContextError> {
        let root = build.context.clone();
        relative(&build.dockerfile_path).ok_or_else(|| ContextError::Outside {
            path: build.dockerfile_path.clone(),
        })?;
        let ignore = load_ignore(&root, &build.dockerfile_path)?;
        let found = walk::walk(&root, &ignore)?;
        let mut inner = Inner {
            root,
            dockerfile_path: build.dockerfile_path.clone(),
            files: found.files,
            entries: found.entries,
            ignored_dockerfile: None,
        };
        let hides_dockerfile = ignore.excludes_path(&build.dockerfile_path);
        inner.apply(build, hides_dockerfile)?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Lists a folder and applies the `.dockerignore` at its top, for a builder that copies from it
    /// under a name. There is no Dockerfile in it that would count.
    pub fn of_folder(root: &Path) -> Result<Self, ContextError> {
        let ignore = read_ignore(root, ignore::FILE_NAME)?.unwrap_or_default();
        let found = walk::walk(root, &ignore)?;
        Ok(Self {
            inner: Arc::new(Inner {
                root: root.to_owned(),
                dockerfile_path: String::new(),
                files: found.files,
                entries: found.entries,
                ignored_dockerfile: None,
            }),
        })
    }

    /// The paths of the files and symbolic links that the builder can copy, relative to the
    /// context, with `/`, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.paths(|kind| !matches!(kind, Kind::Directory))
    }

    /// The paths of the folders that the builder can copy, as [`Self::files`].
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.paths(|kind| matches!(kind, Kind::Directory))
    }

    fn paths(&self, filter: impl Fn(&Kind) -> bool) -> impl Iterator<Item = &str> {
        let entries = self.inner.entries.iter();
        entries
            .filter(move |(_, entry)| filter(&entry.kind))
            .map(|(path, _)| path.as_str())
    }

    /// True if [`Self::files`] has this path.
    pub fn has_file(&self, path: &str) -> bool {
        self.inner
            .entries
            .get(path)
            .is_some_and(|entry| !matches!(entry.kind, Kind::Directory))
    }

    /// True if an open file is one of the folder's that are sent, under whatever name it was opened.
    ///
    /// A file that was put there since the folder was listed is none.
    pub fn sends(&self, file: &std::fs::File) -> bool {
        file.metadata()
            .is_ok_and(|metadata| self.inner.files.contains(&walk::FileId::from(&metadata)))
    }

    /// True if there is a Dockerfile for the builder.
    pub fn has_dockerfile(&self) -> bool {
        self.inner.ignored_dockerfile.is_some() || self.has_file(&self.inner.dockerfile_path)
    }

    /// The folder, absolute.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }
}

impl Inner {
    /// Puts what plugins changed over what the folder has.
    fn apply(&mut self, build: &ImageBuild, hides_dockerfile: bool) -> Result<(), ContextError> {
        for (path, file) in &build.generated {
            let mode = if file.executable { 0o755 } else { 0o644 };
            self.overlay(path, &file.contents, mode)?;
        }
        let Some(text) = &build.dockerfile else {
            return Ok(());
        };
        if hides_dockerfile && !build.generated.contains_key(&build.dockerfile_path) {
            let kind = Kind::Contents(text.as_bytes().into());
            self.ignored_dockerfile = Some(Entry {
                kind,
                mode: 0o644,
                modified: 0,
            });
            return Ok(());
        }
        // The mode stays what it is on the disk, as part of what a `COPY` gives.
        let mode = self
            .entries
            .get(&build.dockerfile_path)
            .map_or(0o644, |entry| entry.mode);
        let modified = self
            .entries
            .get(&build.dockerfile_path)
            .map_or(0, |entry| entry.modified);
        self.overlay(&build.dockerfile_path, text.as_bytes(), mode)?;
        if let Some(entry) = self.entries.get_mut(&build.dockerfile_path) {
            entry.modified = modified;
        }
        Ok(())
    }

    fn overlay(&mut self, path: &str, contents: &[u8], mode: u32) -> Result<(), ContextError> {
        relative(path).ok_or_else(|| ContextError::Outside {
            path: path.to_owned(),
        })?;
        for (at, _) in path.match_indices('/') {
            let folder = Entry {
                kind: Kind::Directory,
                mode: 0o755,
                modified: 0,
            };
            let parent = self.entries.entry(path[..at].to_owned()).or_insert(folder);
            if !matches!(parent.kind, Kind::Directory) {
                let parent = path[..at].to_owned();
                return Err(ContextError::NotAFolder {
                    path: path.to_owned(),
                    parent,
                });
            }
        }
        let kind = Kind::Contents(contents.into());
        let old = self.entries.insert(
            path.to_owned(),
            Entry {
                kind,
                mode,
                modified: 0,
            },
        );
        match old.map(|entry| entry.kind) {
            Some(Kind::Directory) => Err(ContextError::IsAFolder {
                path: path.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// The path itself, if it can't leave the folder that it is relative to and is written in the
/// one way in which contexts write paths.
fn relative(path: &str) -> Option<&str> {
    let part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    path.split('/').all(part).then_some(path)
}

fn load_ignore(root: &Path, dockerfile_path: &str) -> Result<Ignore, ContextError> {
    let beside = format!("{dockerfile_path}{}", ignore::FILE_NAME);
    if let Some(ignore) = read_ignore(root, &beside)? {
        return Ok(ignore);
    }
    Ok(read_ignore(root, ignore::FILE_NAME)?.unwrap_or_default())
}

/// `None` where there is no such file.
fn read_ignore(root: &Path, name: &str) -> Result<Option<Ignore>, ContextError> {
    let path = root.join(name);
    let text = match std::fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => return Ok(None),
        Err(source) => return Err(ContextError::Read { path, source }),
    };
    let ignore = Ignore::parse(&text);
    ignore
        .map(Some)
        .map_err(|(line, source)| ContextError::IgnoreFile { path, line, source })
}

/// Why a build context can't be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ContextError {
    /// A file or folder can't be read.
    #[error("can't read {}", path.display())]
    #[diagnostic(
        code(rengine::context::read),
        help("if the image doesn't need it, name it in `.dockerignore`")
    )]
    Read {
        /// What can't be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The ignore file has a line that is no pattern.
    #[error("{}, line {line}: {source}", path.display())]
    #[diagnostic(
        code(rengine::context::ignore_file),
        help("its syntax: https://docs.docker.com/build/concepts/context/#dockerignore-files")
    )]
    IgnoreFile {
        /// The ignore file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: PatternError,
    },
    /// A name that can't be handed to plugins, which see text.
    #[error("the name {path:?} isn't UTF-8")]
    #[diagnostic(
        code(rengine::context::name),
        help("rename it, or name its folder in `.dockerignore`")
    )]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// A path that is not in the context.
    #[error("`{path}` is not in the build context")]
    #[diagnostic(
        code(rengine::context::outside),
        help("write a path relative to the context's folder, with `/` and without `.` and `..`")
    )]
    Outside {
        /// The path.
        path: String,
    },
    /// A generated file is in a file.
    #[error("`{path}` can't be generated: `{parent}` is not a folder")]
    #[diagnostic(
        code(rengine::context::not_a_folder),
        help("the plugin has to choose another path")
    )]
    NotAFolder {
        /// The file to generate.
        path: String,
        /// The file in its way.
        parent: String,
    },
    /// A generated file has the name of a folder.
    #[error("`{path}` can't be generated: it is a folder")]
    #[diagnostic(
        code(rengine::context::is_a_folder),
        help("the plugin has to choose another path")
    )]
    IsAFolder {
        /// The file to generate.
        path: String,
    },
    /// There is no such file, or it is ignored.
    #[error("the build context has no file `{path}`")]
    #[diagnostic(
        code(rengine::context::no_such_file),
        help("files that `.dockerignore` names are not in the context")
    )]
    NoSuchFile {
        /// The path that was asked for.
        path: String,
    },
    /// A file is larger than was allowed.
    #[error("`{path}` has more than {limit} bytes")]
    #[diagnostic(
        code(rengine::context::too_large),
        help("only smaller files can be read in one piece")
    )]
    TooLarge {
        /// The file.
        path: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file changed between being listed and being sent.
    #[error("{} changed while it was read", path.display())]
    #[diagnostic(
        code(rengine::context::changed),
        help("wait until nothing writes to it and deploy again, or name it in `.dockerignore`")
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests;
