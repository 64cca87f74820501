//! Where a plugin is, in a registry.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;
use semver::VersionReq;
use thiserror::Error;

use super::version::may_have;
use super::{Digest, version};

/// Docker Hub, as references leave it out.
const HUB: &str = "docker.io";
/// What a source in a registry begins with.
pub const SCHEME: &str = "oci://";

/// A repository's path, as the OCI distribution specification 1.1 has it ("Pulling manifests").
static REPOSITORY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let part = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
    Regex::new(&format!("^{part}(?:/{part})*$")).ok()
});
/// A tag, by the same.
static TAG: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$").ok());

/// A registry, and what is asked of it: `HOST/PATH`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: String,
    path: String,
}

impl Repository {
    /// The registry: a host, and its port if it has one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path in it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path, which people take for the plugin's name.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// True if the registry is on this machine: then it may be asked without TLS.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// True for a registry on this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Which of the artifacts of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pick {
    /// What a tag names, which may be another tomorrow.
    Tag(String),
    /// The one with this digest. A tag before it is for people alone.
    Digest {
        /// The digest.
        digest: Digest,
        /// What stood before it.
        tag: Option<String>,
    },
    /// Of the tags that are versions, the highest that fits.
    Range(VersionReq),
}

impl Pick {
    /// Why what is locked, with its tag and its digest, is nothing that this picks; `None` if it is.
    pub(super) fn misses(&self, locked: Option<&str>, artifact: &Digest) -> Option<String> {
        let is = || locked.map_or_else(|| "no version".to_owned(), |tag| format!("`{tag}`"));
        match self {
            Self::Tag(tag) => (locked != Some(tag)).then(|| format!("{} is not `{tag}`", is())),
            Self::Range(range) => {
                let version = locked.and_then(version);
                let fits = version.is_some_and(|version| range.matches(&version));
                (!fits).then(|| format!("{} does not fit `{range}`", is()))
            }
            Self::Digest { digest, .. } if digest != artifact => {
                Some(format!("{artifact} is not {digest}"))
            }
            Self::Digest { tag, .. } => (locked != tag.as_deref()).then(|| {
                let tag = tag.as_ref();
                let tag = tag.map_or_else(|| "no version".to_owned(), |tag| format!("`{tag}`"));
                format!("{} is not {tag}", is())
            }),
        }
    }
}

impl Pick {
    /// Why an artifact that says of itself that it is the version `said` is nothing that this picks under a tag;
    /// `None` if it may be. A signature is for the artifact with what it says, and not for a tag: who says
    /// which one that is, such as plugins.lock, could bring an old one under the name of a new one.
    pub(super) fn denies(&self, tag: Option<&str>, said: Option<&str>) -> Option<String> {
        let (tag, said) = (tag?, said?);
        let fits = match self {
            // Whoever writes a digest says which one is meant.
            Self::Digest { .. } => true,
            Self::Tag(_) => may_have(tag, said),
            Self::Range(range) => {
                may_have(tag, said) && version(said).is_none_or(|version| range.matches(&version))
            }
        };
        (!fits).then(|| format!("it says of itself that it is the version {said}, not `{tag}`"))
    }
}

/// `source` in plugins.toml: `oci://HOST/PATH`, and which: `:TAG`, `:RANGE` or `@DIGEST`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// Where.
    pub repository: Repository,
    /// Which.
    pub pick: Pick,
}

/// Why a text names no plugin in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` names no plugin in a registry: {reason}")]
pub struct ReferenceError {
    /// The text.
    pub text: String,
    /// What is wrong.
    pub reason: String,
    /// What to write.
    pub help: Option<String>,
}

