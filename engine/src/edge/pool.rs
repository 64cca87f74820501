//! Connections to one target.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio::time::timeout;

use super::body::RequestBody;
use super::connection::keep_alive;
use super::defaults::{
    CONNECT_TIMEOUT, FRESH, IDLE_TIMEOUT, MAX_HEAD, MAX_IDLE, NAME_LIFETIME, STALL_TIMEOUT,
};
use super::lanes;
use super::routes::{Address, Protocol};

/// Idle connections to a target, and the way to new ones.
#[derive(Debug)]
pub struct Pool {
    address: Address,
    protocol: Protocol,
    /// False once they are of no use any more.
    keep: AtomicBool,
    /// Those of each lane: a connection's events come to the thread that opened it.
    idle: [Idle; lanes::MOST],
    inner: Mutex<Inner>,
}

/// What all threads have in common.
#[derive(Debug, Default)]
struct Inner {
    /// HTTP/2 needs but one, which all share.
    shared: Option<http2::SendRequest<RequestBody>>,
    resolved: Option<(Vec<SocketAddr>, Instant)>,
}

/// Idle connections, on a line of the processor's cache that no other lane writes to.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Idle(Mutex<Vec<(Http1, Instant)>>);

impl Idle {
    fn lock(&self) -> MutexGuard<'_, Vec<(Http1, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that takes a request.
#[derive(Debug)]
pub enum Sender {
    /// For one request at a time.
    Http1(Http1),
    /// For many.
    Http2(http2::SendRequest<RequestBody>),
}

/// An HTTP/1.1 connection. It goes on only while whoever has it drives it: a task of its own would
/// have to be woken for each piece that comes and goes, and then wake who waits for it.
pub struct Http1 {
    sender: http1::SendRequest<RequestBody>,
    /// `None` if it has ended, or has a task of its own after all.
    driver: Option<Driver>,
}

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1")
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}

impl Http1 {
    /// Does what can be done now.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        let driver = self.driver.as_mut();
        if driver.is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
            self.driver = None;
        }
    }

    /// Does what can be done now, for nobody who waits.
    fn settle(&mut self) {
        self.drive(&mut Context::from_waker(Waker::noop()));
    }

    /// Gives it a task of its own: for what goes on without whoever waits for the answer.
    fn detach(&mut self) {
        if let Some(driver) = self.driver.take() {
            tokio::spawn(driver);
        }
    }

    /// Waits until it can take another request; false if it never will.
    async fn ready(&mut self) -> bool {
        let ready = poll_fn(|cx| {
            self.drive(cx);
            self.sender.poll_ready(cx)
        });
        ready.await.is_ok()
    }
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
            Self::Http1(connection) => {
                let going = request.body().going();
                let answer = connection.sender.try_send_request(request);
                let mut answer = pin!(unconstrained(answer));
                let answer = poll_fn(|cx| {
                    connection.drive(cx);
                    match connection.driver {
                        // Nobody else brings it, so nobody has to wake who is here.
                        Some(_) => answer
                            .as_mut()
                            .poll(&mut Context::from_waker(Waker::noop())),
                        None => answer.as_mut().poll(cx),
                    }
                });
                let answer = answer.await;
                // The rest of what the client sends does not wait for it to take the answer.
                if going.is_going() {
                    connection.detach();
                }
                answer
            }
            Self::Http2(sender) => sender.try_send_request(request).await,
        };
        result.map_err(|mut error| SendError {
            unsent: error.take_message(),
            reason: error.into_error().to_string(),
        })
    }

    /// Lets go of a connection that becomes another one, which then belongs to who waits for that.
    pub fn let_go(self) {
        if let Self::Http1(mut connection) = self {
            connection.detach();
        }
    }

    /// Does what can be done now.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        if let Self::Http1(connection) = self {
            connection.drive(cx);
        }
    }
}

/// True if a connection could not be made since too many files are open here, which says nothing of the other end and
/// gets better with time.
pub fn files_are_short(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let short = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error
        .raw_os_error()
        .is_some_and(|code| short.contains(&code))
}

