//! One pattern of an ignore file.
//!
//! The semantics are those of github.com/moby/patternmatcher, which both of Docker's builders
//! use: `filepath.Match` of Go, and `**` for any number of folders. Where that package lets
//! characters slip through into its regular expressions by accident (`\d`, `[*]`, a `^` outside a
//! class), the rule that it documents is followed instead.

use regex::Regex;

/// A pattern, ready to match.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// True for a line that starts with `!`: what matches is sent after all.
    pub(super) exception: bool,
    text: String,
    matcher: Matcher,
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A `!` without a pattern.
    #[error("`!` needs a pattern after it")]
    LoneException,
    /// A `[` without its `]`, or a class such as `[]` or `[b-]`.
    #[error("a character class isn't complete: write it like `[a-z]`, or `\\[` for a bracket")]
    Class,
    /// A `\` at the end.
    #[error("a `\\` at the end escapes nothing")]
    Escape,
    /// A pattern that is too large to be compiled.
    #[error("the pattern is too long")]
    TooLong,
}

/// The cheap ways to match are worth having: an ignore file is matched against each file and
/// folder of the context, and most of its lines are plain names.
#[derive(Debug, Clone)]
enum Matcher {
    Exact,
    /// `folder/**`: everything that starts with so many bytes of the text.
    Prefix(usize),
    /// `**name`: everything that ends with the text from the third byte on.
    Suffix,
    Regex(Box<Regex>),
}

impl Pattern {
    /// Compiles a pattern that [`super::ignore`] has cleaned, without its `!`.
    pub(super) fn new(text: &str, exception: bool) -> Result<Self, PatternError> {
        Ok(Self {
            exception,
            matcher: compile(text)?,
            text: text.to_owned(),
        })
    }

    /// True if the pattern matches this very path; parents are the caller's business.
    pub(super) fn matches(&self, path: &str) -> bool {
        match &self.matcher {
            Matcher::Exact => path == self.text,
            Matcher::Prefix(length) => path.starts_with(&self.text[..*length]),
            Matcher::Suffix => {
                let suffix = &self.text[2..];
                path.ends_with(suffix) || suffix.strip_prefix('/').is_some_and(|name| name == path)
            }
            Matcher::Regex(regex) => regex.is_match(path),
        }
    }

    /// False if the pattern can't match anything below this folder. Compares what is literal at
    /// the pattern's start, so it may say true for a folder in which nothing matches.
    pub(super) fn may_match_below(&self, folder: &str) -> bool {
        let mut folders = folder.split('/');
        for part in self.text.split('/') {
            if part.contains(['*', '?', '[', '\\']) {
                return true;
            }
            match folders.next() {
                None => return true,
                Some(name) if name != part => return false,
                Some(_) => {}
            }
        }
        // The whole pattern is the folder or one that it is in.
        true
    }
}

fn compile(text: &str) -> Result<Matcher, PatternError> {
    let mut expression = String::from("(?s)^");
    let mut matcher = Matcher::Exact;
    let mut needs_regex = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '*' if chars.next_if(|&(_, next)| next == '*').is_some() => {
                // `**/` is `**`.
                chars.next_if(|&(_, next)| next == '/');
                let last = chars.peek().is_none();
                if last && matches!(matcher, Matcher::Exact) && !needs_regex {
                    matcher = Matcher::Prefix(at);
                } else if last {
                    expression.push_str(".*");
                    needs_regex = true;
                } else {
                    expression.push_str("(?:.*/)?");
                    needs_regex = true;
                }
                if at == 0 {
                    // Holds as long as nothing after it needs a regular expression.
                    matcher = Matcher::Suffix;
                    needs_regex = false;
                }
            }
            '*' => {
                expression.push_str("[^/]*");
                needs_regex = true;
            }
            '?' => {
                expression.push_str("[^/]");
                needs_regex = true;
            }
            '[' => {
                class(&mut chars, &mut expression)?;
                needs_regex = true;
            }
            '\\' => {
                let (_, escaped) = chars.next().ok_or(PatternError::Escape)?;
                push_literal(&mut expression, escaped);
                needs_regex = true;
            }
            c => push_literal(&mut expression, c),
        }
    }
    if !needs_regex {
        return Ok(matcher);
    }
    expression.push('$');
    let regex = Regex::new(&expression).map_err(|_| PatternError::TooLong)?;
    Ok(Matcher::Regex(Box::new(regex)))
}

