//! Signatures in a registry, beside what they sign, as cosign keeps them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::beside::{Beside, newest};
use super::client::Ask;
use super::manifest::Descriptor;
use super::{Digest, Registries, RegistryError, Repository, Signature, Untrusted};

const LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Where a signature stands, in base64.
pub(super) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// The largest text that is signed, in bytes.
const MAX_PAYLOAD_BYTES: usize = 64 << 10;
/// How many signatures of one artifact are looked at.
const MAX_SIGNATURES: usize = 64;

impl Registries {
    /// The signatures of an artifact of which one counts, as `check` says with what it makes of them. A mirror may
    /// have older ones than the registry: where none of its own counts, the registry is asked.
    ///
    /// # Errors
    ///
    /// If the registry does not tell; or, within, what `check` says last.
    pub async fn signed<T: Send>(
        &self,
        repository: &Repository,
        digest: &Digest,
        check: impl Fn(&[Signature]) -> Result<T, Untrusted> + Send,
    ) -> Result<Result<(Vec<Signature>, T), Untrusted>, RegistryError> {
        if self.has_mirrors(repository) {
            let found = self.signatures(repository, digest, Ask::Mirrors).await?;
            if let Ok(checked) = check(&found) {
                return Ok(Ok((found, checked)));
            }
        }
        let found = self.signatures(repository, digest, Ask::Itself).await?;
        Ok(check(&found).map(|checked| (found, checked)))
    }

    /// The newest signatures of an artifact, in the order in which they were made.
    async fn signatures(
        &self,
        repository: &Repository,
        digest: &Digest,
        ask: Ask,
    ) -> Result<Vec<Signature>, RegistryError> {
        let mut layers = self
            .beside(Beside::Signatures, repository, digest, ask)
            .await?;
        layers.retain(|layer| layer.media_type == LAYER);
        let mut signatures = Vec::new();
        for layer in newest(&layers, MAX_SIGNATURES) {
            // What can't be read is none: another may be.
            let (Some(text), Ok(digest)) = (layer.annotation(SIGNATURE), layer.digest.parse())
            else {
                continue;
            };
            let Ok(bytes) = STANDARD.decode(text) else {
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
