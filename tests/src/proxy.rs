//! A proxy before the daemon's socket, which counts what it is asked to change, and can stop the
//! world right after one such call.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The daemon's own socket.
const DAEMON: &str = "/var/run/docker.sock";

/// What is done after a call, and before its answer is passed on.
type After = Box<dyn Fn(usize, &str) + Send + Sync>;

/// A socket that leads to the daemon.
pub struct Proxy {
    folder: tempfile::TempDir,
    state: Arc<State>,
}

struct State {
    count: AtomicUsize,
    calls: Mutex<Vec<String>>,
    after: After,
}

impl Proxy {
    /// Listens. When the daemon has done a call that changes something, `after` is told its number,
    /// from 1, and what it was; then the answer is passed on.
    pub fn start(after: impl Fn(usize, &str) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state = Arc::new(State {
            count: AtomicUsize::new(0),
            calls: Mutex::default(),
            after: Box::new(after),
        });
        let listener = UnixListener::bind(folder.path().join("docker.sock")).expect("a socket");
        let shared = state.clone();
        // It ends with the test's process: a connection that nobody makes waits for nothing.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || {
                    // A client that is killed breaks off in the middle: that is what it is for.
                    let _ = serve(client, &state);
                });
            }
        });
        Self { folder, state }
    }

    /// The socket's path.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// How it is named for `--host`.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The calls so far that change something, in their order.
    pub fn calls(&self) -> Vec<String> {
        self.state.calls.lock().expect("no panic").clone()
    }
}

impl State {
    /// The daemon has done a call that changes something.
    fn done(&self, call: String) {
        self.calls.lock().expect("no panic").push(call.clone());
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        (self.after)(number, &call);
    }
}

/// The head of a message, and how long its body is.
struct Head {
    lines: Vec<String>,
}

impl Head {
    fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            if line.trim_end().is_empty() {
                return Ok(Some(Self { lines }));
            }
            lines.push(line);
        }
    }

    fn first(&self) -> &str {
        self.lines.first().map_or("", |line| line.trim_end())
    }

    fn value(&self, name: &str) -> Option<String> {
        self.lines.iter().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_ascii_lowercase())
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.lines.concat().into_bytes();
        bytes.extend(b"\r\n");
        bytes
    }

    fn is_chunked(&self) -> bool {
        let encoding = self.value("transfer-encoding");
        encoding.is_some_and(|encoding| encoding.contains("chunked"))
    }

    fn length(&self) -> Option<u64> {
        self.value("content-length")?.parse().ok()
    }

    fn upgrades(&self) -> bool {
        self.value("upgrade").is_some()
    }
}

/// Passes on requests and answers of one connection, one after the other.
fn serve(client: UnixStream, state: &State) -> io::Result<()> {
    let daemon = UnixStream::connect(DAEMON)?;
    let mut from_client = BufReader::new(client.try_clone()?);
    let mut from_daemon = BufReader::new(daemon.try_clone()?);
    let (mut to_client, mut to_daemon) = (client, daemon);
    while let Some(request) = Head::read(&mut from_client)? {
        to_daemon.write_all(&request.bytes())?;
        // A command in a container, which may change what it will: its output comes when it ends.
        if let Some(call) = change(request.first()).filter(|call| call.contains("/exec/ID/start")) {
            body(&request, &mut from_client, &mut to_daemon, false)?;
            let mut held = Vec::new();
            from_daemon.read_to_end(&mut held)?;
            state.done(call);
            return to_client.write_all(&held);
        }
        if request.upgrades() {
            return tunnel(from_client, to_daemon, from_daemon, to_client);
        }
        body(&request, &mut from_client, &mut to_daemon, false)?;
        let Some(answer) = Head::read(&mut from_daemon)? else {
            return Ok(());
        };
        let mut held = answer.bytes();
        let head = request.first().split(' ').next() == Some("HEAD");
        let status = answer.first().split(' ').nth(1).unwrap_or_default();
        let empty = head || matches!(status, "204" | "304");
        match change(request.first()) {
            // The whole answer is kept back until the daemon is done.
            Some(call) => {
                if !empty {
                    body(&answer, &mut from_daemon, &mut held, true)?;
                }
                state.done(call);
                to_client.write_all(&held)?;
            }
            None => {
                to_client.write_all(&held)?;
                if !empty {
                    body(&answer, &mut from_daemon, &mut to_client, true)?;
                }
            }
        }
    }
    Ok(())
}

/// What a request changes on the daemon: `POST /containers/create`; `None` for one that only asks.
fn change(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let path = path.split('?').next()?;
    let asks = matches!(method, "GET" | "HEAD") || path.ends_with("/wait");
    // Ids differ from run to run, and what they are about is seen from what came before.
    let shown = |part: &str| {
        let id = part.trim_start_matches("sha256:");
        let hex = id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (hex, part.split_once("_rengine-release-")) {
            (true, _) => "ID".to_owned(),
            (_, Some(_)) => "RECORD".to_owned(),
            (_, None) if part.contains(':') => "NAME".to_owned(),
            _ => part.to_owned(),
        }
    };
    let path: Vec<_> = path.split('/').map(shown).collect();
    (!asks).then(|| format!("{method} {}", path.join("/")))
}

/// Passes on a body. One of an answer that says nothing of its length ends with the connection.
fn body(head: &Head, from: &mut impl BufRead, to: &mut impl Write, answer: bool) -> io::Result<()> {
    if head.is_chunked() {
        loop {
            let mut size = String::new();
            from.read_line(&mut size)?;
            to.write_all(size.as_bytes())?;
            let digits = size.trim().split(';').next().unwrap_or_default();
            let length = u64::from_str_radix(digits, 16).unwrap_or(0);
            if length == 0 {
                let mut end = String::new();
                from.read_line(&mut end)?;
                return to.write_all(end.as_bytes());
            }
            io::copy(&mut from.by_ref().take(length + 2), to)?;
            to.flush()?;
        }
    }
    match head.length() {
        Some(length) => io::copy(&mut from.by_ref().take(length), to).map(drop),
        None if answer => io::copy(from, to).map(drop),
        None => Ok(()),
    }
}

/// From here on it is no HTTP any more.
fn tunnel(
    mut from_client: BufReader<UnixStream>,
    mut to_daemon: UnixStream,
    mut from_daemon: BufReader<UnixStream>,
    mut to_client: UnixStream,
) -> io::Result<()> {
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut from_client, &mut to_daemon);
            let _ = to_daemon.shutdown(std::net::Shutdown::Write);
        });
        let copied = io::copy(&mut from_daemon, &mut to_client);
        let _ = to_client.shutdown(std::net::Shutdown::Both);
        copied.map(drop)
    })
}
