//! A proxy before the daemon's socket, which counts what is asked of it, and can stop the world right
//! after one such call, cut the line, or let nothing through any more.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The daemon's own socket.
const DAEMON: &str = "/var/run/docker.sock";

/// Something that was asked of the daemon.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it is: `POST /containers/create`.
    pub what: String,
    /// True if it changes something, rather than only ask.
    pub changes: bool,
    /// True once the daemon is done with it; before, it may be in the middle of it.
    pub done: bool,
    /// How many are done by now, and this one if it is.
    pub number: usize,
    /// How many of these change something.
    pub changed: usize,
}

/// What becomes of the line to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It is as it was.
    Good,
    /// This connection ends, and no other.
    Lost,
    /// All connections end, and none is made any more.
    Cut,
    /// Nothing comes through any more, and no connection ends.
    Silent,
}

/// Says what becomes of the line when a call is begun, and again before its answer is passed on.
type Judge = Box<dyn Fn(&Call) -> Line + Send + Sync>;

/// A socket that leads to the daemon.
pub struct Proxy {
    folder: tempfile::TempDir,
    state: Arc<State>,
}

struct State {
    daemon: PathBuf,
    calls: Mutex<Vec<Call>>,
    judge: Judge,
    cut: AtomicBool,
    silent: AtomicBool,
    /// Both ends of all connections.
    ends: Mutex<Vec<UnixStream>>,
}

impl Proxy {
    /// Listens. When the daemon has done a call that changes something, `after` is told its number,
    /// from 1, and what it was; then the answer is passed on.
    pub fn start(after: impl Fn(usize, &str) + Send + Sync + 'static) -> Self {
        Self::before(Path::new(DAEMON), move |call| {
            if call.done && call.changes {
                after(call.changed, &call.what);
            }
            Line::Good
        })
    }

