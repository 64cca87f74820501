//! Ways to a daemon that the client library has not, or not with errors that say what is wrong:
//! TLS and ssh.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
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
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_TIME)
        .build(Connector(Arc::new(dial)));
    let transport = move |request: BollardRequest| {
        client
            .request(request)
            .map(|response| response.map_err(bollard::errors::Error::from))
    };
    let version = bollard::API_DEFAULT_VERSION;
    bollard::Docker::connect_with_custom_transport(transport, Some(URL), timeout.as_secs(), version)
}

struct Connector<D>(Arc<D>);

impl<D> Clone for Connector<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
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
        let connection = self.0.clone().dial();
        connection.map(|stream| stream.map(TokioIo::new)).boxed()
    }
}

/// A connection of any kind.
pub(super) struct Stream(Pin<Box<dyn ReadWrite>>);

trait ReadWrite: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> ReadWrite for T {}

impl Stream {
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self(Box::pin(stream))
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
        self.0.as_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }
}
