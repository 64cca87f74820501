//! What the settings allow.

use rengine_plugin::{Result, ensure};
use serde::Deserialize;

/// What `config` in plugins.toml may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Repositories with their registry; `*` at the end stands for the rest.
    allow: Vec<String>,
    /// Whether an image must be named by its digest.
    #[serde(default)]
    digest: bool,
}

impl Policy {
    /// Refuses an image that is not allowed; `place` says who wants it.
    pub fn check(&self, place: &str, image: &str) -> Result {
        let (repository, version) = split(image);
        ensure!(
            self.allow.iter().any(|pattern| matches(pattern, &repository)),
            "{place}: `{image}` comes from where no image may come from";
            hint = "take one of {}", self.allow.join(", ")
        );
        ensure!(
            !matches!(version, Version::Tag("latest")),
            "{place}: `{image}` is another image every time";
            hint = "name a version: {repository}:1.2.3"
        );
        ensure!(
            !self.digest || matches!(version, Version::Digest),
            "{place}: `{image}` is not named by its digest";
            hint = "`docker image inspect {image}` tells it: {repository}@sha256:…"
        );
        Ok(())
    }
}

#[derive(Debug, PartialEq)]
enum Version<'a> {
    Tag(&'a str),
    Digest,
}

/// An image's repository, with the registry and folder that Docker adds to a short name, and its
/// version.
fn split(image: &str) -> (String, Version<'_>) {
    let (name, version) = match image.split_once('@') {
        Some((name, _)) => (untagged(name).0, Version::Digest),
        None => {
            let (name, tag) = untagged(image);
            (name, Version::Tag(tag.unwrap_or("latest")))
        }
    };
    let first = name.split('/').next().unwrap_or(name);
    let repository = if !name.contains('/') {
        format!("docker.io/library/{name}")
    } else if first.contains(['.', ':']) || first == "localhost" {
        name.to_owned()
    } else {
        format!("docker.io/{name}")
    };
    (repository, version)
}

/// A colon before the last slash belongs to a registry's port.
fn untagged(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    }
}

fn matches(pattern: &str, repository: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => repository.starts_with(start),
        None => repository == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(digest: bool, image: &str) -> Option<String> {
        let allow = ["docker.io/library/debian", "registry.example.com:5000/*"];
        let allow = allow.map(str::to_owned).to_vec();
        let refusal = Policy { allow, digest }.check("web", image).err()?;
        Some(refusal.reason)
    }

    #[test]
    fn allowed_images_pass() {
        for image in [
            "debian:12",
            "docker.io/library/debian:12",
            "registry.example.com:5000/team/app:1",
            "registry.example.com:5000/app@sha256:0123",
        ] {
            assert_eq!(refusal(false, image), None, "{image}");
        }
        assert_eq!(refusal(true, "debian:12@sha256:0123"), None);
    }

    #[test]
    fn other_places_and_moving_tags_are_refused() {
        for image in [
            "alpine:3",
            "debian/debian:12",
            "registry.example.com/app:1",
            "debianx:12",
        ] {
            let reason = refusal(false, image).expect("a refusal");
            assert!(reason.contains("no image may come from"), "{reason}");
        }
        for image in ["debian", "debian:latest", "registry.example.com:5000/app"] {
            let reason = refusal(false, image).expect("a refusal");
            assert!(reason.contains("another image every time"), "{reason}");
        }
        let reason = refusal(true, "debian:12").expect("a refusal");
        assert!(reason.contains("not named by its digest"), "{reason}");
    }
}
