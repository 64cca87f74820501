//! What can be wrong with plugins.toml.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

use crate::compose::ComposeError;

/// What is wrong with plugins.toml, or a file that it names.
#[derive(Debug, Clone, Error, Diagnostic)]
pub enum ManifestError {
    /// The file is not there.
    #[error("there is no {}", path.display())]
    #[diagnostic(help("`rengine init` writes one"))]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file can't be read.
    #[error("{} can't be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The Compose files can't be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Compose(#[from] Box<ComposeError>),
    /// It says what can't be meant.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// The file.
        #[source_code]
        source_code: Arc<NamedSource<String>>,
        /// Where.
        #[label("here")]
        span: SourceSpan,
        /// What to do about it.
        #[help]
        help: Option<String>,
    },
}

impl ManifestError {
    pub(super) fn read(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Read {
                path,
                reason: error.to_string(),
            },
        }
    }
}
