//! What the rooms do together.

mod beyond;
mod converting;
mod errors;
mod hostile;
mod loading;
mod merging;
mod mounting;
mod own;
mod sample;
mod support;
mod variables;
mod writing;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ComposeError, Options, Project, load};

/// Files in a folder called `shop`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn dir(&self) -> std::path::PathBuf {
        self.0.path().join("shop")
    }

    /// What is asked for where nothing is said, with two variables set.
    fn options(&self) -> Options {
        let env = [("HOME", "/home/me"), ("SET", "value"), ("EMPTY", "")];
        Options {
            dir: self.dir(),
            env: env.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..Options::default()
        }
    }

    fn load(&self) -> Result<Project, ComposeError> {
        load(&self.options())
    }

    /// The canonical form, with the folder as `/shop`.
    fn json(&self) -> Value {
        let project = self
            .load()
            .unwrap_or_else(|error| panic!("{}", told(&error)));
        let text = project.to_json().to_string();
        let folder = self.dir().display().to_string();
        serde_json::from_str(&text.replace(&folder, "/shop")).expect("JSON")
    }
}

/// An error as `file:line:col: message (help)`.
fn told(error: &ComposeError) -> String {
    use miette::Diagnostic;
    let place = error
        .place()
        .map(|place| format!("{place}: "))
        .unwrap_or_default();
    let help = error
        .help()
        .map(|help| format!(" ({help})"))
        .unwrap_or_default();
    format!("{place}{error}{help}")
}

/// The canonical form of a service `web` that has these lines, or of all.
fn web(lines: &str) -> Value {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!("services:\n  web:\n    image: i\n{lines}");
    let json = Folder::new(&[("compose.yaml", &text)]).json();
    json["services"]["web"].clone()
}

fn strings(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}
