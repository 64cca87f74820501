//! What can go wrong between rengine and a registry.

use miette::Diagnostic;
use oci_client::errors::{OciDistributionError, OciErrorCode};
use thiserror::Error;

use super::{KeyError, LockError, MetadataError, ReferenceError, StoreError, Untrusted};
use crate::credentials::CredentialsError;

/// What comes from a registry, as a project names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A plugin, by its name in plugins.toml.
    Plugin(String),
    /// A base, by its source.
    Base(String),
}

impl Part {
    /// What `rengine plugin update` knows it by.
    pub fn name(&self) -> &str {
        match self {
            Self::Plugin(name) | Self::Base(name) => name,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plugin(name) => write!(f, "plugin `{name}`"),
            Self::Base(source) => write!(f, "base `{source}`"),
        }
    }
}

/// Why something could not be done with a registry.
#[derive(Debug, Error, Diagnostic)]
pub enum RegistryError {
    /// It does not answer.
    #[error("can't {action}: {host} does not answer: {reason}")]
    #[diagnostic(help(
        "see that the name is right and the registry runs; HTTPS_PROXY and NO_PROXY are heeded. \
         Deploys of plugins that are in the store need no registry: `--offline`"
    ))]
    Unreachable {
        /// What was to be done.
        action: String,
        /// The registry.
        host: String,
        /// Why.
        reason: String,
    },
    /// It does not let this user do that.
    #[error("can't {action}: {host} does not let {} do that", user.as_deref().unwrap_or("just anybody"))]
    #[diagnostic(help("`docker login {host}` stores who you are, for rengine, too"))]
    Denied {
        /// What was to be done.
        action: String,
        /// The registry.
        host: String,
        /// Who was named to it.
        user: Option<String>,
    },
    /// It does not have it.
    #[error("can't {action}: {host} does not have it")]
    #[diagnostic(help("{help}"))]
    NotFound {
        /// What was to be done.
        action: String,
        /// The registry.
        host: String,
        /// What to look at.
        help: String,
    },
    /// It failed, several times.
    #[error("can't {action}: {host} failed: {reason}")]
    #[diagnostic(help("it was tried several times; try again later"))]
    Failed {
        /// What was to be done.
        action: String,
        /// The registry.
        host: String,
        /// What it said.
        reason: String,
    },
    /// What came is not what its digest says.
    #[error(
        "{what} is not what its digest says: {expected} was asked for, and {host} sent {actual}"
    )]
    #[diagnostic(help(
        "nothing of it was used. The registry, or something on the way to it, gives out another \
         file than was published: tell those who run it"
    ))]
    Tampered {
        /// What was asked for.
        what: String,
        /// The registry, or the mirror.
        host: String,
        /// The digest that it should have.
        expected: String,
        /// What came instead.
        actual: String,
    },
    /// What is there is no plugin.
    #[error("{reference} is no plugin: {reason}")]
    #[diagnostic(help("{help}"))]
    NotPlugin {
        /// What was asked for.
        reference: String,
        /// What it is instead.
        reason: String,
        /// What to do.
        help: String,
    },
    /// What is there is no base.
    #[error("{reference} is no base: {reason}")]
    #[diagnostic(help(
        "bases are published with `rengine plugin push base.toml HOST/PATH:VERSION`"
    ))]
    NotBase {
        /// What was asked for.
        reference: String,
        /// What it is instead.
        reason: String,
    },
    /// No version of it fits.
    #[error("no version of {repository} fits `{range}`")]
    #[diagnostic(help("{help}"))]
    NoVersion {
        /// Where.
        repository: String,
        /// What was asked for.
        range: String,
        /// What there is.
        help: String,
    },
    /// A settings' certificate can't be read.
    #[error("the certificates for {host} can't be used: {reason}")]
    Certificates {
        /// The registry.
        host: String,
        /// Why.
        reason: String,
    },
    /// Nobody vouches for it whose word counts here.
    #[error("{part} is not trusted: {why}: {artifact}")]
    #[diagnostic(help("nothing of it was run; {help}"))]
    Untrusted {
        /// What it is.
        part: Part,
        /// Its artifact.
        artifact: String,
        /// Why not.
        why: Box<Untrusted>,
        /// What to do.
        help: String,
    },
    /// A key can't be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Key(#[from] KeyError),
    /// plugins.lock has no answer, and no registry may be asked.
    #[error("{part} is not in plugins.lock as plugins.toml names it, and {mode} was given")]
    #[diagnostic(help(
        "`rengine plugin update {}` writes it; commit plugins.lock with plugins.toml",
        part.name()
    ))]
    NotLocked {
        /// What is not.
        part: Part,
        /// The flag.
        mode: &'static str,
    },
    /// The store has not got it, and no registry may be asked.
    #[error("{part} is neither in the store nor vendored, and --offline was given: {digest}")]
    #[diagnostic(help(
        "`rengine plugin fetch` gets what plugins.lock names; `rengine plugin vendor` keeps it in the repository"
    ))]
    NotKept {
        /// What is not.
        part: Part,
        /// Its artifact.
        digest: String,
    },
    /// What plugins.lock says of an artifact is not what it is.
    #[error("plugins.lock says of {part} what its artifact does not: {what}")]
    #[diagnostic(help(
        "nothing of it was used. Somebody changed plugins.lock by hand, or it was merged wrongly: \
         see its history; `rengine plugin update {}` writes it anew",
        part.name()
    ))]
    Drift {
        /// Of what.
        part: Part,
        /// Which.
        what: String,
    },
    /// A text names no plugin.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Reference(#[from] ReferenceError),
    /// plugins.lock can't be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lock(#[from] Box<LockError>),
    /// The store can't be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// Who one is can't be had.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// What a plugin says of itself can't be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Metadata(#[from] MetadataError),
}

