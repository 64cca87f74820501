//! What can go wrong between rengine and a registry.

use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::{
    KeyError, LockError, MetadataError, ReferenceError, StoreError, Unattested, Untrusted,
};
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
    /// It is somebody else, or nobody knows who signed its certificate.
    #[error("can't {action}: the certificate of {host} does not count: {reason}")]
    #[diagnostic(help(
        "nothing was sent to it; where its certificates are one's own, `[registries.\"{host}\"]` in plugins.toml \
         names them: `ca = \"FILE.pem\"`"
    ))]
    Impostor {
        /// What was to be done.
        action: String,
        /// The registry.
        host: String,
        /// Why.
        reason: String,
    },
    /// It failed.
    #[error("can't {action}: {host} failed: {reason}")]
    #[diagnostic(help("{help}"))]
    Failed {
        /// What was to be done.
        action: String,
        /// The registry.
        host: String,
        /// What it said.
        reason: String,
        /// What to do.
        help: &'static str,
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
    /// No statement about an image counts.
    #[error("no provenance of {image} counts: {why}")]
    #[diagnostic(help(
        "who deploys it attaches one with `rengine provenance --sign KEY --attach`; see that the key \
         is theirs"
    ))]
    Unattested {
        /// The image.
        image: String,
        /// Why not.
        why: Unattested,
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
    /// What plugins.lock says of an artifact is not what it is, or nothing that its source picks.
    #[error("plugins.lock says of {part} what its {against} does not: {what}")]
    #[diagnostic(help(
        "nothing of it was used. Somebody changed plugins.lock by hand, or it was merged wrongly: \
         see its history; `rengine plugin update {}` writes it anew",
        part.name()
    ))]
    Drift {
        /// Of what.
        part: Part,
        /// What it is compared with: its `artifact`, or its `source`.
        against: &'static str,
        /// Which.
        what: String,
    },
    /// Nobody says that a base that is required is the one that is published.
    #[error("nobody says that the {part} is what its registry has: {reason}")]
    #[diagnostic(help(
        "nothing was touched. Where RENGINE_REQUIRED_BASES names a key, as in `HOST/PATH=/etc/rengine/platform.pub`, \
         the base's signature says so, also without its registry"
    ))]
    Unconfirmed {
        /// The base.
        part: Part,
        /// Why not.
        reason: String,
    },
    /// A tag names what says of itself that it is another version.
    #[error("{reference} can't be taken: {reason}")]
    #[diagnostic(help(
        "nothing of it was used. Who published it sees to it that it says the version of its tag, as \
         `rengine plugin push` does; named by its digest it is taken as it is"
    ))]
    Mislabelled {
        /// What the tag names.
        reference: String,
        /// What it says.
        reason: String,
    },
    /// plugins.lock has what plugins.toml has not.
    #[error("plugins.lock has {part}, and plugins.toml has not: {mode} was given")]
    #[diagnostic(help(
        "`rengine plugin fetch` writes plugins.lock as plugins.toml wants it; commit both together"
    ))]
    Left {
        /// What is left in it.
        part: Part,
        /// The flag.
        mode: &'static str,
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
pub(super) enum Failure {
    /// Worth another try.
    Passing {
        /// What it answered.
        reason: String,
        /// How long it wants to be left alone, where it says so.
        wait: Option<Duration>,
    },
    /// No connection, or none any more; worth another try.
    Unreachable(String),
    /// It is not shown to be the one that is meant; not worth one.
    Certificate(String),
    /// Not for this user.
    Denied,
    /// Not there.
    NotFound,
    /// Another digest came.
    Digest {
        /// The digest that it should have.
        expected: String,
        /// What came instead.
        actual: String,
    },
    /// Anything else.
    Other(String),
}

/// True if an error comes from a certificate that does not count.
pub(super) fn has_bad_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // An error of input and output does not say what is in it.
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
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
