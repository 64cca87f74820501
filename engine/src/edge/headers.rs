//! What becomes of headers on their way: pure functions of a head.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri, Version, request, uri};

/// Headers of one connection, which are not for the next (RFC 9110, section 7.6.1), and those that
/// were never meant for a server behind a proxy.
static HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];
/// Headers that tell who asked, which only a proxy may set.
static FORWARDED: [HeaderName; 5] = [
    FORWARDED_FOR,
    FORWARDED_PROTO,
    FORWARDED_HOST,
    FORWARDED_PORT,
    header::FORWARDED,
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// A request's name, by which it is found in logs.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest name of a request that is taken from somebody else.
const MAX_REQUEST_ID: usize = 128;

/// Why a request is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit {
    /// What it is answered.
    pub status: StatusCode,
    /// Why, for the client.
    pub reason: &'static str,
}

const fn unfit(status: StatusCode, reason: &'static str) -> Unfit {
    Unfit { status, reason }
}

/// Whether a request can be passed on without two servers reading it differently.
pub fn check(head: &request::Parts) -> Result<(), Unfit> {
    let headers = &head.headers;
    if head.method == Method::CONNECT {
        return Err(unfit(
            StatusCode::METHOD_NOT_ALLOWED,
            "CONNECT is not for this server",
        ));
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(unfit(StatusCode::BAD_REQUEST, "two Host headers"));
    }
    if head.version == Version::HTTP_11 && host.is_none() {
        return Err(unfit(StatusCode::BAD_REQUEST, "no Host header"));
    }
    let text = |host: &HeaderValue| {
        let text = host.to_str().ok()?;
        (text.is_empty()
            || text
                .parse::<uri::Authority>()
                .is_ok_and(|host| !host.as_str().contains('@')))
        .then_some(())
    };
    if host.is_some_and(|host| text(host).is_none()) {
        return Err(unfit(StatusCode::BAD_REQUEST, "the Host header is no host"));
    }
    // It counts more than the header.
    let authority = head.uri.authority();
    if authority.is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(unfit(
            StatusCode::BAD_REQUEST,
            "the request's target has a user",
        ));
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(unfit(
                StatusCode::NOT_IMPLEMENTED,
                "a transfer coding other than chunked",
            ));
        }
        // Whoever sends both hopes that two servers choose differently.
        if headers.contains_key(header::CONTENT_LENGTH) {
            return Err(unfit(
                StatusCode::BAD_REQUEST,
                "both Content-Length and Transfer-Encoding",
            ));
        }
    }
    Ok(())
}

/// Who asked, and how.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Their address.
    pub address: IpAddr,
    /// True if they are believed who they say asked them.
    pub trusted: bool,
    /// True if they speak TLS.
    pub tls: bool,
}

/// What a request asks the connection to become, such as `websocket`.
pub fn upgrade(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let asked = version == Version::HTTP_11
        && nominated(headers).any(|name| name.eq_ignore_ascii_case("upgrade"));
    let wanted = headers.get(header::UPGRADE).filter(|_| asked)?;
    // A connection to a target is HTTP/1.1 and stays it.
    (!wanted.as_bytes().eq_ignore_ascii_case(b"h2c")).then(|| wanted.clone())
}

/// The names in `Connection` headers.
fn nominated(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',').map(str::trim))
}

/// Takes out what is for one connection alone.
pub fn strip(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let names: Vec<HeaderName> = nominated(headers)
            .filter(|name| !["keep-alive", "close"].contains(name)) // No headers, or taken out anyway.
            .filter_map(|name| name.parse().ok())
            // What says where a message ends, and to whom it goes, is nobody's to take out.
            .filter(|name| ![header::HOST, header::CONTENT_LENGTH].contains(name))
            .collect();
        for name in names {
            headers.remove(name);
        }
    }
    remove_all(headers, &HOP_BY_HOP);
}

/// Takes out those that are the same to servers that know no difference between `-` and `_`, as CGI and what came
/// of it.
fn remove_alike(headers: &mut HeaderMap, names: &[HeaderName]) {
    // Nearly no request has one.
    if !headers.keys().any(|name| name.as_str().contains('_')) {
        return;
    }
    let alike = |name: &&HeaderName| {
        name.as_str().contains('_')
            && names
                .iter()
                .any(|own| own.as_str() == name.as_str().replace('_', "-"))
    };
    let found: Vec<HeaderName> = headers.keys().filter(alike).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// Takes out those that are there: to look through the few headers is faster than to look each name up.
fn remove_all(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        if headers.keys().any(|there| there == name) {
            headers.remove(name);
        }
    }
}