impl Pool {
    /// Without connections yet.
    pub fn new(address: Address, protocol: Protocol) -> Arc<Self> {
        Arc::new(Self {
            address,
            protocol,
            keep: AtomicBool::new(true),
            idle: Default::default(),
            inner: Mutex::default(),
        })
    }

    /// Those of this thread.
    fn idle_here(&self) -> MutexGuard<'_, Vec<(Http1, Instant)>> {
        self.idle[lanes::here() % lanes::MOST].lock()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle connection: for a request that can't be sent twice, one that was used just now.
    pub fn idle(&self, can_resend: bool) -> Option<Sender> {
        let most = if can_resend { IDLE_TIMEOUT } else { FRESH };
        if self.protocol == Protocol::H2c {
            let mut inner = self.inner();
            inner.shared.take_if(|shared| shared.is_closed());
            return inner.shared.clone().map(Sender::Http2);
        }
        let mut idle = self.idle_here();
        // The one that was used last is the least likely to be closed. Those below it are older.
        while let Some((mut connection, since)) = idle.pop() {
            let age = since.elapsed();
            if age > IDLE_TIMEOUT {
                idle.clear();
                return None;
            }
            if age > most {
                idle.push((connection, since));
                return None;
            }
            // Nobody has looked at it since.
            connection.settle();
            if connection.sender.is_ready() {
                return Some(Sender::Http1(connection));
            }
        }
        None
    }

    /// Takes a connection back whose request has ended, at once or when it has seen the end, too.
    pub fn give_back(self: &Arc<Self>, sender: Sender) {
        let Sender::Http1(mut connection) = sender else {
            return;
        };
        connection.settle();
        if connection.sender.is_ready() {
            self.keep(connection);
        } else if !connection.sender.is_closed() {
            let pool = self.clone();
            // Ends when the connection is free or closed, and is bounded for one that is neither.
            tokio::spawn(async move {
                if let Ok(true) = timeout(STALL_TIMEOUT, connection.ready()).await {
                    pool.keep(connection);
                }
            });
        }
    }

    fn keep(&self, connection: Http1) {
        let now = Instant::now();
        let mut idle = self.idle_here();
        // Looked at under the lock, under which they are ended.
        if !self.keep.load(Ordering::Relaxed) {
            return;
        }
        // There may never be as many again as there were.
        let old = |(_, since): &(_, Instant)| now.duration_since(*since) > IDLE_TIMEOUT;
        if idle.first().is_some_and(old) || idle.len() >= MAX_IDLE {
            idle.remove(0);
        }
        idle.push((connection, now));
    }

    /// Whether idle connections are kept; those that there are end if not.
    pub fn keep_idle(&self, keep: bool) {
        self.keep.store(keep, Ordering::Relaxed);
        if !keep {
            for idle in &self.idle {
                idle.lock().clear();
            }
            self.inner().shared = None;
        }
    }

    /// Ends all that is idle, for good.
    pub fn close(&self) {
        self.keep_idle(false);
    }

    /// A new connection.
    pub async fn connect(&self) -> io::Result<Sender> {
        let stream = TokioIo::new(self.connect_tcp().await?);
        match self.protocol {
            Protocol::Http1 => {
                let mut builder = http1::Builder::new();
                let handshake = builder
                    .max_buf_size(MAX_HEAD.max(64 * 1024))
                    .handshake(stream);
                let (sender, connection) = handshake.await.map_err(io::Error::other)?;
                Ok(Sender::Http1(Http1 {
                    sender,
                    driver: Some(Box::pin(connection.with_upgrades())),
                }))
            }
            Protocol::H2c => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                let handshake = builder.timer(TokioTimer::new()).handshake(stream);
                let (sender, connection) = handshake.await.map_err(io::Error::other)?;
                // It ends with its last request, or with the target.
                tokio::spawn(connection);
                let mut inner = self.inner();
                if self.keep.load(Ordering::Relaxed) {
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
                    keep_alive(&stream)?;
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
