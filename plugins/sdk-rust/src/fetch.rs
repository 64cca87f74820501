//! HTTP requests to other hosts. Needs the grant `http`, which names them.
//!
//! ```no_run
//! # use rengine_plugin::{Result, ensure, fetch::Request, secrets};
//! # fn hook() -> Result {
//! let answer = Request::post("https://hooks.example.com/deploys", r#"{"text":"done"}"#)
//!     .header("content-type", "application/json")
//!     .header("authorization", format!("Bearer {}", secrets::get("WEBHOOK_TOKEN")?))
//!     .send()?;
//! ensure!(answer.status < 300, "the webhook answered {}", answer.status);
//! # Ok(())
//! # }
//! ```
//!
//! Redirects are not followed: their target would have to be granted, too.

use std::time::Duration;

use crate::HttpResponse;
use crate::bindings::granted::wasi::http::outgoing_handler;
use crate::bindings::granted::wasi::http::types::{
    ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};
use crate::bindings::granted::wasi::io::streams::StreamError;

pub use crate::error::Error;

/// A request that is being put together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it is not sent yet"]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Option<Duration>,
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self(match code {
            // rengine's own words, as of the grant that is missing.
            ErrorCode::InternalError(Some(why)) => why,
            other => format!("{other:?}"),
        })
    }
}

impl Request {
    /// A request with another method than the two below.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
        }
    }

    /// A GET of a URL, which starts with `https://` or `http://`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST of a body.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::new("POST", url)
        }
    }

    /// Adds a header field.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Limits the time to connect, until the answer begins, and between its parts; rengine's own
    /// limits are 10 s and 30 s.
    pub fn within(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Sends it, and reads the whole answer. An answer with any status is one.
    ///
    /// # Errors
    ///
    /// If the host is not granted, can't be reached, or does not answer in time.
    pub fn send(self) -> Result<HttpResponse, Error> {
        let response = self.exchange().map_err(|Error(why)| {
            let (method, url) = (&self.method, self.url.split('?').next().unwrap_or_default());
            Error(format!("{method} {url}: {why}"))
        })?;
        Ok(response)
    }

    fn exchange(&self) -> Result<HttpResponse, Error> {
        let request = self.head()?;
        let options = RequestOptions::new();
        if let Some(time) = self.timeout {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            // A limit that the host does not know is not there: its own holds.
            let _ = options.set_connect_timeout(Some(nanos));
            let _ = options.set_first_byte_timeout(Some(nanos));
            let _ = options.set_between_bytes_timeout(Some(nanos));
        }
        let body = (!self.body.is_empty()).then(|| request.body());
        let body = body.transpose().map_err(|()| error("it has two bodies"))?;
        let coming = outgoing_handler::handle(request, Some(options))?;
        if let Some(body) = body {
            // An answer may come before all is sent, and say why.
            let _ = write(body, &self.body);
        }
        coming.subscribe().block();
        match coming.get() {
            Some(Ok(response)) => read(response?),
            Some(Err(())) | None => Err(error("the answer was lost")),
        }
    }

    fn head(&self) -> Result<OutgoingRequest, Error> {
        let (scheme, authority, path) = parts(&self.url)?;
        let fields = Fields::new();
        for (name, value) in &self.headers {
            fields.append(name, value.as_bytes()).map_err(|why| {
                error(format!("the header field `{name}` can't be sent: {why:?}"))
            })?;
        }
        if !self.body.is_empty() && !fields.has("content-length") {
            let length = self.body.len().to_string();
            fields
                .append("content-length", length.as_bytes())
                .map_err(|why| error(format!("{why:?}")))?;
        }
        let request = OutgoingRequest::new(fields);
        let method = match self.method.as_str() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "PATCH" => Method::Patch,
            other => Method::Other(other.to_owned()),
        };
        request
            .set_method(&method)
            .map_err(|()| error(format!("`{}` is no method", self.method)))?;
        let bad = |()| error("it is no URL");
        request.set_scheme(Some(&scheme)).map_err(bad)?;
        request.set_authority(Some(authority)).map_err(bad)?;
        request.set_path_with_query(Some(&path)).map_err(bad)?;
        Ok(request)
    }
}

fn error(why: impl Into<String>) -> Error {
    Error(why.into())
}

/// Scheme, authority, and path with query.
fn parts(url: &str) -> Result<(Scheme, &str, String), Error> {
    let (scheme, rest) = if let Some(rest) = url.strip_prefix("https://") {
        (Scheme::Https, rest)
    } else if let Some(rest) = url.strip_prefix("http://") {
        (Scheme::Http, rest)
    } else {
        return Err(error("a URL starts with https:// or http://"));
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    Ok((scheme, authority, path))
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), Error> {
    /// What a stream takes at a time.
    const CHUNK: usize = 4096;
    {
        let lost = |_: StreamError| error("the connection broke off");
        let stream = body
            .write()
            .map_err(|()| error("its body was sent already"))?;
        for chunk in bytes.chunks(CHUNK) {
            stream.blocking_write_and_flush(chunk).map_err(lost)?;
        }
    }
    Ok(OutgoingBody::finish(body, None)?)
}

fn read(response: IncomingResponse) -> Result<HttpResponse, Error> {
    /// What is read at a time.
    const CHUNK: u64 = 64 << 10;
    let headers = response.headers().entries();
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()));
    let mut answer = HttpResponse {
        status: response.status(),
        headers: headers.collect(),
        body: Vec::new(),
    };
    let twice = |()| error("its answer was read already");
    let body = response.consume().map_err(twice)?;
    let stream = body.stream().map_err(twice)?;
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(bytes) => answer.body.extend(bytes),
            Err(StreamError::Closed) => return Ok(answer),
            Err(StreamError::LastOperationFailed(why)) => {
                let code = crate::bindings::granted::wasi::http::types::http_error_code(&why);
                return Err(code.map_or_else(|| error(why.to_debug_string()), Error::from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_three_parts() {
        let split = |url| {
            let (scheme, authority, path) = parts(url).expect(url);
            (matches!(scheme, Scheme::Https), authority.to_owned(), path)
        };
        for (url, tls, authority, path) in [
            ("https://a.example", true, "a.example", "/"),
            ("http://a.example:80/x?y#z", false, "a.example:80", "/x?y"),
            ("https://a.example?x=/y", true, "a.example", "/?x=/y"),
            ("https://[::1]:9/", true, "[::1]:9", "/"),
        ] {
            assert_eq!(split(url), (tls, authority.to_owned(), path.to_owned()));
        }
        assert!(parts("ftp://a.example").is_err());
        assert!(parts("a.example").is_err());
    }
}
