//! Outgoing HTTP: to the hosts that are granted, and nowhere else.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rengine::app::ByteSize;
use rengine::plugin::{Limits, PluginError, Resolver, Settings};

use crate::lab::{assert_contains, host, pre_run, settings};
use crate::server::Server;

/// Answers every name with the same addresses, and counts how often it is asked.
#[derive(Default)]
pub struct Answers {
    pub addresses: Vec<IpAddr>,
    pub asked: AtomicUsize,
}

impl Answers {
    pub fn new(addresses: &[&str]) -> Arc<Self> {
        Arc::new(Self {
            addresses: addresses
                .iter()
                .map(|text| text.parse().expect("an address"))
                .collect(),
            asked: AtomicUsize::new(0),
        })
    }
}

impl Resolver for Answers {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        async { Ok(self.addresses.clone()) }.boxed()
    }
}

#[tokio::test]
async fn what_is_granted_is_reached() {
    let server = Server::start().await;
    let url = server.url("/page?a=b");
    let steps: &[&[&str]] = &[
        &["fetch", "GET", &url, "x-test: 1"],
        &["fetch", "POST", &url, "some body"],
    ];
    let tried = pre_run(&host(), settings(&server.grant(), steps)).await;
    assert_eq!(tried.lines, ["ok: 200 hello", "ok: 200 hello"]);
    let seen = server.seen();
    let authority = format!("host: 127.0.0.1:{}\r\n", server.port);
    assert!(
        seen[0].starts_with("GET /page?a=b HTTP/1.1\r\n"),
        "{seen:?}"
    );
    for part in [&authority, "x-test: 1\r\n", "user-agent: rengine/"] {
        assert_contains(&seen[0], part);
    }
    assert!(
        seen[1].starts_with("POST /page?a=b HTTP/1.1\r\n"),
        "{seen:?}"
    );
    assert!(seen[1].ends_with("\r\n\r\nsome body"), "{seen:?}");
}

#[tokio::test]
async fn what_is_not_granted_names_the_grant_and_is_not_connected_to() {
    let (granted, other) = (Server::start().await, Server::start().await);
    let (plain, port) = (other.url("/"), other.port);
    let https = granted.url("/").replace("http:", "https:");
    let localhost = format!("http://localhost:{}/", granted.port);
    for (url, named) in [
        (&plain, format!("http://127.0.0.1:{port}")),
        (&https, format!("127.0.0.1:{}", granted.port)),
        (&localhost, format!("http://localhost:{}", granted.port)),
        (&"https://example.com/".to_owned(), "example.com".to_owned()),
    ] {
        let tried = pre_run(
            &host(),
            settings(&granted.grant(), &[&["fetch", "GET", url]]),
        )
        .await;
        let line = tried.line();
        assert!(line.starts_with("error: GET "), "{line}");
        let grant = format!("is not granted: add `grants = {{ http = [\"{named}\"] }}`");
        assert_contains(line, &grant);
    }
    assert_eq!((granted.connections(), other.connections()), (0, 0));
}

#[tokio::test]
async fn a_public_name_does_not_lead_inside() {
    let server = Server::start().await;
    let url = format!("http://hooks.example.com:{}/", server.port);
    let grant = format!("http = [\"http://hooks.example.com:{}\"]", server.port);
    for address in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "fd00::1",
        "fe80::1",
        "224.0.0.1",
        "64:ff9b::7f00:1",
    ] {
        let resolver = Answers::new(&[address]);
        let host = host().with_resolver(resolver.clone());
        let tried = pre_run(&host, settings(&grant, &[&["fetch", "GET", &url]])).await;
        let line = tried.line();
        assert_contains(line, "that hooks.example.com resolves to, is not granted");
        assert_eq!(resolver.asked.load(Ordering::SeqCst), 1, "{address}");
    }
    assert_eq!(server.connections(), 0);
}

