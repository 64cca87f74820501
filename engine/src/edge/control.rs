//! The control socket: HTTP over a Unix socket that only the owner can open.
//!
//! | request | what it does |
//! | --- | --- |
//! | `GET /v1/version` | says which release runs, in which process |
//! | `GET /v1/state` | says what the routes are, and how targets are doing |
//! | `PUT /v1/routes` | puts other routes in place; `If-Match` has the generation that they replace, or `*` |
//! | `PUT /v1/out?time=30s` | takes targets out, by the names of their hosts, for so long; all others are in |
//! | `POST /v1/drain?service=…&timeout=30s` | waits until draining targets have nothing to do |
//! | `GET /metrics` | for Prometheus |

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs::Permissions;
use std::net::Ipv6Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use super::defaults::{DRAIN, MAX_CONTROL, MAX_OUT};
use super::histogram::Bucket;
use super::routes::{Address, Routes, TargetState};
use super::table::{Table, drained};
use super::worker::Inner;
use super::{EdgeError, leaving, metrics};

/// The name of the socket in the edge's folder.
pub const SOCKET: &str = "control.sock";

/// Which release runs, and in which process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Release {
    /// The release of rengine.
    pub version: String,
    /// The process.
    pub pid: u32,
}

/// How the edge is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct State {
    /// Who says so.
    pub release: Release,
    /// Counts the changes of the routes.
    pub generation: u64,
    /// What was put.
    pub routes: Routes,
    /// How services are doing, by name.
    pub services: BTreeMap<String, ServiceState>,
    /// Lines of the access log that were left out.
    pub log_dropped: u64,
}

/// How a service is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceState {
    /// Requests and connections that wait for a target.
    pub held: usize,
    /// Its targets.
    pub targets: Vec<TargetCounts>,
}

/// How a target is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TargetCounts {
    /// Where it is.
    pub address: Address,
    /// What it is to do.
    pub state: TargetState,
    /// Whether it takes connections, and passes its check if it has one.
    pub well: bool,
    /// Whether it is taken out, by who watches it.
    #[serde(default)]
    pub out: bool,
    /// What it has to do.
    pub outstanding: usize,
    /// Its answers by the first digit of their status, from 1.
    pub answers: [u64; 5],
    /// Requests that it did not answer.
    pub failures: u64,
    /// Connections that it did not take.
    pub refused: u64,
    /// Connections that were proxied as such, from the start.
    #[serde(default)]
    pub connections: u64,
    /// How long it took to answer, all answers together, in microseconds.
    pub waited_us: u64,
    /// How often it took how long.
    #[serde(default)]
    pub times: Vec<Bucket>,
}

/// What came of taking targets out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Out {
    /// Those that are out now; a name that no target has is not among them.
    pub out: BTreeSet<String>,
}

/// What came of waiting for targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Drained {
    /// True if they have nothing to do any more.
    pub drained: bool,
    /// What they still have to do.
    pub outstanding: BTreeMap<String, usize>,
}

/// Listens on a socket that nobody but the owner can open. It takes the place of one that is there,
/// without a moment in between.
pub fn private_socket(folder: &Path, name: &str) -> Result<UnixListener, EdgeError> {
    let path = folder.join(name);
    let new = folder.join(format!("{name}.{}", std::process::id()));
    let open = || {
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixListener::bind(&new)?;
        std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        std::fs::rename(&new, &path)?;
        Ok(socket)
    };
    open().map_err(EdgeError::file("listening on", path.clone()))
}

/// Serves the control socket, and metrics on a port if asked.
pub fn serve(inner: &Arc<Inner>, metrics_port: Option<u16>) -> Result<(), EdgeError> {
    let socket = private_socket(&inner.folder, SOCKET)?;
    answer_on(socket, inner, Access::All);
    let Some(port) = metrics_port else {
        return Ok(());
    };
    let listen = || {
        let socket = std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
            .or_else(|_| std::net::TcpListener::bind(("0.0.0.0", port)))?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket)
    };
    let socket = listen().map_err(|source| EdgeError::Listen { port, source })?;
    let metrics = inner.clone();
    tokio::spawn(
        inner
            .shared
            .accepting
            .clone()
            .run_until_cancelled_owned(async move {
                while let Ok((stream, _)) = socket.accept().await {
                    tokio::spawn(converse(stream, metrics.clone(), Access::Metrics));
                }
            }),
    );
    Ok(())
}

