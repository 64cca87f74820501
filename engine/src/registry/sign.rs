//! Signatures, as cosign makes them with a key pair: of a text that names the artifact by its digest, the
//! "simple signing" of <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>, with ECDSA
//! on P-256 over SHA-256. `cosign verify --key` reads them, and what it writes with a key is read here.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Digest, PublicKey, Repository, SigningKey};

const KIND: &str = "cosign container image signature";
/// When a signature ends, among the words that are signed.
const EXPIRES: &str = "dev.rengine.expires";
const CREATED: &str = "dev.rengine.created";

/// A signature, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// What is signed.
    #[serde(with = "in_base64")]
    pub payload: Vec<u8>,
    /// The signature: ASN.1, as ECDSA has it.
    #[serde(with = "in_base64")]
    pub bytes: Vec<u8>,
}

mod in_base64 {
    use super::{Engine, STANDARD};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    optional: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    docker_reference: String,
}

#[derive(Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Why no signature counts. The further down, the nearer one came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Untrusted {
    /// There is none.
    #[error("it is not signed")]
    Unsigned,
    /// None is of a key that is trusted here.
    #[error("none of its {count} signatures is by a key that is trusted here")]
    UnknownKey {
        /// How many there are.
        count: usize,
    },
    /// One is by a trusted key, and no text of this form.
    #[error("what {key} signed can't be read")]
    Malformed {
        /// The key.
        key: String,
    },
    /// One is by a trusted key, for another artifact: copied from there.
    #[error("the signature by {key} is for another artifact, {digest}")]
    OtherArtifact {
        /// The key.
        key: String,
        /// The artifact that was signed.
        digest: String,
    },
    /// One is by a trusted key, for another place: the artifact was copied with it.
    #[error("the signature by {key} is for another place, {place}")]
    OtherPlace {
        /// The key.
        key: String,
        /// The place that it was signed for.
        place: String,
    },
    /// One is by a trusted key, and has ended.
    #[error("the signature by {key} has ended at {end}")]
    Expired {
        /// The key.
        key: String,
        /// When.
        end: String,
    },
}

/// Finds those of `keys` that have signed this artifact for this place, with an end that is not reached:
/// one at least.
///
/// # Errors
///
/// If there is none: how near the nearest came.
pub fn verify<'a>(
    signatures: &[Signature],
    keys: &'a [PublicKey],
    repository: &Repository,
    digest: &Digest,
    now: Timestamp,
) -> Result<Vec<&'a PublicKey>, Untrusted> {
    let mut signers: Vec<&PublicKey> = Vec::new();
    let mut nearest = match signatures.len() {
        0 => Untrusted::Unsigned,
        count => Untrusted::UnknownKey { count },
    };
    for signature in signatures {
        let signer = keys
            .iter()
            .find(|key| key.verifies(&signature.payload, &signature.bytes));
        let Some(key) = signer else { continue };
        match check(signature, key, repository, digest, now) {
            Ok(()) if signers.contains(&key) => {}
            Ok(()) => signers.push(key),
            Err(why) => nearest = nearest.max(why),
        }
    }
    match signers.is_empty() {
        true => Err(nearest),
        false => Ok(signers),
    }
}

fn check(
    signature: &Signature,
    key: &PublicKey,
    repository: &Repository,
    digest: &Digest,
    now: Timestamp,
) -> Result<(), Untrusted> {
    let name = || key.name().to_owned();
    let malformed = || Untrusted::Malformed { key: name() };
    let payload: Payload = serde_json::from_slice(&signature.payload).map_err(|_| malformed())?;
    let Critical {
        identity,
        image,
        kind,
    } = payload.critical;
    if kind != KIND {
        return Err(malformed());
    }
    if image.digest != digest.as_str() {
        return Err(Untrusted::OtherArtifact {
            key: name(),
            digest: image.digest,
        });
    }
    // cosign may write a tag or a digest behind it.
    let place = identity.docker_reference;
    let bare = place.split('@').next().unwrap_or(&place);
    let expected = repository.to_string();
    let fits = bare == expected
        || bare
            .strip_prefix(&expected)
            .is_some_and(|rest| rest.starts_with(':') && !rest.contains('/'));
    if !fits {
        return Err(Untrusted::OtherPlace { key: name(), place });
    }
    let optional = payload.optional.unwrap_or_default();
    match optional.get(EXPIRES) {
        None => Ok(()),
        Some(end) => {
            let end = end.as_str().ok_or_else(malformed)?;
            let time: Timestamp = end.parse().map_err(|_| malformed())?;
            match now < time {
                true => Ok(()),
                false => Err(Untrusted::Expired {
                    key: name(),
                    end: end.to_owned(),
                }),
            }
        }
    }
}

