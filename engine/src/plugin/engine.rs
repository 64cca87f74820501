//! How guests are run: what all plugins of a host share.

use wasmtime::component::Linker;
use wasmtime::{Config, Engine};
use wasmtime_wasi_config::WasiConfig;

use super::bindings;
use super::call::State;
use super::capability;
use super::limits::{EPOCH, MAX_STACK};
use super::pool::Pool;

/// The engine, with every limit that is not one call's.
pub fn engine() -> wasmtime::Result<(Engine, Pool)> {
    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .max_wasm_stack(MAX_STACK)
        .async_stack_size(2 * MAX_STACK);
    Pool::engine(config)
}

/// What plugins can import.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_config::add_to_linker(&mut linker, |state: &mut State| {
        WasiConfig::from(&state.config)
    })?;
    bindings::add_imports(&mut linker)?;
    capability::link(&mut linker)?;
    Ok(linker)
}

/// Advances the epoch for as long as the engine lives.
pub fn tick(engine: &Engine) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(EPOCH);
        }
    });
}
