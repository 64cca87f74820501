//! Where in which file something stands.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;

/// A file that was read: its path and its text.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    /// As errors show it, and miette renders it.
    named: Arc<NamedSource<String>>,
}

impl Source {
    /// A text; `path` is absolute, `shown` is how errors call it.
    pub fn new(path: PathBuf, shown: String, text: String) -> Arc<Self> {
        let named = Arc::new(NamedSource::new(shown, text));
        Arc::new(Self { path, named })
    }

    /// The file's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it.
    pub fn text(&self) -> &str {
        self.named.inner()
    }

    /// How errors call it.
    pub fn shown(&self) -> &str {
        self.named.name()
    }

    pub(super) fn named(&self) -> Arc<NamedSource<String>> {
        self.named.clone()
    }
}

/// A stretch of a [`Source`].
#[derive(Debug, Clone)]
pub struct Span {
    source: Arc<Source>,
    start: usize,
    end: usize,
}

/// A place as a person writes it: line and column count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as errors call it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Span {
    /// The bytes `range` of `source`; ends beyond the text, or inside a character, are moved in.
    pub fn new(source: &Arc<Source>, range: Range<usize>) -> Self {
        let text = source.text();
        let inside = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = inside(range.start);
        Self {
            source: source.clone(),
            start,
            end: inside(range.end).max(start),
        }
    }

    /// The file.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The bytes.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// What stands there.
    pub fn text(&self) -> &str {
        &self.source.text()[self.range()]
    }

    /// The same as a person writes it.
    pub fn place(&self) -> Place {
        let before = &self.source.text()[..self.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            file: self.source.shown().to_owned(),
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The place of the dollar sign that is the `nth` (from 0) of the text that stands here, so
    /// that an error of interpolation points at its variable; all of it where there is none.
    pub(super) fn dollar(&self, nth: usize, len: usize) -> Self {
        match self.text().match_indices('$').nth(nth) {
            Some((at, _)) => {
                let start = self.start + at;
                Self::new(&self.source, start..(start + len).min(self.end))
            }
            None => self.clone(),
        }
    }
}
