//! Words of a Dockerfile: `$VAR` expansion and quotes, by the builder's rules.

use std::collections::BTreeMap;

use super::lines::raw_words;

/// The longest value that is expanded, in bytes. `ENV A=$A$A`, forty times, has a terabyte.
const MAX_VALUE_BYTES: usize = 4 << 10;
/// How deep `${A:-${B:-…}}` goes.
const MAX_DEPTH: usize = 32;

/// The variables that an instruction sees.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Build arguments in scope.
    pub args: BTreeMap<String, String>,
    /// Environment; it hides an argument of the same name wherever that is declared.
    pub env: BTreeMap<String, String>,
}

impl Scope {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.env.get(name).or_else(|| self.args.get(name));
        found.map(String::as_str)
    }

    /// Expands one word and takes its quotes off. `None` for what this reader does not know,
    /// such as `${VAR#pattern}`, and for what no Dockerfile needs: see [`MAX_VALUE_BYTES`] and
    /// [`MAX_DEPTH`].
    pub fn expand(&self, word: &str, escape: char) -> Option<String> {
        self.expand_at(word, escape, 0)
    }

    fn expand_at(&self, word: &str, escape: char, depth: usize) -> Option<String> {
        let mut out = String::new();
        let mut quote = None;
        let mut chars = word.chars();
        while let Some(c) = chars.next() {
            match (quote, c) {
                (Some('\''), '\'') => quote = None,
                (Some('\''), c) => out.push(c),
                (None, '\'') => quote = Some('\''),
                (None, '"') => quote = Some('"'),
                (Some('"'), '"') => quote = None,
                (_, c) if c == escape => match chars.next() {
                    // Between double quotes an escape only counts before what it can escape.
                    Some(next)
                        if quote.is_some() && !matches!(next, '"' | '$') && next != escape =>
                    {
                        out.push(c);
                        out.push(next);
                    }
                    Some(next) => out.push(next),
                    None => out.push(c),
                },
                (_, '$') => {
                    let rest = chars.as_str();
                    let (value, used) = self.variable(rest, escape, depth)?;
                    out.push_str(&value);
                    chars = rest.get(used..)?.chars();
                }
                (_, c) => out.push(c),
            }
            if out.len() > MAX_VALUE_BYTES {
                return None;
            }
        }
        Some(out)
    }

    /// Splits a text into words and expands each; words that can't be expanded are left out.
    pub fn words(&self, text: &str, escape: char) -> Vec<String> {
        raw_words(text, escape)
            .iter()
            .filter_map(|word| self.expand(word, escape))
            .filter(|word| !word.is_empty())
            .collect()
    }

    /// The value of the variable that `rest` starts with, behind its `$`, and how many bytes
    /// name it.
    fn variable(&self, rest: &str, escape: char, depth: usize) -> Option<(String, usize)> {
        let Some(inner) = rest.strip_prefix('{') else {
            let name = name_of(rest);
            return Some(match name.len() {
                0 => ("$".to_owned(), 0),
                used => (self.get(name).unwrap_or_default().to_owned(), used),
            });
        };
        if depth >= MAX_DEPTH {
            return None;
        }
        let end = closing_brace(inner)?;
        let inner = inner.get(..end)?;
        let used = inner.len() + 2;
        let name = name_of(inner);
        let modifier = inner.get(name.len()..)?;
        if name.is_empty() {
            return None;
        }
        // With a colon, a variable that is set and empty counts as unset.
        let (operator, set) = match modifier.strip_prefix(':') {
            Some(operator) => (operator, self.get(name).filter(|value| !value.is_empty())),
            None => (modifier, self.get(name)),
        };
        let value = match (operator.chars().next(), set) {
            (None, _) if modifier.is_empty() => set.unwrap_or_default().to_owned(),
            (Some('-' | '?'), Some(value)) => value.to_owned(),
            (Some('-'), None) | (Some('+'), Some(_)) => {
                self.expand_at(operator.get(1..)?, escape, depth + 1)?
            }
            (Some('+'), None) => String::new(),
            _ => return None,
        };
        Some((value, used))
    }
}

/// The name that a text starts with; empty where it starts with none.
fn name_of(text: &str) -> &str {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return "";
    }
    text.find(|c| !part(c)).map_or(text, |end| &text[..end])
}

/// Where the brace closes that was opened before `text`.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 1usize;
    for (index, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let args = [("PORT", "8080"), ("EMPTY", ""), ("BOTH", "arg")];
        let env = [("BOTH", "env")];
        let map = |pairs: &[(&str, &str)]| {
            let owned = pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned()));
            owned.collect()
        };
        Scope {
            args: map(&args),
            env: map(&env),
        }
    }

    #[test]
    fn variables_expand() {
        let cases = [
            ("$PORT", "8080"),
            ("${PORT}/tcp", "8080/tcp"),
            ("$PORT-x", "8080-x"),
            ("$NONE", ""),
            ("${NONE:-x}", "x"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY-x}", ""),
            ("${NONE-x}", "x"),
            ("${NONE:-${PORT}}", "8080"),
            ("${PORT:+y}", "y"),
            ("${NONE:+y}", ""),
            ("${EMPTY+y}", "y"),
            ("${PORT:?needed}", "8080"),
            ("$BOTH", "env"),
            ("\\$PORT", "$PORT"),
            ("'$PORT'", "$PORT"),
            ("\"$PORT\"", "8080"),
            ("a\"b c\"d", "ab cd"),
            ("\"a\\nb\"", "a\\nb"),
            ("$", "$"),
            ("é${PORT}é", "é8080é"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                scope().expand(text, '\\').as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        for text in ["${PORT#8}", "${PORT", "${}", "${NONE:?needed}", "${PORT:}"] {
            assert_eq!(scope().expand(text, '\\'), None, "{text}");
        }
        assert_eq!(
            scope().words("80 ${X#y} 'a b' $NONE 81", '\\'),
            ["80", "a b", "81"]
        );
    }
}
