//! Nothing here: see `tests/`. It is a crate of its own so that the SDK and the plugins can be
//! tested without compiling rengine.
