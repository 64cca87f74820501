//! The edge as a process, with real sockets at both of its ends.

mod http;
mod protocols;
mod shares;
mod support;
mod switch;
