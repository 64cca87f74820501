//! One exchange: looked at, connected, sent, and its answer read.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{HeaderMap, HeaderValue, USER_AGENT};
use ::http::uri::{self, PathAndQuery, Uri};
use ::http::{Method, Request};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::answer;
use super::body::{Meter, RequestBody, ResponseBody};
use super::network::Network;
use super::{Driver, Sent};
use crate::grants::{Host, Origin, Scheme};
use crate::plugin::Settings;
use crate::plugin::limits::{HTTP_CONNECT_TIMEOUT, HTTP_READ_TIMEOUT, MAX_HTTP_HEAD_BYTES};

/// A request on its way.
pub struct Exchange {
    pub network: Arc<Network>,
    pub settings: Arc<Settings>,
    pub meter: Meter,
    /// `None` if too many go on already.
    pub permit: Option<OwnedSemaphorePermit>,
    pub options: RequestOptions,
}

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The code that carries a text, which is what a person needs to see.
fn told(why: impl ToString) -> Error {
    Error::InternalError(Some(why.to_string()))
}

impl Exchange {
    pub async fn send(mut self, request: Request<WasiBody>) -> Result<Sent, Error> {
        let origin = origin(request.uri())?;
        self.settings.grants.http().allows(&origin).map_err(told)?;
        // The one asks for a tunnel, the other for the request's own secrets back.
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let permit = self.permit.take().ok_or(Error::ConnectionLimitReached)?;
        let head = fields(request.headers()) + request.uri().to_string().len();
        if !self.meter.count(head) {
            return Err(Error::HttpRequestBodySize(self.meter.limit()));
        }
        if let Some(answers) = self.network.answers.clone() {
            return answer::without_network(&*answers, request, self.meter).await;
        }
        let request = on_the_wire(request, &self.meter)?;

        let limit = at_most(self.options.connect_timeout, HTTP_CONNECT_TIMEOUT);
        let stream = timeout(limit, self.connect(&origin))
            .await
            .unwrap_or(Err(Error::ConnectionTimeout))?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HTTP_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await?;
        // Ends with its handle, whatever becomes of the exchange.
        let connection = wasmtime_wasi::runtime::spawn(connection);
        let limit = at_most(self.options.first_byte_timeout, HTTP_READ_TIMEOUT);
        let response = timeout(limit, sender.send_request(request))
            .await
            .map_err(|_| Error::ConnectionReadTimeout)??;
        if !self.meter.count(fields(response.headers())) {
            return Err(Error::HttpResponseBodySize(self.meter.limit()));
        }
        let pause = at_most(self.options.between_bytes_timeout, HTTP_READ_TIMEOUT);
        let response = response
            .map(|body| ResponseBody::new(body, self.meter.clone(), pause, permit).boxed_unsync());
        let driver: Driver = Box::new(async { Ok(connection.await?) });
        Ok((response, driver))
    }

    async fn connect(&self, origin: &Origin) -> Result<Box<dyn Stream>, Error> {
        let addresses = self.addresses(origin).await?;
        let mut last = Error::DestinationNotFound;
        for address in addresses {
            match TcpStream::connect(SocketAddr::new(address, origin.port)).await {
                Ok(stream) => {
                    return match origin.scheme {
                        Scheme::Http => Ok(Box::new(stream)),
                        Scheme::Https => self.encrypt(&origin.host, stream).await,
                    };
                }
                Err(error) => {
                    last = match error.kind() {
                        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
                        _ => Error::DestinationUnavailable,
                    }
                }
            }
        }
        Err(last)
    }

    /// The host's addresses that may be connected to. They are what is connected to: a name that
    /// is resolved a second time may have another answer.
    async fn addresses(&self, origin: &Origin) -> Result<Vec<IpAddr>, Error> {
        let addresses = match &origin.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let found = self.network.resolver.resolve(name).await;
                found.map_err(|error| Error::DnsError {
                    rcode: Some(error.to_string()),
                    info_code: None,
                })?
            }
        };
        let grants = self.settings.grants.http();
        let mut denied = None;
        let mut allowed = Vec::new();
        for address in addresses {
            match grants.allows_address(origin, address) {
                Ok(()) => allowed.push(address),
                Err(why) => denied = Some(why),
            }
        }
        match denied {
            Some(denied) if allowed.is_empty() => Err(told(denied)),
            _ => Ok(allowed),
        }
    }

    async fn encrypt(&self, host: &Host, stream: TcpStream) -> Result<Box<dyn Stream>, Error> {
        let name = match host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(told)?,
            Host::Address(address) => ServerName::IpAddress((*address).into()),
        };
        let tls = self.network.tls().await.map_err(told)?;
        match tls.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(tls_error(&error)),
        }
    }
}

fn tls_error(error: &io::Error) -> Error {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        _ => Error::TlsProtocolError,
    }
}

fn origin(uri: &Uri) -> Result<Origin, Error> {
    let scheme = match uri.scheme() {
        Some(scheme) if *scheme == uri::Scheme::HTTP => Scheme::Http,
        Some(scheme) if *scheme == uri::Scheme::HTTPS => Scheme::Https,
        _ => return Err(Error::HttpProtocolError),
    };
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    let port = authority.port_u16();
    // A user, or a port that is none, would go into the `Host` field as it stands.
    if authority.as_str().contains('@')
        || (port.is_none() && authority.as_str() != authority.host())
    {
        return Err(Error::HttpRequestUriInvalid);
    }
    Origin::new(scheme, authority.host(), port).map_err(told)
}

/// The request as an origin server gets it: with its path alone, and with who sends it.
fn on_the_wire(
    request: Request<WasiBody>,
    meter: &Meter,
) -> Result<Request<RequestBody<WasiBody>>, Error> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    head.uri = match path {
        path if path.starts_with('?') => format!("/{path}").parse(),
        path => path.parse(),
    }
    .map_err(|_| Error::HttpRequestUriInvalid)?;
    head.headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(concat!(
            "rengine/",
            env!("CARGO_PKG_VERSION")
        )));
    let meter = meter.clone();
    Ok(Request::from_parts(head, RequestBody { body, meter }))
}

fn at_most(wanted: Option<Duration>, limit: Duration) -> Duration {
    wanted.map_or(limit, |wanted| wanted.min(limit))
}

/// The bytes of header fields, as they are written.
pub fn fields(fields: &HeaderMap) -> usize {
    let bytes = fields
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    bytes.sum()
}
