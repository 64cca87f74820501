//! JavaScript and TypeScript: one bundle, packed with QuickJS.

use std::path::PathBuf;

use super::Project;
use crate::author::toolchain::{Step, Tool};
use crate::author::{AuthorError, Language, bindings, borrows, wit};

const NPM: &[(&str, &str)] = &[("in the project", "npm install")];
const ESBUILD: Tool = Tool {
    what: "esbuild",
    names: &["esbuild"],
    install: NPM,
};
const COMPONENTIZE: Tool = Tool {
    what: "componentize-qjs",
    names: &["componentize-qjs"],
    install: NPM,
};
const TSC: Tool = Tool {
    what: "tsc, of the package typescript",
    names: &["tsc"],
    install: NPM,
};
const NODE: Tool = Tool {
    what: "Node.js 20 or newer, with npm",
    names: &["node", "nodejs"],
    install: &[
        ("any system", "the installer of https://nodejs.org"),
        ("Debian, Ubuntu", "apt install nodejs npm"),
        ("Alpine", "apk add nodejs npm"),
        ("Arch", "pacman -S nodejs npm"),
    ],
};

pub fn build(project: &Project<'_>) -> Result<PathBuf, AuthorError> {
    // The tools are scripts of Node's: it comes first.
    project.search.require(&NODE, project.language)?;
    let require = |tool| project.search.require(tool, project.language);
    let (esbuild, componentize) = (require(&ESBUILD)?, require(&COMPONENTIZE)?);
    let (resolve, world) = wit::load(project.dir)?;
    let entry = match project.language {
        Language::TypeScript => {
            let tsc = require(&TSC)?;
            bindings::write_bindings(project.dir)?;
            project.run(&Step::new(tsc, project.dir).args(["--noEmit"]))?;
            "src/plugin.ts"
        }
        _ => "src/plugin.js",
    };
    let bundle = project.scratch.join("plugin.js");
    let mut outfile = std::ffi::OsString::from("--outfile=");
    outfile.push(&bundle);
    let step = Step::new(esbuild, project.dir)
        .args([entry, "--bundle", "--format=esm"])
        .args([
            "--external:rengine:*",
            "--external:wasi:*",
            "--log-level=warning",
        ])
        .args([outfile]);
    let bundle = project.make(&step, &bundle, "the hooks are exported from it")?;
    let component = project.scratch.join("component.wasm");
    let step = Step::new(componentize, project.dir)
        .args([
            "--wit",
            "wit",
            "--world",
            &resolve.worlds[world].name,
            "--js",
        ])
        .args([&bundle])
        .args(["--sync", "--opt-size", "--output"])
        .args([&component]);
    let component = project.make(&step, &component, "see what it wrote above")?;
    let bytes = std::fs::read(&component).map_err(AuthorError::io("reading", &component))?;
    let bytes = borrows::give_back(&bytes, &resolve, world)
        .map_err(|reason| AuthorError::Componentize { reason })?;
    crate::author::error::write(&component, bytes)?;
    Ok(component)
}
