//! The code is built as engine/ARCHITECTURE.md says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const TEXT: &str = include_str!("../ARCHITECTURE.md");

/// The rows of the table under a heading, cell by cell.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let section = TEXT.split("\n## ").find(|text| text.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("no section {heading}"));
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |line: &str| {
        line.trim_matches('|')
            .split('|')
            .map(str::to_owned)
            .collect()
    };
    lines.map(cells).collect()
}

/// The names in backquotes.
fn names(cell: &str) -> BTreeSet<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Every source file with its module at the top level and its text without comments.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let module = |file: &Path| {
        let relative = file.strip_prefix(&root).expect("below").with_extension("");
        let first = relative.components().next().expect("a name");
        first.as_os_str().to_string_lossy().into_owned()
    };
    let code = |file: &Path| {
        let text = std::fs::read_to_string(file).expect("a source");
        let lines = text.lines();
        let lines: Vec<_> = lines
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        lines.join("\n")
    };
    files
        .into_iter()
        .map(|file| (file.clone(), module(&file), code(&file)))
        .filter(|(_, module, _)| !matches!(module.as_str(), "lib" | "main"))
        .collect()
}

#[test]
fn modules_use_what_they_may() {
    let allowed: BTreeMap<String, BTreeSet<String>> = rows("Modules")
        .into_iter()
        .map(|row| (names(&row[0]).pop_first().expect("a name"), names(&row[2])))
        .collect();
    let mut used: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for (file, module, code) in sources() {
        let may = allowed.get(&module);
        let may = may.unwrap_or_else(|| panic!("{module} is not in the table"));
        let uses = used.entry(module.clone()).or_default();
        for rest in code.split("crate::").skip(1) {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let name = &rest[..end.unwrap_or(rest.len())];
            if allowed.contains_key(name) && name != module {
                assert!(may.contains(name), "{} uses {name}", file.display());
                uses.insert(name.to_owned());
            }
        }
    }
    assert_eq!(used, allowed, "the table allows what nobody uses");
}

#[test]
fn one_module_knows_each_big_dependency() {
    let kept = [("wasmtime", "plugin"), ("bollard", "docker")];
    let mut found = BTreeSet::new();
    for (file, module, code) in sources() {
        for (name, owner) in kept {
            if code.contains(&format!("{name}::")) || code.contains(&format!("{name}_wasi::")) {
                assert_eq!(module, owner, "{} uses {name}", file.display());
                found.insert(name);
            }
        }
        for print in ["println!", "print!(", "anstream::"] {
            let fine = module == "ui" || !code.contains(print);
            assert!(fine, "{} prints", file.display());
        }
    }
    assert_eq!(found.len(), kept.len());
}

#[test]
fn each_dependency_has_its_reason() {
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().expect("TOML");
    let dependencies = manifest["dependencies"].as_table().expect("a table");
    let wanted: BTreeSet<_> = dependencies.keys().cloned().collect();
    let told = rows("Dependencies");
    let told: BTreeSet<_> = told.iter().flat_map(|row| names(&row[0])).collect();
    assert_eq!(told, wanted);
}

/// `PluginsLoaded` as events call it: `plugins-loaded`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[test]
fn the_reference_of_json_has_every_event() {
    let reference = include_str!("../JSON.md");
    let section = reference
        .split("\n## ")
        .find(|text| text.starts_with("What is told while"));
    let section = section.expect("a section");
    let has = |name: &str| section.contains(&format!("`{name}`"));
    let mut events = BTreeSet::new();
    // Those of deploys are the variants of one type, each with its fields.
    let text = include_str!("../src/deploy/event.rs");
    let body = text.split("pub enum Event {").nth(1).expect("the type");
    let body = body.split("\n}").next().expect("its end");
    let mut flat = false;
    for line in body.lines().filter(|line| !line.contains("///")) {
        let word = line.trim();
        // What is said without its name: its own members are those of a record.
        if std::mem::replace(&mut flat, word == "#[serde(flatten)]") {
            continue;
        }
        let end = word.find(|c: char| !c.is_alphanumeric() && c != '_');
        let name = &word[..end.unwrap_or(word.len())];
        match line.len() - line.trim_start().len() {
            4 if !name.is_empty() => assert!(events.insert(kebab(name))),
            8 if word.contains(": ") && !word.starts_with('#') && name != "took" => {
                let name = name.replace('_', "-");
                assert!(has(&name), "the member {name} is not in JSON.md");
            }
            _ => {}
        }
    }
    assert!(events.contains("plugin-locked"), "{events:?}");
    // Those of other commands are written where they are told.
    for (_, _, code) in sources() {
        for begin in ["\"event\": \"", "tag = \"event\", rename = \""] {
            let found = code.split(begin).skip(1);
            events.extend(found.filter_map(|rest| Some(rest.split('"').next()?.to_owned())));
        }
    }
    for event in events {
        assert!(has(&event), "the event {event} is not in JSON.md");
    }
}
