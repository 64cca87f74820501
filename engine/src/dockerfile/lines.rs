//! From text to instructions: directives, comments, continuation lines and heredocs.

use std::iter::Peekable;
use std::str::Lines;

/// One instruction as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The line on which it starts, counted from 1.
    pub number: usize,
    /// The line on which it ends, without the bodies of heredocs.
    pub end: usize,
    /// The instruction's word in upper case, such as `FROM`.
    pub keyword: String,
    /// What follows it, continuation lines joined, without the bodies of heredocs.
    pub rest: String,
    /// True if it opens a heredoc.
    pub heredoc: bool,
}

/// What the comments at the top of a Dockerfile tell the parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directives {
    /// The character that continues a line and takes a character's meaning away.
    pub escape: char,
    /// The image of the frontend that reads the file, where it names one.
    pub syntax: Option<String>,
}

impl Default for Directives {
    fn default() -> Self {
        Self {
            escape: '\\',
            syntax: None,
        }
    }
}

/// Splits a Dockerfile into its directives and instructions.
pub(super) fn split(text: &str) -> (Directives, Vec<Line>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let directives = directives(text);
    let count = text.lines().count();
    let mut lines = text.lines().enumerate_from_one();
    let mut found = Vec::new();
    while let Some((number, line)) = lines.next() {
        if is_blank_or_comment(line) {
            continue;
        }
        let joined = join(line.trim_start(), directives.escape, &mut lines);
        let end = lines.peek().map_or(count, |(next, _)| next - 1);
        let (keyword, rest) = match joined.split_once(char::is_whitespace) {
            Some((keyword, rest)) => (keyword, rest.trim()),
            None => (joined.as_str(), ""),
        };
        let keyword = keyword.to_ascii_uppercase();
        let mut heredoc = false;
        if matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") {
            for opened in heredocs(rest, directives.escape) {
                opened.skip(&mut lines);
                heredoc = true;
            }
        }
        found.push(Line {
            number,
            end,
            keyword,
            rest: rest.to_owned(),
            heredoc,
        });
    }
    (directives, found)
}

type Numbered<'a> = Peekable<Box<dyn Iterator<Item = (usize, &'a str)> + 'a>>;

/// Counts lines as editors do.
trait EnumerateFromOne<'a> {
    fn enumerate_from_one(self) -> Numbered<'a>;
}

impl<'a> EnumerateFromOne<'a> for Lines<'a> {
    fn enumerate_from_one(self) -> Numbered<'a> {
        let numbered: Box<dyn Iterator<Item = _>> =
            Box::new(self.enumerate().map(|(index, line)| (index + 1, line)));
        numbered.peekable()
    }
}

fn is_blank_or_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// Directives come first: a comment that is none, an empty line or an instruction ends them.
fn directives(text: &str) -> Directives {
    let mut directives = Directives::default();
    for line in text.lines() {
        let Some((key, value)) = line
            .trim_start()
            .strip_prefix('#')
            .and_then(|comment| comment.split_once('='))
        else {
            break;
        };
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "escape" if value == "`" => directives.escape = '`',
            "escape" => {}
            "syntax" => directives.syntax = Some(value.to_owned()),
            "check" => {}
            _ => break,
        }
    }
    directives
}

/// Joins the lines that an escape character at the end holds together. Comments and empty
/// lines between them are left out, as the builder does.
fn join(first: &str, escape: char, lines: &mut Numbered<'_>) -> String {
    let mut joined = String::new();
    let mut line = first;
    loop {
        let Some(continued) = line.trim_end().strip_suffix(escape) else {
            joined.push_str(line.trim_end());
            return joined;
        };
        joined.push_str(continued);
        loop {
            match lines.next() {
                None => return joined,
                Some((_, next)) if is_blank_or_comment(next) => {}
                Some((_, next)) => {
                    line = next;
                    break;
                }
            }
        }
    }
}

/// A heredoc that an instruction opens.
struct Heredoc {
    delimiter: String,
    strip_tabs: bool,
}

