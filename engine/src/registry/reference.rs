//! Where a plugin is, in a registry.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;
use semver::{Version, VersionReq};
use thiserror::Error;

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

/// The sha256 of what a registry has, as it writes it: `sha256:` and 64 digits in hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// That of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self::from_hash(&sha2::Sha256::digest(bytes))
    }

    /// That of a hash of 32 bytes.
    pub(super) fn from_hash(hash: &[u8]) -> Self {
        Self(format!("sha256:{}", crate::app::hex(hash)))
    }

    /// As registries write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 digits.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }

    /// Enough of it to tell it from others at a glance.
    pub fn short(&self) -> &str {
        self.0.get(..19).unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() == 64 && digits.bytes().all(digit) {
            return Ok(Self(text.to_owned()));
        }
        Err(ReferenceError {
            text: text.to_owned(),
            reason: "a digest is `sha256:` and 64 digits in hexadecimal".to_owned(),
            help: None,
        })
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

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

/// The version that a tag is; `v1.2.3` counts, and `1.2` as `1.2.0`. A tag that is no version, such
/// as `latest`, is none; neither is a lone number, which may as well be a day or a build.
pub fn version(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    if let Ok(version) = Version::parse(text) {
        return Some(version);
    }
    // OCI has no `+` in tags: by convention it is written `_`.
    if let Ok(version) = Version::parse(&text.replacen('_', "+", 1)) {
        return Some(version);
    }
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    match parts.next() {
        None => Some(Version::new(major, minor, 0)),
        Some(_) => None,
    }
}

/// Of `tags`, the highest version that fits `range`; of two that are one version, the longer tag,
/// since `1.2` moves and `1.2.0` does not.
pub fn highest<'a>(tags: impl Iterator<Item = &'a str>, range: &VersionReq) -> Option<&'a str> {
    tags.filter_map(|tag| Some((version(tag)?, tag)))
        .filter(|(version, _)| range.matches(version))
        .max_by(|(version, tag), (other, another)| {
            version.cmp(other).then(tag.len().cmp(&another.len()))
        })
        .map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_locked_is_what_is_picked() {
        let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
        let (one, other) = (digest("a"), digest("b"));
        let misses = |pick: &str, locked: Option<&str>, artifact: &str| {
            let source: Source = format!("oci://r.example/a{pick}").parse().expect(pick);
            source
                .pick
                .misses(locked, &artifact.parse().expect("a digest"))
        };
        let at = format!("@{one}");
        let both = format!(":1@{one}");
        for (pick, locked) in [
            (":1.2", Some("1.2")),
            (":^1.2", Some("1.2")),
            (":^1.2", Some("v1.3.0")),
            (":>=1, <3", Some("2.0.0")),
            (&at, None),
            (&both, Some("1")),
        ] {
            assert_eq!(misses(pick, locked, &one), None, "{pick}");
        }
        for (pick, locked, said) in [
            (":1.2", Some("1.3"), "`1.3` is not `1.2`"),
            (":1.2", None, "no version is not `1.2`"),
            (":^1.2", Some("1.1.9"), "`1.1.9` does not fit `^1.2`"),
            (":^1.2", Some("1.2.0-rc.1"), "does not fit"),
            (":^1.2", Some("latest"), "`latest` does not fit"),
            (":^1.2", None, "no version does not fit"),
            (&both, Some("2"), "`2` is not `1`"),
            (&at, Some("2"), "`2` is not no version"),
        ] {
            let why = misses(pick, locked, &one).unwrap_or_default();
            assert!(why.contains(said), "{pick}: {why}");
        }
        for pick in [&at, &both] {
            let why = misses(pick, Some("1"), &other).unwrap_or_default();
            assert_eq!(why, format!("{other} is not {one}"));
        }
    }

    #[test]
    fn sources_say_where_and_which() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for (text, host, path, range) in [
            (
                "oci://r.example/team/harden:1.2",
                "r.example",
                "team/harden",
                false,
            ),
            (
                "oci://localhost:5000/harden:v1",
                "localhost:5000",
                "harden",
                false,
            ),
            ("oci://[::1]:5000/a/b:^1.2", "[::1]:5000", "a/b", true),
            ("oci://r.example/a:>=1, <3", "r.example", "a", true),
            (
                &format!("oci://r.example/a@{digest}"),
                "r.example",
                "a",
                false,
            ),
            (
                &format!("oci://r.example/a:1@{digest}"),
                "r.example",
                "a",
                false,
            ),
        ] {
            let source: Source = text.parse().expect(text);
            assert_eq!(source.repository.host(), host, "{text}");
            assert_eq!(source.repository.path(), path, "{text}");
            assert_eq!(matches!(source.pick, Pick::Range(_)), range, "{text}");
            assert_eq!(source.to_string(), text, "it is written as it was");
        }
    }

    #[test]
    fn an_image_is_where_docker_says() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for (text, host, path) in [
            ("web:1", "docker.io", "library/web"),
            ("team/web", "docker.io", "team/web"),
            ("docker.io/team/web", "docker.io", "team/web"),
            ("localhost/web:1", "localhost", "web"),
            (
                &format!("127.0.0.1:5000/a/b@{digest}"),
                "127.0.0.1:5000",
                "a/b",
            ),
        ] {
            let repository = Reference::of_image(text).expect(text).repository;
            assert_eq!(
                (repository.host(), repository.path()),
                (host, path),
                "{text}"
            );
        }
        assert!(Reference::of_image("").is_err());
        assert!(Reference::of_image("Web").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_write() {
        for (text, said) in [
            ("harden:1", "does not begin with `oci://`"),
            ("https://r.example/a:1", "does not begin with"),
            ("oci://harden:1", "has no path"),
            ("oci://team/harden:1", "`team` is no host"),
            ("oci://r.example/harden", "which version"),
            ("oci://r.example/Harden:1", "`Harden` is no path"),
            ("oci://r.example/../a:1", "is no path"),
            ("oci://r.example/a:", "`` is no tag"),
            ("oci://r.example/a:^x", "is no range"),
            ("oci://r.example/a@sha256:12", "64 digits"),
            ("oci://user:word@r.example/a:1", "is no host"),
        ] {
            let error = text.parse::<Source>().expect_err(text);
            assert!(error.to_string().contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn the_highest_version_of_a_range_is_taken() {
        let tags = [
            "latest",
            "1.2.0",
            "v1.3.1",
            "1.3",
            "2.0.0-rc.1",
            "2.0.0",
            "1.10.0",
            "10",
        ];
        let of = |range: &str| highest(tags.into_iter(), &VersionReq::parse(range).expect(range));
        assert_eq!(of("^1.2"), Some("1.10.0"));
        assert_eq!(of("~1.3"), Some("v1.3.1"));
        assert_eq!(of("*"), Some("2.0.0"));
        assert_eq!(of(">=1, <3"), Some("2.0.0"));
        assert_eq!(of("=2.0.0-rc.1"), Some("2.0.0-rc.1"));
        assert_eq!(of("^3"), None);
    }

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        for (host, loopback) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("[::1]:5000", true),
            ("localhost.example", false),
            ("10.0.0.1:5000", false),
            ("127.0.0.1.example", false),
        ] {
            assert_eq!(is_loopback(host), loopback, "{host}");
        }
    }
}
