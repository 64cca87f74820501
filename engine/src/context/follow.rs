//! What of a context lies behind the paths that a builder asks for.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;

use super::pattern::Pattern;
use super::{Entry, Kind};

/// How many links a path may lead over: as many as the kernel follows.
const MAX_LINKS: u8 = 40;
/// How many ways over links are walked. Links whose targets have wildcards can lead to each other in more
/// ways than can be counted; then everything is listed, which misses nothing.
const MAX_WAYS: usize = 5_000;

/// The entries that BuildKit's `followpaths` are about: what the paths name, with wildcards in
/// their parts, and all links on the way as well as what these lead to. `None` is everything.
///
/// What is too much costs time, and what is missing a build; so where the rules of
/// github.com/tonistiigi/fsutil are narrower than these, these hold.
pub(super) fn follow(
    entries: &BTreeMap<String, Entry>,
    paths: &[String],
) -> Option<BTreeSet<String>> {
    let mut search = Search {
        entries,
        found: BTreeSet::new(),
        seen: HashSet::new(),
        over_links: 0,
        open: Vec::new(),
    };
    for path in paths {
        search.look("", path, 0);
    }
    while let Some(todo) = search.open.pop() {
        if search.over_links > MAX_WAYS {
            return None;
        }
        search.step(todo);
    }
    (!search.found.contains("")).then_some(search.found)
}

/// The range of what is below a folder.
pub(super) fn below(folder: &str) -> (Bound<String>, Bound<String>) {
    // `0` comes after `/`.
    let start = Bound::Excluded(format!("{folder}/"));
    (start, Bound::Excluded(format!("{folder}0")))
}

struct Search<'a> {
    entries: &'a BTreeMap<String, Entry>,
    found: BTreeSet<String>,
    seen: HashSet<(String, Vec<String>)>,
    /// How many of what was noted lie behind a link.
    over_links: usize,
    open: Vec<Todo>,
}

/// Parts of a path that are still to be walked.
struct Todo {
    /// The folder where it goes on; empty for the top.
    at: String,
    rest: Vec<String>,
    links: u8,
}

