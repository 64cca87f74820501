//! Texts that come from elsewhere: builders, containers, plugins.

use std::time::Duration;

/// A text that can do nothing to a terminal: escape sequences are taken out, and what other
/// control characters there are is shown as such. Newlines and tabs stay.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' | '\u{9b}' => {
                // CSI: parameters up to a final byte; builders and servers colour with it.
                let csi = c == '\u{9b}' || rest.next_if_eq(&'[').is_some();
                if csi {
                    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                    rest.next_if(|c| matches!(c, '@'..='~'));
                } else {
                    safe.push_str("\\x1b");
                }
            }
            '\n' | '\t' => safe.push(c),
            // A carriage return would write over what stands there.
            '\r' => {
                if rest.peek().is_some_and(|&next| next != '\n') {
                    safe.push('\n');
                }
            }
            // Characters that turn the direction of a line can make it read as another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                safe.extend(c.escape_unicode());
            }
            c if c.is_control() => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

/// A duration for people: `12ms`, `3.4s`, `2m 05s`.
pub fn time(time: Duration) -> String {
    match time.as_millis() {
        millis @ 0..1000 => format!("{millis}ms"),
        1000..60_000 => format!("{:.1}s", time.as_secs_f64()),
        _ => format!("{}m {:02}s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

/// A value for people: one line, not too long; a text in quotes, a list as it is, and as much of
/// a digest as is needed to tell it from another.
pub fn value(value: Option<&str>) -> String {
    const LONGEST: usize = 60;
    const DIGEST: usize = "sha256:".len() + 12;
    match value {
        None => "(none)".to_owned(),
        Some(text) if text.lines().count() > 1 => {
            format!("({} lines)", text.lines().count())
        }
        Some(text) if text.starts_with("sha256:") => text.chars().take(DIGEST).collect(),
        Some(text) if text.chars().count() > LONGEST => {
            let start: String = text.chars().take(LONGEST).collect();
            format!("\"{}…\"", printable(&start))
        }
        Some(text) if text.starts_with("[\"") => printable(text),
        Some(text) => format!("\"{}\"", printable(text)),
    }
}

/// Rows in columns, each as wide as its widest cell.
pub fn table<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> String {
    columns(&rows.map(Vec::from).collect::<Vec<_>>())
}

/// The same, where how many columns there are is not known before.
pub fn columns(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        let cases = [
            ("plain\ttext\n", "plain\ttext\n"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}", "\\x1b]0;title\\u{7}"),
            ("a\rb", "a\nb"),
            ("a\r\n", "a\n"),
            ("\u{9b}2J", ""),
            ("\u{202e}evil", "\\u{202e}evil"),
            ("\0\u{8}", "\\u{0}\\u{8}"),
            ("\u{1b}[", ""),
        ];
        for (text, safe) in cases {
            assert_eq!(printable(text), safe, "{text:?}");
        }
    }

    #[test]
    fn values_are_short_and_on_one_line() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let long = "x".repeat(61);
        let cut = format!("\"{}…\"", "x".repeat(60));
        let cases = [
            (None, "(none)"),
            (Some(""), "\"\""),
            (Some("10001"), "\"10001\""),
            (Some("[\"ALL\"]"), "[\"ALL\"]"),
            (Some("a\nb"), "(2 lines)"),
            (Some(&*digest), "sha256:0123456789ab"),
            (Some(&*long), &*cut),
        ];
        for (text, shown) in cases {
            assert_eq!(value(text), shown, "{text:?}");
        }
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        let cases = [
            (0, "0ms"),
            (999, "999ms"),
            (3_449, "3.4s"),
            (125_000, "2m 05s"),
        ];
        for (millis, text) in cases {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
    }
}
