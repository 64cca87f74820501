//! What is spoken at both ends: TLS, HTTP/2 to targets, whatever comes, checks and metrics.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rengine::edge::Routes;
use serde_json::json;

use crate::support::{Client, Edge, Target, echo_target, free_port};

async fn apply(edge: &Edge, routes: serde_json::Value) {
    let routes = Routes::parse(routes.to_string().as_bytes()).expect("routes");
    edge.client.apply(&routes, None).await.expect("applied");
}

/// A certificate that signs itself, and its key.
fn certificate(folder: &Path, name: &str) -> serde_json::Value {
    let (certificate, key) = (
        folder.join(format!("{name}.pem")),
        folder.join(format!("{name}.key")),
    );
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", &format!("/CN={name}")])
        .args(["-addext", &format!("subjectAltName=DNS:{name}")])
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output();
    let made = made.expect("openssl is there: run ./dev setup");
    assert!(made.status.success(), "{made:?}");
    json!({"names": [name], "certificate": certificate, "key": key})
}

/// What curl says of the HTTP that it spoke, and the answer.
fn curl(edge: &Edge, name: &str, trusted: &str, more: &[&str]) -> String {
    let folder = edge.folder.path();
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "20", "-w", "HTTP/%{http_version}"])
        .args(["--resolve", &format!("{name}:{}:127.0.0.1", edge.port)])
        .arg("--cacert")
        .arg(folder.join(format!("{trusted}.pem")))
        .args(more)
        .arg(format!("https://{name}:{}/", edge.port))
        .output();
    let output = output.expect("curl is there: run ./dev setup");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_get_the_certificate_of_the_name_that_they_ask_for() {
    let edge = Edge::start().await;
    let target = Target::start("one");
    let folder = edge.folder.path();
    let mut certificates = vec![certificate(folder, "a.test"), certificate(folder, "b.test")];
    let routes = |certificates: &[serde_json::Value]| {
        json!({
            "listeners": [{"port": edge.port, "service": "web", "certificates": certificates}],
            "services": {"web": {"targets": [{"address": format!("127.0.0.1:{}", target.port)}]}},
        })
    };
    apply(&edge, routes(&certificates)).await;
    let answer = curl(&edge, "a.test", "a.test", &[]);
    assert!(answer.ends_with("HTTP/2"), "{answer}");
    assert!(answer.contains("x-forwarded-proto: https"), "{answer}");
    let answer = curl(&edge, "b.test", "b.test", &["--http1.1"]);
    assert!(answer.ends_with("HTTP/1.1"), "{answer}");
    let other = curl(&edge, "b.test", "a.test", &[]);
    assert!(
        other.contains("certificate"),
        "another's is refused: {other}"
    );
    let nobody = curl(&edge, "c.test", "a.test", &[]);
    assert!(!nobody.contains("one"), "there is none for it: {nobody}");
    // A certificate that is new, for connections that are.
    certificates.push(certificate(folder, "c.test"));
    apply(&edge, routes(&certificates)).await;
    let answer = curl(&edge, "c.test", "c.test", &[]);
    assert!(answer.starts_with("one"), "{answer}");
    // What can't be read changes nothing.
    let missing = json!([{"certificate": "/no/such", "key": "/no/such"}]);
    let missing = routes(missing.as_array().expect("a list"));
    let missing = Routes::parse(missing.to_string().as_bytes()).expect("routes");
    let error = edge
        .client
        .apply(&missing, None)
        .await
        .expect_err("refused");
    assert!(error.to_string().contains("/no/such"), "{error}");
    assert!(curl(&edge, "a.test", "a.test", &[]).starts_with("one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_may_speak_http2() {
    let edge = Edge::start().await;
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = socket.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let answer = service_fn(|request: http::Request<Incoming>| async move {
                let text = format!("{:?} {}", request.version(), request.uri());
                Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(text))))
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), answer));
        }
    });
    apply(
        &edge,
        json!({
            "listeners": [{"port": edge.port, "service": "web"}],
            "services": {"web": {
                "protocol": "h2c", "targets": [{"address": format!("127.0.0.1:{port}")}],
            }},
        }),
    )
    .await;
    let edge_port = edge.port;
    let asked = tokio::task::spawn_blocking(move || {
        let mut client = Client::new(edge_port);
        [client.get("/one"), client.get("/two")]
    });
    for (answer, path) in asked
        .await
        .expect("asked")
        .into_iter()
        .zip(["/one", "/two"])
    {
        let (status, body) = answer.expect("an answer");
        assert_eq!(
            (status, body.as_str()),
            (200, format!("HTTP/2.0 http://test{path}").as_str())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_found_out_by_the_first_words() {
    let edge = Edge::start().await;
    let web = Target::start("one");
    edge.route("auto", "60s", &[(web.port, "active")]).await;
    let mut client = Client::new(edge.port);
    for _ in 0..2 {
        let (status, body) = client.get("/").expect("an answer");
        assert!(status == 200 && body.contains("x-forwarded-for"), "{body}");
    }
    edge.route("auto", "60s", &[(echo_target(), "active")])
        .await;
    for words in [&b"\x16\x03\x01 hello"[..], b"hello", b"PING\r\n"] {
        let mut stream = edge.connect();
        stream.write_all(words).expect("sent");
        let mut answer = vec![0; words.len()];
        stream.read_exact(&mut answer).expect("echoed");
        assert_eq!(answer, words);
    }
    // One where the server speaks first.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in socket.incoming().flatten() {
            let _ = stream.write_all(b"220 ready\r\n");
        }
    });
    edge.route("auto", "60s", &[(port, "active")]).await;
    let mut greeting = String::new();
    edge.connect()
        .read_to_string(&mut greeting)
        .expect("a greeting");
    assert_eq!(greeting, "220 ready\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_its_check_is_out_until_it_passes() {
    let edge = Edge::start().await;
    let sick = Arc::new(AtomicBool::new(false));
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    let is_sick = sick.clone();
    std::thread::spawn(move || {
        for mut stream in socket.incoming().flatten() {
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap_or(0);
            let check = head[..length].starts_with(b"GET /health");
            let status = match check && is_sick.load(Ordering::SeqCst) {
                true => "500 Broken",
                false => "200 OK",
            };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\nconnection: close\r\n\r\nother");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let good = Target::start("good");
    apply(
        &edge,
        json!({
            "listeners": [{"port": edge.port, "service": "web"}],
            "services": {"web": {
                "check": {"path": "/health", "interval": "50ms", "timeout": "10s"},
                "targets": [
                    {"address": format!("127.0.0.1:{port}")},
                    {"address": format!("127.0.0.1:{}", good.port)},
                ],
            }},
        }),
    )
    .await;
    let well = || async {
        let state = edge.client.state().await.expect("a state");
        state.services["web"].targets[0].well
    };
    let until_well = |wanted: bool| async move {
        let begun = Instant::now();
        while well().await != wanted {
            assert!(begun.elapsed() < Duration::from_secs(60), "never {wanted}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    sick.store(true, Ordering::SeqCst);
    until_well(false).await;
    let answers = || (0..6).map(|_| Client::new(edge.port).get("/").expect("an answer").1);
    assert!(answers().all(|body| body.starts_with("good")));
    sick.store(false, Ordering::SeqCst);
    until_well(true).await;
    assert!(answers().any(|body| body == "other"));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_a_port_of_their_own_where_that_is_asked_for() {
    let port = free_port();
    let number = port.to_string();
    let edge = Edge::start_with(&["--metrics-port", &number]).await;
    let target = Target::start("one");
    edge.route("http", "60s", &[(target.port, "active")]).await;
    assert_eq!(Client::new(edge.port).get("/").expect("an answer").0, 200);
    let (status, text) = Client::new(port).get("/metrics").expect("metrics");
    assert_eq!(status, 200);
    assert!(
        text.contains("answers_total{service=\"web\",code=\"2xx\"} 1"),
        "{text}"
    );
    let (status, _) = Client::new(port).get("/v1/state").expect("an answer");
    assert_eq!(status, 404, "only metrics are there");
}
