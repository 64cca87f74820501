//! Where signatures are: in the registry beside what they sign, under a tag that its digest gives, as cosign
//! keeps them; and in the store, so that a deploy that asks nobody verifies, too.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use oci_client::manifest::{OciDescriptor, OciImageManifest};

use super::client::Ask;
use super::{Digest, Registries, RegistryError, Repository, Signature};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// The largest text that is signed, in bytes.
const MAX_PAYLOAD_BYTES: usize = 64 << 10;
/// How many signatures of one artifact are looked at.
const MAX_SIGNATURES: usize = 64;

/// The tag of an artifact's signatures.
fn tag(digest: &Digest) -> String {
    format!("sha256-{}.sig", digest.hex())
}

impl Registries {
    /// The signatures of an artifact, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// If the registry does not tell.
    pub async fn signatures(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<Signature>, RegistryError> {
        let Some(manifest) = self.signed(repository, digest).await? else {
            return Ok(Vec::new());
        };
        let mut signatures = Vec::new();
        for layer in manifest.layers.iter().take(MAX_SIGNATURES) {
            let annotations = layer.annotations.as_ref();
            let text = annotations.and_then(|annotations| annotations.get(SIGNATURE));
            // What can't be read is none: another may be.
            let (Some(text), Ok(digest)) = (text, layer.digest.parse::<Digest>()) else {
                continue;
            };
            let (true, Ok(bytes)) = (layer.media_type == LAYER, STANDARD.decode(text)) else {
                continue;
            };
            let payload = self.small(repository, &digest, MAX_PAYLOAD_BYTES).await?;
            if Digest::of(&payload) == digest {
                signatures.push(Signature {
                    payload: payload.to_vec(),
                    bytes,
                });
            }
        }
        Ok(signatures)
    }

    /// Puts a signature beside those that an artifact has.
    ///
    /// # Errors
    ///
    /// If the registry does not take it.
    pub async fn push_signature(
        &self,
        repository: &Repository,
        digest: &Digest,
        signature: &Signature,
    ) -> Result<(), RegistryError> {
        let mut layers = match self.signed(repository, digest).await? {
            Some(manifest) => manifest.layers,
            None => Vec::new(),
        };
        let described = |media_type: &str, bytes: &[u8]| OciDescriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes).to_string(),
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            ..OciDescriptor::default()
        };
        let text = STANDARD.encode(&signature.bytes);
        layers.push(OciDescriptor {
            annotations: Some(BTreeMap::from([(SIGNATURE.to_owned(), text)])),
            ..described(LAYER, &signature.payload)
        });
        let digests: Vec<_> = layers.iter().map(|layer| layer.digest.as_str()).collect();
        let config = serde_json::json!({
            "architecture": "", "os": "", "config": {},
            "rootfs": {"type": "layers", "diff_ids": digests},
        });
        let config = Bytes::from(config.to_string());
        let manifest = OciImageManifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config: described(CONFIG, &config),
            layers,
            subject: None,
            artifact_type: None,
            annotations: None,
        };
        let manifest = Bytes::from(serde_json::to_vec(&manifest).unwrap_or_default());
        let blobs = [Bytes::from(signature.payload.clone()), config];
        self.push(repository, &tag(digest), &blobs, &manifest)
            .await?;
        Ok(())
    }

    async fn signed(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<OciImageManifest>, RegistryError> {
        // Each signature is verified, whoever gives it.
        let manifest = match self.tagged(repository, &tag(digest), Ask::Mirrors).await {
            Ok(manifest) => manifest,
            Err(RegistryError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        // Whatever else is there signs nothing.
        Ok(serde_json::from_slice(&manifest).ok())
    }
}