impl SigningKey {
    /// Signs an artifact for a place. It ends after `lasts`, if that is given.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers, or the time can't be told.
    pub fn sign(
        &self,
        repository: &Repository,
        digest: &Digest,
        now: Timestamp,
        lasts: Option<Duration>,
    ) -> Result<Signature, String> {
        let mut optional = serde_json::Map::new();
        let written = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        optional.insert(CREATED.to_owned(), written(now).into());
        if let Some(lasts) = lasts {
            let end = now.checked_add(lasts);
            let end = end.map_err(|_| "it would end too late to be told".to_owned())?;
            optional.insert(EXPIRES.to_owned(), written(end).into());
        }
        let payload = Payload {
            critical: Critical {
                identity: Identity {
                    docker_reference: repository.to_string(),
                },
                image: Image {
                    digest: digest.to_string(),
                },
                kind: KIND.to_owned(),
            },
            optional: Some(optional),
        };
        // Texts can't fail to be written.
        let payload = serde_json::to_vec(&payload).unwrap_or_default();
        Ok(Signature {
            bytes: self.sign_bytes(&payload)?,
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Repository {
        let reference: super::super::Reference = text.parse().expect(text);
        reference.repository
    }

    #[test]
    fn only_what_was_signed_for_here_and_now_counts() {
        let [key, other] = [0, 1].map(|_| SigningKey::generate().expect("random numbers"));
        let keys = [key.public("platform.pub")];
        let here = place("r.example/platform/harden");
        let digest = Digest::of(b"manifest");
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let day = Duration::from_secs(24 * 60 * 60);
        let sign = |key: &SigningKey, place: &Repository, digest: &Digest| {
            key.sign(place, digest, now, Some(day)).expect("signed")
        };
        let good = sign(&key, &here, &digest);
        let check = |signatures: &[Signature], at: Timestamp| {
            let signers = verify(signatures, &keys, &here, &digest, at)?;
            Ok(signers[0].name())
        };
        assert_eq!(check(std::slice::from_ref(&good), now), Ok("platform.pub"));
        assert_eq!(check(&[], now), Err(Untrusted::Unsigned));
        let strange = sign(&other, &here, &digest);
        let unknown = Untrusted::UnknownKey { count: 1 };
        assert_eq!(
            check(std::slice::from_ref(&strange), now),
            Err(unknown.clone())
        );
        assert_eq!(
            check(&[strange, good.clone()], now),
            Ok("platform.pub"),
            "one is enough"
        );
        let mut changed = good.clone();
        changed.payload = String::from_utf8(changed.payload)
            .expect("text")
            .replace("2026-01-02", "2027-01-02")
            .into_bytes();
        assert_eq!(
            check(&[changed], now),
            Err(unknown),
            "what was changed is nobody's"
        );
        let replayed = sign(&key, &here, &Digest::of(b"another"));
        assert!(matches!(
            check(&[replayed], now),
            Err(Untrusted::OtherArtifact { .. })
        ));
        let copied = sign(&key, &place("evil.example/harden"), &digest);
        assert!(matches!(
            check(&[copied], now),
            Err(Untrusted::OtherPlace { .. })
        ));
        let longer = sign(&key, &place("r.example/platform/harden/more"), &digest);
        assert!(matches!(
            check(&[longer], now),
            Err(Untrusted::OtherPlace { .. })
        ));
        let late = now.checked_add(day).expect("a time");
        assert!(matches!(
            check(&[good], late),
            Err(Untrusted::Expired { .. })
        ));
        let endless = key.sign(&here, &digest, now, None).expect("signed");
        assert_eq!(
            check(std::slice::from_ref(&endless), late),
            Ok("platform.pub")
        );
        let both = [key.public("platform.pub"), other.public("other.pub")];
        let second = sign(&other, &here, &digest);
        let signers = verify(
            &[second, endless.clone(), endless],
            &both,
            &here,
            &digest,
            now,
        );
        let names: Vec<_> = signers
            .expect("signed")
            .iter()
            .map(|key| key.name())
            .collect();
        assert_eq!(names, ["other.pub", "platform.pub"], "each once");
        let nonsense = Signature {
            bytes: key.sign_bytes(b"{}").expect("signed"),
            payload: b"{}".to_vec(),
        };
        assert!(matches!(
            check(&[nonsense], now),
            Err(Untrusted::Malformed { .. })
        ));
    }
}
