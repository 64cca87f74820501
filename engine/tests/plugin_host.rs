//! Hostile and broken plugins in the real host: each is told off by name, hook and cause, and
//! the host serves the next plugin as if nothing had been.

#[path = "plugin_host/component.rs"]
mod component;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use component::{SET_ENV, pre_run, pre_run_with};
use miette::Diagnostic as _;
use rengine::app::{ByteSize, ContainerSpec};
use rengine::grants::Grants;
use rengine::plugin::{
    CallContext, Change, Hook, LoadError, LogRecord, LogSink, MAX_LOG_BYTES, PluginError,
    PluginHost, Settings,
};

/// Logs `(level, context, message)`.
const LOG: &str = r#"(import "wasi:logging/logging@0.1.0-draft" "log"
    (func $log (param i32 i32 i32 i32 i32)))"#;
/// Replaces the capabilities to drop.
const SET_CAP_DROP: &str = r#"(import "rengine:plugin/container@0.1.0"
    "[method]container-spec.set-cap-drop" (func $set_cap_drop (param i32 i32 i32 i32)))"#;
/// Replaces the command.
const SET_COMMAND: &str = r#"(import "rengine:plugin/container@0.1.0"
    "[method]container-spec.set-command" (func $set_command (param i32 i32 i32 i32 i32)))"#;
/// Gives full access to the host.
const SET_PRIVILEGED: &str = r#"(import "rengine:plugin/container@0.1.0"
    "[method]container-spec.set-privileged" (func $set_privileged (param i32 i32 i32)))"#;

/// No test may take longer: a host that hangs is a failure, and not a test run that never ends.
const HANG: Duration = Duration::from_secs(120);

/// Runs a test on a thread of its own, and gives up on it when it hangs.
fn guarded<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let (done, outcome) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(test());
        let _ = done.send(());
    });
    match outcome.recv_timeout(HANG) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the host hangs"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// A host, and a folder for the files it loads.
struct Lab {
    folder: tempfile::TempDir,
    host: PluginHost,
}

/// What a call of `pre-run` did.
#[derive(Debug)]
struct Done {
    spec: ContainerSpec,
    changes: Vec<Change>,
}

impl Lab {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            host: PluginHost::new(None).expect("a host"),
        }
    }

    /// Writes a plugin's file.
    fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.wasm"));
        std::fs::write(&path, contents).expect("a file");
        path
    }

    /// Calls `pre-run` of a component.
    async fn call(&self, component: &[u8]) -> Result<Done, PluginError> {
        let path = self.file("hostile", component);
        self.call_with(settings("hostile", &path), silent()).await
    }

    async fn call_with(&self, settings: Settings, sink: LogSink) -> Result<Done, PluginError> {
        let plugin = self.host.load(settings).await.expect("the plugin loads");
        assert_eq!(plugin.hooks(), [Hook::PreRun]);
        let mut spec = ContainerSpec::default();
        match plugin
            .pre_run(&context(), &mut spec, None, None, sink)
            .await
        {
            Ok(changes) => Ok(Done { spec, changes }),
            Err(error) => {
                let untouched = ContainerSpec::default();
                assert_eq!(spec, untouched, "a failed call changes nothing");
                Err(error)
            }
        }
    }

    /// Calls a component that must fail, and returns what is said of it.
    async fn attack(&self, component: &[u8]) -> String {
        let told = told(&self.call(component).await.expect_err("the attack fails"));
        self.still_works().await;
        told
    }

    /// Loads a file that must not load, and returns what is said of it.
    async fn load_error(&self, path: &Path) -> LoadError {
        let settings = settings("hostile", path);
        let error = self.host.load(settings).await.err();
        let error = error.expect("the file does not load");
        let text = error.to_string();
        let named = format!("plugin `hostile` ({}) can't be loaded: ", path.display());
        assert!(text.starts_with(&named), "{text}");
        assert!(error.help.is_some(), "it says what to do: {text}");
        self.still_works().await;
        error
    }

    /// A healthy plugin in the same host does its work.
    async fn still_works(&self) {
        let path = self.file("healthy", &healthy());
        let done = self
            .call_with(settings("healthy", &path), silent())
            .await
            .expect("the healthy plugin works");
        assert_eq!(done.spec.env.get("KEY").map(String::as_str), Some("KEY"));
        assert_eq!(done.changes.len(), 1);
        assert_eq!(done.changes[0].plugin, "healthy");
    }
}

/// Sets the variable KEY to `KEY`.
fn healthy() -> Vec<u8> {
    pre_run(
        SET_ENV,
        "(call $set_env (local.get $spec) (i32.const 1024) (i32.const 3)
            (i32.const 1024) (i32.const 3) (i32.const 2048))
         (return (call $check (i32.const 2048)))",
    )
}