/// Makes of a client's head the one that a target gets.
pub fn to_target(
    head: &mut request::Parts,
    client: Client,
    upgrade: Option<&HeaderValue>,
    id: &HeaderValue,
) {
    let trailers = head
        .headers
        .get(header::TE)
        .is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    let authority = head
        .uri
        .authority()
        .map(|authority| authority.as_str().to_owned());
    let headers = &mut head.headers;
    strip(headers);
    // The edge has said `100 Continue` by the time that a body comes.
    headers.remove(header::EXPECT);
    headers.remove("proxy");
    headers.remove(header::PROXY_AUTHORIZATION);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if let Some(upgrade) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, upgrade.clone());
    }
    // HTTP/2 says the host in the target, and so may HTTP/1.1, where it counts more than the header.
    if let Some(host) = authority.and_then(|host| HeaderValue::try_from(host).ok()) {
        headers.insert(header::HOST, host);
    }
    join_cookies(headers);
    forwarded(headers, client);
    // HTTP/1.0 need not say one, HTTP/1.1 has to (RFC 9112, section 3.2).
    if !headers.contains_key(header::HOST) {
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    }
    headers.insert(REQUEST_ID, id.clone());
    let path = head.uri.path_and_query().cloned();
    head.uri = path.map_or_else(Uri::default, Uri::from);
    head.version = Version::HTTP_11;
}

/// HTTP/2 may send cookies one by one, HTTP/1.1 may not (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let all: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

fn forwarded(headers: &mut HeaderMap, client: Client) {
    let mut chain = String::new();
    if client.trusted {
        for value in headers.get_all(FORWARDED_FOR) {
            if let Ok(text) = value.to_str() {
                chain.push_str(text);
                chain.push_str(", ");
            }
        }
    } else {
        remove_all(headers, &FORWARDED);
        remove_alike(headers, &FORWARDED);
    }
    chain.push_str(&client.address.to_canonical().to_string());
    if let Ok(value) = HeaderValue::try_from(chain) {
        headers.insert(FORWARDED_FOR, value);
    }
    let scheme = if client.tls { "https" } else { "http" };
    let proto = headers.entry(FORWARDED_PROTO);
    proto.or_insert(HeaderValue::from_static(scheme));
    let Some(host) = headers.get(header::HOST).cloned() else {
        return;
    };
    headers
        .entry(FORWARDED_PORT)
        .or_insert_with(|| asked_port(&host, client.tls));
    headers.entry(FORWARDED_HOST).or_insert(host);
}

/// The port that a client asked: the one in the host that it names, or else the one that stands for how it spoke.
fn asked_port(host: &HeaderValue, tls: bool) -> HeaderValue {
    let named = host.to_str().ok();
    let named = named.and_then(|host| host.parse::<uri::Authority>().ok());
    match named.and_then(|host| host.port_u16()) {
        Some(port) => HeaderValue::from(port),
        None if tls => HeaderValue::from_static("443"),
        None => HeaderValue::from_static("80"),
    }
}

/// The name that a trusted client gave its request, if it looks like one.
pub fn given_id(headers: &HeaderMap, client: Client) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID).filter(|_| client.trusted)?;
    let fine = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/".contains(byte);
    let bytes = id.as_bytes();
    (!bytes.is_empty() && bytes.len() <= MAX_REQUEST_ID && bytes.iter().all(fine))
        .then(|| id.clone())
}

