//! What is attested of an image: statements of in-toto in signed envelopes (DSSE), in the registry beside the
//! image, as `cosign attest` writes and `cosign verify-attestation` reads them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use thiserror::Error;

use super::beside::{Beside, newest};
use super::client::Ask;
use super::manifest::Descriptor;
use super::signatures::SIGNATURE;
use super::{Digest, Envelope, PublicKey, Registries, RegistryError, Repository, Signer};

const LAYER: &str = "application/vnd.dsse.envelope.v1+json";
/// What kind of statement a layer has.
const PREDICATE_TYPE: &str = "predicateType";
/// The largest envelope that is read, in bytes: it has all of a release's changes.
const MAX_ENVELOPE_BYTES: usize = 8 << 20;
/// How many attestations of one image are looked at.
const MAX_ATTESTATIONS: usize = 64;

/// A statement, as far as it has to be understood.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Debug, Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

/// A statement that holds for an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Attested {
    /// The statement, as its signer wrote it.
    pub statement: serde_json::Value,
    /// Whose signature it has.
    pub signer: Signer,
}

/// Why no attestation counts. The further down, the nearer one came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Unattested {
    /// There is none.
    #[error("there is none beside it")]
    None,
    /// None is by a key that counts.
    #[error("none of the {count} beside it is by a key that counts")]
    UnknownKey {
        /// How many there are.
        count: usize,
    },
    /// One is by a key that counts, and says something else.
    #[error("what {key} signed is a statement of another kind: {kind}")]
    OtherKind {
        /// The key.
        key: String,
        /// Its kind.
        kind: String,
    },
    /// One is by a key that counts, and can't be read.
    #[error("what {key} signed can't be read")]
    Malformed {
        /// The key.
        key: String,
    },
    /// One is by a key that counts, for another image: copied from there.
    #[error("what {key} signed is about other images")]
    OtherImage {
        /// The key.
        key: String,
    },
}

/// Finds the statements of one kind by one of `keys` about an image.
///
/// # Errors
///
/// If there is none: how near the nearest came.
pub fn attested(
    envelopes: &[Envelope],
    keys: &[PublicKey],
    digest: &Digest,
    payload_type: &str,
    predicate: &str,
) -> Result<Vec<Attested>, Unattested> {
    let mut found = Vec::new();
    let mut nearest = match envelopes.len() {
        0 => Unattested::None,
        count => Unattested::UnknownKey { count },
    };
    for envelope in envelopes {
        let opened = keys
            .iter()
            .find_map(|key| Some((key, envelope.open(payload_type, key)?)));
        let Some((key, payload)) = opened else {
            continue;
        };
        match check(&payload, key, digest, predicate) {
            Ok(statement) => found.push(Attested {
                statement,
                signer: key.signer(),
            }),
            Err(why) => nearest = nearest.max(why),
        }
    }
    match found.is_empty() {
        true => Err(nearest),
        false => Ok(found),
    }
}

fn check(
    payload: &[u8],
    key: &PublicKey,
    digest: &Digest,
    predicate: &str,
) -> Result<serde_json::Value, Unattested> {
    let name = || key.name().to_owned();
    let malformed = |_| Unattested::Malformed { key: name() };
    let value: serde_json::Value = serde_json::from_slice(payload).map_err(malformed)?;
    let statement = Statement::deserialize(&value).map_err(malformed)?;
    if statement.predicate_type != predicate {
        return Err(Unattested::OtherKind {
            key: name(),
            kind: statement.predicate_type,
        });
    }
    let about = |subject: &Subject| {
        let sha256 = subject.digest.get("sha256");
        sha256.is_some_and(|sha256| sha256 == digest.hex())
    };
    match statement.subject.iter().any(about) {
        true => Ok(value),
        false => Err(Unattested::OtherImage { key: name() }),
    }
}

