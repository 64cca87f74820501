//! What needs a grant.

use miette::Diagnostic as _;
use rengine::plugin::Settings;

use crate::component::{pre_run, pre_run_with};
use crate::lab::{Lab, SET_PRIVILEGED, assert_contains, guarded, settings, silent};
use crate::wasi::WASI;

#[test]
fn what_reaches_the_host_needs_its_grant() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(call $set_privileged (local.get $spec) (i32.const 1) (i32.const 2048))
            (return (call $check (i32.const 2048)))";
        let component = pre_run(SET_PRIVILEGED, body);
        let told = lab.attack(&component).await;
        assert_contains(&told, "refused in pre-run");
        assert_contains(&told, "is not granted");
        assert_contains(&told, "privileged = true");

        let settings = Settings {
            grants: toml::from_str("privileged = true").unwrap(),
            ..settings("hostile", &lab.file("hostile", &component))
        };
        let done = lab.call_with(settings, silent()).await.expect("granted");
        assert!(done.spec.privileged);
        let fields: Vec<_> = done.changes.iter().map(|change| &change.field).collect();
        assert_eq!(fields, ["privileged"]);
    });
}

/// Interfaces that a component can't even import without a grant: interface, function, the types
/// of its parameters, and the grant.
const GATED: [(&str, &str, &str, &str); 4] = [
    (
        "rengine:plugin/exec@0.1.0",
        "run",
        "i32 i32 i32 i32 i32 i32",
        "exec = true",
    ),
    (
        "rengine:plugin/secrets@0.1.0",
        "get",
        "i32 i32 i32",
        "secrets = [\"NAME\"]",
    ),
    (
        "wasi:keyvalue/store@0.2.0-draft",
        "open",
        "i32 i32 i32",
        "state = true",
    ),
    (
        "wasi:http/outgoing-handler@0.2.12",
        "handle",
        "i32 i32 i32 i32",
        "http = [\"HOST\"]",
    ),
];

/// A component that imports some of them, and calls none.
fn importing(gated: &[(&str, &str, &str, &str)]) -> Vec<u8> {
    let imports: String = gated
        .iter()
        .map(|(interface, function, types, _)| {
            format!("(import \"{interface}\" \"{function}\" (func (param {types})))")
        })
        .collect();
    let world: String = gated
        .iter()
        .map(|(interface, ..)| format!("import {interface};"))
        .collect();
    pre_run_with("", &world, &imports, "", "")
}

#[test]
fn what_is_imported_without_its_grant_is_told_before_anything_runs() {
    guarded(|| async {
        let lab = Lab::new();
        for gated in GATED {
            let (interface, _, _, grant) = gated;
            let path = lab.file("hostile", &importing(&[gated]));
            let error = lab.load_error(&path).await;
            assert_eq!(
                error.cause,
                format!("it imports {interface}, which is not granted")
            );
            let help = error.help().expect("help").to_string();
            assert_contains(&help, &format!("`grants = {{ {grant} }}`"));
            assert_contains(&help, "under [plugins.hostile] in plugins.toml");

            let granted = Settings {
                grants: toml::from_str(&grant.replace("HOST", "example.com")).unwrap(),
                ..settings("hostile", &path)
            };
            let done = lab.call_with(granted, silent()).await;
            assert_eq!(done.expect("granted").changes, []);
        }
        let error = lab
            .load_error(&lab.file("hostile", &importing(&GATED)))
            .await;
        assert_contains(&error.cause, "which are not granted");
        for (interface, _, _, grant) in GATED {
            assert_contains(&error.cause, interface);
            assert_contains(&error.help.clone().unwrap(), grant);
        }
    });
}

#[test]
fn an_inspection_tells_what_is_needed_from_what_may_be() {
    guarded(|| async {
        let lab = Lab::new();
        let inspection = lab
            .host
            .inspect(&lab.file("gated", &importing(&GATED)))
            .await
            .unwrap();
        let mut needed = inspection.needed_grants();
        needed.sort_unstable();
        let mut expected = GATED.map(|(interface, _, _, grant)| (grant.to_owned(), interface));
        expected.sort_unstable();
        assert_eq!(needed, expected);
        assert_eq!(inspection.possible_grants(), []);

        let path = lab.file("free", &pre_run(SET_PRIVILEGED, ""));
        let inspection = lab.host.inspect(&path).await.unwrap();
        assert_eq!(inspection.needed_grants(), []);
        let possible = inspection.possible_grants();
        assert_eq!(
            possible,
            [("privileged = true", "container-spec.set-privileged")]
        );
    });
}

/// Every libc imports files, sockets and the environment: those load, and find nothing.
#[test]
fn what_every_libc_imports_needs_no_grant() {
    guarded(|| async {
        let lab = Lab::new();
        let imports = r#"(import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket"
            (func $create (param i32 i32)))"#;
        let world = "import wasi:sockets/tcp-create-socket@0.2.0;";
        let path = lab.file("libc", &pre_run_with(WASI, world, imports, "", ""));
        let done = lab.call_with(settings("libc", &path), silent()).await;
        assert_eq!(done.expect("it loads").changes, []);
    });
}

/// A part of `wasi:keyvalue` that is not there, with or without a grant.
#[test]
fn what_no_grant_gives_is_named_at_load() {
    guarded(|| async {
        let lab = Lab::new();
        let packages = "package wasi:keyvalue@0.2.0 { interface batch { all: func(); } }";
        let imports = r#"(import "wasi:keyvalue/batch@0.2.0" "all" (func $all))"#;
        let world = "import wasi:keyvalue/batch@0.2.0;";
        let component = pre_run_with(packages, world, imports, "(call $all)", "");
        let error = lab.load_error(&lab.file("hostile", &component)).await;
        assert_contains(&error.cause, "wasi:keyvalue/batch@0.2.0");
    });
}
