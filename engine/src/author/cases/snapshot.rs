//! What came of a case, kept in a file.

use std::path::{Path, PathBuf};

use serde::Serialize;
use similar::TextDiff;

use crate::author::AuthorError;
use crate::author::error::write;

/// What became of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotState {
    /// It is as it was.
    Same,
    /// It was written.
    Written,
    /// There is none yet.
    Missing,
    /// It is other than it was.
    Differs,
}

/// Where the snapshot of a case is: its name, in letters, digits and `-`.
pub fn path(folder: &Path, case: &str) -> PathBuf {
    let mut name = String::new();
    for c in case.to_lowercase().chars() {
        match c.is_alphanumeric() {
            true => name.push(c),
            false if name.ends_with('-') || name.is_empty() => {}
            false => name.push('-'),
        }
    }
    folder.join(format!("{}.txt", name.trim_end_matches('-')))
}

/// Compares `now` with what is in the file, or writes it; with the difference, if there is one.
pub fn compare(
    path: &Path,
    now: &str,
    update: bool,
) -> Result<(SnapshotState, Option<String>), AuthorError> {
    let before = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(AuthorError::io("reading", path)(error)),
    };
    match before {
        Some(before) if before == now => Ok((SnapshotState::Same, None)),
        _ if update => {
            write(path, now)?;
            Ok((SnapshotState::Written, None))
        }
        Some(before) => {
            let text = format!(
                "other than {}\n{}",
                path.display(),
                difference(&before, now)
            );
            Ok((SnapshotState::Differs, Some(text)))
        }
        None => {
            let text = format!(
                "there is no snapshot {} yet: `--update` writes this\n{}",
                path.display(),
                difference("", now)
            );
            Ok((SnapshotState::Missing, Some(text)))
        }
    }
}

/// The lines that differ, with those around them.
pub fn difference(before: &str, now: &str) -> String {
    let diff = TextDiff::from_lines(before, now);
    let mut text = String::new();
    for group in diff.grouped_ops(3) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            text.push_str(&format!("{}{change}", change.tag()));
            if change.missing_newline() {
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_has_a_file_of_a_plain_name() {
        let cases = [
            ("labels the image", "labels-the-image.txt"),
            ("../../etc/passwd", "etc-passwd.txt"),
            ("health: an answer, é!", "health-an-answer-é.txt"),
        ];
        for (case, name) in cases {
            assert_eq!(path(Path::new("s"), case), Path::new("s").join(name));
        }
    }

    #[test]
    fn a_snapshot_is_written_once_and_then_compared() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("tests.snap/case.txt");
        let state = |now, update| compare(&path, now, update).expect("it works");
        assert_eq!(state("a\nb\n", false).0, SnapshotState::Missing);
        assert_eq!(state("a\nb\n", true), (SnapshotState::Written, None));
        assert_eq!(state("a\nb\n", false), (SnapshotState::Same, None));
        let (found, text) = state("a\nc\n", false);
        assert_eq!(found, SnapshotState::Differs);
        let text = text.expect("a difference");
        assert!(text.ends_with(" a\n-b\n+c\n"), "{text}");
    }
}
