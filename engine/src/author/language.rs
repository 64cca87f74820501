//! The languages that there are tools for.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A language that plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(into = "&'static str")]
pub enum Language {
    /// Rust, with the crate `rengine-plugin`.
    Rust,
    /// Python, with componentize-py.
    Python,
    /// JavaScript, run by QuickJS.
    JavaScript,
    /// TypeScript, which becomes JavaScript.
    TypeScript,
    /// Go, with its own compiler. Experimental.
    Go,
    /// C, with clang.
    C,
}

/// A word that names no language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are no tools for `{0}`")]
pub struct UnknownLanguage(String);

impl Language {
    /// Every language.
    pub const ALL: [Self; 6] = [
        Self::Rust,
        Self::Python,
        Self::JavaScript,
        Self::TypeScript,
        Self::Go,
        Self::C,
    ];

    /// The word that names it on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "js",
            Self::TypeScript => "ts",
            Self::Go => "go",
            Self::C => "c",
        }
    }

    /// The language of the project in a folder, by the files that its tools need.
    pub fn detect(dir: &Path) -> Option<Self> {
        let has = |name: &str| dir.join(name).is_file();
        let written_in = |extension: &str| {
            [dir.to_owned(), dir.join("src")]
                .iter()
                .any(|folder| !sources(folder, extension).is_empty())
        };
        if has("Cargo.toml") {
            Some(Self::Rust)
        } else if has("package.json") {
            let typed = has("tsconfig.json") || written_in("ts");
            Some(if typed {
                Self::TypeScript
            } else {
                Self::JavaScript
            })
        } else if has("go.mod") {
            Some(Self::Go)
        } else if written_in("py") {
            Some(Self::Python)
        } else if written_in("c") {
            Some(Self::C)
        } else {
            None
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
            Self::TypeScript => "TypeScript",
            Self::Go => "Go",
            Self::C => "C",
        })
    }
}

impl From<Language> for &'static str {
    fn from(language: Language) -> Self {
        language.name()
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL
            .into_iter()
            .find(|language| language.name() == text)
            .ok_or_else(|| UnknownLanguage(text.to_owned()))
    }
}

/// The files of a folder that end so, in order of their names.
pub(super) fn sources(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && path.extension().is_some_and(|end| end == extension))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_known_by_its_files() {
        let cases: [(&[&str], Option<Language>); 9] = [
            (&["Cargo.toml", "src/lib.rs"], Some(Language::Rust)),
            (
                &["package.json", "src/plugin.js"],
                Some(Language::JavaScript),
            ),
            (
                &["package.json", "src/plugin.ts"],
                Some(Language::TypeScript),
            ),
            (
                &["package.json", "tsconfig.json"],
                Some(Language::TypeScript),
            ),
            (&["go.mod", "main.go"], Some(Language::Go)),
            (&["src/app.py"], Some(Language::Python)),
            (&["hooks.c"], Some(Language::C)),
            (&["README.md"], None),
            (&[], None),
        ];
        for (files, language) in cases {
            let dir = tempfile::tempdir().expect("a folder");
            std::fs::create_dir(dir.path().join("src")).expect("a folder");
            for file in files {
                std::fs::write(dir.path().join(file), "").expect("a file");
            }
            assert_eq!(Language::detect(dir.path()), language, "{files:?}");
        }
    }

    #[test]
    fn names_are_parsed_as_they_are_written() {
        for language in Language::ALL {
            assert_eq!(language.name().parse(), Ok(language));
        }
        assert!("cobol".parse::<Language>().is_err());
    }
}
