//! More of something than anybody needs.

use std::sync::{Arc, Mutex};

use rengine::plugin::{DEFAULT_LOG, LogRecord, PluginError};

use crate::component::{SET_ENV, pre_run, pre_run_with};
use crate::lab::{LOG, Lab, assert_contains, guarded, settings, told};
use crate::wasi::WASI;

/// What a call may log.
const LOG_BYTES: usize = DEFAULT_LOG.0 as usize;

#[test]
fn a_flood_of_log_lines_is_stopped() {
    guarded(|| async {
        for length in [0, 3] {
            let lab = Lab::new();
            let body = format!(
                "(loop $l
                  (call $log (i32.const 2) (i32.const 1024) (i32.const 0)
                    (i32.const 1024) (i32.const {length}))
                  (local.set $i (i32.add (local.get $i) (i32.const 1)))
                  (br_if $l (i32.lt_u (local.get $i) (i32.const 1000000))))"
            );
            let path = lab.file("hostile", &pre_run(LOG, &body));
            let seen: Arc<Mutex<Vec<LogRecord>>> = Arc::default();
            let sink = {
                let seen = seen.clone();
                Arc::new(move |record| seen.lock().unwrap().push(record))
            };
            let result = lab.call_with(settings("hostile", &path), sink).await;
            let error = result.unwrap_err();
            assert!(matches!(error, PluginError::Limit { .. }), "{error:?}");
            assert_contains(&told(&error), "it logged more than 256KiB in one call");
            let seen = std::mem::take(&mut *seen.lock().unwrap());
            assert!(!seen.is_empty(), "what came before the limit is there");
            assert!(seen.len() <= LOG_BYTES / 16, "{} lines", seen.len());
            assert!(seen.iter().all(|record| record.plugin == "hostile"));
            lab.still_works().await;
        }
    });
}

#[test]
fn ten_thousand_calls_of_a_setter_are_one_change() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(loop $l
              (i32.store8 (i32.const 2048)
                (i32.add (i32.const 97) (i32.rem_u (local.get $i) (i32.const 26))))
              (call $set_env (local.get $spec) (i32.const 1024) (i32.const 3)
                (i32.const 2048) (i32.const 1) (i32.const 4096))
              (if (i32.load8_u (i32.const 4096)) (then unreachable))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get $i) (i32.const 10000))))";
        let done = lab.call(&pre_run(SET_ENV, body)).await.expect("it works");
        assert_eq!(done.changes.len(), 1);
        assert_eq!(done.changes[0].field, "env.KEY");
        // 9,999 modulo 26 is 15.
        assert_eq!(done.changes[0].new.as_deref(), Some("p"));
        lab.still_works().await;
    });
}

#[test]
fn endless_calls_of_a_setter_are_stopped() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(loop $l
              (call $set_env (local.get $spec) (i32.const 1024) (i32.const 3)
                (i32.const 1024) (i32.const 3) (i32.const 2048))
              (br $l))";
        let told = lab.attack(&pre_run(SET_ENV, body)).await;
        assert_contains(&told, "it made more than 20000 changes in one call");
    });
}

/// A thousand variables of a megabyte would be a gigabyte in the host, from a guest of two.
#[test]
fn many_large_texts_are_stopped() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(drop (memory.grow (i32.const 20)))
            (memory.fill (i32.const 65536) (i32.const 120) (i32.const 1000000))
            (loop $l
              (i32.store8 (i32.const 1025)
                (i32.add (i32.const 65) (i32.rem_u (local.get $i) (i32.const 26))))
              (i32.store8 (i32.const 1026)
                (i32.add (i32.const 65) (i32.div_u (local.get $i) (i32.const 26))))
              (call $set_env (local.get $spec) (i32.const 1024) (i32.const 3)
                (i32.const 65536) (i32.const 1000000) (i32.const 2048))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get $i) (i32.const 600))))";
        let told = lab.attack(&pre_run(SET_ENV, body)).await;
        assert_contains(&told, "its changes have more than 64MiB");
    });
}

#[test]
fn a_flood_of_handles_is_stopped() {
    guarded(|| async {
        let lab = Lab::new();
        let imports = r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
            (func $subscribe (param i64) (result i32)))"#;
        let body = "(loop $l
            (drop (call $subscribe (i64.const 1000000000000))) 
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 50000))))";
        let world = "import wasi:clocks/monotonic-clock@0.2.0;";
        let told = lab
            .attack(&pre_run_with(WASI, world, imports, body, ""))
            .await;
        assert_contains(&told, "it holds too many handles");
    });
}

