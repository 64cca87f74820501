//! The interface of a project: the packages that are written into it, and its own world.

use std::path::Path;

use wit_parser::{Resolve, WorldId};

use super::AuthorError;
use super::error::write;
use crate::plugin::Hook;

/// rengine's own WIT and the packages that it uses, by their paths in `wit/`.
pub const FILES: &[(&str, &str)] = &[
    ("app.wit", include_str!("../../../wit/app.wit")),
    ("build.wit", include_str!("../../../wit/build.wit")),
    ("container.wit", include_str!("../../../wit/container.wit")),
    (
        "deployment.wit",
        include_str!("../../../wit/deployment.wit"),
    ),
    ("exec.wit", include_str!("../../../wit/exec.wit")),
    ("hooks.wit", include_str!("../../../wit/hooks.wit")),
    ("image.wit", include_str!("../../../wit/image.wit")),
    ("running.wit", include_str!("../../../wit/running.wit")),
    ("secrets.wit", include_str!("../../../wit/secrets.wit")),
    ("types.wit", include_str!("../../../wit/types.wit")),
    ("worlds.wit", include_str!("../../../wit/worlds.wit")),
    (
        "deps/clocks/clocks.wit",
        include_str!("../../../wit/deps/clocks/clocks.wit"),
    ),
    (
        "deps/config/config.wit",
        include_str!("../../../wit/deps/config/config.wit"),
    ),
    (
        "deps/http/http.wit",
        include_str!("../../../wit/deps/http/http.wit"),
    ),
    (
        "deps/io/io.wit",
        include_str!("../../../wit/deps/io/io.wit"),
    ),
    (
        "deps/keyvalue/keyvalue.wit",
        include_str!("../../../wit/deps/keyvalue/keyvalue.wit"),
    ),
    (
        "deps/logging/logging.wit",
        include_str!("../../../wit/deps/logging/logging.wit"),
    ),
];

/// The world of a plugin with these hooks.
pub fn world(hooks: &[Hook]) -> String {
    let exports: String = hooks
        .iter()
        .map(|hook| format!("    export {};\n", hook.interface()))
        .collect();
    format!(
        "package local:plugin;\n\n\
         /// What this plugin exports, and what it may import beside what its hooks bring along.\n\
         world plugin {{\n    \
             import wasi:config/store@0.2.0-rc.1;\n    \
             import wasi:logging/logging@0.1.0-draft;\n\
         {exports}}}\n"
    )
}

/// Writes the folder `wit` of a project in a language other than Rust: a world of its own, and
/// rengine's package below `deps`.
pub fn write_world(dir: &Path, hooks: &[Hook]) -> Result<(), AuthorError> {
    let wit = dir.join("wit");
    write(&wit.join("world.wit"), world(hooks))?;
    write_packages(&wit)
}

/// Writes rengine's package and those that it uses below `deps`.
fn write_packages(wit: &Path) -> Result<(), AuthorError> {
    for (path, text) in FILES {
        let place = match path.strip_prefix("deps/") {
            Some(dependency) => wit.join("deps").join(dependency),
            None => wit.join("deps/rengine-plugin").join(path),
        };
        write(&place, text)?;
    }
    Ok(())
}

/// Reads the folder `wit` of a project, and finds its one world. Where `wit/deps` is missing it is
/// written: a project need not keep a copy of what rengine brings along.
pub fn load(dir: &Path) -> Result<(Resolve, WorldId), AuthorError> {
    let dir = dir.join("wit");
    let failed = |reason: String| AuthorError::Wit {
        dir: dir.clone(),
        reason,
    };
    if !dir.is_dir() {
        return Err(failed("there is no such folder".to_owned()));
    }
    if !dir.join("deps").is_dir() {
        write_packages(&dir)?;
    }
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_path(&dir)
        .map_err(|error| failed(format!("{error:#}")))?;
    let world = resolve
        .select_world(&[package], None)
        .map_err(|error| failed(format!("{error:#}")))?;
    Ok((resolve, world))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => walk(&path, files),
                false => files.push(path),
            }
        }
    }

    #[test]
    fn every_file_of_the_interface_is_written_into_projects() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let mut files = Vec::new();
        walk(&root, &mut files);
        let mut wanted: Vec<_> = files
            .iter()
            .filter(|file| file.extension().is_some_and(|extension| extension == "wit"))
            .map(|file| {
                file.strip_prefix(&root)
                    .expect("below")
                    .display()
                    .to_string()
            })
            .collect();
        let mut told: Vec<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        wanted.sort();
        told.sort();
        assert_eq!(told, wanted);
    }

    #[test]
    fn the_world_of_every_set_of_hooks_parses() {
        for hooks in [&Hook::ALL[..1], &Hook::ALL[..]] {
            let dir = tempfile::tempdir().expect("a folder");
            write_world(dir.path(), hooks).expect("it is written");
            let (resolve, world) = load(dir.path()).expect("it parses");
            assert_eq!(resolve.worlds[world].exports.len(), hooks.len());
        }
    }
}
