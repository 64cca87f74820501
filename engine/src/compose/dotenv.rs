//! The syntax of `.env` and of the files in `env_file`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::template::{self, Variables};

/// The most that the values of one file become with their variables, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// How the lines of an environment file are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// With quotes, comments and variables.
    #[default]
    Compose,
    /// `KEY=VALUE`, the value as it stands there.
    Raw,
}

/// What is wrong with an environment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DotenvError {
    /// Where, in bytes.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What the files before this one and the world around it say.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What an environment file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The variables, in the order of the lines.
    pub variables: Vec<(String, String)>,
    /// Names that values have, and that nobody has set: each once, with the bytes where it is.
    pub unset: Vec<(String, Range<usize>)>,
}

/// Reads an environment file. A key without a value is what `outer` says, or is left out. In
/// values `outer` goes before what the file itself has said so far.
pub fn parse(text: &str, format: Format, outer: Lookup<'_>) -> Result<Parsed, DotenvError> {
    let mut reader = Reader {
        text,
        at: text.len() - text.trim_start_matches('\u{feff}').len(),
        outer,
        seen: BTreeMap::new(),
        out: Parsed::default(),
        told: BTreeSet::new(),
        bytes: 0,
    };
    while reader.at < text.len() {
        reader.statement(format)?;
    }
    Ok(reader.out)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    outer: Lookup<'a>,
    seen: BTreeMap<String, String>,
    out: Parsed,
    /// The names in `out.unset`.
    told: BTreeSet<String>,
    /// Of all values so far.
    bytes: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// The rest of the line.
    fn line(&self) -> &str {
        let rest = self.rest();
        &rest[..rest.find('\n').unwrap_or(rest.len())]
    }

    fn next_line(&mut self) {
        self.at = (self.at + self.line().len() + 1).min(self.text.len());
    }

    fn skip_blanks(&mut self) {
        let line = self.line();
        self.at += line.len() - line.trim_start().len();
    }

    fn error(&self, len: usize, message: impl Into<String>) -> DotenvError {
        DotenvError {
            range: self.at..self.at + len,
            message: message.into(),
            help: None,
        }
    }

    fn statement(&mut self, format: Format) -> Result<(), DotenvError> {
        self.skip_blanks();
        if self.line().is_empty() || self.rest().starts_with('#') {
            self.next_line();
            return Ok(());
        }
        if let Some(after) = self.line().strip_prefix("export")
            && after.starts_with([' ', '\t'])
        {
            self.at += "export".len();
            self.skip_blanks();
        }
        let line = self.line();
        let end = line
            .find(['=', ':'])
            .filter(|&end| format == Format::Compose || line[end..].starts_with('='));
        let end = end.or_else(|| line.find('='));
        let key = line[..end.unwrap_or(line.len())].trim().to_owned();
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']');
        if key.is_empty() || !key.chars().all(fits) {
            let mut error = self.error(
                key.len().max(1),
                format!("`{key}` is no name of a variable"),
            );
            error.help = Some("each line is KEY=VALUE, or a comment that begins with `#`".into());
            return Err(error);
        }
        let Some(end) = end else {
            self.next_line();
            return match (self.outer)(&key) {
                Some(value) => self.keep(key, value),
                None => Ok(()),
            };
        };
        self.at += end + 1;
        let value = match format {
            Format::Raw => {
                let value = self.line().trim_end_matches('\r').to_owned();
                self.next_line();
                value
            }
            Format::Compose => self.value()?,
        };
        self.keep(key, value)
    }

    fn keep(&mut self, key: String, value: String) -> Result<(), DotenvError> {
        self.bytes += value.len();
        if self.bytes > MAX_BYTES {
            let message =
                format!("with their variables the values have more than {MAX_BYTES} bytes");
            return Err(self.error(0, message));
        }
        self.seen.insert(key.clone(), value.clone());
        self.out.variables.push((key, value));
        Ok(())
    }

    fn value(&mut self) -> Result<String, DotenvError> {
        let behind = self.at;
        self.skip_blanks();
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            // Only what has a blank before it is a comment: `COLOR=#ff0000` has a value.
            Some('#') if self.at > behind => {
                self.next_line();
                Ok(String::new())
            }
            _ => {
                let line = self.line();
                let value = line
                    .split(" #")
                    .next()
                    .unwrap_or(line)
                    .trim_end()
                    .to_owned();
                let value = self.expand(&value)?;
                self.next_line();
                Ok(value)
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, DotenvError> {
        let inner = &self.text[self.at + 1..];
        let mut escaped = false;
        let end = inner.char_indices().find(|&(_, c)| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else {
            let mut error = self.error(self.line().len(), "the quote is not closed");
            error.help = Some(format!("end the value with {quote}"));
            return Err(error);
        };
        let value = match quote {
            '\'' => inner[..end].replace("\\'", "'"),
            _ => self.expand(&unescape(&inner[..end]))?,
        };
        self.at += end + 2;
        let after = self.line().trim_end();
        if !after.trim_start().is_empty() && !after.trim_start().starts_with('#') {
            let mut error = self.error(after.len(), "something follows the quoted value");
            error.help = Some("a comment after it begins with `#`".into());
            return Err(error);
        }
        self.next_line();
        Ok(value)
    }

    fn expand(&mut self, value: &str) -> Result<String, DotenvError> {
        struct Both<'a> {
            seen: &'a BTreeMap<String, String>,
            outer: Lookup<'a>,
            unset: BTreeSet<String>,
        }
        impl Variables for Both<'_> {
            fn get(&mut self, name: &str) -> Option<String> {
                (self.outer)(name).or_else(|| self.seen.get(name).cloned())
            }
            fn unset(&mut self, name: &str, _: usize) {
                self.unset.insert(name.to_owned());
            }
        }
        let line = self.at..self.at + self.line().trim_end().len();
        let mut variables = Both {
            seen: &self.seen,
            outer: self.outer,
            unset: BTreeSet::new(),
        };
        let expanded = template::expand(value, &mut variables).map_err(|error| DotenvError {
            range: line.clone(),
            message: error.message,
            help: error.help.map(str::to_owned),
        })?;
        for name in variables.unset {
            if !self.told.insert(name.clone()) {
                continue;
            }
            let named = [format!("${name}"), format!("${{{name}")];
            let text = &self.text[line.clone()];
            let place = named.iter().find_map(|named| {
                let at = line.start + text.find(named.as_str())?;
                Some(at..at + named.len())
            });
            // Of a value with several lines the first one is shown.
            self.out.unset.push((name, place.unwrap_or(line.clone())));
        }
        Ok(expanded)
    }
}