/// The address that was checked is the one that is connected to: the name is resolved once, and
/// of several addresses those that are not allowed are left out.
#[tokio::test]
async fn what_was_checked_is_what_is_connected_to() {
    let server = Server::start().await;
    let (port, url) = (
        server.port,
        format!("http://hooks.example.com:{}/", server.port),
    );
    let grant = format!(
        "http = [\"http://hooks.example.com:{port}\", \"{}\"]",
        server.url("")
    );
    let resolver = Answers::new(&["127.0.0.2", "::1", "127.0.0.1"]);
    let host = host().with_resolver(resolver.clone());
    let tried = pre_run(&host, settings(&grant, &[&["fetch", "GET", &url]])).await;
    assert_eq!(tried.line(), "ok: 200 hello");
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
    assert_contains(
        &server.seen()[0],
        &format!("host: hooks.example.com:{port}\r\n"),
    );
}

#[tokio::test]
async fn localhost_by_name_is_loopback() {
    let server = Server::start().await;
    let url = format!("http://localhost:{}/", server.port);
    let grant = format!("http = [\"http://localhost:{}\"]", server.port);
    let host = host().with_resolver(Answers::new(&["127.0.0.1"]));
    let tried = pre_run(&host, settings(&grant, &[&["fetch", "GET", &url]])).await;
    assert_eq!(tried.line(), "ok: 200 hello");
}