fn settings(name: &str, path: &Path) -> Settings {
    Settings {
        name: name.to_owned(),
        path: path.to_owned(),
        config: Default::default(),
        grants: Grants::default(),
        timeout: Duration::from_secs(60),
        memory: ByteSize::mib(128),
    }
}

fn context() -> CallContext {
    CallContext {
        app: "shop".to_owned(),
        service: "web".to_owned(),
        release: "r1".to_owned(),
        planning: true,
    }
}

fn silent() -> LogSink {
    Arc::new(|_| {})
}

/// The message of an error, which names plugin, hook and service, and is of bearable length.
fn told(error: &PluginError) -> String {
    let text = error.to_string();
    assert!(text.starts_with("plugin `hostile` "), "{text}");
    assert!(text.contains(" in pre-run of service `web`: "), "{text}");
    assert!(text.len() < 20_000, "{} bytes", text.len());
    text
}

#[track_caller]
fn assert_contains(text: &str, part: &str) {
    assert!(text.contains(part), "no `{part}` in: {text}");
}

// Time.

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

// Memory.

#[test]
fn memory_beyond_the_limit_is_refused() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(loop $l (drop (memory.grow (i32.const 16))) (br $l))";
        let error = lab.call(&pre_run("", body)).await.unwrap_err();
        assert!(matches!(error, PluginError::Limit { .. }), "{error:?}");
        let told = told(&error);
        assert_contains(&told, "it asked for ");
        assert_contains(&told, " of memory, and may have 128MiB");
        let help = error.help().expect("help").to_string();
        assert_contains(&help, "raise `memory` under [plugins.hostile]");
        lab.still_works().await;
    });
}

#[test]
fn memory_beyond_the_limit_from_the_start_is_refused_at_load() {
    guarded(|| async {
        let lab = Lab::new();
        let items = "(memory $more 4096)";
        let path = lab.file("hostile", &pre_run_with("", "", "", "", items));
        let error = lab.load_error(&path).await;
        assert_contains(&error.cause, "when it starts, it asked for ");
        assert_contains(&error.cause, "may have 128MiB");
    });
}

/// Growth past what fits into a number must not turn the sum around, and so empty the account.
#[test]
fn memory_growth_that_overflows_is_refused() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(drop (memory.grow $wide (i64.const 0x0000ffffffffffff)))";
        let items = "(memory $wide i64 1)";
        let told = lab.attack(&pre_run_with("", "", "", body, items)).await;
        assert_contains(&told, " of memory, and may have 128MiB");
    });
}

/// A memory that has a maximum of its own is told -1, and is not charged for what it did not get.
#[test]
fn memory_growth_past_its_own_maximum_costs_nothing() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(loop $l
              (if (i32.ne (memory.grow $small (i32.const 2000)) (i32.const -1))
                (then unreachable))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get $i) (i32.const 100))))
            (if (i32.eq (memory.grow 0 (i32.const 1000)) (i32.const -1)) (then unreachable))";
        let component = pre_run_with("", "", "", body, "(memory $small 1 2)");
        let done = lab.call(&component).await.expect("it has the memory");
        assert_eq!(done.changes, []);
    });
}

#[test]
fn a_table_beyond_the_limit_is_refused() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(loop $l (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $l))";
        let items = "(table $t 0 funcref)";
        let told = lab.attack(&pre_run_with("", "", "", body, items)).await;
        assert_contains(&told, "it asked for a table of ");
    });
}

// Traps.

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

// Texts.

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

// Floods.

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
            assert!(seen.len() <= MAX_LOG_BYTES / 16, "{} lines", seen.len());
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
        assert_contains(&told, "more than 16MiB of text");
    });
}

/// The part of WASI that the tests below call.
const WASI: &str = "
    package wasi:io@0.2.0 {
        interface poll { resource pollable; }
        interface error { resource error; }
        interface streams {
            use error.{error};
            variant stream-error { last-operation-failed(error), closed }
            resource output-stream {
                blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
            }
        }
    }
    package wasi:clocks@0.2.0 {
        interface monotonic-clock {
            use wasi:io/poll@0.2.0.{pollable};
            subscribe-duration: func(when: u64) -> pollable;
        }
    }
    package wasi:random@0.2.0 {
        interface random { get-random-bytes: func(len: u64) -> list<u8>; }
    }
    package wasi:cli@0.2.0 {
        interface stderr {
            use wasi:io/streams@0.2.0.{output-stream};
            get-stderr: func() -> output-stream;
        }
    }
    package wasi:sockets@0.2.0 {
        interface network {
            enum error-code {
                unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout,
                concurrency-conflict, not-in-progress, would-block, invalid-state,
                new-socket-limit, address-not-bindable, address-in-use, remote-unreachable,
                connection-refused, connection-reset, connection-aborted, datagram-too-large,
                name-unresolvable, temporary-resolver-failure, permanent-resolver-failure,
            }
            enum ip-address-family { ipv4, ipv6 }
        }
        interface tcp { resource tcp-socket; }
        interface tcp-create-socket {
            use network.{error-code, ip-address-family};
            use tcp.{tcp-socket};
            create-tcp-socket: func(family: ip-address-family) -> result<tcp-socket, error-code>;
        }
    }";

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
        assert!((1..=MAX_LOG_BYTES).contains(&logged), "{logged} bytes");

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
        assert!((1..=MAX_LOG_BYTES / 16).contains(&lines), "{lines} lines");
        lab.still_works().await;
    });
}

