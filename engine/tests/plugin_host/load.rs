//! Files that are no plugins, and components that do not fit.

use crate::component::pre_run_with;
use crate::lab::{Lab, assert_contains, guarded, healthy};

#[test]
fn files_that_are_no_plugins_are_told_apart() {
    guarded(|| async {
        let lab = Lab::new();
        let module = wat::parse_str("(module)").unwrap();
        let mut cut = healthy();
        cut.truncate(cut.len() / 2);
        let mut garbled = healthy();
        let middle = garbled.len() / 2;
        garbled[middle..].fill(0x5a);
        for (contents, cause) in [
            (&b""[..], "the file is empty"),
            (b"#!/bin/sh\nrm -rf /\n", "it is not WebAssembly"),
            (b"\0asm", "it is not WebAssembly"),
            (b"(component)", "it is WebAssembly text"),
            (
                &module,
                "it is a core WebAssembly module, and a plugin is a component",
            ),
            (&cut, "unexpected end"),
            (&garbled, "(at offset 0x"),
        ] {
            let error = lab.load_error(&lab.file("hostile", contents)).await;
            assert_contains(&error.cause, cause);
        }
        let huge = lab.file("huge", b"");
        let file = std::fs::File::options().write(true).open(&huge).unwrap();
        file.set_len(1 << 40).unwrap();
        let error = lab.load_error(&huge).await;
        assert_eq!(error.cause, "it has 1TiB, and 256MiB is the limit");
        let missing = lab.folder.path().join("nowhere.wasm");
        let error = lab.load_error(&missing).await;
        assert_eq!(error.cause, "there is no such file");
        let error = lab.load_error(lab.folder.path()).await;
        assert_eq!(error.cause, "it is not a file");
    });
}

/// The right name with other types, as no honest toolchain makes it.
#[test]
fn a_hook_of_other_types_is_told() {
    guarded(|| async {
        let lab = Lab::new();
        for (item, cause) in [
            (
                r#"(core module $m (func (export "run")))
                   (core instance $i (instantiate $m))
                   (func $run (canon lift (core func $i "run")))
                   (instance $hook (export "run" (func $run)))"#,
                "type mismatch with parameters",
            ),
            ("(instance $hook)", "does not have export `run`"),
        ] {
            let text = format!(
                r#"(component {item}
                    (export "rengine:plugin/pre-build@0.1.0" (instance $hook)))"#
            );
            let component = wat::parse_str(text).unwrap();
            let error = lab.load_error(&lab.file("hostile", &component)).await;
            assert_contains(&error.cause, "rengine:plugin/pre-build@0.1.0");
            assert_contains(&error.cause, cause);
        }
    });
}

#[test]
fn a_component_without_hooks_is_told() {
    guarded(|| async {
        let lab = Lab::new();
        let component = wat::parse_str("(component)").unwrap();
        let error = lab.load_error(&lab.file("hostile", &component)).await;
        assert_eq!(error.cause, "it exports no hook");
        assert_contains(&error.help.unwrap(), "pre-build, pre-run");
    });
}

#[test]
fn an_unknown_import_is_named_at_load() {
    guarded(|| async {
        let lab = Lab::new();
        let packages = "package evil:host@1.0.0 { interface shell { run: func(); } }";
        let imports = r#"(import "evil:host/shell@1.0.0" "run" (func $shell))"#;
        let world = "import evil:host/shell@1.0.0;";
        let component = pre_run_with(packages, world, imports, "(call $shell)", "");
        let error = lab.load_error(&lab.file("hostile", &component)).await;
        assert_contains(&error.cause, "evil:host/shell@1.0.0");
    });
}

/// What a component names is as long as it likes.
#[test]
fn a_giant_name_is_cut() {
    guarded(|| async {
        let lab = Lab::new();
        let name = "a".repeat(90_000);
        let text = format!(
            r#"(component
                (import "{name}" (func))
                (instance $hook)
                (export "rengine:plugin/pre-build@0.1.0" (instance $hook)))"#
        );
        let component = wat::parse_str(text).unwrap();
        let error = lab.load_error(&lab.file("hostile", &component)).await;
        assert_contains(&error.cause, "component imports function `aaaa");
        assert!(error.cause.len() < 10_000, "{} bytes", error.cause.len());
    });
}

#[test]
fn too_many_instances_and_memories_are_told_at_load() {
    guarded(|| async {
        let lab = Lab::new();
        for (item, cause) in [
            ("", "instance count too high at 101"),
            ("(memory 1)", "memory count too high at 17"),
            ("(table 1 funcref)", "table count too high at 33"),
        ] {
            let instances = "(core instance (instantiate $m))".repeat(500);
            let text = format!(
                r#"(component
                    (core module $m {item} (func (export "run")))
                    {instances}
                    (core instance $i (instantiate $m))
                    (func $run (canon lift (core func $i "run")))
                    (instance $hook (export "run" (func $run)))
                    (export "rengine:plugin/pre-build@0.1.0" (instance $hook)))"#
            );
            let component = wat::parse_str(text).unwrap();
            let error = lab.load_error(&lab.file("hostile", &component)).await;
            assert_contains(&error.cause, "when it starts, ");
            assert_contains(&error.cause, cause);
        }
    });
}
