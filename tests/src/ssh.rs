//! A real sshd on loopback, and the configuration of a user who may log in there.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{free_port, until};

/// An `sshd` of this test alone; it ends when this is dropped.
pub struct SshServer {
    folder: tempfile::TempDir,
    server: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl SshServer {
    /// Starts one that this user may log in to; `config` is added to sshd_config.
    pub fn start(config: &str) -> Self {
        let sshd = Path::new("/usr/sbin/sshd");
        assert!(
            sshd.is_file(),
            "{} is missing: run ./dev test, or install openssh-server",
            sshd.display()
        );
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        for key in ["host", "user", "stranger"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.path().join(key))
                .status();
            assert!(made.expect("ssh-keygen runs").success());
        }
        let path = |name: &str| folder.path().join(name).display().to_string();
        let server_config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
             PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin yes\n{config}\n",
            path("host"),
            path("user.pub"),
        );
        std::fs::write(folder.path().join("sshd_config"), server_config).expect("a file");
        // Where root's sshd wants an empty folder, which Debian makes when it starts the service.
        let _ = std::fs::create_dir("/run/sshd");
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let server = Command::new(sshd)
            .args(["-D", "-e", "-f"])
            .arg(folder.path().join("sshd_config"))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd runs");
        let mut server = Self {
            folder,
            server,
            port,
        };
        server.client("user", true);
        until("sshd listens", || {
            let ended = server.server.try_wait().expect("its state");
            assert!(ended.is_none(), "sshd ended: {}", server.log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    }

    /// Sets the user's key, and whether the host's is known.
    pub fn client(&self, key: &str, known: bool) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let host_key = std::fs::read_to_string(path("host.pub")).expect("a key");
        let line = format!("[127.0.0.1]:{} {host_key}", self.port);
        std::fs::write(path("known_hosts"), if known { &line } else { "" }).expect("a file");
        let config = format!(
            "Host web1\n  HostName 127.0.0.1\n  Port {}\nHost *\n  IdentityFile {}\n  \
             IdentitiesOnly yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n",
            self.port,
            path(key),
            path("known_hosts"),
        );
        std::fs::write(path("config"), config).expect("a file");
        let bin = self.folder.path().join("bin");
        let _ = std::fs::create_dir(&bin);
        // ssh takes the home folder from the list of users, whatever HOME says.
        let wrapper = format!(
            "#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n",
            path("config")
        );
        script(&bin.join("ssh"), &wrapper);
    }

    /// Its URL, with a path to a socket or nothing at its end.
    pub fn url(&self, socket: &str) -> String {
        format!("ssh://127.0.0.1:{}{socket}", self.port)
    }

    /// The PATH with the user's ssh before the others.
    pub fn path(&self) -> String {
        let path = std::env::var("PATH").expect("a PATH");
        format!("{}/bin:{path}", self.folder.path().display())
    }

    /// The processes of the user's ssh.
    pub fn clients(&self) -> String {
        let config = self.folder.path().join("config");
        let found = Command::new("pgrep").arg("-af").arg(config).output();
        String::from_utf8_lossy(&found.expect("pgrep runs").stdout).into_owned()
    }

    /// What it said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Writes a program.
pub fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("a file");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("a mode");
}

/// A folder with these programs of the machine and no others, to be a PATH.
pub fn programs(names: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    for name in names {
        let found = std::env::split_paths(&std::env::var_os("PATH").expect("a PATH"))
            .map(|folder| folder.join(name))
            .find(|path| path.is_file());
        let found = found.unwrap_or_else(|| panic!("there is no `{name}`: run ./dev setup"));
        std::os::unix::fs::symlink(found, folder.path().join(name)).expect("a link");
    }
    let path = folder.path().to_owned();
    (folder, path)
}
