//! Signatures in a registry, beside what they sign, as cosign keeps them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::beside::Beside;
use super::manifest::Descriptor;
use super::{Digest, Registries, RegistryError, Repository, Signature};

const LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Where a signature stands, in base64.
pub(super) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// The largest text that is signed, in bytes.
const MAX_PAYLOAD_BYTES: usize = 64 << 10;
/// How many signatures of one artifact are looked at.
const MAX_SIGNATURES: usize = 64;

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
        let layers = self.beside(Beside::Signatures, repository, digest).await?;
        let mut signatures = Vec::new();
        for layer in layers.iter().take(MAX_SIGNATURES) {
            // What can't be read is none: another may be.
            let (Some(text), Ok(digest)) = (layer.annotation(SIGNATURE), layer.digest.parse())
            else {
                continue;
            };
            let (true, Ok(bytes)) = (layer.media_type == LAYER, STANDARD.decode(text)) else {
                continue;
            };
            let payload = self.small(repository, &digest, MAX_PAYLOAD_BYTES).await?;
            signatures.push(Signature {
                payload: payload.to_vec(),
                bytes,
            });
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
        let text = STANDARD.encode(&signature.bytes);
        let layer = Descriptor {
            annotations: Some(BTreeMap::from([(SIGNATURE.to_owned(), text)])),
            ..Descriptor::of(LAYER, &signature.payload)
        };
        let payload = signature.payload.clone().into();
        self.put_beside(Beside::Signatures, repository, digest, layer, payload)
            .await
    }
}
