//! What is recorded of the bases of a release.

use serde::{Deserialize, Serialize};

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
    /// Whose signature it has, where one was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
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
    /// The base that brings it.
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