/// Reads a character class after its `[`: `^` negates; then come single characters and ranges,
/// at least one; `\` escapes.
fn class(
    chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
    expression: &mut String,
) -> Result<(), PatternError> {
    let negated = chars.next_if(|&(_, c)| c == '^').is_some();
    // Neither kind of class matches a `/` in Go's filepath.Match, but patternmatcher's
    // translation lets a negated one do so; Docker's behaviour is what counts.
    expression.push_str(if negated { "[^" } else { "[" });
    let mut empty = true;
    let mut ranges = String::new();
    loop {
        if !empty && chars.next_if(|&(_, c)| c == ']').is_some() {
            break;
        }
        let low = class_character(chars)?;
        let high = match chars.next_if(|&(_, c)| c == '-') {
            Some(_) => class_character(chars)?,
            None => low,
        };
        empty = false;
        if low <= high {
            push_literal(&mut ranges, low);
            ranges.push('-');
            push_literal(&mut ranges, high);
        }
    }
    if ranges.is_empty() {
        // Only ranges that run backwards: nothing is in them.
        return Err(PatternError::Class);
    }
    expression.push_str(&ranges);
    expression.push(']');
    Ok(())
}

fn class_character(
    chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
) -> Result<char, PatternError> {
    match chars.next() {
        None | Some((_, '-' | ']')) => Err(PatternError::Class),
        Some((_, '\\')) => chars.next().map(|(_, c)| c).ok_or(PatternError::Class),
        Some((_, c)) => Ok(c),
    }
}

/// A code point needs no thought about what is special where.
fn push_literal(expression: &mut String, c: char) {
    if c.is_ascii_alphanumeric() {
        expression.push(c);
    } else {
        expression.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::new(pattern, false).expect(pattern).matches(path)
    }

    #[test]
    fn a_pattern_matches_whole_paths() {
        for (pattern, path, expected) in [
            ("name", "name", true),
            ("name", "folder/name", false),
            ("a.b", "a.b", true),
            ("a.b", "aXb", false),
            ("*", "name", true),
            ("*", "folder/name", false),
            ("*.go", "main.go", true),
            ("*/*.go", "cmd/main.go", true),
            ("*/*.go", "main.go", false),
            ("v?", "v1", true),
            ("v?", "v12", false),
            ("v?", "v/", false),
            ("v?w", "vüw", true),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[^a-c]x", "dx", true),
            ("[^a-c]x", "ax", false),
            ("[\\]]", "]", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("a^b*", "a^bc", true),
            ("x]", "x]", true),
            ("lib+(1).{so}$|*", "lib+(1).{so}$|x", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "`{pattern}` and `{path}`");
        }
    }

    #[test]
    fn two_stars_match_any_number_of_folders() {
        for (pattern, path, expected) in [
            ("**", "a", true),
            ("**", "a/b/c", true),
            ("**/name", "name", true),
            ("**/name", "a/b/name", true),
            ("**/name", "a/rename", false),
            ("**name", "a/rename", true),
            ("**/*.log", "x.log", true),
            ("**/*.log", "a/b/x.log", true),
            ("**/*.log", "a/b/x.txt", false),
            ("a/**", "a", false),
            ("a/**", "a/b", true),
            ("a/**", "a/b/c", true),
            ("a/**", "ab/c", false),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/b/c/y", false),
            ("**/a/**", "x/a/y/z", true),
            ("**/a/**", "x/b/y/z", false),
            ("a**/x", "abc/d/x", true),
            ("a**/*.txt", "a/d/x.txt", true),
            ("*/**", "a/b/c", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "`{pattern}` and `{path}`");
        }
    }

    #[test]
    fn what_is_malformed_is_told() {
        for (pattern, error) in [
            ("[", PatternError::Class),
            ("a[", PatternError::Class),
            ("[]a]", PatternError::Class),
            ("[^]", PatternError::Class),
            ("[-x]", PatternError::Class),
            ("[a-]", PatternError::Class),
            ("[x", PatternError::Class),
            ("x\\", PatternError::Escape),
        ] {
            assert_eq!(
                Pattern::new(pattern, false).err(),
                Some(error),
                "`{pattern}`"
            );
        }
    }

    #[test]
    fn a_folder_is_skipped_only_if_nothing_below_can_match() {
        let below = |pattern, folder| {
            Pattern::new(pattern, true)
                .expect(pattern)
                .may_match_below(folder)
        };
        assert!(below("a/b/c", "a"));
        assert!(below("a/b/c", "a/b"));
        assert!(!below("a/b/c", "b"));
        assert!(!below("a/b/c", "a/c"));
        assert!(below("**/c", "anything/at/all"));
        assert!(below("a/*/c", "a/b"));
        assert!(!below("a/*/c", "b"));
    }
}
