//! What wasmtime's ways to allocate instances cost, without anything of rengine's.
//!
//! `engine/src/plugin/pool.rs` is what came of it.

use criterion::Criterion;
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
};

/// As a plugin in Rust: 17 pages of memory to begin with and one more, of which it writes to some.
const GUEST: &str = r#"(component
  (core module $m
    (memory (export "memory") 17)
    (data (i32.const 1048576) "data")
    (func (export "run")
      (local $i i32)
      (drop (memory.grow (i32.const 1)))
      (loop $l
        (i32.store (i32.add (i32.const 1040000) (local.get $i)) (i32.const 1))
        (local.set $i (i32.add (local.get $i) (i32.const 4096)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const 32768))))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))"#;

fn config(strategy: InstanceAllocationStrategy) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .async_stack_size(2 << 20)
        .allocation_strategy(strategy);
    config
}

fn pool(kept: usize, scan: Enabled) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(64)
        .total_tables(128)
        .total_stacks(112)
        .linear_memory_keep_resident(kept)
        .table_keep_resident(kept)
        .pagemap_scan(scan);
    config(InstanceAllocationStrategy::Pooling(pool))
}

async fn call(engine: &Engine, linker: &Linker<()>, component: &Component) -> wasmtime::Result<()> {
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    let instance = linker.instantiate_async(&mut store, component).await?;
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    run.call_async(&mut store, ()).await
}

pub fn allocators(criterion: &mut Criterion) {
    let runtime = super::runtime();
    let configs = [
        (
            "mapped for each call",
            config(InstanceAllocationStrategy::OnDemand),
        ),
        ("pool", pool(0, Enabled::No)),
        ("pool that keeps 256 KiB", pool(256 << 10, Enabled::No)),
        (
            "pool that keeps 256 KiB and scans",
            pool(256 << 10, Enabled::Auto),
        ),
    ];
    for (name, config) in configs {
        let engine = Engine::new(&config).expect("an engine");
        let component = Component::new(&engine, wat::parse_str(GUEST).expect("WebAssembly"))
            .expect("a component");
        let linker = Linker::new(&engine);
        criterion.bench_function(&format!("allocator: {name}"), |bencher| {
            bencher.iter(|| {
                let done = runtime.block_on(call(&engine, &linker, &component));
                done.expect("it goes well");
            });
        });
        criterion.bench_function(&format!("engine: {name}"), |bencher| {
            bencher.iter(|| Engine::new(&config).expect("an engine"));
        });
    }
}
