//! `wasi:logging`, attributed to plugin and hook.

use crate::plugin::bindings::wasi::logging::logging::{Host, Level as WitLevel};
use crate::plugin::call::State;
use crate::plugin::log::Level;

impl Host for State {
    fn log(&mut self, level: WitLevel, context: String, message: String) -> wasmtime::Result<()> {
        self.limiter.log(context.len() + message.len())?;
        let level = match level {
            WitLevel::Trace => Level::Trace,
            WitLevel::Debug => Level::Debug,
            WitLevel::Info => Level::Info,
            WitLevel::Warn => Level::Warn,
            WitLevel::Error => Level::Error,
            WitLevel::Critical => Level::Critical,
        };
        self.log.log(level, context, message);
        Ok(())
    }
}
