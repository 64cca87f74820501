//! Requests that the client library can't make, each over a connection of its own.

use std::fmt::Write;
use std::io;

use bollard::errors::Error as ClientError;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::transport::Stream;
use super::{Docker, DockerError};

/// What a request sends.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The longest answer of a daemon that is read as an error's text.
const MAX_MESSAGE: usize = 64 * 1024;
/// The longest line of an answer in lines.
const MAX_LINE: usize = 64 * 1024 * 1024;

/// An answer, and its connection, which ends when this is dropped.
pub struct Answer {
    response: Response<Incoming>,
    connection: Connection,
}

/// What drives a connection.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Docker {
    /// Makes a request, and waits for the head of its answer.
    pub(super) async fn request(
        &self,
        action: &str,
        request: Request<Body>,
    ) -> Result<Answer, DockerError> {
        let failed = |error: io::Error| self.error(action, ClientError::IOError { err: error });
        let stream = self.endpoint().dialer()?.dial().await.map_err(failed)?;
        let hyper = |error: hyper::Error| self.error(action, ClientError::from(error));
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(hyper)?;
        let connection = tokio::spawn(async move {
            // Whoever waits for the answer is told of errors too.
            drop(connection.with_upgrades().await);
        });
        let connection = Connection(connection);
        let response = sender.send_request(request).await.map_err(hyper)?;
        let status = response.status();
        let answer = Answer {
            response,
            connection,
        };
        match status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            true => Ok(answer),
            false => {
                let error = ClientError::DockerResponseServerError {
                    status_code: status.as_u16(),
                    message: match answer.message().await {
                        message if message.trim().is_empty() => {
                            format!("it answers {status} and does not say why")
                        }
                        message => message,
                    },
                };
                Err(self.error(action, error))
            }
        }
    }
}

/// The head of a request to the daemon.
pub fn post(path_and_query: &str) -> http::request::Builder {
    Request::post(path_and_query).header(header::HOST, "daemon")
}

/// As the query of a URL has it.
pub fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                into.push(byte.into());
            }
            // Writing to a text does not fail.
            _ => drop(write!(into, "%{byte:02X}")),
        }
    }
}

/// The same for what is only read.
pub fn get(path_and_query: &str) -> http::request::Builder {
    Request::get(path_and_query).header(header::HOST, "daemon")
}

/// No body.
pub fn nothing() -> Body {
    http_body_util::Empty::new()
        .map_err(|never| match never {})
        .boxed_unsync()
}

impl Answer {
    /// The daemon's words for what went wrong.
    async fn message(self) -> String {
        let body = http_body_util::Limited::new(self.response.into_body(), MAX_MESSAGE);
        let bytes = match body.collect().await {
            Ok(bytes) => bytes.to_bytes(),
            Err(_) => return "its answer can't be read".to_owned(),
        };
        let json = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
        let message = json.as_ref().and_then(|json| json.get("message")?.as_str());
        match message {
            Some(message) => message.to_owned(),
            None => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// The connection once it speaks another protocol.
    pub async fn upgraded(self) -> Result<Stream, hyper::Error> {
        let upgraded = hyper::upgrade::on(self.response).await?;
        Ok(Stream::new(TokioIo::new(upgraded)))
    }

    /// The answer as JSON values, one a line.
    pub fn lines<T: DeserializeOwned + Send + 'static>(
        self,
    ) -> BoxStream<'static, Result<T, ClientError>> {
        let reader = Lines {
            body: self.response.into_body(),
            _connection: self.connection,
            rest: Vec::new(),
            ended: false,
        };
        let next = async |mut reader: Lines| {
            let item = reader.next().await?;
            Some((item, reader))
        };
        stream::unfold(reader, next).boxed()
    }
}

struct Lines {
    body: Incoming,
    _connection: Connection,
    rest: Vec<u8>,
    ended: bool,
}

impl Lines {
    async fn next<T: DeserializeOwned>(&mut self) -> Option<Result<T, ClientError>> {
        // What was looked at already has no end of a line.
        let mut looked_at = 0;
        loop {
            let end = self.rest[looked_at..]
                .iter()
                .position(|&byte| byte == b'\n');
            if let Some(end) = end {
                let line: Vec<u8> = self.rest.drain(..=looked_at + end).collect();
                looked_at = 0;
                match line.trim_ascii() {
                    [] => continue,
                    line => return Some(parse(line)),
                }
            }
            looked_at = self.rest.len();
            if self.ended || looked_at > MAX_LINE {
                let line = std::mem::take(&mut self.rest);
                self.ended = true;
                return match line.trim_ascii() {
                    [] => None,
                    line => Some(parse(line)),
                };
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.rest.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => {
                    self.ended = true;
                    self.rest.clear();
                    return Some(Err(ClientError::from(error)));
                }
                None => self.ended = true,
            }
        }
    }
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(line).map_err(|error| ClientError::IOError {
        err: io::Error::new(io::ErrorKind::InvalidData, error),
    })
}