/// A reference as people write it on a command line, with or without the scheme, and with or
/// without a word on which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Where.
    pub repository: Repository,
    /// Which, if it says.
    pub pick: Option<Pick>,
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let error = |reason: String, help: Option<&str>| ReferenceError {
            text: text.to_owned(),
            reason,
            help: help.map(str::to_owned),
        };
        let rest = match text.split_once("://") {
            Some(("oci", rest)) => rest,
            Some((scheme, _)) => {
                let help = "write `oci://registry.example.com/team/plugin:1.2`";
                return Err(error(format!("`{scheme}://` is not `oci://`"), Some(help)));
            }
            None => text,
        };
        let Some((host, rest)) = rest.split_once('/') else {
            let help = "write `oci://registry.example.com/team/plugin:1.2`";
            return Err(error("it has no path".to_owned(), Some(help)));
        };
        if !is_host(host) {
            let help = "name the registry in full, such as `registry.example.com` or `ghcr.io`";
            return Err(error(format!("`{host}` is no host"), Some(help)));
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (
                rest,
                Some(Digest::from_str(digest).map_err(|wrong| error(wrong.reason, None))?),
            ),
            None => (rest, None),
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        if !matches(&REPOSITORY, path) || path.len() > 255 {
            let reason = format!("`{path}` is no path of a registry");
            let help = "paths have small letters, digits, and `.`, `_` or `-` between them";
            return Err(error(reason, Some(help)));
        }
        let pick = match (tag, digest) {
            (None, None) => None,
            (tag, Some(digest)) => {
                if let Some(tag) = tag.filter(|tag| !matches(&TAG, tag)) {
                    return Err(error(format!("`{tag}` is no tag"), None));
                }
                let tag = tag.map(str::to_owned);
                Some(Pick::Digest { digest, tag })
            }
            (Some(tag), None) => Some(pick(tag).map_err(|reason| error(reason, None))?),
        };
        let repository = Repository {
            host: host.to_owned(),
            path: path.to_owned(),
        };
        Ok(Self { repository, pick })
    }
}

impl Reference {
    /// Where an image is, by a name as Docker writes it: without a host it is in Docker Hub.
    ///
    /// # Errors
    ///
    /// If it can't be a name.
    pub fn of_image(text: &str) -> Result<Self, ReferenceError> {
        let host = crate::credentials::registry(text);
        let own = text
            .strip_prefix(host)
            .and_then(|rest| rest.strip_prefix('/'));
        let path = own.unwrap_or(text);
        // What Docker itself looks after has a folder that nobody writes.
        match host == HUB && !path.contains('/') {
            true => format!("{HUB}/library/{path}").parse(),
            false => format!("{host}/{path}").parse(),
        }
    }
}

/// What stands after the colon: a range if it has what tags can't have.
fn pick(text: &str) -> Result<Pick, String> {
    if text.contains(['^', '~', '<', '>', '=', '*', ',']) {
        let range = VersionReq::parse(text)
            .map_err(|error| format!("`{text}` is no range of versions: {error}"))?;
        return Ok(Pick::Range(range));
    }
    match matches(&TAG, text) {
        true => Ok(Pick::Tag(text.to_owned())),
        false => Err(format!("`{text}` is no tag")),
    }
}

fn matches(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(text))
}

fn is_host(text: &str) -> bool {
    let looks = text.contains(['.', ':']) || text == "localhost";
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte);
    looks && text.len() <= 255 && text.bytes().all(allowed)
}

impl FromStr for Source {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let error = |reason: &str, help: &str| ReferenceError {
            text: text.to_owned(),
            reason: reason.to_owned(),
            help: Some(help.to_owned()),
        };
        if !text.starts_with(SCHEME) {
            let help = "write `oci://registry.example.com/team/plugin:1.2`; for a file, use `path`";
            return Err(error("it does not begin with `oci://`", help));
        }
        let reference: Reference = text.parse()?;
        let Some(pick) = reference.pick else {
            let help = "add which: a tag (`:1.2`), a range of versions (`:^1.2`) or a digest \
                        (`@sha256:…`)";
            return Err(error("it does not say which version", help));
        };
        Ok(Self {
            repository: reference.repository,
            pick,
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.repository)?;
        match &self.pick {
            Pick::Tag(tag) => write!(f, ":{tag}"),
            Pick::Digest { digest, tag: None } => write!(f, "@{digest}"),
            Pick::Digest {
                digest,
                tag: Some(tag),
            } => write!(f, ":{tag}@{digest}"),
            Pick::Range(range) => write!(f, ":{range}"),
        }
    }
}

#[cfg(test)]
mod tests;
