//! What plugins cost: a call of a hook in a fresh instance, beside what a shell hook costs at least
//! and what one costs that does the same; and loading a plugin with and without its compiled code
//! in the cache.

#[path = "../tests/plugin_host/component.rs"]
mod component;

#[path = "hooks/allocators.rs"]
mod allocators;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use component::{SET_ENV, pre_run};
use criterion::{Criterion, criterion_group, criterion_main};
use rengine::app::ContainerSpec;
use rengine::plugin::{CallContext, PluginHost, Settings};
use tokio::runtime::Runtime;

const GETTERS: &str = r#"
    (import "rengine:plugin/container@0.1.0" "[method]container-spec.init"
      (func $init (param i32) (result i32)))
    (import "rengine:plugin/container@0.1.0" "[method]container-spec.user"
      (func $user (param i32 i32)))
    (import "rengine:plugin/container@0.1.0" "[method]container-spec.env-var"
      (func $env_var (param i32 i32 i32 i32)))
    (import "rengine:plugin/container@0.1.0" "[method]container-spec.set-init"
      (func $set_init (param i32 i32 i32)))
    (import "rengine:plugin/container@0.1.0" "[method]container-spec.set-user"
      (func $set_user (param i32 i32 i32 i32 i32)))"#;

/// Calls three getters and three setters.
fn six_calls() -> Vec<u8> {
    pre_run(
        &format!("{GETTERS} {SET_ENV}"),
        "(drop (call $init (local.get $spec)))
         (call $user (local.get $spec) (i32.const 2048))
         (call $env_var (local.get $spec) (i32.const 1024) (i32.const 3) (i32.const 2048))
         (call $set_init (local.get $spec) (i32.const 1) (i32.const 2048))
         (call $set_user (local.get $spec)
           (i32.const 1) (i32.const 1024) (i32.const 3) (i32.const 2048))
         (call $set_env (local.get $spec) (i32.const 1024) (i32.const 3)
           (i32.const 1024) (i32.const 3) (i32.const 2048))
         (return (call $check (i32.const 2048)))",
    )
}

/// What the plugin `harden` decides for a container of which nothing is said, as a shell hook:
/// the specification comes in lines of `key=value`, and so the changes go.
const SHELL_HARDEN: &str = r#"
while IFS='=' read -r key value; do
  case "$key" in
    user) user=$value ;;
    read-only-root) read_only=$value ;;
    tmpfs) tmpfs="$tmpfs $value" ;;
    no-new-privileges) no_new=$value ;;
    cap-drop) dropped=$value ;;
    memory) memory=$value ;;
    cpus) cpus=$value ;;
    pids-limit) pids=$value ;;
    privileged) echo 'the container is privileged' >&2; exit 1 ;;
  esac
done
[ -n "$user" ] || echo user=65532:65532
[ -n "$read_only" ] || echo read-only-root=true
for path in /tmp /run; do
  case " $tmpfs " in
    *" $path "*) ;;
    *) echo "tmpfs=$path:mode=1777,size=64m,noexec,nosuid,nodev" ;;
  esac
done
[ -n "$no_new" ] || echo no-new-privileges=true
[ "$dropped" = ALL ] || echo cap-drop=ALL
[ -n "$memory" ] || echo memory=268435456
[ -n "$cpus" ] || echo cpus=1
[ -n "$pids" ] || echo pids-limit=256
"#;

/// How many changes `harden` makes of such a container.
const HARDEN_CHANGES: usize = 9;

/// Built by `./dev bench`, from the folder of the crate.
const HARDEN: &str = "../target/wasm32-wasip2/plugin/harden.wasm";
const PYTHON: &str = "../examples/plugins/dockerfile-lint/plugin.wasm";

fn settings(path: &Path) -> Settings {
    Settings {
        timeout: Duration::from_secs(30),
        ..Settings::new("bench", path)
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

fn host(cache: Option<&Path>) -> PluginHost {
    PluginHost::new(cache).expect("a host")
}

/// A call of `pre-run` in a fresh instance, from a specification to the list of changes.
fn call(criterion: &mut Criterion, runtime: &Runtime, name: &str, path: &Path, expected: usize) {
    let plugin = runtime
        .block_on(host(None).load(settings(path)))
        .expect("it loads: build it with ./dev bench");
    let context = context();
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut spec = ContainerSpec::default();
            let call = plugin.pre_run(&context, &mut spec, None, None, Arc::new(|_| {}));
            let changes = runtime.block_on(call).expect("it goes well");
            assert_eq!(changes.len(), expected);
        });
    });
}

/// Runs a shell hook on a specification, and returns how many changes it made.
fn shell(script: &str) -> usize {
    let mut child = Command::new("/bin/sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut input = child.stdin.take().expect("its input");
    input
        .write_all(b"restart=unless-stopped\n")
        .expect("written");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    output.stdout.split(|&byte| byte == b'\n').count() - 1
}

fn calls(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let small = folder.path().join("small.wasm");
    std::fs::write(&small, six_calls()).expect("a plugin");
    let name = "hook call: 3 getters, 3 setters";
    call(criterion, &runtime, name, &small, 3);
    let name = "hook call: harden, in Rust";
    call(criterion, &runtime, name, HARDEN.as_ref(), HARDEN_CHANGES);
    criterion.bench_function("shell hook: spawn /bin/true", |bencher| {
        bencher.iter(|| {
            let status = Command::new("/bin/true").status().expect("it runs");
            assert!(status.success());
        });
    });
    criterion.bench_function("shell hook: what harden does", |bencher| {
        bencher.iter(|| assert_eq!(shell(SHELL_HARDEN), HARDEN_CHANGES));
    });
}

fn loads(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a folder");
    let small = folder.path().join("small.wasm");
    std::fs::write(&small, six_calls()).expect("a plugin");
    let load = |host: &PluginHost, path: &Path| {
        runtime
            .block_on(host.load(settings(path)))
            .expect("it loads: build it with ./dev bench")
    };
    let bare = host(None);
    criterion.bench_function("load: compiled, small", |bencher| {
        bencher.iter(|| assert!(load(&bare, &small).was_compiled()));
    });
    let caching = host(Some(&folder.path().join("cache")));
    let plugins: [(&str, &Path); 3] = [
        ("load: from the cache, small", &small),
        ("load: from the cache, harden, in Rust", HARDEN.as_ref()),
        (
            "load: from the cache, dockerfile-lint, in Python",
            PYTHON.as_ref(),
        ),
    ];
    for (_, path) in plugins {
        load(&caching, path);
    }
    // Files that have just been written are read again, for they may change unseen.
    std::thread::sleep(Duration::from_secs(4));
    for (name, path) in plugins {
        load(&caching, path);
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| assert!(!load(&caching, path).was_compiled()));
        });
    }
}

/// What every command pays that has plugins, before it loads the first.
fn hosts(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    criterion.bench_function("host: made and dropped", |bencher| {
        bencher.iter(|| host(Some(folder.path())));
    });
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

criterion_group!(hooks, calls, loads, hosts, allocators::allocators);
criterion_main!(hooks);
