//! Plugins that were built for a version of the interface that this host does not have.

use std::path::Path;

use wit_parser::Resolve;

use crate::component::encode;
use crate::lab::{Lab, assert_contains, guarded, healthy};

/// rengine's WIT as another version may have it: with one method more.
fn wit(version: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let text = std::fs::read_to_string(&path).expect("a file");
            let text = text.replacen(
                "rengine:plugin@0.1.0",
                &format!("rengine:plugin@{version}"),
                1,
            );
            let text = text.replacen(
                "resource image-build {",
                "resource image-build { annotate: func(text: string);",
                1,
            );
            let name = path.file_name().expect("a name");
            files.push((name.to_str().expect("text").to_owned(), text));
        }
    }
    assert!(files.iter().any(|(_, text)| text.contains("annotate")));
    files
}

/// A component of the one world in `wit`, where rengine's WIT is another: these files, by name,
/// beside the packages that it uses.
fn component_of(own: &[(String, String)], wit: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let folder = tempfile::tempdir().expect("a folder");
    let deps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/deps");
    std::os::unix::fs::symlink(
        deps.canonicalize().expect("deps"),
        folder.path().join("deps"),
    )
    .expect("a link");
    for (name, text) in own {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    resolve.push_path(folder.path()).expect("WIT");
    encode(resolve, wit, module)
}

/// A plugin that calls what 0.1.0 does not have.
fn plugin(version: &str) -> Vec<u8> {
    let world = format!(
        "package test:guest;
         world guest {{
             import rengine:plugin/build@{version};
             export rengine:plugin/pre-build@{version};
         }}"
    );
    let module = format!(
        r#"(module
            (import "rengine:plugin/build@{version}" "[method]image-build.annotate"
                (func $annotate (param i32 i32 i32)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "rengine:plugin/pre-build@{version}#run")
                (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                (call $annotate (local.get 7) (i32.const 0) (i32.const 0))
                (i32.const 16)))"#
    );
    component_of(&wit(version), &world, &module)
}

#[test]
fn a_plugin_for_another_version_is_told_which_side_is_to_be_updated() {
    guarded(|| async {
        let lab = Lab::new();
        for (version, why, help) in [
            (
                "0.1.9",
                "which is newer than this rengine's 0.1.0",
                "update rengine to a release that has 0.1.9, or use a version of the plugin that \
                 was built for 0.1.0",
            ),
            (
                "0.2.0",
                "which is newer than this rengine's 0.1.0",
                "update rengine to a release that has 0.2.0",
            ),
            (
                "1.0.0",
                "which is newer than this rengine's 0.1.0",
                "update rengine to a release that has 1.0.0",
            ),
            (
                "0.0.9",
                "which this rengine, that has 0.1.0, does not run any more",
                "use a newer version of the plugin, one that was built for 0.1.0",
            ),
            (
                "0.2.0-rc.1",
                "which is no release; this rengine has 0.1.0",
                "build the plugin against `rengine:plugin@0.1.0`",
            ),
        ] {
            let error = lab.load_error(&lab.file("hostile", &plugin(version))).await;
            let told = format!(
                "it was built for version {version} of the plugin interface \
                 (rengine:plugin/pre-build@{version}), {why}"
            );
            assert_eq!(error.cause, told);
            assert_contains(&error.help.expect("help"), help);
        }
    });
}

/// Of the interfaces that do not fit, one that is too new is told: it is what has to be there.
#[test]
fn one_import_that_is_too_new_is_enough() {
    guarded(|| async {
        let lab = Lab::new();
        let text = r#"(component
            (import "rengine:plugin/old@0.0.1" (instance))
            (import "rengine:plugin/new@0.3.0" (instance))
            (instance $hook)
            (export "rengine:plugin/pre-build@0.1.0" (instance $hook)))"#;
        let component = wat::parse_str(text).expect("a component");
        let error = lab.load_error(&lab.file("hostile", &component)).await;
        assert_contains(&error.cause, "it was built for version 0.3.0");
        let inspected = lab.host.inspect(&lab.file("healthy", &healthy())).await;
        assert!(inspected.expect("a component").other_exports.is_empty());
    });
}
