//! What is recorded of the bases of a release.

use serde::{Deserialize, Deserializer, Serialize};

use super::SignerRecord;

/// The bases of a release, what they require, and what is said in their stead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyRecord {
    /// The bases, in the order in which they are put together.
    pub bases: Vec<BaseRecord>,
    /// Plugins that have to take part, and did.
    pub required: Vec<RequiredRecord>,
    /// What the project, or a later base, says of a base's plugin.
    pub overrides: Vec<OverrideRecord>,
}

/// A base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BaseRecord {
    /// How the file writes it that extends it.
    pub reference: String,
    /// The tag that was picked, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The digest of its artifact, or of its file; `sha256:…`.
    pub digest: String,
    /// Whose signatures it had that counted; empty where none was asked for.
    #[serde(
        default,
        alias = "signer",
        deserialize_with = "signers",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub signers: Vec<SignerRecord>,
}

/// Signers as they are written, or as records of before had them: a text, `KEY (FINGERPRINT)` with commas
/// between several, that had no more than the start of each fingerprint.
fn signers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SignerRecord>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Signers {
        Records(Vec<SignerRecord>),
        Text(String),
    }
    let text = match Signers::deserialize(deserializer)? {
        Signers::Records(records) => return Ok(records),
        Signers::Text(text) => text,
    };
    let one = |part: &str| {
        let (key, fingerprint) = part.rsplit_once(" (").unwrap_or((part, ""));
        SignerRecord {
            key: key.to_owned(),
            fingerprint: fingerprint.trim_end_matches(')').to_owned(),
        }
    };
    Ok(text.split("), ").map(one).collect())
}

/// A plugin that a base requires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RequiredRecord {
    /// The plugin.
    pub plugin: String,
    /// The base.
    pub base: String,
}

/// What is said of a base's plugin after the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OverrideRecord {
    /// The plugin.
    pub plugin: String,
    /// The base in whose stead it is said: the last that said something of the key, or else the one that brings
    /// the plugin.
    pub base: String,
    /// The key, such as `config.user`.
    pub key: String,
    /// Where it is said: file, line and column.
    pub at: String,
    /// What the base said, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What holds.
    pub new: String,
}
