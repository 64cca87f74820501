//! A real registry on loopback that wants a name and a password.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
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
    folder: tempfile::TempDir,
    child: Child,
    /// Its host and port.
    pub host: String,
}

/// Who may use a registry, and how it is reached.
#[derive(Clone, Copy)]
pub enum Access<'a> {
    /// Those with a name and a password.
    Password,
    /// Everybody.
    Open,
    /// Everybody, with this certificate and key.
    Tls(&'a Path),
}

impl Registry {
    /// Starts an empty one that wants a name and a password.
    pub fn start() -> Self {
        Self::start_with(Access::Password)
    }

    /// Where it keeps its files.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Ends it; what it has goes when it is dropped.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts an empty one.
    pub fn start_with(access: Access<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let port = free_port();
        std::fs::write(
            at("htpasswd"),
            format!("{USER}:{HASH}\n{ODD_USER}:{ODD_HASH}\n"),
        )
        .expect("a file");
        let auth = format!(
            "auth: {{ htpasswd: {{ realm: tests, path: {} }} }}\n",
            at("htpasswd")
        );
        let (tls, auth) = match access {
            Access::Password => (String::new(), auth),
            Access::Open => (String::new(), String::new()),
            Access::Tls(folder) => {
                let file = |name: &str| folder.join(name).display().to_string();
                let (certificate, key) = (file("cert.pem"), file("key.pem"));
                let tls = format!(", tls: {{ certificate: {certificate}, key: {key} }}");
                (tls, String::new())
            }
        };
        let config = format!(
            "version: 0.1\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: '127.0.0.1:{port}'{tls} }}\n{auth}",
            at("data"),
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
            folder,
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