#[test]
fn a_flood_of_waitable_sets_is_stopped() {
    guarded(|| async {
        let lab = Lab::new();
        let imports = r#"(import "$root" "[waitable-set-new]" (func $new (result i32)))"#;
        let body = "(loop $l
            (drop (call $new))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 50000))))";
        let told = lab.attack(&pre_run(imports, body)).await;
        assert_contains(&told, "it holds too many handles");
    });
}

#[test]
fn a_giant_wish_for_random_bytes_ends_the_call() {
    guarded(|| async {
        let lab = Lab::new();
        let imports = r#"(import "wasi:random/random@0.2.0" "get-random-bytes"
            (func $random (param i64 i32)))"#;
        let body = "(call $random (i64.const 0x0fffffffffffffff) (i32.const 2048))";
        let world = "import wasi:random/random@0.2.0;";
        let told = lab
            .attack(&pre_run_with(WASI, world, imports, body, ""))
            .await;
        assert_contains(&told, "failed");
        assert_contains(&told, "exceeds limit");
    });
}

/// A socket is a file descriptor of the engine's, even if it may not be connected.
#[test]
fn no_socket_can_be_made() {
    guarded(|| async {
        let lab = Lab::new();
        let imports = r#"(import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket"
            (func $create (param i32 i32)))"#;
        let body = "(call $create (i32.const 0) (i32.const 2048))
            (if (i32.eqz (i32.load8_u (i32.const 2048))) (then unreachable))
            (if (i32.ne (i32.load8_u (i32.const 2052)) (i32.const 1)) (then unreachable))";
        let world = "import wasi:sockets/tcp-create-socket@0.2.0;";
        let component = pre_run_with(WASI, world, imports, body, "");
        let done = lab.call(&component).await;
        done.expect("making one fails with access-denied");
        lab.still_works().await;
    });
}

/// What a plugin prints is kept for its last words, the rest is dropped: printing is no error.
#[test]
fn a_flood_of_output_is_dropped_and_its_end_is_told() {
    guarded(|| async {
        let lab = Lab::new();
        let imports = r#"
            (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $stderr (result i32)))
            (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
              (func $write (param i32 i32 i32 i32)))"#;
        let world = "import wasi:cli/stderr@0.2.0; import wasi:io/streams@0.2.0;";
        let flood = "(local $out i32)
            (local.set $out (call $stderr))
            (memory.fill (i32.const 4096) (i32.const 120) (i32.const 4096))
            (loop $l
              (call $write (local.get $out) (i32.const 4096) (i32.const 4096) (i32.const 2048))
              (if (i32.load8_u (i32.const 2048)) (then unreachable))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get $i) (i32.const 1000))))
            (i32.store8 (i32.const 1023) (i32.const 10))
            (call $write (local.get $out) (i32.const 1023) (i32.const 4) (i32.const 2048))";
        let component = pre_run_with(WASI, world, imports, flood, "");
        let path = lab.file("hostile", &component);
        let seen: Arc<Mutex<Vec<LogRecord>>> = Arc::default();
        let sink = {
            let seen = seen.clone();
            Arc::new(move |record| seen.lock().unwrap().push(record))
        };
        let done = lab.call_with(settings("hostile", &path), sink).await;
        done.expect("printing is no error");
        let logged: usize = seen.lock().unwrap().iter().map(|r| r.message.len()).sum();
        assert!((1..=LOG_BYTES).contains(&logged), "{logged} bytes");

        let body = format!("{flood} unreachable");
        let told = lab
            .attack(&pre_run_with(WASI, world, imports, &body, ""))
            .await;
        assert_contains(&told, "it gave up");
        assert!(told.ends_with("\n  | KEY"), "{told}");
    });
}

#[test]
fn a_flood_of_printed_lines_is_bounded_in_the_log() {
    guarded(|| async {
        let lab = Lab::new();
        let imports = r#"
            (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $stderr (result i32)))
            (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
              (func $write (param i32 i32 i32 i32)))"#;
        let world = "import wasi:cli/stderr@0.2.0; import wasi:io/streams@0.2.0;";
        let body = "(local $out i32)
            (local.set $out (call $stderr))
            (memory.fill (i32.const 4096) (i32.const 10) (i32.const 4096))
            (loop $l
              (call $write (local.get $out) (i32.const 4096) (i32.const 4096) (i32.const 2048))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get $i) (i32.const 1000))))";
        let path = lab.file("hostile", &pre_run_with(WASI, world, imports, body, ""));
        let seen: Arc<Mutex<Vec<LogRecord>>> = Arc::default();
        let sink = {
            let seen = seen.clone();
            Arc::new(move |record| seen.lock().unwrap().push(record))
        };
        let done = lab.call_with(settings("hostile", &path), sink).await;
        done.expect("printing is no error");
        let lines = seen.lock().unwrap().len();
        assert!((1..=LOG_BYTES / 16).contains(&lines), "{lines} lines");
        lab.still_works().await;
    });
}
