//! Writes a project as canonical YAML, as `docker compose config` does: every value in its long
//! form, services and keys in alphabetical order.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::model::Project;
use super::scalar;

impl Project {
    /// The project as a JSON value, in the shape of a Compose file.
    pub fn to_json(&self) -> Value {
        let mut file = sections(json!({
            "name": self.name,
            "services": self.services,
            "networks": self.networks,
            "volumes": self.volumes,
            "secrets": self.secrets,
            "configs": self.configs,
            "models": self.models,
        }));
        let extensions = self.extensions.iter();
        let extensions = extensions.map(|(name, value)| (name.clone(), value.clone()));
        if let Some(file) = file.as_object_mut() {
            file.extend(extensions);
        }
        file
    }

    /// The project as a Compose file that says the same. It names nothing relative and no
    /// variable, so it is read the same everywhere on this machine.
    pub fn to_yaml(&self) -> String {
        yaml(&self.to_json())
    }
}

/// A file without the sections that have nothing in them.
pub(super) fn sections(file: Value) -> Value {
    let Value::Object(mut file) = file else {
        return file;
    };
    file.retain(|name, value| {
        name == "services" || value.as_object().is_none_or(|map| !map.is_empty())
    });
    Value::Object(file)
}

/// The text of a file, its sections in the order in which people write them.
pub(super) fn yaml(file: &Value) -> String {
    const ORDER: [&str; 7] = [
        "name", "services", "networks", "volumes", "secrets", "configs", "models",
    ];
    let place = |key: &str| {
        ORDER
            .iter()
            .position(|name| *name == key)
            .unwrap_or(ORDER.len())
    };
    let mut entries: Vec<_> = file.as_object().into_iter().flatten().collect();
    entries.sort_by_key(|(key, _)| place(key));
    let mut out = String::new();
    for (key, value) in entries {
        // A dollar sign is one, and begins no variable.
        entry(&mut out, key, &escaped(value), 0);
    }
    out
}

fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('$', "$$")),
        Value::Array(items) => Value::Array(items.iter().map(escaped).collect()),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), escaped(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn entry(out: &mut String, key: &str, value: &Value, indent: usize) {
    let _ = write!(out, "{:indent$}{}:", "", text(key, indent));
    behind_key(out, value, indent);
}

fn behind_key(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            mapping(out, map, indent + 2);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            list(out, items, indent + 2);
        }
        scalar => {
            let _ = writeln!(out, " {}", self::scalar(scalar, indent + 2));
        }
    }
}

fn mapping(out: &mut String, map: &Map<String, Value>, indent: usize) {
    for (key, value) in map {
        entry(out, key, value, indent);
    }
}

fn list(out: &mut String, items: &[Value], indent: usize) {
    for item in items {
        let _ = write!(out, "{:indent$}-", "");
        match item {
            Value::Object(map) if !map.is_empty() => {
                // The first key stands behind the dash.
                let mut inner = String::new();
                mapping(&mut inner, map, indent + 2);
                out.push(' ');
                out.push_str(inner.trim_start_matches(' '));
            }
            Value::Array(items) if !items.is_empty() => {
                let mut inner = String::new();
                list(&mut inner, items, indent + 2);
                out.push(' ');
                out.push_str(inner.trim_start_matches(' '));
            }
            scalar => {
                let _ = writeln!(out, " {}", self::scalar(scalar, indent + 2));
            }
        }
    }
}

fn scalar(value: &Value, indent: usize) -> String {
    match value {
        Value::String(value) => text(value, indent),
        Value::Array(_) => "[]".into(),
        Value::Object(_) => "{}".into(),
        other => other.to_string(),
    }
}

/// A text as YAML: as it is where it can't be taken for something else, as a block where it has
/// several lines, else in double quotes.
fn text(text: &str, indent: usize) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+=@%^()<>,;$~ ".contains(c) || c == ':';
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "/._$".contains(c));
    // What YAML 1.1 takes for a boolean, or for a number in base 60, is quoted for its readers.
    let lower = text.to_ascii_lowercase();
    let word = matches!(lower.as_str(), "yes" | "no" | "on" | "off" | "y" | "n");
    let sixty = text.contains(':') && text.chars().all(|c| c.is_ascii_digit() || c == ':');
    let odd = text.contains(": ") || text.ends_with(':') || text.ends_with(' ');
    let is_text = matches!(scalar::plain(text), super::node::Value::Text(_));
    let leading_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || "._-+eExobBO:T Z".contains(c));
    if first && text.chars().all(plain) && is_text && !word && !sixty && !odd && !leading_number {
        return text.to_owned();
    }
    let block = text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && text
            .chars()
            .all(|c| c == '\n' || (!c.is_control() && c != '\u{feff}'))
        && !text.contains(['\u{85}', '\u{2028}', '\u{2029}']);
    if block {
        let body = text.trim_end_matches('\n');
        let chomp = match text.len() - body.len() {
            0 => "-",
            1 => "",
            _ => "+",
        };
        let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let lines: Vec<_> = lines
            .map(|line| match line {
                "" => String::new(),
                line => format!("{:indent$}{line}", ""),
            })
            .collect();
        return format!("|{chomp}\n{}", lines.join("\n"));
    }
    quoted(text)
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
