//! Time limits.

use std::time::Duration;

use miette::Diagnostic as _;
use rengine::plugin::{PluginError, Settings};

use crate::component::{pre_run, pre_run_with};
use crate::lab::{Lab, SET_CAP_DROP, assert_contains, guarded, settings, silent, told};

#[test]
fn an_endless_loop_ends_at_the_time_limit() {
    guarded(|| async {
        let lab = Lab::new();
        let path = lab.file("hostile", &pre_run("", "(loop $l (br $l))"));
        let settings = Settings {
            timeout: Duration::from_millis(300),
            ..settings("hostile", &path)
        };
        let error = lab.call_with(settings, silent()).await.unwrap_err();
        assert!(matches!(error, PluginError::Timeout { .. }), "{error:?}");
        assert_contains(&told(&error), "it took longer than its limit of 300ms");
        let help = error.help().expect("help").to_string();
        assert_contains(&help, "raise `timeout` under [plugins.hostile]");
        lab.still_works().await;
    });
}

#[test]
fn an_endless_loop_at_the_start_ends_at_the_time_limit() {
    guarded(|| async {
        let lab = Lab::new();
        let items = "(func $start (loop $l (br $l))) (start $start)";
        let path = lab.file("hostile", &pre_run_with("", "", "", "", items));
        let settings = Settings {
            timeout: Duration::from_millis(300),
            ..settings("hostile", &path)
        };
        let error = lab.host.load(settings).await.err().expect("no load");
        assert_contains(&error.to_string(), "plugin `hostile`");
        assert_contains(&error.to_string(), "it did not start within 300ms");
        lab.still_works().await;
    });
}

#[test]
fn an_endless_loop_beside_host_calls_ends_at_the_time_limit() {
    guarded(|| async {
        let lab = Lab::new();
        // A host function that never waits, called for ever.
        let imports = r#"(import "rengine:plugin/container@0.1.0"
            "[method]container-spec.init" (func $init (param i32) (result i32)))"#;
        let body = "(loop $l (drop (call $init (local.get $spec))) (br $l))";
        let path = lab.file("hostile", &pre_run(imports, body));
        let settings = Settings {
            timeout: Duration::from_millis(300),
            ..settings("hostile", &path)
        };
        let error = lab.call_with(settings, silent()).await.unwrap_err();
        assert_contains(&told(&error), "it took longer than its limit of 300ms");
        lab.still_works().await;
    });
}

/// A list that makes a quadratic check of it take minutes: host functions can't be interrupted.
#[test]
fn a_giant_list_does_not_keep_the_host_busy() {
    guarded(|| async {
        let lab = Lab::new();
        // 456,976 capabilities of four letters, as the strings and the list of them. Set twice,
        // forwards and backwards, so that each is looked for among all the others.
        let body = "(local $n i32) (local $text i32) (local $list i32) (local $back i32)
            (local.set $n (i32.const 456976))
            (local.set $text (call $realloc (i32.const 0) (i32.const 0) (i32.const 4)
                (i32.const 1827904)))
            (local.set $list (call $realloc (i32.const 0) (i32.const 0) (i32.const 4)
                (i32.const 3655808)))
            (local.set $back (call $realloc (i32.const 0) (i32.const 0) (i32.const 4)
                (i32.const 3655808)))
            (loop $l
              (local.set $a (i32.add (local.get $text) (i32.mul (local.get $i) (i32.const 4))))
              (i32.store8 (local.get $a)
                (i32.add (i32.const 65) (i32.rem_u (local.get $i) (i32.const 26))))
              (i32.store8 offset=1 (local.get $a) (i32.add (i32.const 65)
                (i32.rem_u (i32.div_u (local.get $i) (i32.const 26)) (i32.const 26))))
              (i32.store8 offset=2 (local.get $a) (i32.add (i32.const 65)
                (i32.rem_u (i32.div_u (local.get $i) (i32.const 676)) (i32.const 26))))
              (i32.store8 offset=3 (local.get $a) (i32.add (i32.const 65)
                (i32.div_u (local.get $i) (i32.const 17576))))
              (local.set $b (i32.add (local.get $list) (i32.mul (local.get $i) (i32.const 8))))
              (i32.store (local.get $b) (local.get $a))
              (i32.store offset=4 (local.get $b) (i32.const 4))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (local.set $b (i32.add (local.get $back) (i32.mul
                (i32.sub (local.get $n) (local.get $i)) (i32.const 8))))
              (i32.store (local.get $b) (local.get $a))
              (i32.store offset=4 (local.get $b) (i32.const 4))
              (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
            (call $set_cap_drop (local.get $spec)
              (local.get $list) (local.get $n) (i32.const 2048))
            (call $set_cap_drop (local.get $spec)
              (local.get $back) (local.get $n) (i32.const 2048))
            (return (call $check (i32.const 2048)))";
        let told = lab.attack(&pre_run(SET_CAP_DROP, body)).await;
        assert_contains(&told, "the list of capabilities has 456976 elements");
    });
}
