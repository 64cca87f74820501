//! Planning: what the daemon has, and what is to be done about it.

pub mod observed;
