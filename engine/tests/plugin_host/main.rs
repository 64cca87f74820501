//! Hostile and broken plugins in the real host: each is told off by name, hook and cause, and
//! the host serves the next plugin as if nothing had been.

mod cache;
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
