//! What is passed on, and what is refused.

use std::io::{BufReader, Read, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{Client, Edge, Target, echo_target, read_head};

#[tokio::test(flavor = "multi_thread")]
async fn requests_reach_a_target_and_say_who_asked() {
    let edge = Edge::start().await;
    let target = Target::start("one");
    edge.route("http", "1s", &[(target.port, "active")]).await;
    let answer = edge.raw(
        b"GET /a HTTP/1.1\r\nhost: shop\r\nx-forwarded-for: 1.2.3.4\r\nconnection: close, x-hop\r\nx-hop: 1\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("\nx-forwarded-for: 127.0.0.1\r\n"),
        "{answer}"
    );
    assert!(
        !answer.contains("1.2.3.4") && !answer.contains("x-hop"),
        "{answer}"
    );
    // HTTP/1.0 need not name a host, but what it is passed on as has to.
    let answer = edge.raw(b"GET /old HTTP/1.0\r\n\r\n");
    assert!(answer.contains("\nhost: localhost\r\n"), "{answer}");
    let mut client = Client::new(edge.port);
    for _ in 0..3 {
        assert_eq!(client.get("/").expect("an answer").0, 200);
    }
    let metrics = edge.client.metrics().await.expect("metrics");
    assert!(
        metrics.contains("answers_total{service=\"web\",code=\"2xx\"} 5"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_length_arrives_whatever_the_method() {
    let edge = Edge::start().await;
    let target = Target::start("one");
    edge.route("http", "1s", &[(target.port, "active")]).await;
    for method in ["GET", "POST", "DELETE"] {
        let request = format!(
            "{method} /_search HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
             6\r\n{{\"q\":1\r\n1\r\n}}\r\n0\r\n\r\n"
        );
        let answer = edge.raw(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200"), "{method}: {answer}");
        assert!(answer.ends_with("{\"q\":1}"), "{method}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_without_tls_is_spoken() {
    let edge = Edge::start().await;
    let target = Target::start("one");
    edge.route("http", "1s", &[(target.port, "active")]).await;
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", edge.port))
        .await
        .expect("connected");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://shop.example/two").body(Empty::<Bytes>::new());
    let answer = sender
        .send_request(request.expect("a request"))
        .await
        .expect("an answer");
    assert_eq!(
        (answer.version(), answer.status()),
        (http::Version::HTTP_2, http::StatusCode::OK)
    );
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let body = String::from_utf8_lossy(&body);
    assert!(
        body.contains("GET /two HTTP/1.1") && body.contains("host: shop.example"),
        "{body}"
    );
    drop(sender);
    connection.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_and_other_tcp_pass_bytes_both_ways() {
    let edge = Edge::start().await;
    let target = Target::start("one");
    edge.route("http", "1s", &[(target.port, "active")]).await;
    let mut stream = edge.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n")
        .expect("sent");
    let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
    let head = read_head(&mut reader).expect("a head");
    assert!(
        head.starts_with("HTTP/1.1 101") && head.contains("upgrade: echo"),
        "{head}"
    );
    let mut echoed = [0; 4];
    for _ in 0..3 {
        stream.write_all(b"\x81\0\xffx").expect("sent");
        reader.read_exact(&mut echoed).expect("echoed");
        assert_eq!(echoed, *b"\x81\0\xffx");
    }
    edge.route("tcp", "1s", &[(echo_target(), "active")]).await;
    let mut stream = edge.connect();
    stream.write_all(b"ping").expect("sent");
    stream.read_exact(&mut echoed).expect("echoed");
    assert_eq!(echoed, *b"ping");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_fit_is_refused() {
    let edge = Edge::start().await;
    let target = Target::start("one");
    edge.route("http", "1s", &[(target.port, "active")]).await;
    let big = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "y".repeat(64 * 1024)
    );
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n");
    let cases: [(&[u8], &str); 8] = [
        (b"GET / HTTP/1.1\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", "400"),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", "405"),
        (
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
            "400",
        ),
        (
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
            "400",
        ),
        (big.as_bytes(), "431"),
        (many.as_bytes(), "431"),
    ];
    for (request, status) in cases {
        let answer = edge.raw(request);
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        assert_eq!(answer.get(9..12), Some(status), "{shown}: {answer}");
    }
    assert_eq!(target.requests.load(Ordering::SeqCst), 0);
    // A request inside of another one's body, for a server that reads the lengths differently.
    let smuggled = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 40\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let answer = edge.raw(smuggled);
    assert!(!answer.contains("smuggled"), "{answer}");
    assert!(target.requests.load(Ordering::SeqCst) <= 1, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_finish_its_head_is_cut_off() {
    let edge = Edge::start().await;
    let target = Target::start("one");
    edge.route("http", "1s", &[(target.port, "active")]).await;
    // Without a first byte: the shorter of the limits.
    let mut stream = edge.connect();
    let begun = Instant::now();
    let mut nothing = Vec::new();
    let _ = stream.read_to_end(&mut nothing);
    assert!(nothing.is_empty());
    let took = begun.elapsed();
    assert!(
        took > Duration::from_secs(9) && took < Duration::from_secs(14),
        "{took:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_goes_on_while_its_answer_is_taken_slowly() {
    const BODY: usize = 4 << 20;
    let edge = Edge::start().await;
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    let received = std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().expect("a connection");
        let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
        read_head(&mut reader).expect("a head");
        // More than fits on the way, before anything of the body is read.
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        let answer = std::thread::spawn(move || stream.write_all(&vec![b'a'; BODY]));
        let mut body = vec![0; BODY];
        reader.read_exact(&mut body).expect("the whole body");
        // Only now is the answer taken, too.
        (body.iter().all(|byte| *byte == b'b'), answer)
    });
    edge.route("http", "1s", &[(port, "active")]).await;
    let mut stream = edge.connect();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {BODY}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
    let answer = read_head(&mut reader).expect("an answer's head");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stream.write_all(&vec![b'b'; BODY]).expect("sent");
    let (whole, sending) = received.join().expect("a target");
    assert!(whole);
    let mut answer = vec![0; BODY];
    reader.read_exact(&mut answer).expect("the whole answer");
    sending.join().expect("a thread").expect("sent");
}
