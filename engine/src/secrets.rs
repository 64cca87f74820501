//! Values that nobody is to see: what holds them, and what takes them out of texts.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A value that is not printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Holds a value.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for where it is really needed.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// False for a value so short that texts hold it by chance: to take it out of them would
    /// make them unreadable, and tell it.
    pub fn can_be_redacted(&self) -> bool {
        self.0.len() >= SHORTEST
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// What stands in the place of a secret.
pub const REDACTED: &str = "***";
/// The shortest value that is taken out of texts, in bytes.
pub const SHORTEST: usize = 4;
/// The shortest line of a value of several that is taken out by itself, in bytes: output comes
/// line by line. Shorter ones are found in any text.
const SHORTEST_LINE: usize = 8;

/// Takes the values of secrets out of texts. The default knows none.
///
/// It finds a value as it is, each line of one that has several, and how a value looks inside of
/// JSON. What a program made of it, as by Base64, nobody can know.
#[derive(Clone, Default)]
pub struct Redactor(Arc<[String]>);

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} texts)", self.0.len())
    }
}

impl Redactor {
    /// For these values, of which those that are too short are left out.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut texts = Vec::new();
        for secret in secrets {
            if !secret.can_be_redacted() {
                continue;
            }
            let value = secret.expose();
            texts.push(value.to_owned());
            texts.push(value.escape_debug().to_string());
            let json = serde_json::to_string(value).unwrap_or_default();
            texts.push(json.trim_matches('"').to_owned());
            let lines = value.lines().map(str::trim);
            texts.extend(
                lines
                    .filter(|line| line.len() >= SHORTEST_LINE)
                    .map(str::to_owned),
            );
        }
        texts.retain(|text| text.len() >= SHORTEST);
        texts.sort_unstable();
        texts.dedup();
        Self(texts.into())
    }

    /// True if `text` has a secret in it.
    pub fn finds_any(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret.as_str()))
    }

    /// `text` with [`REDACTED`] for each secret in it.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.finds_any(text) {
            return Cow::Borrowed(text);
        }
        // Secrets may overlap, each other or themselves: what any of them covers goes.
        let mut found = Vec::new();
        for secret in self.0.iter() {
            let mut from = 0;
            while let Some(at) = text[from..].find(secret.as_str()) {
                let start = from + at;
                found.push(start..start + secret.len());
                from = text.ceil_char_boundary(start + 1);
            }
        }
        found.sort_unstable_by_key(|range| range.start);
        let mut safe = String::with_capacity(text.len());
        let mut end = 0;
        for range in found {
            if range.start >= end {
                safe.push_str(&text[end..range.start]);
                safe.push_str(REDACTED);
            }
            end = end.max(range.end);
        }
        safe.push_str(&text[end..]);
        Cow::Owned(safe)
    }

    /// Redacts a text where it is.
    pub fn clean(&self, text: &mut String) {
        if let Cow::Owned(safe) = self.redact(text) {
            *text = safe;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(values: &[&str]) -> Redactor {
        let secrets: Vec<_> = values
            .iter()
            .map(|value| Secret::new((*value).to_owned()))
            .collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn secrets_are_taken_out_wherever_they_are() {
        let redactor = redactor(&["hunter2", "hunter22", "s3cr\"et", "üüüü", "abcd", "cdef"]);
        for (text, safe) in [
            ("nothing", "nothing"),
            ("hunter2", "***"),
            ("a hunter2, hunter2!", "a ***, ***!"),
            ("hunter22", "***"),
            ("hunterhunter2", "hunter***"),
            ("[\"s3cr\\\"et\"]", "[\"***\"]"),
            ("s3cr\"et", "***"),
            ("üüüüü", "***"),
            ("abcdef", "***"),
            ("abcdefabcd", "***"),
            ("abcd-cdef", "***-***"),
        ] {
            assert_eq!(redactor.redact(text), safe, "{text}");
            assert_eq!(redactor.finds_any(text), text != safe, "{text}");
        }
    }

    #[test]
    fn a_secret_of_several_lines_is_found_line_by_line() {
        let redactor =
            redactor(&["-----BEGIN KEY-----\r\nMIIEpAIBAAKCAQEA\nab\n-----END KEY-----"]);
        assert_eq!(redactor.redact("  MIIEpAIBAAKCAQEA"), "  ***");
        assert_eq!(redactor.redact("ab"), "ab");
        let whole = "\"-----BEGIN KEY-----\\r\\nMIIEpAIBAAKCAQEA\\nab\\n-----END KEY-----\"";
        assert_eq!(redactor.redact(whole), "\"***\"");
    }

    #[test]
    fn short_values_are_left_and_nothing_prints_any() {
        let redactor = redactor(&["", "abc"]);
        assert_eq!(redactor.redact("abc"), "abc");
        assert_eq!(format!("{redactor:?}"), "Redactor(0 texts)");
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "***");
    }
}
