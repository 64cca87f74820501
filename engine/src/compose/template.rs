//! `$VAR` and `${VAR:-default}` in values, as the Compose Specification has them.

/// The deepest nesting of `${…:-${…}}`.
const MAX_DEPTH: usize = 32;
/// The largest text that one value becomes, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Why a text can't be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Which `$` of the text it is, from 0.
    pub dollar: usize,
    /// How many bytes from there it is about.
    pub len: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<&'static str>,
}

/// What an expansion asks for, and tells.
pub trait Variables {
    /// The value of a variable, if it is set.
    fn get(&mut self, name: &str) -> Option<String>;
    /// A variable is not set, and has no default: it is taken for empty.
    fn unset(&mut self, name: &str, dollar: usize);
}

/// Replaces the variables of `text`. `$$` is a dollar sign, and so is one that no name and no
/// brace follows.
pub fn expand(text: &str, variables: &mut dyn Variables) -> Result<String, TemplateError> {
    let mut expander = Expander {
        whole: text,
        variables,
        counted: (0, 0),
    };
    expander.expand(0..text.len(), 0)
}

/// The name at the beginning of a text: `[A-Za-z_][A-Za-z0-9_]*`.
fn name(text: &str) -> &str {
    let fits = |(at, c): (usize, char)| {
        c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit())
    };
    let end = text.char_indices().find(|&pair| !fits(pair));
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// Where the brace that `text` is behind is closed. Every brace counts, since a default may be
/// JSON; where they are not in pairs, it is the last one.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    text.rfind('}')
}

struct Expander<'a> {
    whole: &'a str,
    variables: &'a mut dyn Variables,
    /// How many dollar signs are before which byte, so that each byte is counted once.
    counted: (usize, usize),
}

impl Expander<'_> {
    /// Only what is used of a default is expanded, so `range` need not be all of the text.
    fn expand(
        &mut self,
        range: std::ops::Range<usize>,
        depth: usize,
    ) -> Result<String, TemplateError> {
        let whole = self.whole;
        let (mut at, end) = (range.start, range.end);
        let mut out = String::new();
        while let Some(found) = whole[at..end].find('$') {
            let dollar = at + found;
            out.push_str(&whole[at..dollar]);
            let rest = &whole[dollar + 1..end];
            if rest.starts_with('$') {
                out.push('$');
                at = dollar + 2;
            } else if let Some(inner) = rest.strip_prefix('{') {
                let Some(len) = closing(inner) else {
                    return Err(self.error(dollar, end, "`${` is not closed", Some(ESCAPE)));
                };
                let inner = dollar + 2..dollar + 2 + len;
                at = inner.end + 1;
                out.push_str(&self.braced(dollar, inner, depth)?);
            } else {
                let name = name(rest);
                at = dollar + 1 + name.len();
                match name {
                    "" => out.push('$'),
                    name => out.push_str(&self.plain(name, dollar)),
                }
            }
            if out.len() > MAX_BYTES {
                let message = format!("with its variables this has more than {MAX_BYTES} bytes");
                return Err(self.error(dollar, end, &message, None));
            }
        }
        out.push_str(&whole[at..end]);
        Ok(out)
    }

    fn plain(&mut self, name: &str, dollar: usize) -> String {
        self.variables.get(name).unwrap_or_else(|| {
            let dollar = self.number(dollar);
            self.variables.unset(name, dollar);
            String::new()
        })
    }

    fn braced(
        &mut self,
        dollar: usize,
        inner: std::ops::Range<usize>,
        depth: usize,
    ) -> Result<String, TemplateError> {
        let whole = self.whole;
        let text = &whole[inner.clone()];
        let name = name(text);
        let rest = &text[name.len()..];
        let end = inner.end + 1;
        if name.is_empty() {
            return Err(self.error(dollar, end, "this names no variable", Some(ESCAPE)));
        }
        if depth >= MAX_DEPTH {
            let message = format!("variables are nested deeper than {MAX_DEPTH} levels");
            return Err(self.error(dollar, end, &message, None));
        }
        if rest.is_empty() {
            return Ok(self.plain(name, dollar));
        }
        let (empty_counts, operator) = match rest.strip_prefix(':') {
            Some(operator) => (true, operator),
            None => (false, rest),
        };
        let word = inner.end - operator.len() + 1..inner.end;
        let value = self.variables.get(name);
        let value = value.filter(|value| !(empty_counts && value.is_empty()));
        match (operator.bytes().next(), value) {
            (Some(b'-' | b'?'), Some(value)) => Ok(value),
            (Some(b'-'), None) | (Some(b'+'), Some(_)) => self.expand(word, depth + 1),
            (Some(b'+'), None) => Ok(String::new()),
            (Some(b'?'), None) => {
                let reason = self.expand(word, depth + 1)?;
                let message = match (reason.as_str(), empty_counts) {
                    ("", true) => format!("the variable `{name}` is not set, or empty"),
                    ("", false) => format!("the variable `{name}` is not set"),
                    (reason, _) => format!("the variable `{name}` is needed: {reason}"),
                };
                let help = Some("set it in the environment, or in the file `.env`");
                Err(self.error(dollar, end, &message, help))
            }
            _ => {
                let message = format!("`{rest}` is no operator of a variable");
                let help = Some("there are `:-` `-` `:?` `?` `:+` and `+`");
                Err(self.error(dollar, end, &message, help))
            }
        }
    }

    fn number(&mut self, dollar: usize) -> usize {
        let (at, before) = match self.counted {
            counted if counted.0 <= dollar => counted,
            _ => (0, 0),
        };
        let bytes = &self.whole.as_bytes()[at..dollar];
        let number = before + bytes.iter().filter(|&&byte| byte == b'$').count();
        self.counted = (dollar, number);
        number
    }

    fn error(
        &mut self,
        dollar: usize,
        end: usize,
        message: &str,
        help: Option<&'static str>,
    ) -> TemplateError {
        TemplateError {
            dollar: self.number(dollar),
            len: end - dollar,
            message: message.to_owned(),
            help,
        }
    }
}

