//! The other end of the control socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::Routes;
use super::control::{Drained, Out, Release, SOCKET, State};

/// Why the edge did not do what it was asked.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ControlError {
    /// Nobody answers.
    #[error("the edge at {} can't be reached: {reason}", socket.display())]
    #[diagnostic(help("is it running? `rengine edge serve` is what runs in its container"))]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// Why.
        reason: String,
    },
    /// It said no.
    #[error("the edge refused: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
        /// What to do about it.
        #[help]
        help: Option<String>,
    },
}

/// Talks to an edge on this machine, or in this container.
#[derive(Debug, Clone)]
pub struct ControlClient {
    socket: PathBuf,
}

impl ControlClient {
    /// To the edge with this folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            socket: folder.join(SOCKET),
        }
    }

    /// To what answers at a socket.
    pub(super) fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Which release runs, and in which process.
    pub async fn version(&self) -> Result<Release, ControlError> {
        let request = Request::get("/v1/version").body(Full::default());
        self.parsed(self.send(request).await?)
    }

    /// What the routes are, and how targets are doing.
    pub async fn state(&self) -> Result<State, ControlError> {
        let request = Request::get("/v1/state").body(Full::default());
        self.parsed(self.send(request).await?)
    }

    /// Puts other routes in place of those of this generation, or of any. Gives theirs.
    pub async fn apply(&self, routes: &Routes, replaces: Option<u64>) -> Result<u64, ControlError> {
        let generation = replaces.map_or("*".to_owned(), |generation| format!("\"{generation}\""));
        let json = serde_json::to_vec(routes).unwrap_or_default();
        let request = Request::builder().method(Method::PUT).uri("/v1/routes");
        let request = request
            .header(header::IF_MATCH, generation)
            .body(Full::from(json));
        let answer: serde_json::Value = self.parsed(self.send(request).await?)?;
        answer["generation"]
            .as_u64()
            .ok_or_else(|| self.unreachable("it gave no generation"))
    }

    /// Waits until targets that drain have nothing to do, at most so long.
    pub async fn drain(
        &self,
        service: Option<&str>,
        limit: Duration,
    ) -> Result<Drained, ControlError> {
        let limit = humantime::format_duration(limit)
            .to_string()
            .replace(' ', "");
        let service = service
            .map(|service| format!("&service={service}"))
            .unwrap_or_default();
        let request =
            Request::post(format!("/v1/drain?timeout={limit}{service}")).body(Full::default());
        self.parsed(self.send(request).await?)
    }

    /// Takes targets out for so long, by the names of their hosts, and puts all others back. They
    /// get something new only if nobody else can.
    pub async fn take_out(&self, hosts: &[String], time: Duration) -> Result<Out, ControlError> {
        let json = serde_json::to_vec(hosts).unwrap_or_default();
        let uri = format!("/v1/out?time={}ms", time.as_millis());
        let request = Request::put(uri).body(Full::from(json));
        self.parsed(self.send(request).await?)
    }

    /// The text for Prometheus.
    pub async fn metrics(&self) -> Result<String, ControlError> {
        let text = self
            .send(Request::get("/metrics").body(Full::default()))
            .await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn unreachable(&self, reason: impl ToString) -> ControlError {
        ControlError::Unreachable {
            socket: self.socket.clone(),
            reason: reason.to_string(),
        }
    }

    fn parsed<T: DeserializeOwned>(&self, json: Bytes) -> Result<T, ControlError> {
        serde_json::from_slice(&json).map_err(|error| self.unreachable(error))
    }

    async fn send(
        &self,
        request: http::Result<Request<Full<Bytes>>>,
    ) -> Result<Bytes, ControlError> {
        let mut request = request.map_err(|error| self.unreachable(error))?;
        let host = header::HeaderValue::from_static("edge");
        request.headers_mut().insert(header::HOST, host);
        let stream = UnixStream::connect(&self.socket).await;
        let stream = TokioIo::new(stream.map_err(|error| self.unreachable(error))?);
        let (mut sender, connection) = http1::handshake(stream)
            .await
            .map_err(|error| self.unreachable(error))?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let (head, body) = answer.into_parts();
            Ok::<_, hyper::Error>((head.status, body.collect().await?.to_bytes()))
        };
        // The connection is driven beside the exchange, and ends with it.
        let driven = async {
            let _ = connection.await;
            std::future::pending::<()>().await;
        };
        let (status, body) = tokio::select! {
            answer = exchange => answer.map_err(|error| self.unreachable(error))?,
            () = driven => return Err(self.unreachable("it ended the connection")),
        };
        match status {
            StatusCode::OK => Ok(body),
            status => {
                let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
                let text = |key: &str| answer[key].as_str().map(str::to_owned);
                Err(ControlError::Refused {
                    status: status.as_u16(),
                    message: text("error").unwrap_or_else(|| status.to_string()),
                    help: text("help"),
                })
            }
        }
    }
}
