//! What of a manifest comes from bases, and what of that is required.

use indexmap::IndexMap;

use crate::app::Name;
use crate::registry::{LockedBase, Signer};

/// What comes from bases. Empty where nothing is extended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The bases, in the order in which they are put together.
    pub bases: Vec<BaseFacts>,
    /// Those that are in registries, as plugins.lock should have them.
    pub locked: Vec<LockedBase>,
    /// Plugins that a base brings, and its place among the bases.
    pub brought: IndexMap<Name, usize>,
    /// Plugins that a base requires, and its place among the bases.
    pub required: IndexMap<Name, usize>,
    /// What is said of a base's plugin after it.
    pub overrides: Vec<Override>,
}

/// A base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseFacts {
    /// How the file writes it that extends it.
    pub reference: String,
    /// Where that is: file, line and column.
    pub at: String,
    /// The tag that was picked, where it is one.
    pub version: Option<String>,
    /// The digest of its artifact, or of its file; `sha256:…`.
    pub digest: String,
    /// Whose signatures it has that count; nobody's where none is needed.
    pub signers: Vec<Signer>,
}

/// What a project, or a later base, says of a base's plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The plugin.
    pub plugin: Name,
    /// The key, such as `config.user`.
    pub key: String,
    /// The base in whose stead it is said, by its place among the bases: the last that said something of the key,
    /// or else the one that brings the plugin.
    pub base: usize,
    /// Who says it, by the place among the bases; the project comes after all of them.
    pub by: usize,
    /// Where it is said: file, line and column.
    pub at: String,
    /// What held before, if anything was said.
    pub old: Option<String>,
    /// What holds.
    pub new: String,
}

impl Policy {
    /// The base that requires a plugin.
    pub fn requirer(&self, plugin: &str) -> Option<&BaseFacts> {
        self.bases.get(*self.required.get(plugin)?)
    }

    /// The base that brings a plugin.
    pub fn bringer(&self, plugin: &str) -> Option<&BaseFacts> {
        self.bases.get(*self.brought.get(plugin)?)
    }

    /// What is said after its base of a plugin.
    pub fn overrides_of<'a>(&'a self, plugin: &'a str) -> impl Iterator<Item = &'a Override> {
        let overrides = self.overrides.iter();
        overrides.filter(move |one| one.plugin.as_str() == plugin)
    }
}