impl Registries {
    /// The newest envelopes beside an image, in the order in which they came.
    ///
    /// # Errors
    ///
    /// If the registry does not tell.
    pub async fn attestations(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<Envelope>, RegistryError> {
        // A mirror may have older ones, and nothing says so.
        let asked = self.beside(Beside::Attestations, repository, digest, Ask::Itself);
        let mut layers = asked.await?;
        layers.retain(|layer| layer.media_type == LAYER);
        let mut envelopes = Vec::new();
        for layer in newest(&layers, MAX_ATTESTATIONS) {
            let Ok(digest) = layer.digest.parse() else {
                continue;
            };
            let bytes = self.small(repository, &digest, MAX_ENVELOPE_BYTES).await?;
            // What can't be read is none: another may be.
            if let Ok(envelope) = serde_json::from_slice(&bytes) {
                envelopes.push(envelope);
            }
        }
        Ok(envelopes)
    }

    /// Puts an envelope with a statement of some kind beside those that an image has.
    ///
    /// # Errors
    ///
    /// If the registry does not take it.
    pub async fn push_attestation(
        &self,
        repository: &Repository,
        digest: &Digest,
        envelope: &Envelope,
        predicate: &str,
    ) -> Result<(), RegistryError> {
        // Texts can't fail to be written.
        let bytes = Bytes::from(serde_json::to_vec(envelope).unwrap_or_default());
        // cosign wants a signature beside each layer; that of an envelope is in it.
        let annotations = [(SIGNATURE, ""), (PREDICATE_TYPE, predicate)];
        let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let layer = Descriptor {
            annotations: Some(annotations.into()),
            ..Descriptor::of(LAYER, &bytes)
        };
        self.put_beside(Beside::Attestations, repository, digest, layer, bytes)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::SigningKey;
    use super::*;

    const KIND: &str = "application/vnd.in-toto+json";
    const PREDICATE: &str = "https://slsa.dev/provenance/v1";

    #[test]
    fn only_a_signed_statement_about_the_image_counts() {
        let [key, other] = [0, 1].map(|_| SigningKey::generate().expect("random numbers"));
        let keys = [key.public("platform.pub")];
        let digest = Digest::of(b"image");
        let statement = |digest: &Digest, predicate: &str| {
            serde_json::json!({
                "subject": [{"name": "a", "digest": {"sha256": digest.hex()}}],
                "predicateType": predicate,
            })
            .to_string()
        };
        let signed = |key: &SigningKey, kind: &str, text: &str| {
            key.envelope(kind, text.as_bytes()).expect("signed")
        };
        let check = |envelopes: &[Envelope]| {
            let found = attested(envelopes, &keys, &digest, KIND, PREDICATE);
            found.map(|found| found.len())
        };
        let good = signed(&key, KIND, &statement(&digest, PREDICATE));
        assert_eq!(check(&[]), Err(Unattested::None));
        let strange = signed(&other, KIND, &statement(&digest, PREDICATE));
        let unknown = Err(Unattested::UnknownKey { count: 1 });
        assert_eq!(check(std::slice::from_ref(&strange)), unknown);
        assert_eq!(check(&[strange, good]), Ok(1), "one is enough");
        let text = signed(&key, "text/plain", &statement(&digest, PREDICATE));
        assert_eq!(check(&[text]), unknown, "it was signed as something else");
        let name = || "platform.pub".to_owned();
        let vex = signed(&key, KIND, &statement(&digest, "vex"));
        let kind = "vex".to_owned();
        assert_eq!(
            check(&[vex]),
            Err(Unattested::OtherKind { key: name(), kind })
        );
        let another = signed(&key, KIND, &statement(&Digest::of(b"b"), PREDICATE));
        assert_eq!(
            check(&[another]),
            Err(Unattested::OtherImage { key: name() })
        );
        let nonsense = signed(&key, KIND, "{}");
        assert_eq!(
            check(&[nonsense]),
            Err(Unattested::Malformed { key: name() })
        );
    }
}
