//! A specification as a flat list of fields, for telling two of them apart.

mod members;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::text::hex;
use members::Members;

/// The fields of a specification: name, such as `env.PORT`, to value. What is not set
/// (`None`, `false`, empty) has no entry.
///
/// Made from the JSON form, so that a field that is added to the model is compared,
/// fingerprinted and shown without another line of code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<String, String>);

/// Digits of the digest that stands with a sealed value: enough to see that it changed, and too
/// few to be sure of a value that was guessed.
const SEAL_DIGITS: usize = 8;

impl Fields {
    /// The fields of `spec`, which must be a struct.
    pub fn of(spec: &impl Serialize) -> Self {
        let mut fields = BTreeMap::new();
        // Types of the model have string keys and no fallible serialisers, so this can't fail;
        // were it to, nothing would be equal to nothing, and the service be deployed anew.
        let members = Members(|name: &'static str, value| flatten(name, value, &mut fields));
        match spec.serialize(members) {
            Ok(()) => Self(fields),
            Err(_) => Self::default(),
        }
    }

    /// Sets one field, as for an input that is no part of the specification.
    pub fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// Replaces the values for which `seal` has another, and adds a digest, so that two different
    /// ones still differ.
    pub fn seal(&mut self, seal: impl Fn(&str) -> Option<String>) {
        for (name, value) in &mut self.0 {
            if let Some(sealed) = seal(value) {
                // With the name, so that a digest tells nothing about another field's.
                let digest = Sha256::digest(format!("{name}\0{value}"));
                *value = format!("{sealed} (sha256:{})", &hex(&digest)[..SEAL_DIGITS]);
            }
        }
    }

    /// Adds the fields of a part, each with the part's name before its own: `build.target`.
    pub fn add_part(&mut self, part: &str, fields: Self) {
        let fields = fields.0.into_iter();
        self.0
            .extend(fields.map(|(name, value)| (format!("{part}.{name}"), value)));
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of one field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every field with its value, in order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Where `self` and `new` differ: field, old value, new value; in order of the names.
    pub fn differences<'a>(
        &'a self,
        new: &'a Self,
    ) -> impl Iterator<Item = (&'a str, Option<&'a str>, Option<&'a str>)> {
        let mut names: Vec<&str> = self
            .0
            .keys()
            .chain(new.0.keys())
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .map(|name| (name, self.get(name), new.get(name)))
            .filter(|(_, old, new)| old != new)
    }

    /// A digest of all fields: 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (name, value) in &self.0 {
            for text in [name, value] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
        hex(&hash.finalize())
    }
}

fn flatten(name: &str, value: Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Null | Value::Bool(false) => {}
        Value::Object(members) => {
            for (key, value) in members {
                let name = format!("{name}.{key}");
                // An environment variable that is set to nothing is not one that is not set.
                match value {
                    Value::String(text) => drop(into.insert(name, text)),
                    other => flatten(&name, other, into),
                }
            }
        }
        Value::Array(items) if items.is_empty() => {}
        Value::String(text) => drop(into.insert(name.to_owned(), text)),
        other => drop(into.insert(name.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{ByteSize, ContainerSpec, HealthCheck, Probe};

    #[test]
    fn what_is_not_set_has_no_field() {
        let fields = Fields::of(&ContainerSpec::default());
        let names: Vec<_> = fields.0.keys().collect();
        assert_eq!(names, ["restart"]);
    }

    #[test]
    fn no_words_are_not_the_image_s_words() {
        let image_s = ContainerSpec::default();
        let none = ContainerSpec {
            command: Some(Vec::new()),
            entrypoint: Some(Vec::new()),
            ..Default::default()
        };
        let (old, new) = (Fields::of(&image_s), Fields::of(&none));
        let found: Vec<_> = old.differences(&new).collect();
        assert_eq!(
            found,
            [
                ("command", None, Some("[]")),
                ("entrypoint", None, Some("[]"))
            ]
        );
    }

    #[test]
    fn every_kind_of_member_has_its_fields() {
        #[derive(serde::Serialize)]
        struct Part {
            name: &'static str,
            unset: Option<u8>,
        }
        #[derive(serde::Serialize)]
        struct Spec {
            text: Option<&'static str>,
            empty: &'static str,
            number: f64,
            yes: bool,
            no: bool,
            list: Vec<Part>,
            none: Vec<u8>,
            part: Part,
        }
        let part = |name| Part { name, unset: None };
        let fields = Fields::of(&Spec {
            text: Some("text"),
            empty: "",
            number: 1.0,
            yes: true,
            no: false,
            list: vec![part("a")],
            none: Vec::new(),
            part: part("b"),
        });
        let found: Vec<_> = fields.0.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(
            found,
            [
                ("empty", ""),
                ("list", "[{\"name\":\"a\",\"unset\":null}]"),
                ("number", "1.0"),
                ("part.name", "b"),
                ("text", "text"),
                ("yes", "true"),
            ]
        );
        assert!(Fields::of(&["no", "struct"]).is_empty());
    }

    #[test]
    fn differences_name_old_and_new() {
        let old = ContainerSpec {
            memory: Some(ByteSize::mib(64)),
            env: [("A".into(), String::new())].into(),
            ..Default::default()
        };
        let mut new = old.clone();
        new.memory = Some(ByteSize::mib(128));
        new.cap_drop = vec!["ALL".into()];
        new.env.remove("A");
        let (old, new) = (Fields::of(&old), Fields::of(&new));
        let found: Vec<_> = old.differences(&new).collect();
        assert_eq!(
            found,
            [
                ("cap-drop", None, Some("[\"ALL\"]")),
                ("env.A", Some(""), None),
                ("memory", Some("64MiB"), Some("128MiB")),
            ]
        );
        assert_ne!(old.fingerprint(), new.fingerprint());
    }

    #[test]
    fn specifications_that_differ_have_fields_that_differ() {
        let memory = |mib| ContainerSpec {
            memory: Some(ByteSize::mib(mib)),
            ..Default::default()
        };
        let probe = |probe| ContainerSpec {
            health: Some(HealthCheck::new(probe)),
            ..Default::default()
        };
        let exec = |words: &[&str]| {
            let words = words.iter().map(|&word| word.to_owned());
            probe(Probe::Exec(words.collect()))
        };
        let shell = |script: &str| probe(Probe::Shell(script.to_owned()));
        let pairs = [
            (memory(1100), memory(1130)),
            (shell("test -f x"), exec(&["test", "-f", "x"])),
            (shell("/healthz"), exec(&["/healthz"])),
            (exec(&["a", "b c"]), exec(&["a", "b", "c"])),
        ];
        for (one, other) in pairs {
            assert_ne!(Fields::of(&one), Fields::of(&other));
        }
    }
}
