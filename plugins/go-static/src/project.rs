//! What there is to know about a Go project from its build context.

use rengine_plugin::{Result, ensure, refuse};

/// A Go project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// The paths of its files, relative to the context.
    pub files: Vec<String>,
    /// The version that go.mod asks for, as `1.26`; `None` if it can't be read.
    pub go_version: Option<String>,
    /// The names of the build arguments.
    pub args: Vec<String>,
}

impl Project {
    /// True if there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.files.iter().any(|file| file == path)
    }
}

/// The version of the line `go 1.26.1` in a go.mod, without the patch: `1.26`.
pub fn go_version(go_mod: &str) -> Option<String> {
    let directive = go_mod.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("go")).then(|| words.next())?
    })?;
    let mut parts = directive.split('.');
    let major: u16 = parts.next()?.parse().ok()?;
    // `21rc1` is 21.
    let minor = parts.next()?;
    let end = minor
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(minor.len());
    let minor: u16 = minor[..end].parse().ok()?;
    Some(format!("{major}.{minor}"))
}

/// The main package's folder as Go takes it: `.` or `./cmd/web`.
///
/// Where none is configured and the root has no Go files, it is the only folder with a main.go.
///
/// # Errors
///
/// Refuses a folder without Go files, and a choice between several.
pub fn package(configured: Option<&str>, files: &[String]) -> Result<String> {
    let candidates: Vec<&str> = files
        .iter()
        .filter_map(|file| folder(file).filter(|_| file.ends_with("/main.go")))
        .filter(|folder| {
            !folder
                .split('/')
                .any(|part| part == "vendor" || part == "testdata")
        })
        .collect();
    if let Some(configured) = configured {
        let plain = configured.trim_start_matches("./").trim_end_matches('/');
        let plain = if plain == "." { "" } else { plain };
        ensure!(
            has_go_files(plain, files),
            "there is no Go file in `{configured}`";
            hint = "correct `package`{}", list(": main.go is in ", &candidates)
        );
        return Ok(as_package(plain));
    }
    match candidates.as_slice() {
        _ if has_go_files("", files) => Ok(".".to_owned()),
        [only] => Ok(as_package(only)),
        _ => refuse!(
            "there is no Go file in the project's root, so it is not clear what to build";
            hint = "name the main package's folder with `package`{}",
            list(": main.go is in ", &candidates)
        ),
    }
}

fn as_package(folder: &str) -> String {
    match folder {
        "" => ".".to_owned(),
        folder => format!("./{folder}"),
    }
}

fn folder(file: &str) -> Option<&str> {
    file.rfind('/').map(|at| &file[..at])
}

/// True if there are Go files in this very folder, other than tests.
fn has_go_files(wanted: &str, files: &[String]) -> bool {
    files.iter().any(|file| {
        file.ends_with(".go") && !file.ends_with("_test.go") && folder(file).unwrap_or("") == wanted
    })
}

fn list(intro: &str, folders: &[&str]) -> String {
    let mut text = String::new();
    for (index, folder) in folders.iter().enumerate() {
        text.push_str(if index == 0 { intro } else { ", " });
        text.push_str(folder);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_version_is_that_of_the_go_directive() {
        for (text, version) in [
            ("module x\n\ngo 1.26\n", "1.26"),
            ("go 1.26.8 // why\ntoolchain go1.27.1", "1.26"),
            ("  go 1.21rc1", "1.21"),
        ] {
            assert_eq!(go_version(text).as_deref(), Some(version), "{text}");
        }
        for text in ["", "module go\n", "go", "go x.y", "// go 1.26", "go 1"] {
            assert_eq!(go_version(text), None, "{text}");
        }
    }

    #[test]
    fn the_main_package_is_found() {
        let root = files(&["go.mod", "main.go", "cmd/x/main.go"]);
        assert_eq!(package(None, &root), Ok(".".to_owned()));
        let below = files(&["cmd/web/main.go", "vendor/a/main.go", "x_test.go"]);
        assert_eq!(package(None, &below), Ok("./cmd/web".to_owned()));
        for configured in ["cmd/web", "./cmd/web", "./cmd/web/"] {
            assert_eq!(
                package(Some(configured), &below),
                Ok("./cmd/web".to_owned())
            );
        }
        for configured in [".", "./"] {
            assert_eq!(package(Some(configured), &root), Ok(".".to_owned()));
        }
    }

    #[test]
    fn what_can_not_be_built_is_refused_with_what_could() {
        let two = files(&["cmd/a/main.go", "cmd/b/main.go"]);
        for configured in [None, Some("cmd"), Some(".")] {
            let hint = package(configured, &two).unwrap_err().hint.unwrap();
            assert!(
                hint.ends_with("`package`: main.go is in cmd/a, cmd/b"),
                "{hint}"
            );
        }
        let none = package(None, &files(&["go.mod"])).unwrap_err();
        assert!(none.hint.unwrap().ends_with("`package`"));
    }
}
