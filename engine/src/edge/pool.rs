//! Connections to one target.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::body::RequestBody;
use super::defaults::{CONNECT_TIMEOUT, FRESH, IDLE_TIMEOUT, MAX_HEAD, MAX_IDLE, NAME_LIFETIME};
use super::routes::{Address, Protocol};

/// Idle connections to a target, and the way to new ones.
#[derive(Debug)]
pub struct Pool {
    address: Address,
    protocol: Protocol,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    idle: Vec<(http1::SendRequest<RequestBody>, Instant)>,
    /// HTTP/2 needs but one, which all share.
    shared: Option<http2::SendRequest<RequestBody>>,
    keep: bool,
    resolved: Option<(Vec<SocketAddr>, Instant)>,
}

/// A connection that takes a request.
#[derive(Debug)]
pub enum Sender {
    /// For one request at a time.
    Http1(http1::SendRequest<RequestBody>),
    /// For many.
    Http2(http2::SendRequest<RequestBody>),
}

/// Why a request has no answer.
#[derive(Debug)]
pub struct SendError {
    /// In the words of who found out.
    pub reason: String,
    /// The request, if nothing of it was sent.
    pub unsent: Option<http::Request<RequestBody>>,
}

impl Sender {
    /// Sends a request.
    pub async fn send(
        &mut self,
        request: http::Request<RequestBody>,
    ) -> Result<http::Response<Incoming>, SendError> {
        let result = match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        };
        result.map_err(|mut error| SendError {
            unsent: error.take_message(),
            reason: error.into_error().to_string(),
        })
    }
}

impl Pool {
    /// Without connections yet.
    pub fn new(address: Address, protocol: Protocol) -> Self {
        let inner = Mutex::new(Inner {
            idle: Vec::new(),
            shared: None,
            keep: true,
            resolved: None,
        });
        Self {
            address,
            protocol,
            inner,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle connection: for a request that can't be sent twice, one that was used just now.
    pub fn idle(&self, can_resend: bool) -> Option<Sender> {
        let most = if can_resend { IDLE_TIMEOUT } else { FRESH };
        let mut inner = self.inner();
        if let Some(shared) = &inner.shared {
            if !shared.is_closed() {
                return Some(Sender::Http2(shared.clone()));
            }
            inner.shared = None;
        }
        // The one that was used last is the least likely to be closed. Those below it are older.
        while let Some((sender, since)) = inner.idle.pop() {
            if since.elapsed() > IDLE_TIMEOUT {
                inner.idle.clear();
                return None;
            }
            if since.elapsed() > most {
                inner.idle.push((sender, since));
                return None;
            }
            if sender.is_ready() {
                return Some(Sender::Http1(sender));
            }
        }
        None
    }

    /// Takes a connection back whose request has ended.
    pub fn give_back(&self, sender: Sender) {
        let Sender::Http1(sender) = sender else {
            return;
        };
        let mut inner = self.inner();
        if inner.keep && !sender.is_closed() && inner.idle.len() < MAX_IDLE {
            inner.idle.push((sender, Instant::now()));
        }
    }

    /// Whether idle connections are kept; those that there are end if not.
    pub fn keep_idle(&self, keep: bool) {
        let mut inner = self.inner();
        inner.keep = keep;
        if !keep {
            inner.idle.clear();
            inner.shared = None;
        }
    }

    /// Ends all that is idle, for good.
    pub fn close(&self) {
        self.keep_idle(false);
    }

    /// A new connection.
    pub async fn connect(&self) -> io::Result<Sender> {
        let stream = TokioIo::new(self.connect_tcp().await?);
        // The task of a connection ends with its last request, or with the target.
        match self.protocol {
            Protocol::Http1 => {
                let mut builder = http1::Builder::new();
                let handshake = builder
                    .max_buf_size(MAX_HEAD.max(64 * 1024))
                    .handshake(stream);
                let (sender, connection) = handshake.await.map_err(io::Error::other)?;
                tokio::spawn(connection.with_upgrades());
                Ok(Sender::Http1(sender))
            }
            Protocol::H2c => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                let handshake = builder.timer(TokioTimer::new()).handshake(stream);
                let (sender, connection) = handshake.await.map_err(io::Error::other)?;
                tokio::spawn(connection);
                let mut inner = self.inner();
                if inner.keep {
                    inner.shared = Some(sender.clone());
                }
                Ok(Sender::Http2(sender))
            }
        }
    }

    /// A new connection, as it is.
    pub async fn connect_tcp(&self) -> io::Result<TcpStream> {
        match timeout(CONNECT_TIMEOUT, self.connect_now()).await {
            Ok(stream) => stream,
            Err(_) => {
                self.inner().resolved = None;
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    /// True if it takes connections.
    pub async fn probe(&self) -> bool {
        self.connect_tcp().await.is_ok()
    }

    async fn connect_now(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.resolve().await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        // It may have another address by now.
        self.inner().resolved = None;
        Err(last)
    }

    async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        if let Some((addresses, since)) = &self.inner().resolved
            && since.elapsed() < NAME_LIFETIME
        {
            return Ok(addresses.clone());
        }
        let found = tokio::net::lookup_host((self.address.host(), self.address.port())).await?;
        let found: Vec<_> = found.collect();
        self.inner().resolved = Some((found.clone(), Instant::now()));
        Ok(found)
    }
}
