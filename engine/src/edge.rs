//! The edge: the proxy that owns an app's published ports and switches them between releases.
//!
//! It runs in a container of its own, from this same binary. What it has in common with the rest of
//! rengine is the binary and nothing else: no daemon, no manifest, no plugin is known here. What it
//! does is said by one value, [`Routes`], which is put as a whole through a socket.
//!
//! | part | what it is |
//! | --- | --- |
//! | `routes` | what is wanted: listeners, services, targets |
//! | `table`, `service`, `target`, `health`, `balance` | the same as it is now, with counts and health |
//! | `listen`, `lanes`, `connection`, `tls` | where clients come in |
//! | `proxy`, `headers`, `peer`, `body`, `pool`, `tunnel` | a request's way to a target and back |
//! | `metrics`, `histogram`, `log` | what it says of itself |
//! | `control`, `client` | the socket through which it is told what to do |
//! | `worker`, `keeper`, `handover` | its processes, and how one takes over from another |
//! | `tidy` | what a change leaves in its folder |

mod balance;
mod body;
mod client;
mod connection;
mod control;
mod defaults;
mod error;
mod handover;
mod headers;
mod health;
mod histogram;
mod image;
mod keeper;
mod lanes;
mod leaving;
mod listen;
mod log;
mod metrics;
mod peer;
mod pool;
mod proxy;
mod routes;
mod service;
mod table;
mod target;
mod tidy;
mod tls;
mod tunnel;
mod worker;

pub use client::{ControlClient, ControlError};
pub use control::{Drained, Out, Release, ServiceState, State, TargetCounts};
pub use defaults::{DRAIN, HOLD};
pub use error::EdgeError;
pub use histogram::Bucket;
pub use image::{
    EdgeImage, FOLDER as EDGE_FOLDER, ImageError, PROGRAM as EDGE_PROGRAM, USER as EDGE_USER,
};
pub use keeper::{Keeper, ask_for_upgrade};
pub use peer::Network;
pub use routes::{
    Address, Certificate, Check, InvalidRoutes, Listener, Mode, Protocol, Routes, Service, Target,
    TargetState,
};

/// The release of rengine whose edge this is.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub use tidy::CERTIFICATE_DIGITS;
pub use worker::{Beginning, KEPT, Program, Worker, WorkerOptions, kept_routes};
