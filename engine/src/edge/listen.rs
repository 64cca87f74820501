//! Where clients come in: listeners, and the loops that accept from them.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

use super::EdgeError;
use super::connection::serve;
use super::defaults::{BACKLOG, MAX_CONNECTIONS};
use super::peer::Network;
use super::routes::{Listener, Mode};
use super::tls;
use super::worker::Shared;

/// How a listener is spoken with.
#[derive(Debug)]
pub struct Spoken {
    /// What is spoken.
    pub mode: Mode,
    /// Inside of which TLS.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Whose word is taken.
    pub trust: Vec<Network>,
}

impl Spoken {
    /// Reads its certificates.
    pub fn new(listener: &Listener) -> Result<Arc<Self>, EdgeError> {
        Ok(Arc::new(Self {
            mode: listener.mode,
            tls: tls::config(&listener.certificates)?,
            trust: listener.trust.clone(),
        }))
    }
}

/// An address to listen on: all, or one, and the port.
pub type Place = (Option<IpAddr>, u16);

#[derive(Debug)]
struct Open {
    socket: Arc<TcpListener>,
    spoken: watch::Sender<Arc<Spoken>>,
    stop: CancellationToken,
}

/// The sockets that are listened on.
#[derive(Debug, Default)]
pub struct Listeners {
    open: Mutex<HashMap<Place, Open>>,
}

/// What a change of listeners comes to, once nothing can go wrong any more.
#[derive(Debug)]
pub struct Change {
    all: Vec<(Place, Option<TcpListener>, Arc<Spoken>)>,
}

impl Listeners {
    /// Opens what is missing, and reads certificates. Nothing is accepted from yet.
    pub fn prepare(
        &self,
        wanted: &[Listener],
        mut inherited: HashMap<Place, TcpListener>,
    ) -> Result<Change, EdgeError> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for listener in wanted {
            let place = (listener.address, listener.port);
            let spoken = Spoken::new(listener)?;
            let socket = match (open.contains_key(&place), inherited.remove(&place)) {
                (true, _) => None,
                (false, Some(socket)) => Some(socket),
                (false, None) => Some(bind(place)?),
            };
            all.push((place, socket, spoken));
        }
        Ok(Change { all })
    }

    /// Begins to accept from what is new, and closes what is not wanted any more.
    pub fn put(&self, change: Change, shared: &Arc<Shared>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *open);
        for (place, socket, spoken) in change.all {
            match (before.remove(&place), socket) {
                (Some(known), _) => {
                    known.spoken.send_replace(spoken);
                    open.insert(place, known);
                }
                (None, Some(socket)) => {
                    let socket = Arc::new(socket);
                    let (spoken, follow) = watch::channel(spoken);
                    let stop = shared.accepting.child_token();
                    let accepting = accept(socket.clone(), place.1, follow, shared.clone());
                    let stopped = stop.clone();
                    shared.tasks.spawn(async move {
                        stopped.run_until_cancelled(accepting).await;
                    });
                    open.insert(
                        place,
                        Open {
                            socket,
                            spoken,
                            stop,
                        },
                    );
                }
                (None, None) => {}
            }
        }
        for closed in before.into_values() {
            closed.stop.cancel();
        }
    }

    /// The sockets, to be handed to another process.
    pub fn sockets(&self) -> Vec<(Place, Arc<TcpListener>)> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let each = open
            .iter()
            .map(|(place, open)| (*place, open.socket.clone()));
        each.collect()
    }

    /// Closes all.
    pub fn close(&self) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

fn bind((address, port): Place) -> Result<TcpListener, EdgeError> {
    let on = |address: IpAddr| -> io::Result<TcpListener> {
        let address = SocketAddr::new(address, port);
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A port whose last connections are still remembered by the system is free.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let socket = match address {
        Some(address) => on(address),
        // IPv6 takes IPv4, too, where there is any.
        None => on(Ipv6Addr::UNSPECIFIED.into()).or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
            _ => on(Ipv4Addr::UNSPECIFIED.into()),
        }),
    };
    socket.map_err(|source| EdgeError::Listen { port, source })
}

async fn accept(
    socket: Arc<TcpListener>,
    port: u16,
    spoken: watch::Receiver<Arc<Spoken>>,
    shared: Arc<Shared>,
) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let tasks = shared.tasks.clone();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        match socket.accept().await {
            Ok((stream, address)) => {
                // It is served elsewhere, and one that can't be handed on is broken.
                let (Ok(stream), Some(place)) = (stream.into_std(), shared.lanes.place()) else {
                    continue;
                };
                let spoken = spoken.borrow().clone();
                let shared = shared.clone();
                shared.metrics.accepted.fetch_add(1, Ordering::Relaxed);
                shared.metrics.connections.fetch_add(1, Ordering::Relaxed);
                let lane = place.lane.clone();
                let serving = async move {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        serve(stream, address.ip(), port, spoken, shared.clone()).await;
                    }
                    shared.metrics.connections.fetch_sub(1, Ordering::Relaxed);
                    drop((permit, place));
                };
                tasks.spawn_on(serving, &lane);
            }
            // Of one connection, which ended before it was accepted; or too many files are open,
            // which gets better with time.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// A connection whose other end has to take what is written, sooner or later.
#[derive(Debug)]
pub struct Flowing<S> {
    inner: S,
    limit: Duration,
    /// Set only while nothing can be written.
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> Flowing<S> {
    /// With the time in which something has to be taken.
    pub fn new(inner: S, limit: Duration) -> Self {
        Self {
            inner,
            limit,
            stall: None,
        }
    }

    fn flow<T>(
        &mut self,
        result: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stall = None;
            return result;
        }
        let limit = self.limit;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(limit)));
        match stall.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Flowing<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Flowing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.flow(result, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.flow(result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.flow(result, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.flow(result, cx)
    }
}
