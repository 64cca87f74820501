//! A way to the daemon's socket that can be cut, as a network is.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The daemon's own socket.
const DAEMON: &str = "/var/run/docker.sock";

/// A socket that leads to the daemon while it is open.
pub struct Gate {
    folder: tempfile::TempDir,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    closed: bool,
    through: Vec<UnixStream>,
}

impl Gate {
    /// An open one.
    pub fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("docker.sock")).expect("a socket");
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = state.clone();
        // It ends with the test's process: a connection that nobody makes waits for nothing.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut state = shared.lock().expect("no panic");
                if state.closed {
                    continue;
                }
                let daemon = UnixStream::connect(DAEMON).expect("the daemon");
                for (from, to) in [(&client, &daemon), (&daemon, &client)] {
                    let (from, to) = (from.try_clone(), to.try_clone());
                    let (mut from, mut to) = (from.expect("a copy"), to.expect("a copy"));
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
                state.through.extend([client, daemon]);
            }
        });
        Self { folder, state }
    }

    /// How it is named for `--host`.
    pub fn url(&self) -> String {
        format!(
            "unix://{}",
            self.folder.path().join("docker.sock").display()
        )
    }

    /// Cuts what goes through, and lets nothing through until [`Self::reopen`].
    pub fn cut(&self) {
        let mut state = self.state.lock().expect("no panic");
        state.closed = true;
        for stream in state.through.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets all through again.
    pub fn reopen(&self) {
        self.state.lock().expect("no panic").closed = false;
    }
}
