//! A real registry on loopback that wants a name and a password.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::{free_port, until};

/// Who may use it.
pub const USER: &str = "deployer";
/// Its password.
pub const PASSWORD: &str = "open-sesame";
/// The same as the registry wants it, by bcrypt.
const HASH: &str = "$2b$05$abcdefghijklmnopqrstuutXu9KzOt.1yBoZUeFWoT/914/JfszCO";
/// Another who may.
pub const ODD_USER: &str = "odd";
/// Its password, wherever it stands in a text has a `+` and a `/` in Base64.
pub const ODD_PASSWORD: &str = "open?>~sesame?????>>>>>~~~~~";
/// The same by bcrypt.
const ODD_HASH: &str = "$2b$05$abcdefghijklmnopqrstuu9XZSUa9xdT3LBAIPiFN0Au4L05Ya1L6";

/// A `docker-registry` of this test alone; it ends when this is dropped.
pub struct Registry {
    _folder: tempfile::TempDir,
    child: Child,
    /// Its host and port.
    pub host: String,
}

impl Registry {
    /// Starts an empty one.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let port = free_port();
        std::fs::write(
            at("htpasswd"),
            format!("{USER}:{HASH}\n{ODD_USER}:{ODD_HASH}\n"),
        )
        .expect("a file");
        let config = format!(
            "version: 0.1\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: '127.0.0.1:{port}' }}\n\
             auth: {{ htpasswd: {{ realm: tests, path: {} }} }}\n",
            at("data"),
            at("htpasswd"),
        );
        std::fs::write(at("config.yml"), config).expect("a file");
        let log = std::fs::File::create(at("log")).expect("a file");
        let child = Command::new("docker-registry")
            .args(["serve", &at("config.yml")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("docker-registry runs: run ./dev test, or install it");
        until("the registry listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self {
            _folder: folder,
            child,
            host: format!("127.0.0.1:{port}"),
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