impl Search<'_> {
    /// Notes a path to walk, which starts at a folder, or at the top if it starts with `/`.
    fn look(&mut self, folder: &str, path: &str, links: u8) {
        let folder = if path.starts_with('/') { "" } else { folder };
        let mut parts: Vec<&str> = Vec::new();
        for part in folder.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                // Nothing is above the top.
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let rest = parts.into_iter().map(str::to_owned).collect();
        self.note(String::new(), rest, links);
    }

    fn note(&mut self, at: String, rest: Vec<String>, links: u8) {
        if links <= MAX_LINKS && self.seen.insert((at.clone(), rest.clone())) {
            self.over_links += usize::from(links > 0);
            self.open.push(Todo { at, rest, links });
        }
    }

    /// Goes one part further.
    fn step(&mut self, todo: Todo) {
        let Some((part, rest)) = todo.rest.split_first() else {
            self.found.insert(todo.at);
            return;
        };
        if part.contains("**") {
            // Any number of folders: all that is there.
            self.found.insert(todo.at);
            return;
        }
        let pattern = part
            .contains(['*', '?', '[', '\\'])
            .then(|| Pattern::new(part, false).ok())
            .flatten();
        let names = match pattern {
            Some(pattern) => self.names(&todo.at, &pattern),
            None => vec![part.clone()],
        };
        for name in names {
            let path = match todo.at.as_str() {
                "" => name,
                at => format!("{at}/{name}"),
            };
            self.arrive(path, rest, todo.links);
        }
    }

    fn arrive(&mut self, path: String, rest: &[String], links: u8) {
        match self.entries.get(&path).map(|entry| &entry.kind) {
            Some(Kind::Symlink(target)) => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let target = match rest {
                    [] => target.clone(),
                    rest => format!("{target}/{}", rest.join("/")),
                };
                self.look(folder, &target, links + 1);
                self.found.insert(path);
            }
            Some(Kind::Directory) => self.note(path, rest.to_vec(), links),
            Some(Kind::File | Kind::Contents(_)) if rest.is_empty() => {
                self.found.insert(path);
            }
            Some(Kind::File | Kind::Contents(_)) | None => {}
        }
    }

    /// The names in a folder that match.
    fn names(&self, folder: &str, pattern: &Pattern) -> Vec<String> {
        let (range, start) = match folder {
            "" => ((Bound::Unbounded, Bound::Unbounded), 0),
            folder => (below(folder), folder.len() + 1),
        };
        let paths = self.entries.range::<String, _>(range);
        let names = paths.map(|(path, _)| &path[start..]);
        names
            .filter(|name| !name.contains('/') && pattern.matches(name))
            .map(str::to_owned)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str]) -> Option<Vec<String>> {
        let mut entries = BTreeMap::new();
        let mut put = |path: &str, kind| {
            let entry = Entry {
                kind,
                mode: 0o644,
                modified: 0,
            };
            entries.insert(path.to_owned(), entry);
        };
        for folder in ["src", "src/lib", "other", "deep", "deep/er"] {
            put(folder, Kind::Directory);
        }
        for file in [
            "a.txt",
            "b.txt",
            "[x]",
            "src/main.go",
            "src/lib/lib.go",
            "other/x",
            "deep/er/y",
        ] {
            put(file, Kind::File);
        }
        for (link, target) in [
            ("link", "src/lib"),
            ("deep/up", "../link/lib.go"),
            ("abs", "/src/main.go"),
            ("out", "../../../etc/passwd"),
            ("loop", "loop/loop"),
            ("to-out", "out/x"),
        ] {
            put(link, Kind::Symlink(target.to_owned()));
        }
        let paths: Vec<_> = paths.iter().map(|&path| path.to_owned()).collect();
        follow(&entries, &paths).map(|found| found.into_iter().collect())
    }

    #[track_caller]
    fn check(paths: &[&str], expected: &[&str]) {
        let expected = expected.iter().map(|&path| path.to_owned()).collect();
        assert_eq!(found(paths), Some(expected), "{paths:?}");
    }

    #[test]
    fn paths_lead_to_files_and_folders() {
        check(
            &["a.txt", "/src/lib/", "./other/../deep/er"],
            &["a.txt", "deep/er", "src/lib"],
        );
        check(&["missing", "src/missing", "a.txt/x"], &[]);
        check(&["../a.txt"], &["a.txt"]);
    }

    #[test]
    fn wildcards_are_in_parts() {
        check(&["*.txt"], &["a.txt", "b.txt"]);
        check(&["s*/l?b/lib.go", "\\[x\\]"], &["[x]", "src/lib/lib.go"]);
        check(&["src/**/x"], &["src"]);
    }

    #[test]
    fn links_are_found_with_what_they_lead_to() {
        check(&["link"], &["link", "src/lib"]);
        check(&["deep/up"], &["deep/up", "link", "src/lib/lib.go"]);
        check(
            &["link/lib.go", "abs"],
            &["abs", "link", "src/lib/lib.go", "src/main.go"],
        );
        check(&["l*/lib.go"], &["link", "loop", "src/lib/lib.go"]);
        check(&["out", "to-out"], &["out", "to-out"]);
        check(&["loop"], &["loop"]);
    }

    #[test]
    fn links_that_multiply_come_to_an_end() {
        let link = |number: u32| {
            let kind = Kind::Symlink(format!("*/{number}"));
            let entry = Entry {
                kind,
                mode: 0o777,
                modified: 0,
            };
            (format!("link-{number}"), entry)
        };
        let entries: BTreeMap<_, _> = (0..30).map(link).collect();
        assert_eq!(follow(&entries, &["*/a".to_owned()]), None);
    }

    #[test]
    fn everything_is_everything() {
        assert_eq!(found(&["a.txt", "."]), None);
        assert_eq!(found(&["/"]), None);
        assert_eq!(found(&[""]), None);
        assert_eq!(found(&["**/x"]), None);
    }
}
