//! Plugins that break.

use crate::component::{pre_run, pre_run_with};
use crate::lab::{Lab, assert_contains, guarded};

#[test]
fn infinite_recursion_is_told() {
    guarded(|| async {
        let lab = Lab::new();
        let items = "(func $f (param i32) (result i32)
            (i32.add (call $f (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
        let body = "(drop (call $f (i32.const 0)))";
        let told = lab.attack(&pre_run_with("", "", "", body, items)).await;
        assert_contains(&told, "it trapped: its call stack overflowed");
    });
}

#[test]
fn a_trap_is_told() {
    guarded(|| async {
        let lab = Lab::new();
        let told = lab.attack(&pre_run("", "unreachable")).await;
        assert_contains(&told, "it trapped: it gave up (unreachable code");
        let body = "(drop (i32.load (i32.const -4)))";
        let told = lab.attack(&pre_run("", body)).await;
        assert_contains(&told, "it trapped: wasm trap: out of bounds memory access");
        let body = "(drop (i32.div_u (i32.const 1) (local.get $i)))";
        let told = lab.attack(&pre_run("", body)).await;
        assert_contains(&told, "it trapped: wasm trap: integer divide by zero");
    });
}

#[test]
fn an_exit_is_told() {
    guarded(|| async {
        let lab = Lab::new();
        let packages = "package wasi:cli@0.2.0 { interface exit { exit: func(status: result); } }";
        let imports = r#"(import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))"#;
        let world = "import wasi:cli/exit@0.2.0;";
        for status in [0, 1] {
            let body = format!("(call $exit (i32.const {status}))");
            let component = pre_run_with(packages, world, imports, &body, "");
            let told = lab.attack(&component).await;
            assert_contains(&told, &format!("exit status {status}"));
        }
    });
}
