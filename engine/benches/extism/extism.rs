//! One call of a plugin in Extism, with a fresh instance as rengine's calls have, and with one
//! that is kept.

use std::process::Command;

use criterion::{Criterion, criterion_group, criterion_main};
use extism::{CompiledPlugin, Plugin, PluginBuilder, Wasm};

/// Built by `./dev bench extism`.
const GUEST: &str = "wasm32-unknown-unknown/plugin/extism_guest.wasm";

/// A container of which little is said.
const SPEC: &str = r#"{"env":{"PORT":"8080"},"restart":"unless-stopped"}"#;

/// What harden changes about it.
const CHANGES: usize = 9;

fn changes(plugin: &mut Plugin) -> usize {
    let told: String = plugin.call("pre_run", SPEC).expect("it goes well");
    // Taking the answer apart is the host's work, and rengine's calls have theirs in them.
    let changes: Vec<serde_json::Value> = serde_json::from_str(&told).expect("JSON");
    changes.len()
}

fn benches(criterion: &mut Criterion) {
    let target = std::env::var_os("CARGO_TARGET_DIR").expect("where ./dev bench builds");
    let path = std::path::Path::new(&target).join(GUEST);
    let guest = std::fs::read(&path).expect("the guest");
    let compiled = CompiledPlugin::new(
        PluginBuilder::new(extism::Manifest::new([Wasm::data(guest)])).with_cache_disabled(),
    )
    .expect("it compiles");
    criterion.bench_function(
        "Extism: call of a Rust plugin in a fresh instance",
        |bencher| {
            bencher.iter(|| {
                let mut plugin = Plugin::new_from_compiled(&compiled).expect("an instance");
                assert_eq!(changes(&mut plugin), CHANGES);
            });
        },
    );
    let mut kept = Plugin::new_from_compiled(&compiled).expect("an instance");
    criterion.bench_function(
        "Extism: call of a Rust plugin in a kept instance",
        |bencher| {
            bencher.iter(|| assert_eq!(changes(&mut kept), CHANGES));
        },
    );
    criterion.bench_function("shell hook: spawn /bin/true", |bencher| {
        bencher.iter(|| {
            let status = Command::new("/bin/true").status().expect("it runs");
            assert!(status.success());
        });
    });
}

criterion_group!(extism, benches);
criterion_main!(extism);
