//! Signatures, as cosign makes them with a key pair: of a text that names the artifact by its digest, the
//! "simple signing" of <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>, with ECDSA
//! on P-256 over SHA-256. `cosign verify --key` reads them, and what it writes with a key is read here.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use miette::Diagnostic;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Digest, Repository};

/// What stands before the point of a P-256 key in a SubjectPublicKeyInfo: the algorithm, by RFC 5480.
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// A point that is not compressed.
const POINT_BYTES: usize = 65;
const KIND: &str = "cosign container image signature";
/// When a signature ends, among the words that are signed.
const EXPIRES: &str = "dev.rengine.expires";
const CREATED: &str = "dev.rengine.created";

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("the key {} can't be used: {reason}", path.display())]
#[diagnostic(help(
    "`rengine plugin keygen NAME` makes a pair: NAME.key signs, NAME.pub is for all others"
))]
pub struct KeyError {
    /// The file, or the variable.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// The public half of a pair: whose signatures count.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    point: Vec<u8>,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.name, self.id())
    }
}

impl PublicKey {
    /// Reads PEM. `name` is what people know it by: its file.
    ///
    /// # Errors
    ///
    /// If it is none, in words.
    pub fn parse(name: &str, pem: &[u8]) -> Result<Self, String> {
        if PrivatePkcs8KeyDer::from_pem_slice(pem).is_ok() {
            return Err("it is a private key, and the public one is wanted".to_owned());
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .map_err(|_| "it has no `-----BEGIN PUBLIC KEY-----`".to_owned())?;
        let point = der
            .strip_prefix(&SPKI_HEAD)
            .filter(|point| point.len() == POINT_BYTES)
            .ok_or("it is no key for ECDSA on P-256, which is what cosign makes")?;
        Ok(Self {
            name: name.to_owned(),
            point: point.to_owned(),
        })
    }

    /// What people know it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A name that nobody chooses: the SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        Digest::of(&self.der()).hex().to_owned()
    }

    /// The start of it, for people.
    pub fn id(&self) -> String {
        short(&self.fingerprint())
    }

    /// Who has signed, where this is the key.
    pub fn signer(&self) -> Signer {
        Signer {
            key: self.name.clone(),
            fingerprint: self.fingerprint(),
        }
    }

    /// As it is written to a file.
    pub fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.der())
    }

    fn der(&self) -> Vec<u8> {
        [&SPKI_HEAD[..], &self.point].concat()
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point);
        key.verify(message, signature).is_ok()
    }
}

/// As much of a fingerprint as people compare.
fn short(fingerprint: &str) -> String {
    fingerprint.chars().take(16).collect()
}

/// Whose signature something has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Signer {
    /// What people know the key by: its file.
    pub key: String,
    /// See [`PublicKey::fingerprint`].
    pub fingerprint: String,
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.key, short(&self.fingerprint))
    }
}

/// The private half of a pair.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    pem: String,
}

impl fmt::Debug for SigningKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Makes a new one.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn generate() -> Result<Self, String> {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| "the system gives no random numbers".to_owned())?;
        Self::from_der(der.as_ref())
    }

    /// Reads PEM, in PKCS #8.
    ///
    /// # Errors
    ///
    /// If it is none, in words.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let has = |words: &str| String::from_utf8_lossy(text).contains(words);
        if has("ENCRYPTED") {
            return Err(
                "it is encrypted: `openssl pkcs8` or `cosign import-key-pair` convert keys, and \
                 RENGINE_SIGNING_KEY takes one from a store of secrets"
                    .to_owned(),
            );
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(text)
            .map_err(|_| "it has no `-----BEGIN PRIVATE KEY-----`".to_owned())?;
        Self::from_der(der.secret_pkcs8_der())
    }

    fn from_der(der: &[u8]) -> Result<Self, String> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random)
            .map_err(|error| format!("it is no key for ECDSA on P-256: {error}"))?;
        Ok(Self {
            pair,
            pem: pem("PRIVATE KEY", der),
        })
    }

    /// As it is written to a file that nobody else may read.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The public half.
    pub fn public(&self, name: &str) -> PublicKey {
        PublicKey {
            name: name.to_owned(),
            point: self.pair.public_key().as_ref().to_owned(),
        }
    }

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

    /// Signs a text in an envelope that says what it is: DSSE 1.0
    /// (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>).
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn envelope(&self, kind: &str, payload: &[u8]) -> Result<Envelope, String> {
        let signature = self.sign_bytes(&Envelope::signed(kind, payload))?;
        Ok(Envelope {
            payload: STANDARD.encode(payload),
            payload_type: kind.to_owned(),
            signatures: vec![EnvelopeSignature {
                // Each verifier has names of its own for keys, and some pass over those of others.
                key: String::new(),
                signature: STANDARD.encode(signature),
            }],
        })
    }

    /// Signs any bytes.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let signed = self.pair.sign(&SystemRandom::new(), message);
        let signed = signed.map_err(|_| "the system gives no random numbers".to_owned())?;
        Ok(signed.as_ref().to_owned())
    }
}

