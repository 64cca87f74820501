//! Clients that never stop asking, and count what they were not answered.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a client does again and again, until it is told to stop.
type Work = fn(&mut Option<BufReader<TcpStream>>, SocketAddr) -> std::io::Result<()>;

/// Where clients go: a port of this machine, or an address.
pub trait Place {
    /// The address.
    fn place(self) -> SocketAddr;
}

impl Place for u16 {
    fn place(self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self))
    }
}

impl Place for SocketAddr {
    fn place(self) -> SocketAddr {
        self
    }
}

/// Clients that go on until they are stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Counts>>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Counts {
    /// What went well.
    pub fine: usize,
    /// What did not, and why.
    pub failed: Vec<String>,
}

impl Load {
    /// HTTP/1.1 with connections that are kept as long as the server lets them be.
    pub fn http(at: impl Place, clients: usize) -> Self {
        Self::start(at.place(), clients, get)
    }

    /// WebSocket's handshake, and then messages there and back.
    pub fn upgraded(at: impl Place, clients: usize) -> Self {
        Self::start(at.place(), clients, upgraded)
    }

    /// Bytes over TCP, which come back.
    pub fn tcp(at: impl Place, clients: usize) -> Self {
        Self::start(at.place(), clients, echo)
    }

    fn start(at: SocketAddr, clients: usize, work: Work) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |stop: Arc<AtomicBool>| {
            move || {
                let (mut counts, mut connection) = (Counts::default(), None);
                while !stop.load(Ordering::Relaxed) {
                    match work(&mut connection, at) {
                        Ok(()) => counts.fine += 1,
                        Err(error) => {
                            counts.failed.push(error.to_string());
                            connection = None;
                        }
                    }
                }
                counts
            }
        };
        let clients = (0..clients).map(|_| std::thread::spawn(client(stop.clone())));
        let clients = clients.collect();
        Self { stop, clients }
    }

    /// Stops them, and sums up what they counted.
    pub fn stop(self) -> Counts {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Counts::default();
        for client in self.clients {
            let counts = client.join().expect("a client");
            all.fine += counts.fine;
            all.failed.extend(counts.failed);
        }
        all
    }
}

/// Builds the server of `tests/server` into a folder, as `server`: it answers on port 8080, and needs
/// no libraries.
pub fn build_server(folder: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("server/main.rs");
    let built = Command::new("rustc")
        .args(["--edition=2024", "-O", "-C", "target-feature=+crt-static"])
        .arg("-o")
        .arg(folder.join("server"))
        .arg(source)
        .output()
        .expect("rustc runs");
    assert!(built.status.success(), "{built:?}");
}

fn connect(at: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(at)?;
    stream.set_nodelay(true)?;
    // Longer than a machine that has other things to do stands still.
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(BufReader::new(stream))
}

fn wrong(what: impl Into<String>) -> std::io::Error {
    std::io::Error::other(what.into())
}

/// Status line and headers.
fn head(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Err(wrong(format!("it ended after {head:?}")));
        }
        if head[before..] == *"\r\n" {
            return Ok(head);
        }
    }
}

fn get(connection: &mut Option<BufReader<TcpStream>>, at: SocketAddr) -> std::io::Result<()> {
    let mut reader = match connection.take() {
        Some(reader) => reader,
        None => connect(at)?,
    };
    let request = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    reader.get_mut().write_all(request)?;
    let head = head(&mut reader)?.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.trim().parse().ok());
    let mut body = vec![0; length.ok_or_else(|| wrong(format!("no length: {head}")))?];
    reader.read_exact(&mut body)?;
    if !head.starts_with("http/1.1 200") {
        let body = String::from_utf8_lossy(&body);
        return Err(wrong(format!("{head}{body}")));
    }
    if !head.contains("connection: close") {
        *connection = Some(reader);
    }
    Ok(())
}

/// Says something, and has to hear it again.
fn repeated(reader: &mut BufReader<TcpStream>, text: &str) -> std::io::Result<()> {
    reader.get_mut().write_all(text.as_bytes())?;
    let mut answer = vec![0; text.len()];
    reader.read_exact(&mut answer)?;
    match answer == text.as_bytes() {
        true => Ok(()),
        false => Err(wrong(format!("{:?}", String::from_utf8_lossy(&answer)))),
    }
}

fn echo(_: &mut Option<BufReader<TcpStream>>, at: SocketAddr) -> std::io::Result<()> {
    let mut reader = connect(at)?;
    for text in ["not HTTP\n", "nor this\n", "\x00\x01\x02"] {
        repeated(&mut reader, text)?;
    }
    Ok(())
}

fn upgraded(_: &mut Option<BufReader<TcpStream>>, at: SocketAddr) -> std::io::Result<()> {
    let mut reader = connect(at)?;
    reader.get_mut().write_all(
        b"GET /chat HTTP/1.1\r\nhost: test\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
          sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let head = head(&mut reader)?;
    if !head.starts_with("HTTP/1.1 101") {
        return Err(wrong(head));
    }
    // A conversation, which may well begin before a switch and end after it.
    for number in 0..10 {
        repeated(&mut reader, &format!("message {number}\n"))?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