/// Serves another socket, for the worker that has taken over from this one.
pub fn serve_leaving(inner: &Arc<Inner>, name: &str) -> Result<(), EdgeError> {
    let socket = private_socket(&inner.folder, name)?;
    answer_on(socket, inner, Access::Drain);
    Ok(())
}

fn answer_on(socket: UnixListener, inner: &Arc<Inner>, access: Access) {
    let all = inner.clone();
    tokio::spawn(inner.over.clone().run_until_cancelled_owned(async move {
        while let Ok((stream, _)) = socket.accept().await {
            tokio::spawn(converse(stream, all.clone(), access));
        }
    }));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    All,
    /// Of a worker that leaves.
    Drain,
    Metrics,
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, inner: Arc<Inner>, access: Access) {
    let over = inner.over.clone();
    let service = service_fn(|request| {
        let inner = inner.clone();
        async move { Ok::<_, Infallible>(answer(request, &inner, access).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let _ = over.run_until_cancelled(connection).await;
}

async fn answer(
    request: Request<Incoming>,
    inner: &Arc<Inner>,
    access: Access,
) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET, "/metrics") => {
            let text = metrics::render(&inner.shared.metrics, &inner.shared.tables.now());
            let mut response = Response::new(Full::from(text));
            let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        _ if access == Access::Metrics => {
            failure(StatusCode::NOT_FOUND, "only /metrics is here", None)
        }
        (&Method::POST, "/v1/drain") if access == Access::Drain => {
            leaving::catch_up(inner).await;
            drain(&request, inner, access).await
        }
        _ if access == Access::Drain => failure(
            StatusCode::NOT_FOUND,
            "this worker leaves: it only drains",
            None,
        ),
        (&Method::GET, "/v1/version") => json(&release()),
        (&Method::GET, "/v1/state") => json(&state(inner)),
        (&Method::PUT, "/v1/routes") => put(request, inner).await,
        (&Method::PUT, "/v1/out") => out(request, inner).await,
        (&Method::POST, "/v1/drain") => drain(&request, inner, access).await,
        _ => failure(StatusCode::NOT_FOUND, "there is no such request", None),
    }
}

fn json(value: &impl Serialize) -> Response<Full<Bytes>> {
    // Types of ours, with string keys: they always serialise.
    let mut response = Response::new(Full::from(serde_json::to_vec(value).unwrap_or_default()));
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn failure(status: StatusCode, error: &str, help: Option<String>) -> Response<Full<Bytes>> {
    let mut response = json(&serde_json::json!({ "error": error, "help": help }));
    *response.status_mut() = status;
    response
}

fn release() -> Release {
    Release {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
    }
}

fn state(inner: &Inner) -> State {
    let table = inner.shared.tables.now();
    State {
        release: release(),
        generation: table.generation,
        routes: table.routes.clone(),
        services: services(&table),
        log_dropped: inner.shared.metrics.log_dropped.load(Ordering::Relaxed),
    }
}

fn services(table: &Table) -> BTreeMap<String, ServiceState> {
    let each = table.services.iter().map(|(name, service)| {
        let targets = service.targets.iter().map(|(target, state)| TargetCounts {
            address: target.address.clone(),
            state: *state,
            well: target.health().is_well(),
            out: target.is_out(),
            outstanding: target.outstanding(),
            answers: target
                .counts
                .answers
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed)),
            failures: target.counts.failures.load(Ordering::Relaxed),
            refused: target.counts.refused.load(Ordering::Relaxed),
            connections: target.counts.connections.load(Ordering::Relaxed),
            waited_us: target.counts.times.sum_us(),
            times: target.counts.times.now(),
        });
        let state = ServiceState {
            held: service.gate.held(),
            targets: targets.collect(),
        };
        (name.clone(), state)
    });
    each.collect()
}

async fn put(request: Request<Incoming>, inner: &Arc<Inner>) -> Response<Full<Bytes>> {
    let wanted = request
        .headers()
        .get(header::IF_MATCH)
        .and_then(|value| value.to_str().ok());
    let wanted = match wanted.map(|text| (text, text.trim_matches('"').parse::<u64>())) {
        Some(("*", _)) => None,
        Some((_, Ok(generation))) => Some(generation),
        _ => {
            let error = "If-Match has to say which generation of the routes these replace, or *";
            return failure(StatusCode::PRECONDITION_REQUIRED, error, None);
        }
    };
    let Ok(body) = Limited::new(request.into_body(), MAX_CONTROL)
        .collect()
        .await
    else {
        return failure(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the routes are too large, or broke off",
            None,
        );
    };
    let applied = match Routes::parse(&body.to_bytes()) {
        Ok(routes) => inner.apply(wanted, routes).await,
        Err(error) => Err(error.into()),
    };
    match applied {
        Ok(generation) => json(&serde_json::json!({ "generation": generation })),
        Err(error) => {
            let status = match &error {
                EdgeError::Generation { .. } => StatusCode::PRECONDITION_FAILED,
                EdgeError::Invalid(_) | EdgeError::Certificate { .. } => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                EdgeError::Listen { .. } | EdgeError::TakeOver { .. } => StatusCode::CONFLICT,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let help = error.help().map(|help| help.to_string());
            failure(status, &error.to_string(), help)
        }
    }
}

async fn out(request: Request<Incoming>, inner: &Inner) -> Response<Full<Bytes>> {
    let bad = |error: String| failure(StatusCode::BAD_REQUEST, &error, None);
    let query = request.uri().query().unwrap_or_default();
    let time = match query.split_once('=') {
        Some(("time", time)) => humantime::parse_duration(time).map_err(|error| error.to_string()),
        _ => Err("for how long is said by `time`, such as `?time=30s`".to_owned()),
    };
    let time = match time {
        Ok(time) => time.min(MAX_OUT),
        Err(error) => return bad(error),
    };
    let body = Limited::new(request.into_body(), MAX_CONTROL).collect();
    let Ok(body) = body.await else {
        return bad("the names are too many, or broke off".to_owned());
    };
    let names: BTreeSet<String> = match serde_json::from_slice(&body.to_bytes()) {
        Ok(names) => names,
        Err(error) => return bad(format!("the names are a list of texts: {error}")),
    };
    let table = inner.shared.tables.now();
    let mut out = BTreeSet::new();
    for (target, _) in table.services.values().flat_map(|one| &one.targets) {
        let host = target.address.host();
        let wanted = names.contains(host);
        target.take_out(wanted.then_some(time));
        if wanted {
            out.insert(host.to_owned());
        }
    }
    json(&Out { out })
}

async fn drain(
    request: &Request<Incoming>,
    inner: &Inner,
    access: Access,
) -> Response<Full<Bytes>> {
    let mut only = None;
    let mut limit = DRAIN;
    for pair in request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        match pair.split_once('=') {
            Some(("service", name)) => only = Some(name),
            Some(("timeout", time)) => match humantime::parse_duration(time) {
                Ok(time) => limit = time,
                Err(error) => return failure(StatusCode::BAD_REQUEST, &error.to_string(), None),
            },
            _ => {
                return failure(
                    StatusCode::BAD_REQUEST,
                    &format!("`{pair}` is not known"),
                    None,
                );
            }
        }
    }
    let table = inner.shared.tables.now();
    let services = table
        .services
        .values()
        .filter(|service| only.is_none_or(|only| service.name == only));
    let draining: Vec<_> = services
        .flat_map(|service| service.targets.iter())
        .filter(|(_, state)| *state == TargetState::Draining)
        .map(|(target, _)| target.clone())
        .collect();
    let others = async {
        match access {
            Access::All => Some(leaving::drained(&inner.folder, only, limit).await),
            _ => None,
        }
    };
    let (drained, others) = tokio::join!(drained(&draining, limit), others);
    let mut all = others.unwrap_or(Drained {
        drained: true,
        outstanding: BTreeMap::new(),
    });
    all.drained &= drained;
    for target in &draining {
        let outstanding = all.outstanding.entry(target.address.to_string());
        *outstanding.or_default() += target.outstanding();
    }
    json(&all)
}
