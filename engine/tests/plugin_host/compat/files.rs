//! What is kept is what was once committed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::versions;

/// The list of digests, as `sha256sum` writes it.
const SUMS: &str = "SHA256SUMS";
/// What is no part of the fixtures, or can't be in the list.
const NOT_LISTED: [&str; 3] = [SUMS, "README.md", "target"];

/// A component that was built anew, or a WIT file that was edited, is no proof any more.
#[test]
fn nothing_of_an_earlier_version_has_changed() {
    for (version, folder) in versions() {
        let text = std::fs::read_to_string(folder.join(SUMS)).expect("the list of digests");
        let listed: BTreeMap<String, String> = text
            .lines()
            .map(|line| line.split_once("  ").expect("a digest and a name"))
            .map(|(digest, name)| (name.to_owned(), digest.to_owned()))
            .collect();
        let mut found = BTreeMap::new();
        digests(&folder, "", &mut found);
        let names = found.keys().chain(listed.keys());
        let changed: BTreeSet<_> = names
            .filter(|&name| found.get(name) != listed.get(name))
            .collect();
        assert!(
            changed.is_empty(),
            "of {version}, which is out: {changed:?}"
        );
    }
}

fn digests(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_str().expect("text");
        if prefix.is_empty() && NOT_LISTED.contains(&name) {
            continue;
        }
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            digests(&path, &format!("{name}/"), found);
        } else {
            let digest = Sha256::digest(std::fs::read(&path).expect("a file"));
            let mut text = String::new();
            for byte in digest {
                write!(text, "{byte:02x}").expect("a text takes more");
            }
            found.insert(name, text);
        }
    }
}
