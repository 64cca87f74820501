//! What grants give and keep, tried by a real component: `tests/guests/probe`.

mod context;
mod exec;
mod http;
mod lab;
mod secrets;
mod server;
mod state;
mod tls;