const ESCAPE: &str = "write `$$` for a dollar sign";

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<String>);

    impl Variables for Fixed {
        fn get(&mut self, name: &str) -> Option<String> {
            match name {
                "A" => Some("a".into()),
                "EMPTY" => Some(String::new()),
                "TEMPLATE" => Some("${A}".into()),
                _ => None,
            }
        }

        fn unset(&mut self, name: &str, dollar: usize) {
            self.0.push(format!("{name}@{dollar}"));
        }
    }

    fn expanded(text: &str) -> Result<String, TemplateError> {
        expand(text, &mut Fixed(Vec::new()))
    }

    #[test]
    fn every_operator() {
        let cases = [
            ("$A-${A}", "a-a"),
            ("$AB|", "|"),
            ("$A.b $A/$A", "a.b a/a"),
            ("$$A $${A} $$$A", "$A ${A} $a"),
            ("5$ $1 $. $", "5$ $1 $. $"),
            ("${A:-x}${EMPTY:-x}${NONE:-x}", "axx"),
            ("${A-x}${EMPTY-x}${NONE-x}", "ax"),
            ("${A:+x}${EMPTY:+x}${NONE:+x}", "x"),
            ("${A+x}${EMPTY+x}${NONE+x}", "xx"),
            ("${A:?x}${A?x}${EMPTY?x}", "aa"),
            ("${NONE:-${EMPTY:-${A}}}", "a"),
            ("${NONE:-a:b-c}", "a:b-c"),
            ("${NONE:-{\"a\": 1}", "{\"a\": 1"),
            ("${A:+[${A}]}", "[a]"),
            ("${A:-{\"a\": {\"b\": 1}}}|", "a|"),
            ("${NONE:-{\"a\": {\"b\": 1}}}|", "{\"a\": {\"b\": 1}}|"),
            ("${NONE:-{${A}}}${A}", "{a}a"),
            ("${NONE:-a}b}", "ab}"),
            // A value is a value, whatever is in it.
            ("$TEMPLATE", "${A}"),
            ("${NONE:-$$A}", "$A"),
            ("ä${A}ö", "äaö"),
        ];
        for (text, wanted) in cases {
            assert_eq!(expanded(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let cases = [
            (
                "$A ${NONE:?no $A}",
                1,
                "the variable `NONE` is needed: no a",
            ),
            ("${NONE?}", 0, "the variable `NONE` is not set"),
            ("${EMPTY:?}", 0, "the variable `EMPTY` is not set, or empty"),
            ("$$ ${A", 2, "`${` is not closed"),
            ("${}", 0, "this names no variable"),
            ("${1}", 0, "this names no variable"),
            ("${A/b/c}", 0, "`/b/c` is no operator of a variable"),
            ("${A:b}", 0, "`:b` is no operator of a variable"),
            ("${NONE:-${}}", 1, "this names no variable"),
        ];
        for (text, dollar, message) in cases {
            let error = expanded(text).expect_err(text);
            assert_eq!(
                (error.dollar, error.message.as_str()),
                (dollar, message),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_set_is_told() {
        let mut variables = Fixed(Vec::new());
        assert_eq!(expand("$A$B${C}", &mut variables).as_deref(), Ok("a"));
        assert_eq!(variables.0, ["B@1", "C@2"]);
    }

    #[test]
    fn nesting_and_growth_are_bounded() {
        let deep = format!("{}{}", "${N:-".repeat(10_000), "}".repeat(10_000));
        assert!(expanded(&deep).is_err_and(|error| error.message.contains("deeper")));
        struct Large;
        impl Variables for Large {
            fn get(&mut self, _: &str) -> Option<String> {
                Some("x".repeat(1000))
            }
            fn unset(&mut self, _: &str, _: usize) {}
        }
        let error = expand(&"$A".repeat(100_000), &mut Large).expect_err("too large");
        assert!(error.message.contains("bytes"), "{}", error.message);
    }
}
