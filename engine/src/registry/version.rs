//! Tags that are versions.

use semver::{Version, VersionReq};

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

/// True for a tag that names one version for good; others, such as `1.2` and `latest`, move.
pub(super) fn is_whole(tag: &str) -> bool {
    let dots = tag.matches('.').count();
    dots >= 2 && version(tag).is_some()
}

/// True if an artifact that says of itself that it is the version `said` may have this tag. What is no
/// version says nothing of it.
pub(super) fn may_have(tag: &str, said: &str) -> bool {
    let (Some(tagged), Some(is)) = (version(tag), version(said)) else {
        return true;
    };
    match is_whole(tag) {
        true => tagged.cmp_precedence(&is).is_eq(),
        false => (tagged.major, tagged.minor) == (is.major, is.minor),
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
    fn an_artifact_has_the_tag_of_its_version() {
        for (tag, said) in [
            ("1.2.0", "1.2.0"),
            ("v1.2.0", "1.2.0"),
            ("1.2.0", "v1.2.0+build.7"),
            ("1.2.0_build.7", "1.2.0+build.7"),
            ("1.2.0", "1.2"),
            ("1.2", "1.2.7"),
            ("latest", "1.2.0"),
            ("1.2.0", "a7c9f1e"),
            ("1.2.0", ""),
        ] {
            assert!(may_have(tag, said), "{tag} {said}");
        }
        for (tag, said) in [
            ("1.2.0", "1.1.9"),
            ("1.2.0", "1.2.0-rc.1"),
            ("1.2.5", "1.2"),
            ("1.2", "1.1.9"),
            ("v2.0", "1.0.0"),
        ] {
            assert!(!may_have(tag, said), "{tag} {said}");
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
}
