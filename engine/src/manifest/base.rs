//! `extends`: bases, which are parts of a plugins.toml that others wrote.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use toml::{Spanned, Value};

use super::convert::{Env, Origin, Reader};
use super::policy::BaseFacts;
use super::raw::{BaseFile, File};
use super::{ManifestError, read};
use crate::registry::{LockedBase, RegistrySettings, SCHEME, Signer, Source, Trust};

/// Tables of plugins.toml that a base can't have, and who says that instead.
const NOT_IN_BASES: [(&str, &str); 7] = [
    (
        "app",
        "what an app is, its project says; a plugin can add to it",
    ),
    ("docker", "where an app runs, its project says"),
    ("deploy", "how an app is deployed, its project says"),
    ("edge", "how an app is reached, its project says"),
    ("watch", "how an app is kept up, its project says"),
    (
        "secrets",
        "where secrets are, the project says: a base could name any file of this machine",
    ),
    (
        "registries",
        "how registries are reached from here, the project says",
    ),
];

/// A file that may extend others: a project's plugins.toml, or a base.
#[derive(Debug, Clone)]
pub struct Fragment {
    name: String,
    text: Arc<str>,
    /// The folder that its paths are relative to.
    dir: PathBuf,
    /// The folder that it is in: the bases that it extends are relative to that.
    home: PathBuf,
    origin: Origin,
}

/// A base that a file extends.
#[derive(Debug, Clone)]
pub struct Extended {
    /// As it is written.
    pub text: String,
    /// Where it is.
    pub target: Target,
    /// Where it is written: file, line and column.
    pub at: String,
    span: Range<usize>,
}

/// Where a base is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// In a file.
    File(PathBuf),
    /// In a registry.
    Registry(Source),
}

/// What of a file says where its bases are, and which of them are trusted.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its bases.
    pub extends: Vec<Extended>,
    /// Its `[trust]`.
    pub trust: Option<Trust>,
    /// Its `[registries]`; a base has none.
    pub registries: std::collections::BTreeMap<String, RegistrySettings>,
}

/// Where a base came from.
#[derive(Debug, Clone)]
pub enum BaseFrom {
    /// A file, and the digest of its text.
    File(String),
    /// A registry: what is locked of it, and whose signatures it has that count.
    Registry(LockedBase, Vec<Signer>),
}

/// A base that is here, and was verified.
#[derive(Debug, Clone)]
pub struct Base {
    pub(super) fragment: Fragment,
    pub(super) facts: BaseFacts,
    pub(super) locked: Option<LockedBase>,
    /// True if somebody vouches for it.
    pub(super) vouched: bool,
    /// Whose word counts for the plugins that it brings.
    pub(super) trust: Trust,
    /// True if whoever runs the deploys wants it extended, or it is a part of one that is wanted.
    pub(super) demanded: bool,
}

impl Base {
    /// A base that `entry` names. It is vouched for if it is a file of whoever is, is signed, or is named by its
    /// digest; `trust` says whose word counts for what it brings.
    pub fn new(
        fragment: Fragment,
        entry: &Extended,
        from: BaseFrom,
        vouched: bool,
        trust: Trust,
    ) -> Self {
        let (version, digest, signers, locked) = match from {
            BaseFrom::File(digest) => (None, digest, Vec::new(), None),
            BaseFrom::Registry(locked, signers) => (
                locked.version.clone(),
                locked.digest.to_string(),
                signers,
                Some(locked),
            ),
        };
        Self {
            fragment,
            facts: BaseFacts {
                reference: entry.text.clone(),
                at: entry.at.clone(),
                version,
                digest,
                signers,
            },
            locked,
            vouched,
            trust,
            demanded: false,
        }
    }

    /// The same as one that whoever runs the deploys wants extended, where that is so.
    pub fn demanded(self, demanded: bool) -> Self {
        Self { demanded, ..self }
    }
}

/// The bases of a project, each behind those that it extends itself.
#[derive(Debug, Clone)]
pub enum Bases {
    /// They are here.
    Known(Vec<Base>),
    /// They are not: what is known of the app has to do. It has no plugins then, and no secrets.
    Unknown,
}

impl Bases {
    /// Those of a file that extends nothing.
    pub fn none() -> Self {
        Self::Known(Vec::new())
    }
}

impl Fragment {
    /// A project's own. Its paths are relative to `dir`, and the bases that it extends to `home`.
    pub(super) fn project(name: String, text: String, dir: PathBuf, home: PathBuf) -> Self {
        Self {
            name,
            text: text.into(),
            dir,
            home,
            origin: Origin::Project,
        }
    }

    /// The text of a base in a file.
    ///
    /// # Errors
    ///
    /// If it can't be read.
    pub fn file(path: &Path, project: &Path) -> Result<Self, ManifestError> {
        let name = path.strip_prefix(project).unwrap_or(path);
        Self::base(
            name.display().to_string(),
            read(path)?,
            path.parent().unwrap_or(Path::new("/")).to_owned(),
            Origin::File,
        )
    }

