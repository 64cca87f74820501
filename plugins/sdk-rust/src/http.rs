//! Requests to the container in a few words.

use std::borrow::Cow;
use std::time::Duration;

use crate::{HttpRequest, HttpResponse};

impl HttpRequest {
    /// A GET of a path, which starts with `/`, on the first published TCP port.
    ///
    /// ```
    /// # use rengine_plugin::HttpRequest;
    /// # use std::time::Duration;
    /// let request = HttpRequest::get("/ready").on_port(9090).within(Duration::from_secs(1));
    /// assert_eq!(request.timeout_ms, Some(1000));
    /// ```
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
            port: None,
            timeout_ms: None,
        }
    }

    /// A POST of a body.
    pub fn post(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST".to_owned(),
            body: body.into(),
            ..Self::get(path)
        }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends it to another container port.
    #[must_use]
    pub fn on_port(mut self, port: impl Into<Option<u16>>) -> Self {
        self.port = port.into();
        self
    }

    /// Limits the time for the whole exchange, 5 s by default.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.timeout_ms = Some(u32::try_from(time.as_millis()).unwrap_or(u32::MAX));
        self
    }
}

impl HttpResponse {
    /// The body as text, with � for what is not UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The first header field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_have_no_case() {
        let response = HttpResponse {
            status: 200,
            headers: vec![("Content-Type".to_owned(), "text/plain".to_owned())],
            body: b"\xffok".to_vec(),
        };
        assert_eq!(response.header("content-type"), Some("text/plain"));
        assert_eq!(response.header("etag"), None);
        assert_eq!(response.text(), "\u{fffd}ok");
    }

    #[test]
    fn a_timeout_beyond_what_can_be_said_is_the_longest() {
        let request = HttpRequest::get("/").within(Duration::MAX);
        assert_eq!(request.timeout_ms, Some(u32::MAX));
    }
}
