//! What lies beside an artifact in its registry: under a tag that its digest gives, as cosign keeps signatures
//! (`sha256-….sig`) and attestations (`sha256-….att`), each one layer of an image.

use bytes::Bytes;

use super::client::Ask;
use super::manifest::{Descriptor, Manifest};
use super::{Digest, Registries, RegistryError, Repository};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// What kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Signatures,
    Attestations,
}

impl Beside {
    fn tag(self, digest: &Digest) -> String {
        let end = match self {
            Self::Signatures => "sig",
            Self::Attestations => "att",
        };
        format!("sha256-{}.{end}", digest.hex())
    }
}

/// True for the tags of what lies beside an artifact: these, and what others than cosign put there.
pub(super) fn is_beside(tag: &str) -> bool {
    tag.strip_prefix("sha256-").is_some_and(|rest| {
        let digits = rest.split('.').next().unwrap_or_default();
        digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// The last of some layers, which are the newest: each is put behind those that are there.
pub(super) fn newest(layers: &[Descriptor], count: usize) -> &[Descriptor] {
    let older = layers.len().saturating_sub(count);
    layers.get(older..).unwrap_or_default()
}

impl Registries {
    /// The layers beside an artifact. Each is to be verified, whoever gives it: mirrors may be asked, too.
    pub(super) async fn beside(
        &self,
        kind: Beside,
        repository: &Repository,
        digest: &Digest,
        ask: Ask,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let manifest = match self.tagged(repository, &kind.tag(digest), ask).await {
            Ok(manifest) => manifest,
            Err(RegistryError::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        // Whatever else is there says nothing.
        let manifest = serde_json::from_slice(&manifest);
        Ok(manifest.map_or_else(|_| Vec::new(), |manifest: Manifest| manifest.layers))
    }

    /// Puts a layer behind those that are beside an artifact.
    pub(super) async fn put_beside(
        &self,
        kind: Beside,
        repository: &Repository,
        digest: &Digest,
        layer: Descriptor,
        bytes: Bytes,
    ) -> Result<(), RegistryError> {
        let tag = kind.tag(digest);
        // A mirror may be behind, and what it does not know would be lost.
        let there = match self.tagged(repository, &tag, Ask::Itself).await {
            Ok(manifest) => serde_json::from_slice(&manifest).ok(),
            Err(RegistryError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut layers = there.map_or_else(Vec::new, |manifest: Manifest| manifest.layers);
        layers.push(layer);
        let digests: Vec<_> = layers.iter().map(|layer| layer.digest.as_str()).collect();
        let config = serde_json::json!({
            "architecture": "", "os": "", "config": {},
            "rootfs": {"type": "layers", "diff_ids": digests},
        });
        let config = Bytes::from(config.to_string());
        let manifest = Manifest::text(Descriptor::of(CONFIG, &config), layers, None);
        self.push(repository, &tag, &[bytes, config], &manifest)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_there_last_is_looked_at() {
        let layers: Vec<_> = (0..70u8)
            .map(|count| Descriptor::of("x", &[count]))
            .collect();
        let found = newest(&layers, 64);
        assert_eq!((found.len(), found.last()), (64, layers.last()));
        assert_eq!(newest(&layers[..3], 64), &layers[..3]);
        assert!(newest(&[], 64).is_empty());
    }
}
