//! Errors with a place in a file, so that nothing in them or in the file can do something to a terminal.

use std::error::Error;
use std::fmt;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode, SourceSpan};

use super::text::printable;
use crate::secrets::Redactor;

/// A copy of an error with texts that are safe.
#[derive(Debug)]
pub struct Safe {
    message: Text,
    code: Option<String>,
    severity: Option<Severity>,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
    related: Vec<Safe>,
}

/// A message, and what it was caused by.
#[derive(Debug)]
struct Text {
    text: String,
    cause: Option<Box<Text>>,
}

impl Safe {
    /// The copy of an error, without secrets.
    pub fn of(error: &dyn Diagnostic, redactor: &Redactor) -> Self {
        let safe = |text: String| printable(&redactor.redact(&text));
        let labels = error.labels().into_iter().flatten().map(|label| {
            let text = label.label().map(|text| safe(text.to_owned()));
            match label.primary() {
                true => LabeledSpan::new_primary_with_span(text, *label.inner()),
                false => LabeledSpan::new_with_span(text, *label.inner()),
            }
        });
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(safe(cause.to_string()));
            next = cause.source();
        }
        let cause = causes
            .into_iter()
            .rev()
            .fold(None, |cause, text| Some(Box::new(Text { text, cause })));
        Self {
            message: Text {
                text: safe(error.to_string()),
                cause,
            },
            code: error.code().map(|code| code.to_string()),
            severity: error.severity(),
            help: error.help().map(|help| safe(help.to_string())),
            source: error.source_code().and_then(source),
            labels: labels.collect(),
            related: error
                .related()
                .into_iter()
                .flatten()
                .map(|error| Self::of(error, redactor))
                .collect(),
        }
    }
}

/// A file whose places are where they were.
fn source(code: &dyn SourceCode) -> Option<NamedSource<String>> {
    let whole = code.read_span(&SourceSpan::from((0, 0)), usize::MAX, usize::MAX);
    let whole = whole.ok()?;
    let text = blanked(&String::from_utf8_lossy(whole.data()));
    Some(NamedSource::new(
        printable(whole.name().unwrap_or_default()),
        text,
    ))
}

/// A text of as many bytes, each of which is where it was, in which characters that do something to a
/// terminal are others.
fn blanked(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let ends_line = c == '\n' || (c == '\r' && rest.peek() == Some(&'\n'));
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if ends_line || c == '\t' || !(c.is_control() || turns) {
            safe.push(c);
            continue;
        }
        safe.push(match c.len_utf8() {
            1 => '?',
            2 => '·',
            _ => '\u{fffd}',
        });
    }
    safe
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Text {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_deref()?;
        Some(cause)
    }
}

impl fmt::Display for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl Error for Safe {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.message.source()
    }
}

impl Diagnostic for Safe {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code.as_ref()?))
    }

    fn severity(&self) -> Option<Severity> {
        self.severity
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.help.as_ref()?))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        let source = self.source.as_ref()?;
        Some(source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self.labels.is_empty() {
            true => None,
            false => Some(Box::new(self.labels.iter().cloned())),
        }
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        if self.related.is_empty() {
            return None;
        }
        let related = self.related.iter();
        Some(Box::new(related.map(|error| error as &dyn Diagnostic)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_where_they_are() {
        let text = "a\u{1b}[2J\u{7}é\u{9b}x\u{202e}y\tz\r\nb\rc\u{7f}\n";
        let safe = blanked(text);
        assert_eq!(safe, "a?[2J?é·x\u{fffd}y\tz\r\nb?c?\n");
        assert_eq!(safe.len(), text.len());
        for (at, c) in text.char_indices() {
            assert!(safe.is_char_boundary(at), "{c:?}");
        }
    }

    #[test]
    fn no_part_of_an_error_does_something_to_a_terminal() {
        #[derive(Debug, thiserror::Error, Diagnostic)]
        #[error("no time: \u{1b}]0;pwn\u{7}{text}")]
        #[diagnostic(help("say\u{9b}2J \u{202e}"))]
        struct Wrong {
            text: String,
            #[source_code]
            code: NamedSource<String>,
            #[label("here\u{1b}[2J\u{7}")]
            span: SourceSpan,
            #[source]
            cause: std::io::Error,
            #[related]
            more: Vec<Wrong>,
        }
        let wrong = |more: Vec<Wrong>| Wrong {
            text: "\u{1b}c".to_owned(),
            code: NamedSource::new(
                "a\u{1b}[2J\u{7}.toml",
                "first\nx = \"\u{1b}]0;pwn\u{7}\u{1b}[2Jx\u{9b}\"\nlast\u{7}\n".to_owned(),
            ),
            span: SourceSpan::from((10, 5)),
            cause: std::io::Error::other("why\u{1b}[2J\u{7}"),
            more,
        };
        let error = wrong(vec![wrong(Vec::new())]);
        let safe = Safe::of(&error, &Redactor::default());
        let mut text = String::new();
        let handler =
            miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
        handler
            .with_links(false)
            .render_report(&mut text, &safe)
            .expect("rendered");
        let bad = text
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(bad, None, "{text}");
        for said in ["a\\u{7}.toml:2:5", "]0;pwn", "why", "here", "help: say"] {
            assert!(text.contains(said), "{said}: {text}");
        }
    }
}
