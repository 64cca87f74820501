//! A command that is written as one text.

/// The words of a command, as a shell sees them: with quotes, escapes and lines that go on, and
/// without anything that a shell would do, so `#` begins no comment. `None` if a quote is not
/// closed, or the last thing is a backslash.
pub fn split_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    // `""` is a word, too.
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            '\n' => {}
                            c @ ('$' | '`' | '"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => match chars.next()? {
                '\n' => {}
                c => word.get_or_insert_default().push(c),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::split_words;

    #[test]
    fn words_are_the_shells() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" a  b\tc\n", &["a", "b", "c"]),
            ("echo 'a b' \"c d\"", &["echo", "a b", "c d"]),
            ("a'b'\"c\"d", &["abcd"]),
            ("a '' \"\"", &["a", "", ""]),
            (
                r#"a\ b "\"x\" \$y \n" '\n'"#,
                &["a b", r#""x" $y \n"#, r"\n"],
            ),
            ("a \\\n b", &["a", "b"]),
            ("a\\\nb", &["ab"]),
            ("ä 'ö'", &["ä", "ö"]),
            // No shell reads it, so nothing is a comment.
            (
                "redis-server --requirepass #secret x",
                &["redis-server", "--requirepass", "#secret", "x"],
            ),
            ("# a", &["#", "a"]),
        ];
        for (text, wanted) in cases {
            let words = split_words(text);
            let words: Option<Vec<&str>> = words
                .as_ref()
                .map(|words| words.iter().map(String::as_str).collect());
            assert_eq!(words.as_deref(), Some(*wanted), "{text}");
        }
        for text in ["a 'b", "a \"b", "a \\", "\"a\\"] {
            assert_eq!(split_words(text), None, "{text}");
        }
    }
}
