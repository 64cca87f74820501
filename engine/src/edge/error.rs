//! Why an edge can't start or go on.

use std::io;
use std::path::PathBuf;

use super::routes::InvalidRoutes;

/// What ends an edge, or keeps a table from being taken.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum EdgeError {
    /// A file of the edge's folder.
    #[error("{what} {} failed: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A port can't be listened on.
    #[error("port {port} can't be listened on: {source}")]
    #[diagnostic(help("another listener may have it, or the edge may lack the right to"))]
    Listen {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The table is not one that can be meant.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Invalid(#[from] InvalidRoutes),
    /// The table is not the one that the caller knows.
    #[error("the routes are of generation {found}, not {wanted}")]
    #[diagnostic(help(
        "somebody else changed them: read them again with `rengine edge ctl state`"
    ))]
    Generation {
        /// What there is.
        found: u64,
        /// What the caller asked to replace.
        wanted: u64,
    },
    /// A certificate can't be used.
    #[error("the certificate {} can't be used: {reason}", path.display())]
    #[diagnostic(help(
        "it has to be PEM: the certificate, then those that signed it; and its key"
    ))]
    Certificate {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A process that should take over, or be taken over from, does not.
    #[error("the edge was not taken over: {reason}")]
    TakeOver {
        /// Why.
        reason: String,
    },
    /// A process can't be started.
    #[error("`{program}` can't be started: {source}")]
    Start {
        /// What was started.
        program: String,
        /// Why it was not.
        source: io::Error,
    },
}

impl EdgeError {
    /// Of a file: `writing`, its path, and why it failed.
    pub(super) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
