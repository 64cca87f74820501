//! Texts that are signed together with what they are: DSSE 1.0
//! (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{PublicKey, SigningKey};

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

impl SigningKey {
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
