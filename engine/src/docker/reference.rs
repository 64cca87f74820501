//! Image references, as far as they have to be understood here.

use super::DockerError;

/// Refuses what can't be an image reference: the client puts it into a URL's path as it is.
pub(super) fn check(reference: &str) -> Result<&str, DockerError> {
    let character = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
    let part = |part: &str| !matches!(part, "" | "." | "..");
    match reference.chars().all(character) && reference.split('/').all(part) {
        true => Ok(reference),
        false => Err(DockerError::BadReference {
            reference: reference.to_owned(),
        }),
    }
}

/// A reference as the daemon wants it where it is to be given in two parts: name and tag. A
/// digest takes the tag's place; without either, the tag is `latest`.
pub(super) fn split(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, digest);
    }
    match reference.rsplit_once(':') {
        // A `/` after it: that was the port of a registry.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_split_at_its_tag() {
        for (reference, expected) in [
            ("web", ("web", "latest")),
            ("web:1", ("web", "1")),
            ("localhost:5000/web", ("localhost:5000/web", "latest")),
            ("localhost:5000/web:1", ("localhost:5000/web", "1")),
            ("web@sha256:ab", ("web", "sha256:ab")),
        ] {
            assert_eq!(split(reference), expected);
        }
    }

    #[test]
    fn what_would_leave_the_path_is_refused() {
        for bad in [
            "",
            "a b",
            "a?b",
            "a#b",
            "../containers",
            "a/../b",
            "a//b",
            "/a",
            "a%2e",
        ] {
            assert!(check(bad).is_err(), "`{bad}`");
        }
        for good in ["a", "a/b:c", "h.example:5000/a_b/c@sha256:00", "sha256:00"] {
            assert!(check(good).is_ok(), "`{good}`");
        }
    }
}