impl Heredoc {
    /// Goes on behind the line that closes it, or to the end of the file.
    fn skip(&self, lines: &mut Numbered<'_>) {
        for (_, line) in lines.by_ref() {
            let line = match self.strip_tabs {
                true => line.trim_start_matches('\t'),
                false => line,
            };
            if line == self.delimiter {
                return;
            }
        }
    }
}

/// The heredocs that an instruction opens, in order. As in BuildKit, one is a word of its own:
/// a file descriptor or nothing, `<<` or `<<-`, and a name that may be quoted.
fn heredocs(rest: &str, escape: char) -> Vec<Heredoc> {
    raw_words(rest, escape)
        .into_iter()
        .filter_map(|word| {
            let opened = word
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .strip_prefix("<<")?;
            let (strip_tabs, name) = match opened.strip_prefix('-') {
                Some(name) => (true, name),
                None => (false, opened),
            };
            let delimiter: String = name.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
            (!delimiter.is_empty() && !delimiter.contains('<')).then_some(Heredoc {
                delimiter,
                strip_tabs,
            })
        })
        .collect()
}

/// Splits at white space outside quotes; quotes and escapes stay in the words.
pub(super) fn raw_words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            // Nothing is escaped between single quotes.
            (None | Some('"'), c) if c == escape => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> Vec<String> {
        let (_, lines) = split(text);
        lines
            .into_iter()
            .map(|line| format!("{} {} {}", line.number, line.keyword, line.rest))
            .collect()
    }

    #[test]
    fn instructions_are_case_insensitive_and_numbered() {
        assert_eq!(show("# hi\n\nfrom a\n  Run x\n"), ["3 FROM a", "4 RUN x"]);
    }

    #[test]
    fn continuation_lines_skip_comments_and_empty_lines() {
        assert_eq!(
            show("RUN a \\\n  # why\n\n  b \\  \n  c\nUSER x"),
            ["1 RUN a   b   c", "6 USER x"]
        );
        assert_eq!(show("RUN a \\"), ["1 RUN a"]);
        assert_eq!(
            show("EXPOSE 80 \\\r\n 81\r\nUSER x\r\n"),
            ["1 EXPOSE 80  81", "3 USER x"]
        );
    }

    #[test]
    fn directives_stand_at_the_top() {
        let (directives, lines) =
            split("# syntax = docker/dockerfile:1\n# ESCAPE=`\nRUN a `\nb\nRUN c:\\\n");
        assert_eq!(directives.escape, '`');
        assert_eq!(directives.syntax.as_deref(), Some("docker/dockerfile:1"));
        assert_eq!(lines.len(), 2);
        for late in [
            "\n# escape=`\n",
            "# comment\n# escape=`\n",
            "FROM a\n# escape=`\n",
        ] {
            assert_eq!(split(late).0.escape, '\\', "{late:?}");
        }
        let marked = split("\u{feff}# escape=`\nFROM a");
        assert_eq!(marked.0.escape, '`');
    }

    #[test]
    fn heredocs_are_skipped() {
        assert_eq!(
            show("RUN <<EOF\nFROM no\nEOF\nUSER a"),
            ["1 RUN <<EOF", "4 USER a"]
        );
        assert_eq!(
            show("COPY <<-\"A\" <<B /x/\nUSER no\n\tA\nUSER no\nB\nUSER a"),
            ["1 COPY <<-\"A\" <<B /x/", "6 USER a"]
        );
        // The name must match a whole line.
        assert_eq!(show("RUN cat <<E >x\n E\nE \nE\nUSER a")[1], "5 USER a");
        // Not heredocs: a here-string, arithmetic, a quoted text, another instruction.
        for text in [
            "RUN cat <<<word\nUSER a",
            "RUN echo $((1<<2))\nUSER a",
            "RUN echo '<<EOF'\nUSER a",
            "LABEL x=1 <<EOF\nUSER a",
        ] {
            assert_eq!(show(text).len(), 2, "{text}");
        }
        assert_eq!(show("RUN <<EOF\nnever closed\n"), ["1 RUN <<EOF"]);
    }
}