/// Escapes of a value in double quotes. An escaped dollar sign stays one when variables are
/// replaced afterwards.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('v') => out.push('\u{b}'),
            Some('$') => out.push_str("$$"),
            Some(c @ ('\\' | '"')) => out.push(c),
            Some('0') => {
                let mut code = 0;
                for _ in 0..3 {
                    let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    chars.next();
                    code = code * 8 + digit;
                }
                out.extend(char::from_u32(code));
            }
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outer(name: &str) -> Option<String> {
        match name {
            "OUTER" => Some("out".into()),
            "SHADOWED" => Some("theirs".into()),
            _ => None,
        }
    }

    fn read(text: &str) -> Result<Vec<(String, String)>, DotenvError> {
        parse(text, Format::Compose, &outer).map(|parsed| parsed.variables)
    }

    #[test]
    fn the_rules_of_the_specification() {
        let cases = [
            ("VAR=VAL", "VAL"),
            ("VAR=\"VAL\"", "VAL"),
            ("VAR='VAL'", "VAL"),
            ("VAR=VAL # comment", "VAL"),
            ("VAR=VAL# not a comment", "VAL# not a comment"),
            ("VAR=\"VAL # not a comment\"", "VAL # not a comment"),
            ("VAR=\"VAL\" # comment", "VAL"),
            ("VAR='$OTHER'", "$OTHER"),
            ("VAR='${OTHER}'", "${OTHER}"),
            (r"VAR='Let\'s go!'", "Let's go!"),
            (r#"VAR="{\"hello\": \"json\"}""#, r#"{"hello": "json"}"#),
            (r#"VAR="some\tvalue""#, "some\tvalue"),
            (r"VAR='some\tvalue'", r"some\tvalue"),
            (r"VAR=some\tvalue", r"some\tvalue"),
            ("VAR=", ""),
            ("VAR= # nothing", ""),
            ("VAR=#ff0000", "#ff0000"),
            ("VAR=#ff0000 # red", "#ff0000"),
            ("  export VAR = spaced  ", "spaced"),
            ("VAR: yaml", "yaml"),
            ("VAR=a=b:c", "a=b:c"),
            ("VAR=\"two\nlines\"", "two\nlines"),
            ("VAR='two\n\"lines\"'\n", "two\n\"lines\""),
            ("VAR=$OUTER-${NONE:-x}", "out-x"),
            (r#"VAR="\$OUTER $$OUTER $OUTER""#, "$OUTER $OUTER out"),
            ("VAR=crlf\r\n", "crlf"),
            ("\u{feff}# a comment\n\nVAR=x", "x"),
            (r#"VAR="\0101""#, "A"),
        ];
        for (text, wanted) in cases {
            let wanted = vec![("VAR".to_owned(), wanted.to_owned())];
            assert_eq!(read(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn earlier_lines_and_the_world_around() {
        let read = read("A=1\nSHADOWED=mine\nB=$A$SHADOWED\nOUTER\nNONE\n").expect("fine");
        let read: Vec<_> = read.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(read, ["A=1", "SHADOWED=mine", "B=1theirs", "OUTER=out"]);
    }

    #[test]
    fn a_name_that_nobody_has_set_is_told_once_with_its_place() {
        let text = "A=$OUTER/pa$word\nB=\"${word}${OTHER} ${SET-}\"\nC=$A\n";
        let parsed = parse(text, Format::Compose, &outer).expect("fine");
        let told: Vec<_> = parsed
            .unset
            .iter()
            .map(|(name, range)| (name.as_str(), &text[range.clone()]))
            .collect();
        assert_eq!(told, [("word", "$word"), ("OTHER", "${OTHER")]);
    }

    #[test]
    fn raw_values_are_as_they_stand() {
        let text = "A=\"x\" # $y\nB: c=1\n";
        let error = parse(text, Format::Raw, &outer).expect_err("a colon");
        assert_eq!(&text[error.range], "B: c");
        let read = parse("A=\"x\" # $y\r\n", Format::Raw, &outer).map(|read| read.variables);
        assert_eq!(read, Ok(vec![("A".into(), "\"x\" # $y".into())]));
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let cases = [
            ("A=1\nB C=2", "B C", "is no name"),
            ("=x", "=", "is no name"),
            ("A=1\nB=\"x\ny", "\"x", "not closed"),
            ("A='x' y", " y", "follows"),
            ("A=${", "${", "not closed"),
            ("A=${B?is missing}", "${B?is missing}", "is missing"),
        ];
        for (text, wanted, message) in cases {
            let error = read(text).expect_err(text);
            assert_eq!(&text[error.range], wanted);
            assert!(error.message.contains(message), "{}", error.message);
        }
    }
}
