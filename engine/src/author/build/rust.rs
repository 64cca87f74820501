//! Rust: cargo makes a component by itself.

use std::path::{Path, PathBuf};

use super::Project;
use crate::author::AuthorError;
use crate::author::toolchain::{Step, Tool};

const CARGO: Tool = Tool {
    what: "cargo",
    names: &["cargo"],
    install: &[("any system", "rustup, from https://rustup.rs")],
};
const TARGET: Tool = Tool {
    what: "Rust's target wasm32-wasip2",
    names: &[],
    install: &[
        ("rustup", "rustup target add wasm32-wasip2"),
        ("Alpine", "apk add rust-wasm"),
        ("Arch", "pacman -S rust-wasm"),
    ],
};
const TRIPLE: &str = "wasm32-wasip2";

pub fn build(project: &Project<'_>) -> Result<PathBuf, AuthorError> {
    let cargo = project.search.require(&CARGO, project.language)?;
    let step = Step::new(cargo, project.dir).args([
        "build",
        "--release",
        "--target",
        TRIPLE,
        "--message-format=json-render-diagnostics",
    ]);
    let messages = match project.output(&step) {
        Ok(messages) => messages,
        Err(error) if lacks_target(project) => {
            let AuthorError::ToolFailed { .. } = error else {
                return Err(error);
            };
            return Err(TARGET.missing(project.language, None));
        }
        Err(error) => return Err(error),
    };
    let manifest = project.dir.join("Cargo.toml");
    component(&messages, &manifest).ok_or_else(|| AuthorError::NothingMade {
        command: step.line(),
        wanted: PathBuf::from("component"),
        help: "a plugin's Cargo.toml has `crate-type = [\"cdylib\"]` under [lib]".to_owned(),
    })
}

/// True if the standard library for the target is not there.
fn lacks_target(project: &Project<'_>) -> bool {
    let Some(rustc) = project.search.find(&["rustc"]) else {
        return false;
    };
    let step = Step::new(rustc, project.dir).args(["--print", "target-libdir", "--target", TRIPLE]);
    step.probe()
        .is_ok_and(|folder| !Path::new(&folder).is_dir())
}

/// The component that cargo says it made of this package.
fn component(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let same = |path: &str| {
        let canonical = |path: &Path| std::fs::canonicalize(path).ok();
        canonical(Path::new(path)) == canonical(manifest)
    };
    String::from_utf8_lossy(messages)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| message["manifest_path"].as_str().is_some_and(same))
        .filter_map(|message| {
            let files = message["filenames"].as_array()?.iter();
            let mut files = files.filter_map(|file| file.as_str());
            files
                .find(|file| file.ends_with(".wasm"))
                .map(PathBuf::from)
        })
        .next_back()
}
