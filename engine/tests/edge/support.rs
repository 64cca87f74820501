//! An edge, targets and clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rengine::edge::{ControlClient, Routes};

pub struct Edge {
    keeper: Child,
    pub folder: tempfile::TempDir,
    pub port: u16,
    pub client: ControlClient,
}

/// A port that nobody listens on, and that nobody is given by chance: those that the kernel hands out
/// begin at 32768.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 10_000;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let start = std::process::id().wrapping_mul(101);
    let candidates = (0..COUNT).map(|_| {
        let next = u32::try_from(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap_or(0);
        u16::try_from(FIRST + start.wrapping_add(next) % COUNT).expect("a port")
    });
    let mut free = candidates.filter(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok());
    free.next().expect("a free port")
}

impl Edge {
    /// One that runs, without routes.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with words of its own.
    pub async fn start_with(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_rengine"));
        command
            .args(["edge", "serve", "--no-log", "--folder"])
            .arg(folder.path())
            .args(more);
        let edge = Self {
            keeper: command.spawn().expect("rengine"),
            client: ControlClient::new(folder.path()),
            folder,
            port: free_port(),
        };
        let begun = Instant::now();
        while edge.client.version().await.is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "it does not start"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        edge
    }

    /// Puts one listener with one service; `targets` are addresses with their states.
    pub async fn route(&self, mode: &str, hold: &str, targets: &[(u16, &str)]) {
        let targets: Vec<_> = targets
            .iter()
            .map(|(port, state)| {
                serde_json::json!({"address": format!("127.0.0.1:{port}"), "state": state})
            })
            .collect();
        let routes = serde_json::json!({
            "listeners": [{"port": self.port, "mode": mode, "service": "web"}],
            "services": {"web": {"hold": hold, "targets": targets}},
        });
        let routes = Routes::parse(routes.to_string().as_bytes()).expect("routes");
        self.client.apply(&routes, None).await.expect("applied");
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).expect("a limit");
        stream
    }

    /// Sends bytes, and gives all that comes until the edge closes.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).expect("sent");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let pid = self.keeper.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.keeper.wait();
    }
}

/// A server that answers each request with its name and the head that it got, and switches to an
/// echo if asked for an upgrade.
pub struct Target {
    pub port: u16,
    pub requests: Arc<AtomicUsize>,
}

impl Target {
    pub fn start(name: &'static str) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port"), name)
    }

    pub fn on(socket: TcpListener, name: &'static str) -> Self {
        let port = socket.local_addr().expect("an address").port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        std::thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                let counted = counted.clone();
                std::thread::spawn(move || serve(stream, name, &counted));
            }
        });
        Self { port, requests }
    }
}

fn serve(stream: TcpStream, name: &str, counted: &AtomicUsize) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
    let mut stream = stream;
    loop {
        let Some(head) = read_head(&mut reader) else {
            return;
        };
        counted.fetch_add(1, Ordering::SeqCst);
        let body = match head.contains("transfer-encoding: chunked") {
            true => read_chunks(&mut reader),
            false => Some(String::new()),
        };
        let Some(received) = body else { return };
        if head.contains("upgrade: ") {
            let _ = stream.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
            );
            return echo(reader, stream);
        }
        if head.starts_with("GET /slow") {
            std::thread::sleep(Duration::from_millis(500));
        }
        if head.starts_with("GET /drop") {
            // The first time it gets lost.
            if counted.load(Ordering::SeqCst) == 1 {
                return;
            }
        }
        let body = format!("{name}\n{head}{received}");
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A server of bytes.
pub fn echo_target() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in socket.incoming().flatten() {
            std::thread::spawn(move || echo(stream.try_clone().expect("a clone"), stream));
        }
    });
    port
}

fn echo(mut from: impl Read, mut to: TcpStream) {
    let mut bytes = [0; 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
}

/// A chunked body (RFC 9112, section 7.1) without trailers.
fn read_chunks(reader: &mut impl BufRead) -> Option<String> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim_end(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        chunk.truncate(size);
        body.append(&mut chunk);
        if size == 0 {
            return String::from_utf8(body).ok();
        }
    }
}

pub fn read_head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        match reader.read_line(&mut head) {
            Ok(1..) if head[before..] == *"\r\n" => return Some(head),
            Ok(1..) => {}
            _ => return None,
        }
    }
}

/// A client that keeps its connection as long as the edge lets it.
pub struct Client {
    edge_port: u16,
    reader: Option<BufReader<TcpStream>>,
}

impl Client {
    pub fn new(port: u16) -> Self {
        Self {
            edge_port: port,
            reader: None,
        }
    }

    /// The status and the body.
    pub fn get(&mut self, path: &str) -> std::io::Result<(u16, String)> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let stream = TcpStream::connect(("127.0.0.1", self.edge_port))?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(Duration::from_secs(20)))?;
                BufReader::new(stream)
            }
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
        reader.get_mut().write_all(request.as_bytes())?;
        let head = read_head(&mut reader).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let number = |name: &str| {
            let line = head
                .lines()
                .find(|line| line.to_ascii_lowercase().starts_with(name))?;
            line.split_once(':')?.1.trim().parse::<usize>().ok()
        };
        let mut body = vec![0; number("content-length").unwrap_or(0)];
        reader.read_exact(&mut body)?;
        if !head.to_ascii_lowercase().contains("connection: close") {
            self.reader = Some(reader);
        }
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok((status.unwrap_or(0), body))
    }
}

/// Clients that never stop asking.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Load {
    pub fn start(port: u16, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ask = |stop: Arc<AtomicBool>| {
            move || {
                let mut client = Client::new(port);
                let (mut fine, mut failed) = (0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    match client.get("/") {
                        Ok((200, _)) => fine += 1,
                        Ok((status, body)) => failed.push(format!("{status}: {body}")),
                        Err(error) => {
                            failed.push(error.to_string());
                            client = Client::new(port);
                        }
                    }
                }
                (fine, failed)
            }
        };
        let threads = (0..clients)
            .map(|_| std::thread::spawn(ask(stop.clone())))
            .collect();
        Self { stop, threads }
    }

    /// How many requests were answered, and what failed.
    pub fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut fine, mut failed) = (0, Vec::new());
        for thread in self.threads {
            let (more, wrong) = thread.join().expect("a client");
            fine += more;
            failed.extend(wrong);
        }
        (fine, failed)
    }
}

/// Waits until something is true; half a minute is far more than anything here takes.
pub async fn until(mut done: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "never");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