impl Diagnostic for ReferenceError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let help = self.help.as_ref()?;
        Some(Box::new(help))
    }
}

/// What kind of failure it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Worth another try.
    Passing(String),
    /// No connection; worth another try.
    Unreachable(String),
    Denied,
    NotFound,
    /// Another digest came.
    Digest {
        expected: String,
        actual: String,
    },
    /// Anything else.
    Other(String),
}

/// What the client's error means.
pub(super) fn kind(error: &OciDistributionError) -> Kind {
    use OciDistributionError as E;
    match error {
        E::UnauthorizedError { .. } | E::AuthenticationFailure(_) => Kind::Denied,
        E::RegistryError { envelope, .. } => {
            let has = |wanted: fn(&OciErrorCode) -> bool| {
                envelope.errors.iter().any(|error| wanted(&error.code))
            };
            let words: Vec<_> = envelope.errors.iter().map(ToString::to_string).collect();
            let words = words.join("; ");
            if has(|code| matches!(code, OciErrorCode::Unauthorized | OciErrorCode::Denied)) {
                Kind::Denied
            } else if has(|code| matches!(code, OciErrorCode::Toomanyrequests)) {
                Kind::Passing(words)
            } else if has(|code| {
                matches!(
                    code,
                    OciErrorCode::ManifestUnknown
                        | OciErrorCode::NameUnknown
                        | OciErrorCode::BlobUnknown
                        | OciErrorCode::NotFound
                )
            }) {
                Kind::NotFound
            } else {
                Kind::Other(words)
            }
        }
        E::ImageManifestNotFoundError(_) => Kind::NotFound,
        E::ServerError { code, message, .. } => {
            let message = message.lines().next().unwrap_or_default();
            let message: String = message.chars().take(200).collect();
            by_code(
                *code,
                format!("it answered {code} {message}")
                    .trim_end()
                    .to_owned(),
            )
        }
        E::DigestError(oci_client::errors::DigestError::VerificationError { expected, actual }) => {
            Kind::Digest {
                expected: expected.clone(),
                actual: actual.clone(),
            }
        }
        // Some of the client's calls make an error of an answer.
        E::RequestError(error) if error.status().is_some() => {
            let code = error.status().map_or(0, |status| status.as_u16());
            by_code(code, format!("it answered {code}"))
        }
        E::RequestError(error) => Kind::Unreachable(causes(error)),
        E::IoError(error) => Kind::Unreachable(causes(error)),
        other => Kind::Other(other.to_string()),
    }
}

/// What an answer's status means.
fn by_code(code: u16, words: String) -> Kind {
    match code {
        404 => Kind::NotFound,
        401 | 403 => Kind::Denied,
        408 | 425 | 429 | 500..=599 => Kind::Passing(words),
        _ => Kind::Other(words),
    }
}

/// An error with what is behind it: the outermost says little of a connection.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}
