//! Generated code for C, Go and TypeScript: what the hooks are handed, in the language's own types.

mod typescript;

use std::collections::BTreeMap;
use std::path::Path;

use wit_bindgen_core::Files;
use wit_parser::{Resolve, WorldId};

use super::error::write;
use super::{AuthorError, Language, wit};

/// The folder of a project that the generated code is written into.
pub const FOLDER: &str = "bindings";
/// Where the generators' own Go code imports its support from.
const UPSTREAM: &str = "go.bytecodealliance.org/pkg/wit/";

/// Writes the bindings of a project into its folder `bindings`, where its language has any, so
/// that editors know them. A build does so by itself. Returns the files' paths.
///
/// # Errors
///
/// If the project's WIT can't be used, or a file can't be written.
pub fn write_bindings(dir: &Path) -> Result<Vec<std::path::PathBuf>, AuthorError> {
    let language = Language::detect(dir).ok_or_else(|| AuthorError::NoProject {
        dir: dir.to_owned(),
    })?;
    let files = match language {
        Language::C => {
            let (mut resolve, world) = wit::load(dir)?;
            c(&mut resolve, world).map_err(|reason| unfit(dir, reason))?
        }
        Language::Go => {
            let (mut resolve, world) = wit::load(dir)?;
            let module = go_module(dir)?;
            go(&mut resolve, world, &module).map_err(|reason| unfit(dir, reason))?
        }
        Language::TypeScript => {
            let (resolve, world) = wit::load(dir)?;
            let text = typescript::declarations(&resolve, world);
            Generated::from([("rengine.d.ts".to_owned(), text.into_bytes())])
        }
        // Their toolchains make the bindings themselves, or need none.
        Language::Rust | Language::Python | Language::JavaScript => return Ok(Vec::new()),
    };
    let folder = dir.join(FOLDER);
    let mut written = Vec::new();
    for (name, contents) in files {
        let path = folder.join(name);
        // Compilers build anew what has a new time.
        if std::fs::read(&path).ok().as_deref() != Some(&contents) {
            write(&path, contents)?;
        }
        written.push(path);
    }
    Ok(written)
}

fn unfit(dir: &Path, reason: String) -> AuthorError {
    AuthorError::Wit {
        dir: dir.join("wit"),
        reason,
    }
}

type Generated = BTreeMap<String, Vec<u8>>;

fn generate(
    mut generator: Box<dyn wit_bindgen_core::WorldGenerator>,
    resolve: &mut Resolve,
    world: WorldId,
) -> Result<Generated, String> {
    let mut files = Files::default();
    generator
        .generate(resolve, world, &mut files)
        .map_err(|error| format!("{error:#}"))?;
    Ok(files
        .iter()
        .map(|(name, contents)| (name.to_owned(), contents.to_vec()))
        .collect())
}

/// `plugin.h`, `plugin.c`, and an object file that describes the world.
fn c(resolve: &mut Resolve, world: WorldId) -> Result<Generated, String> {
    let options = wit_bindgen_c::Opts {
        // The files' names are the same whatever the world's is.
        rename_world: Some("plugin".to_owned()),
        // Else each hook must drop what it is handed, on every way out.
        autodrop_borrows: wit_bindgen_c::Enabled::Yes,
        ..Default::default()
    };
    generate(options.build(), resolve, world)
}

/// A package for each interface, and one that exports the hooks.
fn go(resolve: &mut Resolve, world: WorldId, module: &str) -> Result<Generated, String> {
    let root = format!("{module}/{FOLDER}");
    let options = wit_bindgen_go::Opts {
        format: wit_bindgen_go::Format::False,
        generate_stubs: true,
        pkg_name: Some(root.clone()),
        ..Default::default()
    };
    let mut files = generate(options.build(), resolve, world)?;
    for (name, contents) in &mut files {
        let Ok(text) = std::str::from_utf8(contents) else {
            continue;
        };
        let mut text = text.replace(UPSTREAM, &format!("{root}/wit/"));
        if name.starts_with("export_") && name.ends_with(".go") {
            text = go_hook(&text)
                .ok_or_else(|| format!("the generated {name} looks other than expected"))?;
        }
        *contents = text.into_bytes();
    }
    // The support that upstream has in a module of its own. It is ours here: it needs no
    // download, and its collector does not trap.
    let support = [
        ("wit/types/types.go", include_str!("go/types.go")),
        ("wit/runtime/runtime.go", include_str!("go/runtime.go")),
    ];
    files.extend(support.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())));
    Ok(files)
}

/// Turns a generated stub into one that calls a variable: the author's code can then be where
/// the author wants it, and what the hook was handed is dropped on every way out.
fn go_hook(stub: &str) -> Option<String> {
    let (head, rest) = stub.split_once("\nfunc ")?;
    let (name, rest) = rest.split_once('(')?;
    let (parameters, rest) = rest.split_once(") ")?;
    let (result, _) = rest.split_once(" {\n")?;
    let names: Vec<_> = parameters
        .split(", ")
        .filter_map(|parameter| parameter.strip_prefix('_')?.split_once(' '))
        .collect();
    let arguments: Vec<_> = names.iter().map(|(name, _)| format!("_{name}")).collect();
    let drops: String = names
        .iter()
        .filter(|(_, kind)| kind.starts_with('*'))
        .map(|(name, _)| format!("\tdefer _{name}.Drop()\n"))
        .collect();
    Some(format!(
        "{head}
// Hook is what rengine calls: set it in a function init.
var Hook func({parameters}) {result}

// {name} is the export; it calls Hook.
func {name}({parameters}) {result} {{
{drops}\treturn Hook({})
}}
",
        arguments.join(", ")
    ))
}

/// The module's path, by its go.mod.
fn go_module(dir: &Path) -> Result<String, AuthorError> {
    let path = dir.join("go.mod");
    let text = std::fs::read_to_string(&path).map_err(AuthorError::io("reading", &path))?;
    text.lines()
        .find_map(|line| line.trim().strip_prefix("module "))
        .and_then(|rest| rest.split_whitespace().next())
        .map(|name| name.trim_matches('"').to_owned())
        .ok_or_else(|| AuthorError::Io {
            what: "reading",
            path,
            reason: "it names no module".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::Hook;

    #[test]
    fn go_hooks_drop_what_they_are_handed() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("go.mod"), "module example.com/team // x\n")
            .expect("go.mod");
        wit::write_world(dir.path(), &Hook::ALL).expect("the WIT");
        write_bindings(dir.path()).expect("the bindings");
        for hook in Hook::ALL {
            let package = hook.name().replace('-', "_");
            let file = format!("bindings/export_rengine_plugin_{package}/wit_bindings.go");
            let text = std::fs::read_to_string(dir.path().join(file)).expect("a hook");
            assert!(
                text.contains("\nvar Hook func(_ctx rengine_plugin_types."),
                "{text}"
            );
            assert!(text.contains("return Hook(_ctx"), "{text}");
            assert!(
                text.contains("example.com/team/bindings/wit/types"),
                "{text}"
            );
            let handles = text.matches(" *rengine_plugin").count();
            assert_eq!(text.matches("defer _").count() * 2, handles, "{text}");
        }
    }
}