/// A text that is signed, with what it is: DSSE 1.0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The text, in base64.
    payload: String,
    /// What it is.
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct EnvelopeSignature {
    #[serde(rename = "keyid", default)]
    key: String,
    #[serde(rename = "sig")]
    signature: String,
}

impl Envelope {
    /// What is signed, so that a text of one kind can't be passed off as another: PAE of DSSE.
    fn signed(kind: &str, payload: &[u8]) -> Vec<u8> {
        let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
        [head.as_bytes(), payload].concat()
    }

    /// The text, if it is of this kind, and one of the signatures is by this key.
    pub fn open(&self, kind: &str, key: &PublicKey) -> Option<Vec<u8>> {
        if self.payload_type != kind {
            return None;
        }
        let payload = STANDARD.decode(&self.payload).ok()?;
        let message = Self::signed(&self.payload_type, &payload);
        let signed = self.signatures.iter().any(|signature| {
            let bytes = STANDARD.decode(&signature.signature);
            bytes.is_ok_and(|bytes| key.verifies(&message, &bytes))
        });
        signed.then_some(payload)
    }
}

/// PEM, with lines of 64 characters (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = String::new();
    for (index, letter) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}

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

/// Reads a signing key: the text of RENGINE_SIGNING_KEY if there is one, or a file.
///
/// # Errors
///
/// If it can't be read, or is none.
pub fn signing_key(path: &Path, from_env: Option<&str>) -> Result<SigningKey, KeyError> {
    let (path, text) = match from_env {
        Some(text) => (
            PathBuf::from("RENGINE_SIGNING_KEY"),
            text.as_bytes().to_vec(),
        ),
        None => {
            let text = std::fs::read(path).map_err(|error| KeyError {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
            (path.to_owned(), text)
        }
    };
    SigningKey::parse(&text).map_err(|reason| KeyError { path, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Repository {
        let reference: super::super::Reference = text.parse().expect(text);
        reference.repository
    }

    #[test]
    fn a_key_comes_back_from_its_file() {
        let key = SigningKey::generate().expect("random numbers");
        let again = SigningKey::parse(key.pem().as_bytes()).expect("a key");
        let public = key.public("team");
        assert_eq!(again.public("team"), public);
        let read = PublicKey::parse("team", public.pem().as_bytes()).expect("a key");
        assert_eq!(read, public);
        assert_eq!(public.id().len(), 16);
        assert!(!format!("{key:?}").contains("PRIVATE"));
        let wrong = PublicKey::parse("team", key.pem().as_bytes()).expect_err("private");
        assert!(wrong.contains("private key"), "{wrong}");
        assert!(PublicKey::parse("team", b"nothing").is_err());
        assert!(SigningKey::parse(public.pem().as_bytes()).is_err());
        let encrypted = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n";
        let wrong = SigningKey::parse(encrypted.as_bytes()).expect_err("encrypted");
        assert!(wrong.contains("encrypted"), "{wrong}");
    }

    #[test]
    fn an_envelope_is_opened_by_its_key_alone() {
        let [key, other] = [0, 1].map(|_| SigningKey::generate().expect("random numbers"));
        let envelope = key.envelope("text/plain", b"words").expect("signed");
        assert_eq!(
            envelope.open("text/plain", &key.public("")).as_deref(),
            Some(&b"words"[..])
        );
        assert_eq!(envelope.open("text/plain", &other.public("")), None);
        assert_eq!(envelope.open("text/html", &key.public("")), None);
        let mut another = envelope;
        another.payload_type = "text/html".to_owned();
        assert_eq!(
            another.open("text/html", &key.public("")),
            None,
            "what it is, is signed, too"
        );
        // As the protocol has it in its own example.
        let signed = Envelope::signed("http://example.com/HelloWorld", b"hello world");
        assert_eq!(
            signed,
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
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
