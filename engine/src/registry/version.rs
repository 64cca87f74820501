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
