//! The process that proxies: it starts with the routes that were kept, and ends when nobody is
//! connected any more.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::HeaderValue;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::defaults::DRAIN;
use super::lanes::Lanes;
use super::listen::Listeners;
use super::log::{Entry, Log, Writer};
use super::metrics::Metrics;
use super::table::Tables;
use super::{EdgeError, Routes, VERSION, control, handover, keeper, leaving, tidy};

/// What every connection of a worker works with.
#[derive(Debug)]
pub struct Shared {
    /// The routes.
    pub tables: Tables,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where requests are written down.
    pub log: Log,
    /// Names of requests.
    pub ids: Ids,
    /// The threads that serve connections.
    pub lanes: Lanes,
    /// Connections, and what else has to end before the process does.
    pub tasks: TaskTracker,
    /// Cancelled when nothing new is accepted.
    pub accepting: CancellationToken,
    /// Cancelled when clients are to go elsewhere.
    pub leaving: CancellationToken,
    /// The same, for each request: the token has a lock that all would share.
    left: AtomicBool,
}

impl Shared {
    /// Tells clients to go elsewhere.
    pub fn leave(&self) {
        self.left.store(true, Ordering::Release);
        self.leaving.cancel();
    }

    /// True if clients are to go elsewhere.
    pub fn is_leaving(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// A line of the log that knows nothing yet but who came where.
    pub fn entry(&self, begun: Instant, client: IpAddr, port: u16) -> Entry {
        Entry {
            log: self.log.clone(),
            begun,
            id: None,
            client,
            port,
            method: None,
            host: None,
            path: None,
            status: None,
            service: None,
            target: None,
            waited: std::time::Duration::ZERO,
            sent: 0,
            bytes: 0,
            received: None,
            complete: true,
        }
    }
}

/// Names of requests: no two are alike, and that is all that they have to be.
#[derive(Debug)]
pub struct Ids {
    process: u64,
    next: AtomicU64,
}

impl Default for Ids {
    fn default() -> Self {
        let random = || RandomState::new().hash_one(std::process::id());
        Self {
            process: random(),
            next: AtomicU64::new(random()),
        }
    }
}

impl Ids {
    /// Another one.
    pub fn next(&self) -> HeaderValue {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let number = (u128::from(self.process) << 64) | u128::from(next);
        let mut text = [0; 32];
        for (place, digit) in text.iter_mut().rev().enumerate() {
            *digit = b"0123456789abcdef"[(number >> (4 * place)) as usize & 0xf];
        }
        // Digits are always a header's value.
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"))
    }
}

/// How a worker begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// With the routes that were kept, if there are any.
    Fresh,
    /// With the sockets of the worker that runs, which leaves then.
    TakeOver,
}

/// What a worker is told when it starts.
pub struct WorkerOptions {
    /// Where routes are kept, and where the sockets are. Nobody else may read it.
    pub folder: PathBuf,
    /// Where requests are written down; nowhere, if `None`.
    pub log: Option<Box<dyn Write + Send>>,
    /// A port for `/metrics`.
    pub metrics_port: Option<u16>,
}

/// A process that proxies.
#[derive(Debug)]
pub struct Worker {
    inner: Arc<Inner>,
    writer: Writer,
}

/// What the control socket works with.
#[derive(Debug)]
pub struct Inner {
    /// What connections work with.
    pub shared: Arc<Shared>,
    /// The sockets.
    pub listeners: Listeners,
    /// The folder.
    pub folder: PathBuf,
    /// Held while routes change, or the sockets are handed over.
    pub changing: Arc<Mutex<()>>,
    /// Cancelled when another process has taken over.
    pub handed_over: CancellationToken,
    /// Cancelled when all is over, for what serves sockets of its own.
    pub over: CancellationToken,
}

/// What is kept in the folder.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Counts the changes.
    pub(super) generation: u64,
    pub(super) routes: Routes,
    /// Who wrote this.
    #[serde(flatten)]
    by: Option<Program>,
}

/// The program that an edge is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its release of rengine.
    pub version: String,
    /// The words that start it: other ones than the image's, where it was upgraded.
    pub program: Vec<String>,
}

impl Program {
    fn own() -> Self {
        Self {
            version: VERSION.to_owned(),
            program: keeper::own_program(),
        }
    }
}

/// Where, in the edge's folder.
pub const KEPT: &str = "routes.json";

/// The routes that a file of that name holds, and the edge that follows them, where it says so;
/// `None` if it can't be read.
pub fn kept_routes(json: &[u8]) -> Option<(Routes, Option<Program>)> {
    let kept: Kept = serde_json::from_slice(json).ok()?;
    Some((kept.routes, kept.by))
}

impl Kept {
    pub(super) fn read(folder: &Path) -> Result<Self, EdgeError> {
        let path = folder.join(KEPT);
        match std::fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json)
                .map_err(std::io::Error::other)
                .map_err(EdgeError::file("reading", path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(EdgeError::file("reading", path)(error)),
        }
    }

