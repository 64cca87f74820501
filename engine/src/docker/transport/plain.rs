//! Connections without anything around them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::net::{TcpStream, UnixStream};

use super::{Dial, Stream};

/// A daemon's socket.
pub struct Unix(pub PathBuf);

impl Dial for Unix {
    fn dial(self: Arc<Self>) -> BoxFuture<'static, io::Result<Stream>> {
        async move { Ok(Stream::new(UnixStream::connect(&self.0).await?)) }.boxed()
    }
}

/// A daemon's port without TLS: host and port.
pub struct Tcp(pub String, pub u16);

impl Dial for Tcp {
    fn dial(self: Arc<Self>) -> BoxFuture<'static, io::Result<Stream>> {
        async move {
            let host = self.0.trim_matches(['[', ']']);
            let stream = TcpStream::connect((host, self.1)).await?;
            stream.set_nodelay(true)?;
            Ok(Stream::new(stream))
        }
        .boxed()
    }
}
