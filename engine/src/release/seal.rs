//! How secrets are kept out of records, and put back.

use serde_json::{Value, json};

use super::Damage;
use crate::app::App;
use crate::secrets::{Redactor, Secret};

/// The member of an object that stands for a text of parts, some of them names of secrets.
const PARTS: &str = "parts";
/// The member of one that stands for a text in which a secret is encoded.
const SEALED: &str = "sealed";

/// Keeps secrets out of what is stored. The default knows none.
#[derive(Debug, Clone, Default)]
pub struct Seal {
    /// Name and value; longer values come first, since one may be a part of another.
    secrets: Vec<(String, Secret)>,
    redactor: Redactor,
}

impl Seal {
    /// For these secrets, by name.
    pub fn new(secrets: impl IntoIterator<Item = (String, Secret)>) -> Self {
        let mut secrets: Vec<_> = secrets.into_iter().collect();
        secrets.retain(|(_, secret)| secret.can_be_redacted());
        secrets.sort_by_key(|(_, secret)| std::cmp::Reverse(secret.expose().len()));
        let redactor = Redactor::new(secrets.iter().map(|(_, secret)| secret));
        Self { secrets, redactor }
    }

    /// A text as it is stored: with the names of secrets where their values are.
    pub fn text(&self, text: &str) -> Value {
        if !self.redactor.finds_any(text) {
            return Value::String(text.to_owned());
        }
        let parts = self.parts(text);
        let clear = |part: &Value| {
            let text = part.as_str();
            text.is_none_or(|text| !self.redactor.finds_any(text))
        };
        match parts.iter().all(clear) {
            true => json!({ PARTS: parts }),
            false => json!({ SEALED: self.redactor.redact(text) }),
        }
    }

    fn parts(&self, text: &str) -> Vec<Value> {
        let found = self.secrets.iter().find_map(|(name, secret)| {
            let at = text.find(secret.expose())?;
            Some((name, at, at + secret.expose().len()))
        });
        let Some((name, start, end)) = found else {
            return match text.is_empty() {
                true => Vec::new(),
                false => vec![json!(text)],
            };
        };
        let mut parts = self.parts(&text[..start]);
        parts.push(json!({ "secret": name }));
        parts.extend(self.parts(&text[end..]));
        parts
    }

    /// Takes out of a whole record what slipped through, as in the name of a label: better a record
    /// that can't be used.
    pub fn clean(&self, text: &mut String) {
        self.redactor.clean(text);
    }
}

/// Puts back secrets that the present project has.
pub struct Unseal<'a> {
    /// Gives the value of a secret by its name.
    pub secret: &'a dyn Fn(&str) -> Option<String>,
    /// The project's app as it is now, with the contents of its secret files.
    pub present: &'a App,
}

impl Unseal<'_> {
    /// A text that [`Seal::text`] stored.
    pub(super) fn text(&self, value: &Value) -> Result<String, Damage> {
        let parts = match value {
            Value::String(text) => return Ok(text.clone()),
            Value::Object(object) => match (object.get(PARTS), object.get(SEALED)) {
                (Some(Value::Array(parts)), None) => parts,
                (None, Some(Value::String(text))) => {
                    return Err(Damage::Opaque { text: text.clone() });
                }
                _ => return Err(Damage::expected("a text", value)),
            },
            other => return Err(Damage::expected("a text", other)),
        };
        let part = |part: &Value| match part {
            Value::String(text) => Ok(text.clone()),
            other => {
                let name = other.get("secret").and_then(Value::as_str);
                let name = name.ok_or_else(|| Damage::expected("the name of a secret", other))?;
                (self.secret)(name).ok_or_else(|| Damage::NoSecret {
                    secret: name.to_owned(),
                })
            }
        };
        parts.iter().map(part).collect()
    }

    /// Gives secret files their contents, from the same file of the same service as it is now.
    pub(super) fn files(&self, app: &mut App) -> Result<(), Damage> {
        for (name, service) in &mut app.services {
            let now = self.present.services.get(name);
            for (path, file) in &mut service.container.files {
                if !file.secret {
                    continue;
                }
                let contents = now.and_then(|now| now.container.files.get(path));
                let contents = contents.ok_or_else(|| Damage::NoSecretFile {
                    service: name.to_string(),
                    path: path.clone(),
                })?;
                file.contents.clone_from(&contents.contents);
            }
        }
        Ok(())
    }
}
