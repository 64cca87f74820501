//! A client's connection: which protocol it speaks, and how it ends.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::defaults::{
    HEAD_TIMEOUT, HELLO_TIMEOUT, IDLE_GRACE, MAX_HEAD, MAX_STREAMS, STALL_TIMEOUT,
};
use super::headers::Client;
use super::listen::Spoken;
use super::routes::Mode;
use super::worker::Shared;
use super::{proxy, tunnel};

/// What HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Who is at the other end, and where they came in.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    address: IpAddr,
    trusted: bool,
    tls: bool,
    /// The port on which they came.
    pub port: u16,
}

impl Peer {
    /// For the headers.
    pub fn client(self) -> Client {
        Client {
            address: self.address,
            trusted: self.trusted,
            tls: self.tls,
        }
    }
}

/// Serves a connection until it ends.
pub async fn serve(
    stream: TcpStream,
    address: IpAddr,
    port: u16,
    spoken: Arc<Spoken>,
    shared: Arc<Shared>,
) {
    // A connection that broke before it could be set up ends by itself.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let address = address.to_canonical();
    let peer = Peer {
        address,
        trusted: spoken.trust.iter().any(|network| network.contains(address)),
        tls: spoken.tls.is_some(),
        port,
    };
    match (&spoken.tls, spoken.mode) {
        (_, Mode::Tcp) => tunnel::tcp(stream, peer, &shared).await,
        (None, Mode::Http) => {
            // What a client says first tells which HTTP it speaks.
            match timeout(HELLO_TIMEOUT, speaks_http2(&stream)).await {
                Ok(Ok(true)) => http2(stream, peer, shared).await,
                Ok(Ok(false)) => http1(stream, peer, shared).await,
                Ok(Err(_)) | Err(_) => {}
            }
        }
        (Some(tls), Mode::Http) => {
            let acceptor = tokio_rustls::TlsAcceptor::from(tls.clone());
            let Ok(Ok(stream)) = timeout(HELLO_TIMEOUT, acceptor.accept(stream)).await else {
                return;
            };
            match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => http2(stream, peer, shared).await,
                _ => http1(stream, peer, shared).await,
            }
        }
    }
}

/// Looks at the first bytes, without taking them.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    let mut seen = 0;
    loop {
        let length = stream.peek(&mut first).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first[..length] != PREFACE[..length] {
            return Ok(false);
        }
        if length == PREFACE.len() {
            return Ok(true);
        }
        // Seldom: the preface came in pieces, and what was seen already is always readable.
        if length == seen {
            sleep(std::time::Duration::from_millis(5)).await;
        }
        seen = length;
    }
}

async fn http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    shared: Arc<Shared>,
) {
    let stream = TokioIo::new(super::listen::Flowing::new(stream, STALL_TIMEOUT));
    let service = service_fn(|request| proxy::answer(request, peer, shared.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(MAX_HEAD)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let leave = async {
        shared.leaving.cancelled().await;
        // Clients that are busy are told with their next answer.
        sleep(IDLE_GRACE).await;
    };
    tokio::select! {
        // How a client ends its connection is its own affair.
        _ = connection.as_mut() => return,
        () = leave => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    shared: Arc<Shared>,
) {
    let stream = TokioIo::new(super::listen::Flowing::new(stream, STALL_TIMEOUT));
    let service = service_fn(|request| proxy::answer(request, peer, shared.clone()));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(HELLO_TIMEOUT)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = shared.leaving.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
