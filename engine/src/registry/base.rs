//! Bases in registries: a part of a plugins.toml that projects extend, as an artifact of one layer.
//!
//! It is found, pinned, verified and kept as plugins are. It brings no files but its text: what it names has
//! to be in a registry, too.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::client::Ask;
use super::manifest::{
    CREATED, DESCRIPTION, Descriptor, LICENSES, Manifest, REVISION, SOURCE, TITLE, VERSION,
};
use super::version::is_whole;
use super::{
    Digest, LockedBase, Metadata, Part, Pick, RegistryError, Resolver, Signer, Source as Place,
    Trust,
};
use crate::app::ByteSize;

/// The media type of a base's configuration, which says what is in it.
pub(super) const CONFIG: &str = "application/vnd.dev.rengine.base.config.v1+json";
/// The media type of its text.
pub(super) const LAYER: &str = "application/vnd.dev.rengine.base.v1+toml";
/// What its text is called by programs that write it to a file.
const FILE: &str = "plugins.toml";
/// The largest text that is taken for a base, in bytes.
pub const MAX_BASE_BYTES: u64 = 1 << 20;

/// What a base has, for those who look at it in a registry.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Config {
    pub(super) plugins: Vec<String>,
    pub(super) required: Vec<String>,
}

/// A base as it goes to a registry.
#[derive(Debug, Clone)]
pub struct BaseArtifact {
    /// Its text.
    pub content: Bytes,
    /// What is in it.
    pub config: Bytes,
    /// The manifest that makes both one.
    pub manifest: Bytes,
}

impl BaseArtifact {
    /// Makes one of a text that was found to be a base, with its plugins and those that it requires.
    /// `created` is when it was made, as RFC 3339 has it; `name` and `version` are those of the place that
    /// it goes to. The same input gives the same bytes.
    pub fn new(
        content: Bytes,
        (plugins, required): (&[String], &[String]),
        metadata: &Metadata,
        name: &str,
        version: &str,
        created: &str,
    ) -> Self {
        // Structs of texts can't fail to be written.
        let config = Config {
            plugins: plugins.to_vec(),
            required: required.to_vec(),
        };
        let config = Bytes::from(serde_json::to_vec(&config).unwrap_or_default());
        let annotations = [
            (TITLE, Some(metadata.name.as_deref().unwrap_or(name))),
            (VERSION, Some(version)),
            (CREATED, Some(created)),
            (DESCRIPTION, metadata.description.as_deref()),
            (LICENSES, metadata.license.as_deref()),
            (SOURCE, metadata.source.as_deref()),
            (REVISION, metadata.revision.as_deref()),
        ];
        let annotations = annotations
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())));
        let mut layer = Descriptor::of(LAYER, &content);
        layer.annotations = Some(BTreeMap::from([(TITLE.to_owned(), FILE.to_owned())]));
        let config_of = Descriptor::of(CONFIG, &config);
        let manifest = Manifest::text(config_of, vec![layer], Some(annotations.collect()));
        Self {
            content,
            config,
            manifest,
        }
    }
}

/// The digest and the size of the text of a base, as its manifest has them. `reference` is what was asked
/// for, for errors.
pub(super) fn text_of(
    manifest: &[u8],
    reference: &dyn fmt::Display,
) -> Result<(Digest, u64), RegistryError> {
    let error = |reason: String| RegistryError::NotBase {
        reference: reference.to_string(),
        reason,
    };
    let manifest: Manifest = serde_json::from_slice(manifest)
        .map_err(|wrong| error(format!("its manifest is none of an artifact: {wrong}")))?;
    let [layer] = manifest.layers.as_slice() else {
        let count = manifest.layers.len();
        return Err(error(format!("it has {count} layers, and a base has one")));
    };
    if layer.media_type != LAYER {
        return Err(error(match layer.media_type.contains("wasm") {
            true => "it is a plugin".to_owned(),
            false => format!("its layer is `{}`", layer.media_type),
        }));
    }
    let digest = layer.digest.parse().map_err(|_| {
        error(format!(
            "its layer's digest, `{}`, is no sha256",
            layer.digest
        ))
    })?;
    let size = u64::try_from(layer.size).ok();
    match size.filter(|size| *size <= MAX_BASE_BYTES) {
        Some(size) => Ok((digest, size)),
        None => {
            let limit = ByteSize(MAX_BASE_BYTES);
            let size = layer.size;
            Err(error(format!(
                "it has {size} bytes, and {limit} is the limit"
            )))
        }
    }
}

/// A base that is here, and is what its digests say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedBase {
    /// Its text, as it came.
    pub content: Vec<u8>,
    /// What is locked of it.
    pub locked: LockedBase,
    /// Whose signatures it has that count; nobody's where none is needed.
    pub signers: Vec<Signer>,
}

