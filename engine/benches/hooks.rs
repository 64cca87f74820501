//! What plugins cost: one call of a hook in a fresh instance, beside what a shell hook costs at
//! least, and loading a plugin with and without compiled code in the cache.

#[path = "../tests/plugin_host/component.rs"]
mod component;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use component::{SET_ENV, pre_run};
use criterion::{Criterion, criterion_group, criterion_main};
use rengine::app::{ByteSize, ContainerSpec};
use rengine::plugin::{CallContext, PluginHost, Settings};

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

fn settings(path: &Path) -> Settings {
    Settings {
        timeout: Duration::from_secs(30),
        memory: ByteSize::mib(16),
        ..Settings::new("bench", path)
    }
}

fn benches(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.wasm");
    std::fs::write(&path, six_calls()).expect("a plugin");
    let context = CallContext {
        app: "shop".to_owned(),
        service: "web".to_owned(),
        release: "r1".to_owned(),
        planning: true,
    };

    let bare = PluginHost::new(None).expect("a host");
    let plugin = runtime
        .block_on(bare.load(settings(&path)))
        .expect("it loads");
    criterion.bench_function("hook call: 3 getters, 3 setters", |bencher| {
        bencher.iter(|| {
            let mut spec = ContainerSpec::default();
            let call = plugin.pre_run(&context, &mut spec, None, None, Arc::new(|_| {}));
            let changes = runtime.block_on(call).expect("it goes well");
            assert_eq!(changes.len(), 3);
        });
    });
    criterion.bench_function("shell hook: spawn /bin/true", |bencher| {
        bencher.iter(|| {
            let status = Command::new("/bin/true").status().expect("it runs");
            assert!(status.success());
        });
    });

    criterion.bench_function("load: compiled", |bencher| {
        bencher.iter(|| {
            let plugin = runtime
                .block_on(bare.load(settings(&path)))
                .expect("it loads");
            assert!(plugin.was_compiled());
        });
    });
    let caching = PluginHost::new(Some(&folder.path().join("cache"))).expect("a host");
    runtime
        .block_on(caching.load(settings(&path)))
        .expect("it loads");
    criterion.bench_function("load: from the cache", |bencher| {
        bencher.iter(|| {
            let plugin = runtime
                .block_on(caching.load(settings(&path)))
                .expect("it loads");
            assert!(!plugin.was_compiled());
        });
    });
}

criterion_group!(hooks, benches);
criterion_main!(hooks);