/// True if a request may be sent twice: it changes nothing, or not more if done again.
pub fn is_idempotent(method: &Method) -> bool {
    method.is_idempotent()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[(&'static str, &'static str)]) -> request::Parts {
        let mut request = http::Request::get("/a?b").version(Version::HTTP_11);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    const STRANGER: Client = Client {
        address: IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)),
        trusted: false,
        tls: false,
    };

    fn sent(lines: &[(&'static str, &'static str)], client: Client) -> String {
        let mut head = head(lines);
        let upgrade = upgrade(&head.headers, head.version);
        to_target(
            &mut head,
            client,
            upgrade.as_ref(),
            &HeaderValue::from_static("id"),
        );
        let mut lines: Vec<_> = head
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect();
        lines.sort();
        lines.join("\n")
    }

    #[test]
    fn a_stranger_is_not_believed_who_sent_them() {
        let lines = [
            ("host", "shop.example"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "admin"),
            ("x-forwarded-port", "1"),
            ("x_forwarded_for", "127.0.0.1"),
            ("x_other", "1"),
            ("forwarded", "for=127.0.0.1"),
            ("x-request-id", "mine"),
        ];
        insta::assert_snapshot!(sent(&lines, STRANGER), @r"
        host: shop.example
        x-forwarded-for: 203.0.113.9
        x-forwarded-host: shop.example
        x-forwarded-port: 80
        x-forwarded-proto: http
        x-request-id: id
        x_other: 1
        ");
        let proxy = Client {
            trusted: true,
            ..STRANGER
        };
        insta::assert_snapshot!(sent(&lines, proxy), @r"
        forwarded: for=127.0.0.1
        host: shop.example
        x-forwarded-for: 127.0.0.1, 203.0.113.9
        x-forwarded-host: admin
        x-forwarded-port: 1
        x-forwarded-proto: https
        x-request-id: id
        x_forwarded_for: 127.0.0.1
        x_other: 1
        ");
        assert_eq!(given_id(&head(&lines).headers, STRANGER), None);
        assert_eq!(
            given_id(&head(&lines).headers, proxy),
            Some(HeaderValue::from_static("mine"))
        );
        let odd = head(&[("x-request-id", "a b")]);
        assert_eq!(given_id(&odd.headers, proxy), None);
    }

    #[test]
    fn the_port_is_the_one_that_was_asked() {
        let tls = Client {
            tls: true,
            ..STRANGER
        };
        for (host, client, port) in [
            ("shop.example", STRANGER, "80"),
            ("shop.example", tls, "443"),
            ("shop.example:8443", tls, "8443"),
            ("[::1]:8080", STRANGER, "8080"),
        ] {
            let sent = sent(&[("host", host)], client);
            let line = format!("x-forwarded-port: {port}\n");
            assert!(sent.contains(&line), "{host}: {sent}");
        }
    }

    #[test]
    fn what_is_for_one_connection_is_not_passed_on() {
        let lines = [
            ("host", "shop.example"),
            ("connection", "close, X-Secret, host, X-Forwarded-For"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy", "http://evil"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ];
        insta::assert_snapshot!(sent(&lines, STRANGER), @r"
        cookie: a=1; b=2
        host: shop.example
        te: trailers
        x-forwarded-for: 203.0.113.9
        x-forwarded-host: shop.example
        x-forwarded-port: 80
        x-forwarded-proto: http
        x-request-id: id
        ");
    }

    #[test]
    fn an_upgrade_is_passed_on() {
        let lines = [
            ("host", "a"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
        ];
        let sent = sent(&lines, STRANGER);
        assert!(
            sent.contains("connection: upgrade\n") && sent.contains("upgrade: websocket\n"),
            "{sent}"
        );
        let h2c = head(&[
            ("connection", "upgrade, http2-settings"),
            ("upgrade", "h2c"),
        ]);
        assert_eq!(upgrade(&h2c.headers, Version::HTTP_11), None);
    }

    #[test]
    fn what_two_servers_could_read_differently_is_refused() {
        let cases: &[(&[(&str, &str)], u16)] = &[
            (&[("host", "a")], 0),
            (&[("host", "a"), ("transfer-encoding", "Chunked")], 0),
            (&[("host", "[::1]:80")], 0),
            (&[], 400),
            (&[("host", "a"), ("host", "b")], 400),
            (&[("host", "a/b")], 400),
            (&[("host", "user@a")], 400),
            (
                &[
                    ("host", "a"),
                    ("transfer-encoding", "chunked"),
                    ("content-length", "3"),
                ],
                400,
            ),
            (
                &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
                501,
            ),
            (
                &[
                    ("host", "a"),
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                501,
            ),
        ];
        let mut with_user = head(&[("host", "a")]);
        with_user.uri = Uri::from_static("http://user@b/");
        assert_eq!(
            check(&with_user).map_err(|unfit| unfit.status.as_u16()),
            Err(400)
        );
        for (lines, status) in cases {
            let result = check(&head(lines))
                .err()
                .map_or(0, |unfit| unfit.status.as_u16());
            assert_eq!(result, *status, "{lines:?}");
        }
    }
}
