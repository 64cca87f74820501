//! Values that nobody is to see: what holds them, and what takes them out of texts.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

mod forms;

use forms::Form;

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
/// It finds a value as it is, each line of one that has several, and how programs write it: in JSON,
/// and, from 8 bytes on, in URLs, Base64 and hexadecimal. What else a program made of it, as by
/// turning it round, nobody can know.
#[derive(Clone, Default)]
pub struct Redactor(Arc<[Form]>);

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} texts)", self.0.len())
    }
}

impl Redactor {
    /// For these values, of which those that are too short are left out.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut all = Vec::new();
        for secret in secrets {
            if !secret.can_be_redacted() {
                continue;
            }
            let value = secret.expose();
            all.push(Form::from(value.to_owned()));
            all.extend(forms::of(value));
            let lines = value.lines().map(str::trim);
            let lines = lines.filter(|line| line.len() >= SHORTEST_LINE);
            all.extend(lines.map(|line| Form::from(line.to_owned())));
        }
        all.retain(|form| form.text.len() >= SHORTEST);
        all.sort_unstable();
        all.dedup();
        Self(all.into())
    }

    /// True if `text` has a secret in it.
    pub fn finds_any(&self, text: &str) -> bool {
        self.0.iter().any(|form| text.contains(&form.text))
    }

    /// `text` with [`REDACTED`] for each secret in it.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.finds_any(text) {
            return Cow::Borrowed(text);
        }
        // Secrets may overlap, each other or themselves: what any of them covers goes.
        let mut found = Vec::new();
        for form in self.0.iter() {
            let mut from = 0;
            while let Some(at) = text[from..].find(&form.text) {
                let start = from + at;
                found.push(covered(text, form, start));
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

/// What is to go where a form was found at `start`: with its neighbours, if these hold bits of it.
fn covered(text: &str, form: &Form, start: usize) -> Range<usize> {
    let end = start + form.text.len();
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    let ascii = |c: Option<char>| usize::from(c.is_some_and(|c| c.is_ascii_graphic()));
    let (before, after) = (
        if form.before { ascii(before) } else { 0 },
        if form.after { ascii(after) } else { 0 },
    );
    start - before..end + after
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
            ("abcdefabcd", "******"),
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
    fn a_secret_is_found_in_what_programs_print() {
        let redactor = redactor(&["hunter2-and-more", "p&ss w/<rd ü"]);
        for (text, safe) in [
            // The value alone, behind `x`, behind `xx`, and in the middle of something longer.
            ("aHVudGVyMi1hbmQtbW9yZQ==", "***=="),
            ("Basic eGh1bnRlcjItYW5kLW1vcmU=", "Basic e***="),
            ("eHhodW50ZXIyLWFuZC1tb3Jl", "eH***"),
            ("dXNlcjpodW50ZXIyLWFuZC1tb3JlIQ==", "dXNlcj***IQ=="),
            ("68756e746572322d616e642d6d6f7265", "***"),
            ("68756E746572322D616E642D6D6F7265", "***"),
            (
                "https://x/?p=p%26ss+w%2F%3Crd+%C3%BC&q=1",
                "https://x/?p=***&q=1",
            ),
            ("https://x/p%26ss%20w%2f%3crd%20%c3%bc", "https://x/***"),
            ("{\"p\":\"p\\u0026ss w/\\u003crd ü\"}", "{\"p\":\"***\"}"),
            ("{\"p\":\"p&ss w/<rd \\u00fc\"}", "{\"p\":\"***\"}"),
        ] {
            assert_eq!(redactor.redact(text), safe, "{text}");
            assert!(redactor.finds_any(text), "{text}");
        }
        // Of a short one, six characters of Base64 would be left, which stand in texts by chance.
        let short = self::redactor(&["hunter2"]);
        for text in ["aHVudGVyMg==", "68756e74657232"] {
            assert_eq!(short.redact(text), text);
        }
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
