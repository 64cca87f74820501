//! C: generated bindings, clang for wasm32-wasi, and a component made of the module.

use std::path::PathBuf;

use super::Project;
use crate::author::language::sources;
use crate::author::toolchain::{Step, Tool};
use crate::author::{AuthorError, bindings, componentize};

const CLANG: Tool = Tool {
    what: "clang for wasm32-wasi",
    names: &[
        "clang", "clang-22", "clang-21", "clang-20", "clang-19", "clang-18", "clang-17",
        "clang-16", "clang-15", "clang-14",
    ],
    install: &[
        (
            "Debian, Ubuntu",
            "apt install clang lld wasi-libc libclang-rt-dev-wasm32",
        ),
        ("Alpine", "apk add clang lld wasi-libc wasi-compiler-rt"),
        ("Arch", "pacman -S clang lld wasi-libc wasi-compiler-rt"),
    ],
};

/// What makes a module of C that other code calls into, small.
const FLAGS: [&str; 5] = [
    "--target=wasm32-wasi",
    "-mexec-model=reactor",
    "-Oz",
    "-Wall",
    "-Wl,--strip-all",
];

pub fn build(project: &Project<'_>) -> Result<PathBuf, AuthorError> {
    let clang = project.search.require(&CLANG, project.language)?;
    bindings::write_bindings(project.dir)?;
    let generated = PathBuf::from(bindings::FOLDER);
    let module = project.scratch.join("core.wasm");
    let own = [project.dir.to_owned(), project.dir.join("src")];
    let own = own.iter().flat_map(|folder| sources(folder, "c"));
    let own = own.map(|file| match file.strip_prefix(project.dir) {
        Ok(relative) => relative.to_owned(),
        Err(_) => file,
    });
    let step = Step::new(clang.clone(), project.dir)
        .args(FLAGS)
        .args(["-I", bindings::FOLDER])
        .args(own)
        .args([
            generated.join("plugin.c"),
            generated.join("plugin_component_type.o"),
        ])
        .args(["-o"])
        .args([&module]);
    if let Err(error) = project.run(&step) {
        // Whose fault: the code's, or that of a compiler which can't do this at all?
        return Err(match unfit(project, &clang) {
            Some(found) => CLANG.missing(project.language, Some(found)),
            None => error,
        });
    }
    let bytes = std::fs::read(&module).map_err(AuthorError::io("reading", &module))?;
    let component = project.scratch.join("component.wasm");
    crate::author::error::write(&component, componentize::component(bytes, None)?)?;
    Ok(component)
}

/// What the compiler says of the smallest program, if it can't compile and link that.
fn unfit(project: &Project<'_>, clang: &std::path::Path) -> Option<String> {
    let probe = project.scratch.join("probe.c");
    let text = "#include <stdlib.h>\nvoid *probe(size_t size) { return malloc(size); }\n";
    std::fs::write(&probe, text).ok()?;
    let step = Step::new(clang, project.scratch)
        .args(FLAGS)
        .args(["probe.c", "-o", "probe.wasm"]);
    step.probe().err()
}
