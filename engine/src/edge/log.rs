//! The access log: a line of JSON for each request or connection, when it has ended.

use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use http::{HeaderValue, Method};
use serde::Serialize;
use tokio::time::Instant;

use super::defaults::LOG_LINES;
use super::metrics::Metrics;

/// Where lines go. They are written by a thread of its own; if it can't keep up, lines are left out
/// and counted, and no request waits.
#[derive(Debug, Clone)]
pub struct Log {
    lines: Option<SyncSender<Vec<u8>>>,
    metrics: Arc<Metrics>,
}

/// The thread that writes.
#[derive(Debug)]
pub struct Writer(Option<JoinHandle<()>>);

impl Writer {
    /// Waits until all lines are written. All copies of the log have to be gone.
    pub fn finish(self) {
        if let Some(thread) = self.0 {
            let _ = thread.join();
        }
    }
}

impl Log {
    /// A log that is written to `to`; none, if `None`.
    pub fn new(to: Option<Box<dyn Write + Send>>, metrics: Arc<Metrics>) -> (Self, Writer) {
        let Some(to) = to else {
            return (
                Self {
                    lines: None,
                    metrics,
                },
                Writer(None),
            );
        };
        let (lines, receiver) = sync_channel(LOG_LINES);
        let thread = std::thread::Builder::new().name("access-log".to_owned());
        let thread = thread.spawn(move || write(&receiver, to)).ok();
        let lines = thread.is_some().then_some(lines);
        (Self { lines, metrics }, Writer(thread))
    }

    /// True if anybody reads it.
    pub fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    fn send(&self, line: Vec<u8>) {
        let Some(lines) = &self.lines else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = lines.try_send(line) {
            self.metrics.log_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes what comes, as much at a time as there is.
fn write(lines: &Receiver<Vec<u8>>, mut to: Box<dyn Write + Send>) {
    const PIECE: usize = 64 * 1024;
    let mut piece = Vec::new();
    while let Ok(line) = lines.recv() {
        piece.extend_from_slice(&line);
        while let Ok(line) = lines.try_recv() {
            piece.extend_from_slice(&line);
            if piece.len() >= PIECE {
                break;
            }
        }
        // Whoever read it may have gone; requests are answered all the same.
        let _ = to.write_all(&piece).and_then(|()| to.flush());
        piece.clear();
    }
}

/// What there is to say of a request, or of a connection that is proxied as such.
#[derive(Debug)]
pub struct Entry {
    /// Where it is written.
    pub log: Log,
    /// When it began.
    pub begun: Instant,
    /// The request's name.
    pub id: Option<HeaderValue>,
    /// Who asked.
    pub client: IpAddr,
    /// The port on which they did.
    pub port: u16,
    /// What was asked.
    pub method: Option<Method>,
    /// The host that was asked for.
    pub host: Option<HeaderValue>,
    /// The path, without what follows a `?`: that may hold what is not for logs.
    pub path: Option<String>,
    /// What was answered.
    pub status: Option<u16>,
    /// The service.
    pub service: Option<String>,
    /// Who answered.
    pub target: Option<String>,
    /// How long it was until the answer began.
    pub waited: Duration,
    /// How often it was sent.
    pub sent: u32,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Bytes of what the client sent, of a connection.
    pub received: Option<u64>,
    /// False if it broke off.
    pub complete: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    client: IpAddr,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    waited_us: u64,
    total_us: u64,
    sent: u32,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<u64>,
    complete: bool,
}

impl Entry {
    /// Writes it.
    pub fn write(&self, now: Instant) {
        if !self.log.is_on() {
            return;
        }
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let text = |value: &'_ Option<HeaderValue>| -> Option<String> {
            value
                .as_ref()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (id, host) = (text(&self.id), text(&self.host));
        let line = Line {
            time: format!("{:.3}", jiff::Timestamp::now()),
            id: id.as_deref(),
            client: self.client.to_canonical(),
            port: self.port,
            method: self.method.as_ref().map(Method::as_str),
            host: host.as_deref(),
            path: self.path.as_deref(),
            status: self.status,
            service: self.service.as_deref(),
            target: self.target.as_deref(),
            waited_us: micros(self.waited),
            total_us: micros(now.duration_since(self.begun)),
            sent: self.sent,
            bytes: self.bytes,
            received: self.received,
            complete: self.complete,
        };
        if let Ok(mut line) = serde_json::to_vec(&line) {
            line.push(b'\n');
            self.log.send(line);
        }
    }
}
