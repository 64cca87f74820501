//! Pairs of keys: ECDSA on P-256 over SHA-256, in PEM, as cosign and OpenSSL write them.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use miette::Diagnostic;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde::Serialize;
use thiserror::Error;

use super::Digest;

/// What stands before the point of a P-256 key in a SubjectPublicKeyInfo: the algorithm, by RFC 5480.
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// A point that is not compressed.
const POINT_BYTES: usize = 65;

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
}
