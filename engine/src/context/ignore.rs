//! The ignore file: which files of a context are not sent.

use super::pattern::{Pattern, PatternError};

/// The ignore file that holds for every Dockerfile of a context.
pub(super) const FILE_NAME: &str = ".dockerignore";

/// The patterns of an ignore file, in its order: the last one that matches decides.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

/// Which patterns match a folder or one of those that it is in, pattern by pattern. A file is
/// matched together with all its parents; this spares matching them again for each file.
#[derive(Debug, Clone, Default)]
pub(super) struct ParentMatches(Vec<bool>);

impl Ignore {
    /// Reads an ignore file.
    ///
    /// # Errors
    ///
    /// The first line that is no pattern, counted from 1.
    pub fn parse(text: &str) -> Result<Self, (usize, PatternError)> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut patterns = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if let Some(pattern) = parse_line(line).map_err(|error| (index + 1, error))? {
                patterns.push(pattern);
            }
        }
        Ok(Self { patterns })
    }

    /// True if a path is left out, given what matches the folder that it is in.
    pub(super) fn excludes(&self, path: &str, parents: &ParentMatches) -> bool {
        let mut excluded = false;
        for (index, pattern) in self.patterns.iter().enumerate() {
            // A pattern that could not change the verdict need not be matched.
            if pattern.exception == excluded
                && (parents.0.get(index).copied().unwrap_or(false) || pattern.matches(path))
            {
                excluded = !pattern.exception;
            }
        }
        excluded
    }

    /// What matches a folder, given what matches the one that it is in.
    pub(super) fn enter(&self, folder: &str, parents: &ParentMatches) -> ParentMatches {
        let matches = |(index, pattern): (usize, &Pattern)| {
            parents.0.get(index).copied().unwrap_or(false) || pattern.matches(folder)
        };
        ParentMatches(self.patterns.iter().enumerate().map(matches).collect())
    }

    /// True if an exception could match something in a folder that is itself left out.
    pub(super) fn may_include_below(&self, folder: &str) -> bool {
        self.patterns
            .iter()
            .any(|pattern| pattern.exception && pattern.may_match_below(folder))
    }

    /// True if a path is left out, with all its parents looked at.
    pub fn excludes_path(&self, path: &str) -> bool {
        let mut parents = ParentMatches::default();
        for (at, _) in path.match_indices('/') {
            parents = self.enter(&path[..at], &parents);
        }
        self.excludes(path, &parents)
    }
}

/// A comment starts in the first column; blanks around a pattern and after its `!` don't count.
fn parse_line(line: &str) -> Result<Option<Pattern>, PatternError> {
    if line.starts_with('#') {
        return Ok(None);
    }
    let line = line.trim();
    let (exception, text) = match line.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, line),
    };
    let cleaned = clean(text);
    let cleaned = match cleaned.strip_prefix('/') {
        Some("") | None => cleaned.as_str(),
        Some(relative) => relative,
    };
    match (exception, cleaned) {
        (true, "" | "/") => Err(PatternError::LoneException),
        (false, "") => Ok(None),
        _ => Pattern::new(cleaned, exception).map(Some),
    }
}

/// The shortest path that means the same, by Go's `filepath.Clean`; empty for an empty one.
fn clean(path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|&last| last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.as_str()) {
        (true, _) => format!("/{joined}"),
        (false, "") => ".".to_owned(),
        (false, _) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(file: &str, path: &str) -> bool {
        Ignore::parse(file).expect(file).excludes_path(path)
    }

    #[test]
    fn a_folder_takes_what_is_in_it_along() {
        assert!(excludes("node_modules", "node_modules"));
        assert!(excludes("node_modules", "node_modules/a/b.js"));
        assert!(!excludes("node_modules", "web/node_modules/a.js"));
        assert!(excludes("**/node_modules", "web/node_modules/a.js"));
        assert!(excludes("web/", "web/index.html"));
    }

    #[test]
    fn the_last_line_that_matches_decides() {
        assert!(!excludes("docs\n!docs/README.md", "docs/README.md"));
        assert!(excludes("docs\n!docs/README.md", "docs/other.md"));
        assert!(excludes("!docs/README.md\ndocs", "docs/README.md"));
        assert!(excludes(
            "*.md\n!README*.md\nREADME-secret.md",
            "README-secret.md"
        ));
        assert!(!excludes(
            "*.md\n!README*.md\nREADME-secret.md",
            "README-public.md"
        ));
        assert!(!excludes("**\n!util/web", "util/web/file"));
        assert!(excludes("**\n!util/web\nutil/web/file", "util/web/file"));
        assert!(
            !excludes("a/b\n!a", "a/b"),
            "an exception for a parent holds for what is in it"
        );
    }

    #[test]
    fn lines_are_cleaned() {
        for line in [
            "/a/b",
            "./a/b",
            "a//b/",
            "  a/b  ",
            "a/x/../b",
            "../a/b/../../../a/b",
        ] {
            let expected = line != "../a/b/../../../a/b";
            assert_eq!(excludes(line, "a/b"), expected, "`{line}`");
        }
        assert!(
            excludes("\u{feff}a", "a"),
            "a byte order mark is no part of the first pattern"
        );
        assert!(!excludes("#a", "#a"), "a comment");
        assert!(
            excludes(" #a", "#a"),
            "no comment, since it isn't in the first column"
        );
        assert!(!excludes("a\n!  a", "a"), "blanks after the `!`");
        assert!(excludes("a\r\nb\r\n", "b"), "lines that end as on Windows");
        assert!(!excludes("\n\n/\n.\n", "a"), "lines that match nothing");
    }

    #[test]
    fn an_error_has_its_line() {
        assert_eq!(
            Ignore::parse("a\n!").err(),
            Some((2, PatternError::LoneException))
        );
        assert_eq!(
            Ignore::parse("# x\n\n[").err(),
            Some((3, PatternError::Class))
        );
    }
}
