//! A client's connection: which protocol it speaks, and how it ends.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::defaults::{
    FIRST_WORDS, HEAD_TIMEOUT, HELLO_TIMEOUT, IDLE_GRACE, KEEP_ALIVE, KEEP_ALIVE_INTERVAL,
    KEEP_ALIVE_TRIES, MAX_HEAD, MAX_STREAMS, STALL_TIMEOUT,
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
    if stream.set_nodelay(true).is_err() || keep_alive(&stream).is_err() {
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
        (_, Mode::Auto) => match timeout(FIRST_WORDS, first_words(&stream)).await {
            Ok(Ok(First::Http1)) => http1(stream, peer, shared).await,
            // What targets speak is not known, so HTTP/2 is theirs from end to end.
            Ok(Ok(First::Http2 | First::Other)) | Err(_) => {
                tunnel::tcp(stream, peer, &shared).await;
            }
            Ok(Err(_)) => {}
        },
        (None, Mode::Http) => {
            // What a client says first tells which HTTP it speaks.
            match timeout(HELLO_TIMEOUT, first_words(&stream)).await {
                Ok(Ok(First::Http2)) => http2(stream, peer, shared).await,
                Ok(Ok(First::Http1 | First::Other)) => http1(stream, peer, shared).await,
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

/// Has the kernel end a connection whose other end is gone without a word: a tunnel has no other limit.
pub fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEP_ALIVE_TRIES)?;
    Ok(())
}

/// What a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// The name of a method and a blank.
    Http1,
    /// HTTP/2's preface.
    Http2,
    /// Something else.
    Other,
}

impl First {
    /// What these bytes are the beginning of; `None` while that is open.
    fn of(bytes: &[u8]) -> Option<Self> {
        if PREFACE.starts_with(bytes) {
            return None;
        }
        if bytes.starts_with(PREFACE) {
            return Some(Self::Http2);
        }
        let method = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_uppercase() || **byte == b'-')
            .count();
        match bytes.get(method) {
            Some(b' ') if method > 0 => Some(Self::Http1),
            None if method < PREFACE.len() => None,
            _ => Some(Self::Other),
        }
    }
}

/// Looks at the first bytes, without taking them.
async fn first_words(stream: &TcpStream) -> io::Result<First> {
    let mut first = [0; PREFACE.len() + 1];
    let mut seen = 0;
    loop {
        let length = stream.peek(&mut first).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // A preface is known by its own length: a client may wait for an answer to it.
        if first[..length] == *PREFACE {
            return Ok(First::Http2);
        }
        if let Some(first) = First::of(&first[..length]) {
            return Ok(first);
        }
        // Seldom: they came in pieces, and what was seen already is always readable.
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
    // Looked at when there is something new, and not with each piece of a request.
    let mut leave = FuturesUnordered::from_iter([leave]);
    tokio::select! {
        // First what has come, which may be a request: where this process stood still for a while,
        // that and the end of the time are seen at the same moment.
        biased;
        // How a client ends its connection is its own affair.
        _ = connection.as_mut() => return,
        _ = leave.next() => connection.as_mut().graceful_shutdown(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words_tell_what_is_spoken() {
        for (bytes, first) in [
            (&b"GET / HTTP/1.1"[..], Some(First::Http1)),
            (b"M-SEARCH * ", Some(First::Http1)),
            (b"PRI", None),
            (b"PRI * HTTP/1.1\r\n", Some(First::Http1)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nx", Some(First::Http2)),
            (b"GE", None),
            (b" GET", Some(First::Other)),
            (b"get / HTTP/1.1", Some(First::Other)),
            (b"\x16\x03\x01", Some(First::Other)),
            (b"AUTH\r\n", Some(First::Other)),
            (&[b'A'; 25], Some(First::Other)),
        ] {
            assert_eq!(First::of(bytes), first, "{bytes:?}");
        }
    }
}
