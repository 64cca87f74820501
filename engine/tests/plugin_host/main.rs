//! Plugins in the real host. Hostile and broken ones are told off by name, hook and cause, and
//! the host serves the next plugin as if nothing had been; old ones run for ever.

mod cache;
mod compat;
mod component;
mod floods;
mod grants;
mod lab;
mod load;
mod memory;
mod pool;
mod texts;
mod time;
mod traps;
mod wasi;