    /// The same before the socket of any daemon, and for all calls.
    pub fn before(daemon: &Path, judge: impl Fn(&Call) -> Line + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state = Arc::new(State {
            daemon: daemon.to_owned(),
            calls: Mutex::default(),
            judge: Box::new(judge),
            cut: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            ends: Mutex::default(),
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

    /// The same before the daemon that tests share.
    pub fn before_shared(judge: impl Fn(&Call) -> Line + Send + Sync + 'static) -> Self {
        Self::before(Path::new(DAEMON), judge)
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
        let all = self.all().into_iter();
        let changes = all.filter(|call| call.changes);
        changes.map(|call| call.what).collect()
    }

    /// All calls that the daemon has done, in their order.
    pub fn all(&self) -> Vec<Call> {
        self.state.calls.lock().expect("no panic").clone()
    }
}

impl State {
    /// Something was asked of the daemon.
    fn begun(&self, what: &str, changes: bool) -> io::Result<()> {
        let call = {
            let calls = self.calls.lock().expect("no panic");
            Call {
                what: what.to_owned(),
                changes,
                done: false,
                number: calls.len(),
                changed: calls.iter().filter(|call| call.changes).count(),
            }
        };
        self.judge(&call)
    }

    /// The daemon has done it.
    fn done(&self, what: String, changes: bool) -> io::Result<()> {
        let call = {
            let mut calls = self.calls.lock().expect("no panic");
            let changed = calls.iter().filter(|call| call.changes).count();
            let call = Call {
                what,
                changes,
                done: true,
                number: calls.len() + 1,
                changed: changed + usize::from(changes),
            };
            calls.push(call.clone());
            call
        };
        self.judge(&call)
    }

    fn judge(&self, call: &Call) -> io::Result<()> {
        match (self.judge)(call) {
            Line::Good => {}
            Line::Lost => return Err(io::ErrorKind::ConnectionReset.into()),
            Line::Cut => self.cut.store(true, Ordering::SeqCst),
            Line::Silent => self.silent.store(true, Ordering::SeqCst),
        }
        self.check()
    }

    /// Fails where the line is cut, and does not return where nothing comes through.
    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::SeqCst) {
            for end in self.ends.lock().expect("no panic").drain(..) {
                let _ = end.shutdown(Shutdown::Both);
            }
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        while self.silent.load(Ordering::SeqCst) {
            thread::park();
        }
        Ok(())
    }

    fn copy(&self, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = from.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.check()?;
            to.write_all(&buffer[..count])?;
        }
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

/// An end that is closed when this is dropped, whoever has a copy of it.
struct Closing(UnixStream);

impl Drop for Closing {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Passes on requests and answers of one connection, one after the other.
fn serve(client: UnixStream, state: &State) -> io::Result<()> {
    let own_client = Closing(client);
    state.check()?;
    let own_daemon = Closing(UnixStream::connect(&state.daemon)?);
    let (client, daemon) = (own_client.0.try_clone()?, own_daemon.0.try_clone()?);
    let ends = [client.try_clone()?, daemon.try_clone()?];
    state.ends.lock().expect("no panic").extend(ends);
    let mut from_client = BufReader::new(client.try_clone()?);
    let mut from_daemon = BufReader::new(daemon.try_clone()?);
    let (mut to_client, mut to_daemon) = (client, daemon);
    while let Some(request) = Head::read(&mut from_client)? {
        state.check()?;
        let (what, changes) = call(request.first());
        to_daemon.write_all(&request.bytes())?;
        // A command in a container, which may change what it will: its output comes when it ends.
        if what.contains("/exec/ID/start") {
            body(state, &request, &mut from_client, &mut to_daemon, false)?;
            state.begun(&what, changes)?;
            let mut held = Vec::new();
            from_daemon.read_to_end(&mut held)?;
            state.done(what, changes)?;
            return to_client.write_all(&held);
        }
        if request.upgrades() {
            if let Some(answer) = Head::read(&mut from_daemon)? {
                state.done(what, changes)?;
                to_client.write_all(&answer.bytes())?;
            }
            return tunnel(state, from_client, to_daemon, from_daemon, to_client);
        }
        body(state, &request, &mut from_client, &mut to_daemon, false)?;
        state.begun(&what, changes)?;
        let Some(answer) = Head::read(&mut from_daemon)? else {
            return Ok(());
        };
        let mut held = answer.bytes();
        let head = request.first().split(' ').next() == Some("HEAD");
        let status = answer.first().split(' ').nth(1).unwrap_or_default();
        let empty = head || matches!(status, "204" | "304");
        // The whole answer is kept back until the daemon is done. Where it only tells it may go on
        // for as long as there is something to tell.
        if changes && !empty {
            body(state, &answer, &mut from_daemon, &mut held, true)?;
        }
        state.done(what, changes)?;
        to_client.write_all(&held)?;
        if !changes && !empty {
            body(state, &answer, &mut from_daemon, &mut to_client, true)?;
        }
    }
    Ok(())
}

/// What a request is, as `POST /containers/create`, and whether it changes something.
fn call(line: &str) -> (String, bool) {
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let asks = matches!(method, "GET" | "HEAD") || path.ends_with("/wait") || path == "/session";
    // Ids differ from run to run, and what they are about is seen from what came before.
    let shown = |part: &str| {
        let id = part.trim_start_matches("sha256:");
        let hex = id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        match part {
            _ if hex => "ID".to_owned(),
            _ if part.contains("_rengine-release-") => "RECORD".to_owned(),
            _ if part.contains("_rengine-beat-") => "BEAT".to_owned(),
            _ if part.contains(':') => "NAME".to_owned(),
            _ => part.to_owned(),
        }
    };
    let path: Vec<_> = path.split('/').map(shown).collect();
    (format!("{method} {}", path.join("/")), !asks)
}

/// Passes on a body. One of an answer that says nothing of its length ends with the connection.
fn body(
    state: &State,
    head: &Head,
    from: &mut impl BufRead,
    to: &mut impl Write,
    answer: bool,
) -> io::Result<()> {
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
            state.copy(&mut from.by_ref().take(length + 2), to)?;
            to.flush()?;
        }
    }
    match head.length() {
        Some(length) => state.copy(&mut from.by_ref().take(length), to),
        None if answer => state.copy(from, to),
        None => Ok(()),
    }
}

/// From here on it is no HTTP any more.
fn tunnel(
    state: &State,
    mut from_client: BufReader<UnixStream>,
    mut to_daemon: UnixStream,
    mut from_daemon: BufReader<UnixStream>,
    mut to_client: UnixStream,
) -> io::Result<()> {
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = state.copy(&mut from_client, &mut to_daemon);
            let _ = to_daemon.shutdown(Shutdown::Write);
        });
        let copied = state.copy(&mut from_daemon, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
        copied
    })
}