impl Resolver {
    /// Finds a base: what is locked of it, or else what its registry says today. `trust` is that of whoever
    /// extends it: nothing of it is read before its signature.
    ///
    /// # Errors
    ///
    /// If it can't be had, is not trusted, or is no base.
    pub async fn base(
        &self,
        source: &Place,
        trust: &Trust,
        locked: Option<&LockedBase>,
    ) -> Result<ResolvedBase, RegistryError> {
        let part = Part::Base(source.to_string());
        let repository = &source.repository;
        let locked_at = locked.map(|locked| (&locked.version, &locked.digest));
        let (version, digest, manifest) = self.artifact(&part, source, locked_at).await?;
        let artifact = format!("{repository}@{digest}");
        let (content, size) = text_of(&manifest, &artifact)?;
        let is = LockedBase {
            source: source.to_string(),
            version,
            digest,
            content,
            size,
        };
        if let Some(said) = locked.filter(|said| **said != is) {
            let (said, is) = (&said.content, &is.content);
            return Err(RegistryError::Drift {
                part,
                against: "artifact",
                what: match said == is {
                    true => "its text has another size".to_owned(),
                    false => format!("its text is {said}, and the artifact has {is}"),
                },
            });
        }
        let signers = self.trusted(&part, trust, repository, &is.digest).await?;
        let text = (&is.content, is.size);
        let path = self.blob(&part, repository, &is.digest, text).await?;
        let read = std::fs::read(&path).map_err(|error| super::StoreError {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        let actual = Digest::of(&read);
        if actual != is.content {
            // It was whole a moment ago.
            return Err(RegistryError::Tampered {
                what: artifact,
                host: path.display().to_string(),
                expected: is.content.to_string(),
                actual: actual.to_string(),
            });
        }
        Ok(ResolvedBase {
            content: read,
            locked: is,
            signers,
        })
    }

    /// Whose signatures a base has, of those whose word counts for somebody else than the project.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub async fn vouched(
        &self,
        source: &Place,
        trust: &Trust,
        locked: &LockedBase,
    ) -> Result<Vec<Signer>, RegistryError> {
        let part = Part::Base(source.to_string());
        let (repository, digest) = (&source.repository, &locked.digest);
        self.trusted(&part, trust, repository, digest).await
    }

    /// Asks the registry itself whether a base is there as it is locked: under its tag, or where that is one that
    /// moves, at all. plugins.lock, what is vendored and mirrors are the project's.
    ///
    /// # Errors
    ///
    /// If it is not, or it can't be asked.
    pub async fn confirm(&self, source: &Place, locked: &LockedBase) -> Result<(), RegistryError> {
        let unconfirmed = |reason: String| RegistryError::Unconfirmed {
            part: Part::Base(source.to_string()),
            reason,
        };
        if self.mode.offline {
            let reason = "--offline was given, and no key for it";
            return Err(unconfirmed(reason.to_owned()));
        }
        let tag = locked.version.as_deref().filter(|tag| is_whole(tag));
        let tag = tag.filter(|_| !matches!(source.pick, Pick::Digest { .. }));
        let which = tag.unwrap_or(locked.digest.as_str());
        let repository = &source.repository;
        let asked = self.registries.tagged(repository, which, Ask::Itself).await;
        let there = match asked {
            Ok(manifest) => Digest::of(&manifest),
            Err(RegistryError::NotFound { .. }) => {
                let host = repository.host();
                return Err(unconfirmed(format!("{host} does not have {which}")));
            }
            Err(error) => return Err(error),
        };
        match there == locked.digest {
            true => Ok(()),
            false => {
                let locked = &locked.digest;
                let reason = format!("plugins.lock has {locked}, and {which} is {there} there");
                Err(unconfirmed(reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_says_what_it_is() {
        let text = Bytes::from_static(b"[plugins.a]\nsource = \"oci://r.example/a:1\"\n");
        let names = ["a".to_owned()];
        let metadata = Metadata {
            description: Some("What all apps run.".to_owned()),
            ..Metadata::default()
        };
        let make = || {
            let made = "2026-01-02T03:04:05Z";
            BaseArtifact::new(
                text.clone(),
                (&names, &[]),
                &metadata,
                "base",
                "3.0.0",
                made,
            )
        };
        let artifact = make();
        assert_eq!(artifact.manifest, make().manifest, "the same is the same");
        let found = text_of(&artifact.manifest, &"it").expect("a base");
        assert_eq!(found, (Digest::of(&text), text.len() as u64));
        let config = String::from_utf8_lossy(&artifact.config);
        assert_eq!(config, r#"{"plugins":["a"],"required":[]}"#);
        let said = super::super::DescribedBase::of(&artifact.manifest, &"it").expect("a base");
        let said = said.expect("a base");
        assert_eq!(said.content, Digest::of(&text));
        assert_eq!(said.about.version.as_deref(), Some("3.0.0"));
        let described = super::super::Described::of(&artifact.manifest, &"it");
        let error = described.expect_err("it is no plugin");
        assert_eq!(error.to_string(), "it is no plugin: it is a base");
    }

    #[test]
    fn what_else_is_in_registries_is_told_from_bases() {
        let manifest = |media: &str, size: i64| {
            let manifest = serde_json::json!({
                "schemaVersion": 2,
                "config": {"mediaType": CONFIG, "size": 2, "digest": "sha256:x"},
                "layers": [{
                    "mediaType": media, "size": size, "digest": format!("sha256:{}", "0".repeat(64)),
                }],
            });
            text_of(manifest.to_string().as_bytes(), &"it").map(|(_, size)| size)
        };
        assert!(matches!(manifest(LAYER, 9), Ok(9)));
        for (media, size, said) in [
            ("application/wasm", 9, "it is a plugin"),
            ("text/plain", 9, "its layer is `text/plain`"),
            (LAYER, 1 << 40, "1MiB is the limit"),
            (LAYER, -1, "-1 bytes"),
        ] {
            let error = manifest(media, size).expect_err(said).to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
        assert!(text_of(b"{", &"it").is_err());
    }
}
