//! Texts that are too long, or none.

use crate::component::{SET_ENV, pre_run};
use crate::lab::{Lab, SET_COMMAND, assert_contains, guarded, told};

#[test]
fn a_text_outside_of_memory_ends_the_call() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(call $set_env (local.get $spec) (i32.const 1024) (i32.const 3)
            (i32.const 2048) (i32.const 0x7fffffff) (i32.const 2048))";
        let told = lab.attack(&pre_run(SET_ENV, body)).await;
        assert_contains(&told, "failed");
        assert_contains(&told, "out of bounds");
    });
}

#[test]
fn a_giant_text_is_refused_by_the_setter() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(drop (memory.grow (i32.const 1000)))
            (call $set_env (local.get $spec) (i32.const 1024) (i32.const 3)
              (i32.const 65536) (i32.const 60000000) (i32.const 2048))
            (return (call $check (i32.const 2048)))";
        let told = lab.attack(&pre_run(SET_ENV, body)).await;
        assert_contains(
            &told,
            "the variable has 60000000 bytes, and 1048576 is the limit",
        );
    });
}

#[test]
fn a_giant_list_of_nothing_is_refused_by_the_setter() {
    guarded(|| async {
        let lab = Lab::new();
        // A million empty texts have no length to count.
        let body = "(drop (memory.grow (i32.const 200)))
            (call $set_command (local.get $spec) (i32.const 1)
              (i32.const 131072) (i32.const 1000000) (i32.const 2048))
            (return (call $check (i32.const 2048)))";
        let told = lab.attack(&pre_run(SET_COMMAND, body)).await;
        assert_contains(&told, "the command has 1000000 elements");
    });
}

#[test]
fn a_giant_reason_is_cut() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(drop (memory.grow (i32.const 1000)))
            (memory.fill (i32.const 65536) (i32.const 120) (i32.const 60000000))
            (return (call $refuse (i32.const 65536) (i32.const 60000000)))";
        let error = lab.call(&pre_run("", body)).await.unwrap_err();
        assert!(error.is_refusal(), "{}", told(&error));
        let told = told(&error);
        assert_contains(&told, "`web`: xxxx");
        assert_contains(&told, "xxxx… (60000000 bytes)");
        lab.still_works().await;
    });
}

#[test]
fn a_reason_outside_of_memory_is_told() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(return (call $refuse (i32.const 65536) (i32.const 0x7fffffff)))";
        let told = lab.attack(&pre_run("", body)).await;
        assert_contains(&told, "failed");
        assert_contains(&told, "out of bounds");
    });
}

#[test]
fn a_reason_that_is_no_text_is_told() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(i32.store8 (i32.const 2048) (i32.const 255))
            (return (call $refuse (i32.const 2048) (i32.const 1)))";
        let told = lab.attack(&pre_run("", body)).await;
        assert_contains(&told, "failed");
        assert_contains(&told, "utf-8");
    });
}