    /// Appears whole or not at all.
    fn write(&self, folder: &Path) -> Result<(), EdgeError> {
        let path = folder.join(KEPT);
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut file, self)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(EdgeError::file("writing", path.clone()))
    }
}

impl Worker {
    /// Starts, and accepts connections when this returns.
    pub async fn start(options: WorkerOptions, beginning: Beginning) -> Result<Self, EdgeError> {
        open_many_files();
        let metrics = Arc::new(Metrics::default());
        let (log, writer) = Log::new(options.log, metrics.clone());
        let shared = Arc::new(Shared {
            tables: Tables::new(TaskTracker::new()),
            metrics,
            log,
            ids: Ids::default(),
            lanes: Lanes::start().map_err(|source| EdgeError::Start {
                program: "a thread that proxies".to_owned(),
                source,
            })?,
            tasks: TaskTracker::new(),
            accepting: CancellationToken::new(),
            leaving: CancellationToken::new(),
            left: AtomicBool::new(false),
        });
        let inner = Arc::new(Inner {
            shared,
            listeners: Listeners::default(),
            folder: options.folder,
            changing: Arc::default(),
            handed_over: CancellationToken::new(),
            over: CancellationToken::new(),
        });
        let (taken, mut inherited) = match beginning {
            Beginning::Fresh => (None, HashMap::new()),
            Beginning::TakeOver => {
                let (taken, sockets) = handover::take(&inner.folder).await?;
                (Some(taken), sockets)
            }
        };
        // The worker that runs changes nothing from here on.
        let mut kept = Kept::read(&inner.folder)?;
        let sockets = std::mem::take(&mut inherited);
        let change = inner.listeners.prepare(&kept.routes.listeners, sockets)?;
        let tables = &inner.shared.tables;
        tables.put(tables.now().next(kept.generation, kept.routes.clone()));
        inner.listeners.put(change, &inner.shared);
        // Before anybody can have it change them.
        let changing = inner.changing.clone().lock_owned().await;
        control::serve(&inner, options.metrics_port)?;
        handover::serve(&inner)?;
        if let Some(taken) = taken {
            taken.done().await?;
        }
        let by = Some(Program::own());
        if kept.generation > 0 && kept.by != by {
            kept.by = by;
            // If this fails an upgrade to this release is tried again.
            let _ = kept.write(&inner.folder);
        }
        drop(changing);
        Ok(Self { inner, writer })
    }

    /// Works until `stop`, or until another process has taken over; then ends what it has begun.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { inner, writer } = self;
        let limit = tokio::select! {
            () = stop => Some(DRAIN),
            // Tunnels may live for long, and somebody else accepts what is new.
            () = inner.handed_over.cancelled() => None,
        };
        inner.shared.accepting.cancel();
        inner.listeners.close();
        inner.shared.leave();
        inner.shared.tasks.close();
        let ended = inner.shared.tasks.wait();
        match limit {
            Some(limit) => drop(timeout(limit, ended).await),
            None => {
                // Without it clients that stay go where they went: no reason to leave them at once.
                let _ = leaving::follow(&inner);
                ended.await;
                leaving::end(&inner.folder);
            }
        }
        inner.over.cancel();
        inner.shared.tables.put(super::table::Table::default());
        drop(inner);
        // Without its last sender the writer ends; a task that was given up on may still hold one.
        let written = tokio::task::spawn_blocking(|| writer.finish());
        let _ = timeout(std::time::Duration::from_secs(1), written).await;
    }

    /// The generation of its routes.
    pub fn generation(&self) -> u64 {
        self.inner.shared.tables.now().generation
    }
}

/// Each connection is a file or two, and some daemons give containers a soft limit of 1024. Where more can't be had, what is
/// there is used.
fn open_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, most);
}

impl Inner {
    /// Puts other routes in place, if the ones that hold are of the generation `wanted`. Gives
    /// their generation. Nothing has changed if it fails.
    pub async fn apply(
        self: &Arc<Self>,
        wanted: Option<u64>,
        routes: Routes,
    ) -> Result<u64, EdgeError> {
        let _changing = self.changing.lock().await;
        if self.handed_over.is_cancelled() {
            let reason = "another process has taken over just now: ask again".to_owned();
            return Err(EdgeError::TakeOver { reason });
        }
        routes.check()?;
        let now = self.shared.tables.now();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != now.generation) {
            let found = now.generation;
            return Err(EdgeError::Generation { found, wanted });
        }
        let change = self.listeners.prepare(&routes.listeners, HashMap::new())?;
        let generation = now.generation + 1;
        let kept = Kept {
            generation,
            routes,
            by: Some(Program::own()),
        };
        kept.write(&self.folder)?;
        tidy::certificates(&self.folder, &kept.routes);
        self.shared.tables.put(now.next(generation, kept.routes));
        self.listeners.put(change, &self.shared);
        Ok(generation)
    }
}
