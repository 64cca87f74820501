//! Ways to a daemon that the client library has not, or not with errors that say what is wrong:
//! TLS and ssh.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::BollardRequest;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;

mod plain;
mod ssh;
mod tls;

pub(super) use plain::{Tcp, Unix};
pub use ssh::SshFailure;
pub(super) use ssh::{LOGIN_TIMEOUT, Ssh, host_name};
pub(super) use tls::Tls;
pub use tls::TlsFailure;

/// Connections that are kept for the next request. Each is a process where it goes over ssh.
const IDLE_CONNECTIONS: usize = 4;
/// How long they are kept: less than daemons and the firewalls on the way do.
const IDLE_TIME: Duration = Duration::from_secs(20);
/// What the client puts into URLs; where it connects to is not taken from them.
const URL: &str = "http://daemon";

/// Makes connections to a daemon.
pub(super) trait Dial: Send + Sync + 'static {
    /// A new connection, over which HTTP is spoken.
    fn dial(self: Arc<Self>) -> BoxFuture<'static, io::Result<Stream>>;
}

/// A client whose requests go over connections that `dial` makes.
pub(super) fn client(
    dial: impl Dial,
    timeout: Duration,
) -> Result<bollard::Docker, bollard::errors::Error> {
    let refusal = Refusal::default();
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_TIME)
        .build(Connector(Arc::new(dial), refusal.clone()));
    let transport = move |request: BollardRequest| {
        let refusal = refusal.clone();
        client.request(request).map(move |response| {
            response.map_err(
                |error| match refusal.take().filter(|_| is_canceled(&error)) {
                    Some(err) => bollard::errors::Error::IOError { err },
                    None => error.into(),
                },
            )
        })
    };
    let version = bollard::API_DEFAULT_VERSION;
    bollard::Docker::connect_with_custom_transport(transport, Some(URL), timeout.as_secs(), version)
}

/// What the other side said in TLS when it closed a connection. With TLS 1.3 the handshake has ended
/// for us when a daemon looks at our certificate (RFC 8446, section 4.4.4), so its refusal may come before
/// the first request is sent, and the HTTP client then says of that request only that it was canceled.
#[derive(Clone, Default)]
struct Refusal(Arc<Mutex<Option<rustls::Error>>>);

impl Refusal {
    fn note(&self, error: &io::Error) {
        let error = error.get_ref().and_then(|error| error.downcast_ref());
        if let Some(error) = error {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(rustls::Error::clone(error));
        }
    }

    fn take(&self) -> Option<io::Error> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        noted.map(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// True if a request was not sent, because its connection had ended.
fn is_canceled(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_canceled();
        }
        source = error.source();
    }
    false
}

struct Connector<D>(Arc<D>, Refusal);

impl<D> Clone for Connector<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1.clone())
    }
}

impl<D: Dial> Service<http::Uri> for Connector<D> {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<Stream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let refusal = self.1.clone();
        let connection = self.0.clone().dial();
        connection
            .map(|stream| {
                let mut stream = stream?;
                stream.refusal = refusal;
                Ok(TokioIo::new(stream))
            })
            .boxed()
    }
}

/// A connection of any kind.
pub(super) struct Stream {
    stream: Pin<Box<dyn ReadWrite>>,
    refusal: Refusal,
}

trait ReadWrite: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> ReadWrite for T {}

impl Stream {
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self {
            stream: Box::pin(stream),
            refusal: Refusal::default(),
        }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.stream.as_mut().poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = &read {
            self.refusal.note(error);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }
}
