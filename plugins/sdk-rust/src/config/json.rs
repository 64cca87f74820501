//! JSON, as far as settings need it (RFC 8259).
//!
//! A parser of our own, since a plugin is shipped: numbers stay text here, so that the tables for
//! reading floating-point numbers are linked only into plugins that have any.

use super::value::Value;

/// Deeper than any settings are, and far from the end of a plugin's stack.
const MAX_DEPTH: u32 = 64;

/// Reads one JSON value; `None` if the text is not exactly that.
pub fn parse(text: &str) -> Option<Value> {
    let mut parser = Parser { rest: text };
    let value = parser.value(MAX_DEPTH)?;
    parser.skip_space();
    parser.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes `token` if it comes next, after any white space.
    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        self.skip_space();
        match self.rest.chars().next()? {
            '[' => self.array(depth),
            '{' => self.table(depth),
            '"' => self.string().map(Value::Scalar),
            't' | 'f' | 'n' => self.word(),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: u32) -> Option<Value> {
        self.take("[");
        let mut items = Vec::new();
        if self.take("]") {
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.take("]") {
                return Some(Value::Array(items));
            }
            self.take(",").then_some(())?;
        }
    }

    fn table(&mut self, depth: u32) -> Option<Value> {
        self.take("{");
        let mut entries = Vec::new();
        if self.take("}") {
            return Some(Value::Table(entries));
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.take(":").then_some(())?;
            entries.push((key, self.value(depth)?));
            if self.take("}") {
                return Some(Value::Table(entries));
            }
            self.take(",").then_some(())?;
        }
    }

    fn word(&mut self) -> Option<Value> {
        for word in ["true", "false"] {
            if self.take(word) {
                return Some(Value::Scalar(word.to_owned()));
            }
        }
        self.take("null").then_some(Value::Null)
    }

    fn number(&mut self) -> Option<Value> {
        let part = |c: char| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        is_number(number).then(|| Value::Scalar(number.to_owned()))
    }

    fn string(&mut self) -> Option<String> {
        self.rest = self.rest.strip_prefix('"')?;
        let mut text = String::new();
        loop {
            let end = self
                .rest
                .find(|c| matches!(c, '"' | '\\' | '\0'..='\x1f'))?;
            text.push_str(&self.rest[..end]);
            self.rest = &self.rest[end..];
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                _ => return None,
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next()?;
        self.rest = chars.as_str();
        Some(next)
    }

    /// What comes after a backslash.
    fn escaped(&mut self) -> Option<char> {
        Some(match self.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => match self.code_unit()? {
                high @ 0xd800..=0xdbff => {
                    self.rest = self.rest.strip_prefix("\\u")?;
                    let low = self.code_unit()?;
                    let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)?
                }
                unit => char::from_u32(unit)?,
            },
            _ => return None,
        })
    }

    /// Four hexadecimal digits.
    fn code_unit(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |unit, _| Some(unit << 4 | self.next()?.to_digit(16)?))
    }
}

/// `-? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?`
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (text, exponent) = match text.split_once(['e', 'E']) {
        Some((text, exponent)) => (text, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (text, "0"),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    digits(whole) && !leading_zero && digits(fraction) && digits(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> Value {
        Value::Scalar(text.to_owned())
    }

    #[test]
    fn values_of_every_kind_are_read() {
        let text = r#" { "a" : [ 1, -2.5e+3, true, null ], "b": {}, "c": [], "": "x" } "#;
        let items = vec![scalar("1"), scalar("-2.5e+3"), scalar("true"), Value::Null];
        let entries = [
            ("a", Value::Array(items)),
            ("b", Value::Table(vec![])),
            ("c", Value::Array(vec![])),
            ("", scalar("x")),
        ];
        let entries = entries.map(|(key, value)| (key.to_owned(), value));
        assert_eq!(parse(text), Some(Value::Table(entries.into())));
    }

    #[test]
    fn escapes_are_resolved() {
        let text = r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude80é""#;
        assert_eq!(parse(text), Some(scalar("\"\\/\u{8}\u{c}\n\r\té🚀é")));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let bad = [
            "",
            "[",
            "[1",
            "[1,]",
            "[,]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "tru",
            "nul",
            "01",
            "1.",
            ".5",
            "-",
            "+1",
            "1e",
            "--1",
            "1 2",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\n\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "[1] x",
            "'a'",
        ];
        for text in bad {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(MAX_DEPTH as usize)).is_some());
        assert!(parse(&nested(MAX_DEPTH as usize + 1)).is_none());
        assert!(parse(&"[".repeat(1_000_000)).is_none());
    }
}
