//! Python: componentize-py packs the code with an interpreter.

use std::path::PathBuf;

use super::Project;
use crate::author::AuthorError;
use crate::author::toolchain::{Step, Tool};
use crate::author::wit;

const COMPONENTIZE: Tool = Tool {
    what: "componentize-py",
    names: &["componentize-py"],
    install: &[
        (
            "in the project",
            "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1",
        ),
        ("for all projects", "pipx install componentize-py==0.25.1"),
    ],
};
/// The module that has the hooks.
const ENTRY: &str = "app";
/// The folder of dependencies: what `pip install --target site` fills.
const SITE: &str = "site";

pub fn build(project: &Project<'_>) -> Result<PathBuf, AuthorError> {
    let tool = project.search.require(&COMPONENTIZE, project.language)?;
    let (resolve, world) = wit::load(project.dir)?;
    let component = project.scratch.join("component.wasm");
    // All that is in a folder of the path is packed, so the project's own is none.
    let mut folders = vec!["-p", "src"];
    if project.dir.join(SITE).is_dir() {
        folders.extend(["-p", SITE]);
    }
    let step = Step::new(tool, project.dir)
        .args(["-d", "wit", "-w", &resolve.worlds[world].name])
        .args(["componentize", ENTRY])
        .args(folders)
        .args(["-o"])
        .args([&component]);
    project.make(&step, &component, "the hooks are in src/app.py")
}
