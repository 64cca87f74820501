//! Events and results as JSON, one on each line of standard output.

use super::print;
use crate::deploy::{Event, Reporter};
use crate::secrets::Redactor;

pub struct JsonReporter;

impl Reporter for JsonReporter {
    fn report(&self, event: Event) {
        if let Ok(line) = serde_json::to_string(&event) {
            print(&line);
        }
    }
}

/// A JSON text without the secrets in its texts. What its members are called stays, and so do numbers: a secret
/// that is like one of these can't be told from what all who read it count on.
pub fn clean(json: &str, redactor: &Redactor) -> String {
    let mut safe = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let (before, text) = rest.split_at(start);
        let (text, after) = text.split_at(end(text));
        safe.push_str(before);
        rest = after;
        let plain = serde_json::from_str::<String>(text).unwrap_or_default();
        match after.starts_with(':') || !redactor.finds_any(&plain) {
            true => safe.push_str(text),
            false => safe.push_str(&serde_json::Value::from(redactor.redact(&plain)).to_string()),
        }
    }
    safe.push_str(rest);
    safe
}

/// Where the text ends that begins with a quote.
fn end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Secret;

    #[test]
    fn secrets_are_taken_out_of_texts_and_it_stays_json() {
        let secrets =
            ["1899", "name", "true", "a\"b\\c\n"].map(|text| Secret::new(text.to_owned()));
        let redactor = Redactor::new(&secrets);
        let value = serde_json::json!({
            "name": "its name is 1899", "size": 1899, "yes": true, "list": ["1899", ":", "\\"],
            "quoted": "x a\"b\\c\n y", "name\"1899\":": {"\\": "\"name"},
        });
        let text = clean(&value.to_string(), &redactor);
        let read: serde_json::Value = serde_json::from_str(&text).expect(&text);
        let wanted = serde_json::json!({
            "name": "its *** is ***", "size": 1899, "yes": true, "list": ["***", ":", "\\"],
            "quoted": "x *** y", "name\"1899\":": {"\\": "\"***"},
        });
        assert_eq!(read, wanted, "{text}");
        let none = value.to_string();
        assert_eq!(clean(&none, &Redactor::default()), none);
    }
}
