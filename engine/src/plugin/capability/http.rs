//! `wasi:http/outgoing-handler`: HTTP requests to the hosts that are granted.
//!
//! wasmtime has the interface and its rules for header fields; where a request goes, and how it
//! gets there, is ours: see [`send`]. Redirects are answers like any other, so what a guest makes
//! of one is a new request, and looked at anew.

mod answer;
mod body;
mod network;
mod send;

use std::sync::Arc;

use ::http::HeaderName;
use ::http::header::{TE, TRAILER};
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::add_only_http_to_linker_async;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx,
    WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::Gate;
use crate::grants::Grants;
use crate::plugin::Settings;
use crate::plugin::call::State;
use crate::plugin::limits::{Exceeded, MAX_HTTP_REQUESTS};
use body::Meter;
use send::Exchange;

pub use network::Network;

/// Importing it needs the grant. The types alone are free: they reach nothing.
pub const GATE: Gate = Gate {
    interface: "wasi:http/outgoing-handler",
    granted: Grants::sends_http,
};

pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_only_http_to_linker_async(linker)
}

/// The outgoing HTTP of one call.
pub struct Outgoing {
    context: WasiHttpCtx,
    hooks: Hooks,
}

struct Hooks {
    network: Arc<Network>,
    settings: Arc<Settings>,
    meter: Meter,
    /// Each request that goes on holds a file of the engine's.
    running: Arc<Semaphore>,
}

impl Outgoing {
    pub fn new(network: Arc<Network>, settings: &Arc<Settings>) -> Self {
        Self {
            context: WasiHttpCtx::new(),
            hooks: Hooks {
                network,
                settings: settings.clone(),
                meter: Meter::new(settings.limits.http),
                running: Arc::new(Semaphore::new(MAX_HTTP_REQUESTS)),
            },
        }
    }

    /// The limit that the call ran into, if it did.
    pub fn exceeded(&self) -> Option<Exceeded> {
        self.hooks.meter.exceeded()
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.http.hooks,
            table: &mut self.table,
            ctx: &mut self.http.context,
        }
    }
}

/// What has to go on for an answer's body to arrive.
type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = (::http::Response<WasiBody>, Driver);

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        // What concerns the connection, which is ours, and not the message (RFC 9110, 7.6.1).
        Arc::new(|name: &HeaderName| {
            DEFAULT_FORBIDDEN_HEADERS.contains(name) || *name == TE || *name == TRAILER
        })
    }

    fn send_request(
        &mut self,
        request: ::http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Driver,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let exchange = Exchange {
            network: self.network.clone(),
            settings: self.settings.clone(),
            meter: self.meter.clone(),
            permit: self.running.clone().try_acquire_owned().ok(),
            options: options.unwrap_or_default(),
        };
        Box::new(exchange.send(request))
    }
}
