//! An HTTP server on loopback that answers by path, and remembers what it was sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// The server. Requests are kept as they came, byte by byte.
pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    /// Starts it on a free port; it ends with the test's runtime.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = Self {
            port: listener.local_addr().expect("an address").port(),
            seen: Arc::default(),
            connections: Arc::default(),
        };
        let (seen, connections) = (server.seen.clone(), server.connections.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *connections.lock().unwrap() += 1;
                tokio::spawn(answer(stream, seen.clone()));
            }
        });
        server
    }

    /// A URL of it by address.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A grant for it by address.
    pub fn grant(&self) -> String {
        format!("http = [\"{}\"]", self.url(""))
    }

    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

/// Reads one request and answers it.
pub async fn answer<S>(mut stream: S, seen: Arc<Mutex<Vec<String>>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    let whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap_or(0));
        (body.len() >= length).then_some(text)
    };
    let text = loop {
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => request.extend_from_slice(&chunk[..count]),
            _ => return,
        }
        if let Some(text) = whole(&request) {
            break text;
        }
    };
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(text);
    let ok = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let reply = match path.split_once('?').map_or((&*path, ""), |parts| parts) {
        ("/to", target) => {
            format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n")
        }
        ("/bytes", count) => ok(&"x".repeat(count.parse().expect("a number"))),
        ("/fields", count) => {
            let value = "x".repeat(count.parse().expect("a number"));
            format!("HTTP/1.1 200 OK\r\nx: {value}\r\ncontent-length: 0\r\n\r\n")
        }
        ("/after", millis) => {
            let millis = millis.parse().expect("a number");
            tokio::time::sleep(Duration::from_millis(millis)).await;
            ok("hello")
        }
        ("/garbage", _) => "SSH-2.0-server\r\n".to_owned(),
        ("/pause", _) => {
            let half = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab";
            let _ = stream.write_all(half.as_bytes()).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            return;
        }
        ("/never", _) => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return;
        }
        _ => ok("hello"),
    };
    let _ = stream.write_all(reply.as_bytes()).await;
    let _ = stream.shutdown().await;
}
