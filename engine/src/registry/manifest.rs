//! Manifests, as far as artifacts and what lies beside them need it: the OCI image specification 1.1,
//! "OCI Image Manifest".

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Digest;

/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// That of a list of them.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's own of before.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's own list.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

// What is known of an artifact, as annotations of its manifest: the same specification, "Annotations".
/// Its name.
pub const TITLE: &str = "org.opencontainers.image.title";
/// What it is.
pub const DESCRIPTION: &str = "org.opencontainers.image.description";
/// Its version.
pub const VERSION: &str = "org.opencontainers.image.version";
/// Its licence.
pub const LICENSES: &str = "org.opencontainers.image.licenses";
/// Where its source is.
pub const SOURCE: &str = "org.opencontainers.image.source";
/// The source's revision.
pub const REVISION: &str = "org.opencontainers.image.revision";
/// When it was made.
pub const CREATED: &str = "org.opencontainers.image.created";

/// What names a configuration and layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// 2.
    pub schema_version: u8,
    /// [`MANIFEST`], where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, in their order.
    pub layers: Vec<Descriptor>,
    /// What is known of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// One of these, as it is written.
    pub fn text(
        config: Descriptor,
        layers: Vec<Descriptor>,
        annotations: Option<BTreeMap<String, String>>,
    ) -> Bytes {
        let manifest = Self {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config,
            layers,
            annotations,
        };
        // Structs of texts can't fail to be written.
        serde_json::to_vec(&manifest).unwrap_or_default().into()
    }
}

/// The version that an artifact says it is, where its manifest can be read.
pub fn version_of(manifest: &[u8]) -> Option<String> {
    let manifest: Manifest = serde_json::from_slice(manifest).ok()?;
    manifest.annotations?.remove(VERSION)
}

/// What names a blob. Members that are not known here are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its size in bytes.
    pub size: i64,
    /// What is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// All else.
    #[serde(flatten)]
    pub more: BTreeMap<String, serde_json::Value>,
}

impl Descriptor {
    /// The one of these bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes).to_string(),
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            annotations: None,
            more: BTreeMap::new(),
        }
    }

    /// What is known of it under a name.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        let annotations = self.annotations.as_ref()?;
        annotations.get(name).map(String::as_str)
    }
}
