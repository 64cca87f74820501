//! `[secrets]`: where the values come from that plugins are granted.

use std::collections::BTreeMap;
use std::ops::Range;

use indexmap::IndexMap;
use toml::Spanned;

use super::convert::Reader;
use super::raw::SecretTable;
use super::{ManifestError, PluginEntry};
use crate::app::{ByteSize, Name};
use crate::grants::{Grants, Variable};
use crate::secrets::{Redactor, SHORTEST, Secret};

/// The largest file that is taken for a secret, in bytes.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// The secrets that plugins are granted.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The values, by name.
    pub values: BTreeMap<Variable, Secret>,
    /// Why others have none. Only what calls plugins needs them: to look at an app, nobody has to
    /// know its secrets.
    pub missing: Vec<ManifestError>,
}

impl Secrets {
    /// Those that one plugin may read.
    pub fn of(&self, grants: &Grants) -> BTreeMap<Variable, Secret> {
        let of = |name: &Variable| Some((name.clone(), self.values.get(name)?.clone()));
        grants.secrets().filter_map(of).collect()
    }

    /// What takes the values out of texts.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.values.values())
    }
}

type Table = IndexMap<Spanned<Variable>, Spanned<SecretTable>>;

impl Reader<'_> {
    /// Finds the value of each secret that a plugin is granted, and no other.
    pub(super) fn secrets<'a>(
        &self,
        table: Table,
        plugins: impl Iterator<Item = (&'a Name, &'a PluginEntry, (&'a Reader<'a>, Range<usize>))>,
        warnings: &mut Vec<String>,
    ) -> Result<Secrets, ManifestError> {
        let mut secrets = Secrets::default();
        let mut sources = BTreeMap::new();
        for (name, source) in table {
            let (name, span) = (name.into_inner(), source.span());
            let source = source.into_inner();
            if source.file.is_some() == source.env.is_some() {
                let message = format!("the secret `{name}` has one of `file` and `env`");
                return Err(self.error(span, message, None));
            }
            sources.insert(name, (source, span));
        }
        let mut used = std::collections::BTreeSet::new();
        for (plugin, entry, (reader, place)) in plugins {
            for name in entry.grants.secrets() {
                if !used.insert(name.clone()) {
                    continue;
                }
                let (source, at, span) = match sources.get(name) {
                    Some((source, span)) => (source, self, span.clone()),
                    None => (&SecretTable::default(), reader, place.clone()),
                };
                match self.secret(name, source) {
                    Ok(value) => {
                        let value = Secret::new(value);
                        if !value.can_be_redacted() {
                            warnings.push(format!(
                                "the secret `{name}` has fewer than {SHORTEST} bytes: it can't be \
                                 taken out of what is printed"
                            ));
                        }
                        secrets.values.insert(name.clone(), value);
                    }
                    Err(why) => {
                        let message = format!(
                            "the secret `{name}`, which plugin `{plugin}` may read, has no value: \
                             {why}"
                        );
                        let help = format!(
                            "set it, or say where it is: `[secrets]` with `{name} = {{ file = \
                             \"…\" }}`"
                        );
                        secrets.missing.push(at.error(span, message, Some(help)));
                    }
                }
            }
        }
        for name in sources.keys().filter(|name| !used.contains(*name)) {
            warnings.push(format!("no plugin is granted the secret `{name}`"));
        }
        Ok(secrets)
    }

    fn secret(&self, name: &Variable, source: &SecretTable) -> Result<String, String> {
        let Some(file) = &source.file else {
            let variable = source.env.as_ref().unwrap_or(name);
            return match (self.env)(variable.as_str()) {
                None => Err(format!("the environment variable `{variable}` is not set")),
                Some(value) if value.is_empty() => {
                    Err(format!("the environment variable `{variable}` is empty"))
                }
                Some(value) => Ok(value),
            };
        };
        let path = self.host_path(file);
        let problem = |why: String| format!("{} {why}", path.display());
        let facts = std::fs::metadata(&path).map_err(|error| problem(format!(": {error}")))?;
        if !facts.is_file() {
            return Err(problem("is no file".to_owned()));
        }
        if facts.len() > MAX_SECRET_BYTES {
            let limit = ByteSize(MAX_SECRET_BYTES);
            return Err(problem(format!("has more than {limit}")));
        }
        let mut value = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => problem("is no text".to_owned()),
            _ => problem(format!("can't be read: {error}")),
        })?;
        // Editors end a file with a newline, which is no part of the secret.
        if value.ends_with('\n') {
            value.pop();
            if value.ends_with('\r') {
                value.pop();
            }
        }
        if value.is_empty() {
            return Err(problem("is empty".to_owned()));
        }
        Ok(value)
    }
}