// Files that are no plugins.

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

// Components that do not fit.

#[test]
fn another_version_of_the_interface_is_told() {
    guarded(|| async {
        let lab = Lab::new();
        for version in ["0.2.0", "9.0.0"] {
            let wit = format!(
                "package test:guest;
                 package rengine:plugin@{version} {{ interface pre-build {{ run: func(); }} }}
                 world guest {{ export rengine:plugin/pre-build@{version}; }}"
            );
            let module =
                format!(r#"(module (func (export "rengine:plugin/pre-build@{version}#run")))"#);
            let component = component::component(&wit, &module);
            let error = lab.load_error(&lab.file("hostile", &component)).await;
            assert_contains(
                &error.cause,
                &format!("it was built for version {version} of the plugin interface"),
            );
            assert_contains(&error.cause, "and this rengine has 0.1.0");
        }
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

// Grants.

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

// The cache.

/// The compiled components below a folder.
fn cached(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(cached(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_plugin_is_compiled_once() {
    guarded(|| async {
        let lab = Lab::new();
        let cache = lab.folder.path().join("cache");
        let path = lab.file("healthy", &healthy());
        for compiled in [true, false, false] {
            let host = PluginHost::new(Some(&cache)).unwrap();
            let plugin = host.load(settings("healthy", &path)).await.unwrap();
            assert_eq!(plugin.was_compiled(), compiled);
        }
        assert_eq!(cached(&cache).len(), 1);
    });
}

#[test]
fn damaged_code_in_the_cache_is_compiled_anew() {
    guarded(|| async {
        let mut lab = Lab::new();
        let cache = lab.folder.path().join("cache");
        let path = lab.file("healthy", &healthy());
        lab.host = PluginHost::new(Some(&cache)).unwrap();
        lab.still_works().await;
        let whole = std::fs::read(&cached(&cache)[0]).unwrap();
        let zeroed = |from: usize| {
            let mut code = whole.clone();
            code[from..].fill(0);
            code
        };
        let mut damaged = vec![
            Vec::new(),
            b"garbage".to_vec(),
            whole[..whole.len() / 2].to_vec(),
            whole[..whole.len() - 1].to_vec(),
            zeroed(0),
            zeroed(whole.len() / 2),
        ];
        // One bit, wherever it is: machine code is as good as data to a loader.
        for place in 0..32 {
            let mut code = whole.clone();
            code[whole.len() * place / 32] ^= 1;
            damaged.push(code);
        }
        for code in damaged {
            let entry = cached(&cache).remove(0);
            std::fs::write(&entry, &code).unwrap();
            let host = PluginHost::new(Some(&cache)).unwrap();
            let plugin = host.load(settings("healthy", &path)).await.unwrap();
            assert!(plugin.was_compiled(), "{} bytes", code.len());
            assert_eq!(std::fs::read(&cached(&cache)[0]).unwrap(), whole);
            lab.still_works().await;
        }
    });
}

/// Compiled code is machine code: what others could have written is not run.
#[test]
fn code_that_others_can_write_is_not_taken_from_the_cache() {
    use std::os::unix::fs::PermissionsExt;
    guarded(|| async {
        let lab = Lab::new();
        let cache = lab.folder.path().join("cache");
        let path = lab.file("healthy", &healthy());
        let load = async || {
            let host = PluginHost::new(Some(&cache)).unwrap();
            let plugin = host.load(settings("healthy", &path)).await.unwrap();
            plugin.was_compiled()
        };
        assert!(load().await);
        assert!(!load().await);
        let entry = cached(&cache).remove(0);
        std::fs::set_permissions(&entry, PermissionsExt::from_mode(0o666)).unwrap();
        assert!(load().await, "a file that everybody can write");
        assert!(!load().await, "which is replaced");
        let moved = lab.folder.path().join("elsewhere");
        std::fs::rename(&entry, &moved).unwrap();
        std::os::unix::fs::symlink(&moved, &entry).unwrap();
        assert!(load().await, "a link");
        let folder = entry.parent().unwrap();
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(load().await, "a folder that everybody can write");
    });
}
