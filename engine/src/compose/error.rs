//! What can be wrong with a Compose file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

use super::source::{Place, Span};

/// What keeps a Compose project from being read.
#[derive(Debug, Clone, Error, Diagnostic)]
pub enum ComposeError {
    /// There is no Compose file.
    #[error("there is no Compose file in {}", dir.display())]
    #[diagnostic(help("write a compose.yaml, or name a file with `-f`"))]
    NoFile {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// A file can't be read.
    #[error("{} can't be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A setting outside the files can't be meant.
    #[error("{message}")]
    Setting {
        /// What is wrong.
        message: String,
        /// What to do about it.
        #[help]
        help: Option<String>,
    },
    /// The files ask for what rengine can't do.
    #[error("the Compose files ask for what can't be had")]
    #[diagnostic(help("`engine/COMPOSE.md` says what is supported"))]
    Refused {
        /// What, each with its place.
        #[related]
        problems: Vec<Problem>,
    },
    /// A file says what can't be meant.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Invalid(Box<Problem>),
}

/// What is wrong at one place of a file.
#[derive(Debug, Clone, Error, Diagnostic)]
#[error("{message}")]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// The file.
    #[source_code]
    source_code: Arc<NamedSource<String>>,
    /// Where, in bytes.
    #[label("here")]
    span: SourceSpan,
    /// What to do about it.
    #[help]
    pub help: Option<String>,
    /// Where, as a person writes it.
    pub place: Place,
}

impl Problem {
    pub(super) fn new(span: &Span, message: impl Into<String>, help: Option<String>) -> Self {
        Self {
            message: message.into(),
            source_code: span.source().named(),
            span: span.range().into(),
            help,
            place: span.place(),
        }
    }
}

impl ComposeError {
    /// An error at a place.
    pub(super) fn at(span: &Span, message: impl Into<String>) -> Self {
        Self::Invalid(Box::new(Problem::new(span, message, None)))
    }

    /// The same at another place.
    pub(super) fn moved(self, span: &Span) -> Self {
        match self {
            Self::Invalid(problem) => {
                let Problem { message, help, .. } = *problem;
                Self::Invalid(Box::new(Problem::new(span, message, help)))
            }
            other => other,
        }
    }

    /// The same with what to do about it.
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        match self {
            Self::Invalid(mut problem) => {
                problem.help = Some(help.into());
                Self::Invalid(problem)
            }
            other => other,
        }
    }

    pub(super) fn read(path: &Path, error: &std::io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            reason: match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such file".into(),
                _ => error.to_string(),
            },
        }
    }

    /// Where in a file it is, if it is in one.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Invalid(problem) => Some(&problem.place),
            _ => None,
        }
    }
}

impl From<Problem> for ComposeError {
    fn from(problem: Problem) -> Self {
        Self::Invalid(Box::new(problem))
    }
}

/// `did you mean`, where one of the known words is close to the given one.
pub(super) fn did_you_mean<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    /// Below this similarity a suggestion would only puzzle.
    const SIMILAR: f64 = 0.75;
    let similar = |word: &str| strsim::jaro_winkler(word, &given.to_lowercase());
    let closest = known
        .into_iter()
        .max_by(|a, b| similar(a).total_cmp(&similar(b)))?;
    (similar(closest) > SIMILAR).then(|| format!("did you mean `{closest}`?"))
}