/// Resolvers take these for 127.0.0.1; rengine does not ask one.
#[tokio::test]
async fn addresses_in_disguise_are_refused() {
    let server = Server::start().await;
    let resolver = Answers::new(&["127.0.0.1"]);
    let host = host().with_resolver(resolver.clone());
    for name in [
        "2130706433",
        "0x7f000001",
        "127.1",
        "0177.0.0.1",
        "[::ffff:7f00:1]",
    ] {
        let url = format!("http://{name}:{}/", server.port);
        let grant = format!("http = [\"http://hooks.example.com:{}\"]", server.port);
        let tried = pre_run(&host, settings(&grant, &[&["fetch", "GET", &url]])).await;
        assert!(tried.line().starts_with("error: "), "{}", tried.line());
    }
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 0);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_its_target_is_looked_at_anew() {
    let (granted, other) = (Server::start().await, Server::start().await);
    let inside = granted.url(&format!("/to?{}", granted.url("/")));
    let outside = granted.url(&format!("/to?{}", other.url("/")));
    let steps: &[&[&str]] = &[
        &["fetch", "GET", &outside],
        &["follow", &inside],
        &["follow", &outside],
    ];
    let tried = pre_run(&host(), settings(&granted.grant(), steps)).await;
    assert_eq!(tried.lines[0], format!("ok: 302 {}", other.url("/")));
    assert_eq!(tried.lines[1], "ok: 200 hello");
    assert_contains(&tried.lines[2], "is not granted");
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn nothing_is_smuggled_into_a_request() {
    let server = Server::start().await;
    let url = server.url("/");
    let at = |rest: &str| server.url(rest);
    let user = url.replace("127.0.0.1", "user@127.0.0.1");
    let port = format!("http://127.0.0.1:{}0000/", server.port);
    for step in [
        &["fetch", "GET", &url, "x: a\r\nevil: 1"][..],
        &["fetch", "GET", &url, "x: a\nevil: 1"],
        &["fetch", "GET", &url, "x: a\0b"],
        &["fetch", "GET", &url, "x\r\nevil: 1"],
        &["fetch", "GET", &url, "x y: 1"],
        &["fetch", "GET", &url, "host: evil.example.com"],
        &["fetch", "GET", &url, "Host: evil.example.com"],
        &["fetch", "GET", &url, "connection: keep-alive, evil"],
        &["fetch", "GET", &url, "transfer-encoding: chunked"],
        &["fetch", "GET", &url, "upgrade: h2c"],
        &["fetch", "GET", &url, "te: trailers"],
        &["fetch", "GET", &url, "proxy-authorization: evil"],
        &["fetch", "GET", &url, "content-length: 9"],
        &["fetch", "GET", &url, "content-length: +0"],
        &["fetch", "GET", &at("/ HTTP/1.1\r\nevil: 1\r\n\r\n")],
        &["fetch", "GET", &at("/a b")],
        &["fetch", "GET", &user],
        &["fetch", "GET", &port],
        &["fetch", "GET / HTTP/1.1\r\nevil: 1\r\n\r\nGET", &url],
        &["fetch", "CONNECT", &url],
        &["fetch", "TRACE", &url],
    ] {
        let tried = pre_run(&host(), settings(&server.grant(), &[step])).await;
        let line = tried.line();
        assert!(line.starts_with("error: "), "{step:?}: {line}");
    }
    assert_eq!(server.seen(), Vec::<String>::new(), "nothing was sent");
}

fn limited(settings: Settings, http: u64) -> Settings {
    Settings {
        limits: Limits {
            http: ByteSize(http),
            ..Limits::default()
        },
        ..settings
    }
}

#[tokio::test]
async fn requests_and_answers_have_a_limit_together() {
    let server = Server::start().await;
    let large = server.url("/bytes?100000");
    let small = server.url("/bytes?10000");
    let url = server.url("/");
    for steps in [
        &[&["fetch", "GET", &large][..]][..],
        &[&["post-bytes", &url, "100000"]],
        &[&["fetch", "GET", &small][..]; 8],
    ] {
        let settings = limited(settings(&server.grant(), steps), 64 << 10);
        let tried = pre_run(&host(), settings).await;
        let error = tried.result.as_ref().expect_err("too many bytes");
        assert!(matches!(error, PluginError::Limit { .. }), "{error:?}");
        assert_contains(&error.to_string(), "have more than 64KiB in one call");
        let help = miette::Diagnostic::help(error).expect("help").to_string();
        assert_contains(&help, "raise `http` under [plugins.probe.limits]");
    }
    let fine = limited(
        settings(&server.grant(), &[&["fetch", "GET", &large]]),
        1 << 20,
    );
    assert_contains(pre_run(&host(), fine).await.line(), "ok: 200 xxxx");
}

/// Each holds a connection of rengine's, so they are few; those that are over make room for others.
#[tokio::test]
async fn sixteen_requests_go_on_at_once() {
    let server = Server::start().await;
    let url = server.url("/after?300");
    let steps: &[&[&str]] = &[
        &["at-once", &url, "16"],
        &["at-once", &url, "40"],
        &["at-once", &url, "16"],
    ];
    let tried = pre_run(&host(), settings(&server.grant(), steps)).await;
    assert_eq!(
        tried.lines,
        [
            "ok: 16 of 16 answered; none refused",
            "ok: 16 of 40 answered; ErrorCode::ConnectionLimitReached",
            "ok: 16 of 16 answered; none refused",
        ]
    );
    assert_eq!(server.connections(), 48, "no other was made");
}

#[tokio::test]
async fn a_giant_head_and_garbage_are_errors() {
    let server = Server::start().await;
    for path in ["/fields?200000", "/garbage"] {
        let url = server.url(path);
        let tried = pre_run(
            &host(),
            settings(&server.grant(), &[&["fetch", "GET", &url]]),
        )
        .await;
        assert!(tried.line().starts_with("error: "), "{}", tried.line());
    }
}

#[tokio::test]
async fn a_slow_server_holds_nobody_up() {
    let server = Server::start().await;
    for (path, told) in [
        ("/never", "ConnectionReadTimeout"),
        ("/pause", "connection read timeout"),
    ] {
        let url = server.url(path);
        let steps: &[&[&str]] = &[&["fetch", "GET", &url, "timeout-ms: 200"]];
        let tried = pre_run(&host(), settings(&server.grant(), steps)).await;
        assert_contains(tried.line(), told);

        let started = Instant::now();
        let settings = Settings {
            timeout: Duration::from_millis(500),
            ..settings(&server.grant(), &[&["fetch", "GET", &url]])
        };
        let tried = pre_run(&host(), settings).await;
        assert_contains(&tried.error(), "it took longer than its limit of 500ms");
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn nobody_listens() {
    let port = Server::start().await.port;
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = free.local_addr().expect("an address").port();
    drop(free);
    assert_ne!(port, closed);
    let url = format!("http://127.0.0.1:{closed}/");
    let grant = format!("http = [\"http://127.0.0.1:{closed}\"]");
    let tried = pre_run(&host(), settings(&grant, &[&["fetch", "GET", &url]])).await;
    assert_contains(tried.line(), "ConnectionRefused");
}