    /// The text of a base in a registry. `name` is what people know it by.
    ///
    /// # Errors
    ///
    /// If it is no text.
    pub fn artifact(name: String, content: Vec<u8>) -> Result<Self, ManifestError> {
        let text = String::from_utf8(content).map_err(|_| ManifestError::Read {
            path: PathBuf::from(&name),
            reason: "it is not UTF-8 text".to_owned(),
        })?;
        Self::base(name, text, PathBuf::new(), Origin::Artifact)
    }

    fn base(
        name: String,
        text: String,
        dir: PathBuf,
        origin: Origin,
    ) -> Result<Self, ManifestError> {
        // Errors show lines of it, and nobody here wrote them.
        let odd = |c: char| match c {
            '\n' | '\t' | '\r' => false,
            // These turn the direction of a line, so that it can be read as another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
            c => c.is_control(),
        };
        if let Some((before, _)) = text.split_once(odd) {
            let line = before.matches('\n').count() + 1;
            return Err(ManifestError::Read {
                path: PathBuf::from(&name),
                reason: format!("line {line} has a control character"),
            });
        }
        Ok(Self {
            name,
            text: text.into(),
            home: dir.clone(),
            dir,
            origin,
        })
    }

    pub(super) fn reader<'a>(&'a self, env: Env<'a>) -> Reader<'a> {
        Reader {
            text: &self.text,
            name: self.name.clone(),
            dir: self.dir.clone(),
            env,
            origin: self.origin,
        }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where its bases are, and which are trusted.
    ///
    /// # Errors
    ///
    /// If it says what can't be meant, with its place.
    pub fn head(&self) -> Result<Head, ManifestError> {
        let reader = self.reader(&|_| None);
        let (extends, trust, registries) = match self.origin {
            Origin::Project => {
                let file: File = reader.parse()?;
                (file.extends, file.trust, file.registries)
            }
            Origin::File | Origin::Artifact => {
                let file = reader.base()?;
                (file.extends, file.trust, IndexMap::new())
            }
        };
        Ok(Head {
            extends: extends
                .iter()
                .map(|entry| reader.extended(entry, &self.home))
                .collect::<Result<_, _>>()?,
            trust: match trust {
                None => None,
                trust => Some(reader.trust(trust)?),
            },
            registries: reader.registries(registries)?,
        })
    }

    /// Reads all that a base says, and gives the names of its plugins, and of those that it requires.
    ///
    /// # Errors
    ///
    /// If it says what can't be meant, with its place.
    pub fn plugins(&self) -> Result<(Vec<String>, Vec<String>), ManifestError> {
        self.head()?;
        let reader = self.reader(&|_| None);
        let mut names = (Vec::new(), Vec::new());
        for (name, table) in reader.base()?.plugins {
            let part = reader.plugin(&name, table, None)?;
            if part.required.is_some_and(|required| required.value) {
                names.1.push(part.name.to_string());
            }
            names.0.push(part.name.to_string());
        }
        Ok(names)
    }

    /// An error about one of its bases.
    pub fn error(&self, entry: &Extended, message: String, help: Option<String>) -> ManifestError {
        let reader = self.reader(&|_| None);
        reader.error(entry.span.clone(), message, help)
    }
}

impl Reader<'_> {
    /// The text of a base, as it is written.
    pub(super) fn base(&self) -> Result<BaseFile, ManifestError> {
        let tables: IndexMap<Spanned<String>, Value> = self.parse()?;
        for key in tables.keys() {
            let known = NOT_IN_BASES.iter().find(|(name, _)| key.get_ref() == name);
            if let Some((name, why)) = known {
                let message = format!("a base can't have `[{name}]`");
                return Err(self.error(key.span(), message, Some((*why).to_owned())));
            }
        }
        let file: BaseFile = self.parse()?;
        let require = file.trust.as_ref().and_then(|trust| trust.require.as_ref());
        match require.filter(|require| !*require.get_ref()) {
            None => Ok(file),
            Some(waived) => {
                let message = "a base can't waive signatures".to_owned();
                let help = "a base can ask for more than its project, and not for less";
                Err(self.error(waived.span(), message, Some(help.to_owned())))
            }
        }
    }

    fn extended(&self, entry: &Spanned<String>, home: &Path) -> Result<Extended, ManifestError> {
        let text = entry.get_ref();
        let error =
            |message: String, help: Option<String>| Err(self.error(entry.span(), message, help));
        let target = if text.starts_with(SCHEME) {
            match text.parse() {
                Ok(source) => Target::Registry(source),
                Err(crate::registry::ReferenceError { reason, help, .. }) => {
                    let message = format!("`{text}` names no base in a registry: {reason}");
                    return error(message, help);
                }
            }
        } else if let Some((scheme, _)) = text.split_once("://") {
            let help = "write `oci://registry.example.com/team/base:3`, or the path of a file";
            return error(format!("`{scheme}://` is not `oci://`"), Some(help.into()));
        } else if self.origin == Origin::Artifact {
            let message = "a base in a registry brings no files: what it extends is in one, too";
            let help = "publish that with `rengine plugin push`, and write `oci://…`";
            return error(message.to_owned(), Some(help.into()));
        } else if text.is_empty() {
            return error("this names no base".to_owned(), None);
        } else {
            Target::File(home.join(text))
        };
        Ok(Extended {
            text: text.clone(),
            target,
            at: self.place(entry.span().start),
            span: entry.span(),
        })
    }
}

#[cfg(test)]
mod tests;
