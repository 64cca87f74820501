//! A Docker daemon of one test alone, which may be killed, or run out of disk.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{free_port, until};

/// A dockerd with its own data; it ends when this is dropped.
pub struct Dockerd {
    child: Option<Child>,
    /// As where systemd starts both, it goes on when dockerd is killed.
    containerd: Child,
    folder: tempfile::TempDir,
    data: PathBuf,
    args: Vec<String>,
    listens: Box<dyn Fn() -> bool>,
    _bridge: Bridge,
    /// Where it listens, as DOCKER_HOST has it.
    pub host: String,
}

/// The socket of the containerd in its folder.
const CONTAINERD: &str = "containerd.sock";

/// Starts a containerd for one dockerd.
fn containerd(folder: &Path, data: &Path) -> Child {
    let path = |name: &str| folder.join(name);
    let log = std::fs::File::create(path("containerd.log")).expect("a file");
    let child = Command::new("containerd")
        .args(["--config", "/dev/null", "--log-level", "warn"])
        .arg("--root")
        .arg(data.join("containerd"))
        .arg("--state")
        .arg(path("containerd"))
        .arg("--address")
        .arg(path(CONTAINERD))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("containerd runs, as root: run ./dev setup");
    until("containerd listens", || {
        std::os::unix::net::UnixStream::connect(path(CONTAINERD)).is_ok()
    });
    child
}

/// Tells a process to end, and waits for that.
fn end(child: &mut Child) {
    let pid = child.id().to_string();
    let _ = Command::new("kill").args(["-s", "TERM", &pid]).status();
    let _ = child.wait();
}

/// A bridge for a daemon that needs none: with `--bridge=none` dockerd removes `docker0`, which is
/// another daemon's.
struct Bridge(String);

impl Bridge {
    fn new(port: u16) -> Self {
        let bridge = Self(format!("own{port}"));
        // Of the network that is reserved for measurements between networks.
        let address = format!("198.18.{}.{}/28", port / 16 % 256, port % 16 * 16 + 1);
        run("ip", &["link", "add", &bridge.0, "type", "bridge"]);
        run("ip", &["address", "add", &address, "dev", &bridge.0]);
        bridge
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", &self.0]).status();
    }
}

fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).status();
    let status = status.unwrap_or_else(|error| {
        panic!("{program} runs, as root: run ./dev test, or install it: {error}")
    });
    assert!(status.success(), "{program} {args:?}");
}

impl Dockerd {
    /// Starts one that listens at a socket in a folder of its own, and has the base image. `data`
    /// is where it keeps all that it has; a folder of its own if `None`.
    pub fn new(data: Option<&Path>) -> Self {
        let sockets = tempfile::tempdir().expect("a folder").keep();
        let host = format!("unix://{}", sockets.join("docker.sock").display());
        let asked = host.clone();
        // It listens before it has looked after the containers that it has.
        let listens = move || {
            let output = Command::new("docker").args(["-H", &asked, "ps"]).output();
            output.is_ok_and(|output| output.status.success())
        };
        let daemon = Self::start(host, Vec::new(), data, listens);
        let image = Command::new("sh")
            .arg("-c")
            .arg("docker save rengine/busybox:local | docker -H \"$0\" load")
            .arg(&daemon.host)
            .output()
            .expect("sh runs");
        assert!(image.status.success(), "{image:?}");
        daemon
    }

    /// Starts one with these arguments, and waits until it `listens`.
    pub fn start(
        host: String,
        args: Vec<String>,
        data: Option<&Path>,
        listens: impl Fn() -> bool + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = data.map_or_else(|| folder.path().join("data"), Path::to_owned);
        let containerd = containerd(folder.path(), &data);
        let mut daemon = Self {
            child: None,
            containerd,
            data,
            folder,
            args,
            listens: Box::new(listens),
            _bridge: Bridge::new(free_port()),
            host,
        };
        daemon.begin();
        daemon
    }

    /// Starts it again after [`Self::kill`] or [`Self::stop`].
    pub fn begin(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(path("log"))
            .expect("a file");
        let flag = |name: &str, path: PathBuf| format!("--{name}={}", path.display());
        let mut child = Command::new("dockerd")
            .args([
                "--iptables=false",
                "--ip6tables=false",
                "--ip-forward=false",
                "--storage-driver=vfs",
                "--log-level=warn",
            ])
            .arg(format!("--bridge={}", self._bridge.0))
            .arg(format!("--host={}", self.host))
            .arg(flag("data-root", self.data.clone()))
            .arg(flag("exec-root", path("exec")))
            .arg(flag("containerd", path(CONTAINERD)))
            .arg(flag("pidfile", path("pid")))
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("dockerd runs, as root: run ./dev setup");
        until("dockerd listens", || {
            let ended = child.try_wait().expect("its state");
            let log = std::fs::read_to_string(path("log")).unwrap_or_default();
            assert!(ended.is_none(), "dockerd ended: {log}");
            (self.listens)()
        });
        self.child = Some(child);
    }

    /// Kills it as a lack of memory would: it has no time for anything.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it ran");
            child.wait().expect("it ended");
        }
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child);
        }
    }

    /// Whether containers go on when it ends, and it finds them again: from its next start on.
    pub fn live_restore(&mut self, on: bool) {
        const FLAG: &str = "--live-restore";
        self.args.retain(|arg| arg != FLAG);
        if on {
            self.args.push(FLAG.to_owned());
        }
    }

    /// Its socket, where it has one.
    pub fn socket(&self) -> PathBuf {
        PathBuf::from(self.host.trim_start_matches("unix://"))
    }

    /// What the `docker` command prints of it.
    pub fn docker(&self, args: &[&str]) -> String {
        let output = Command::new("docker")
            .args(["-H", &self.host])
            .args(args)
            .output();
        let output = output.expect("docker runs");
        assert!(output.status.success(), "docker {args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        // It has containers to end, and mounts to undo.
        if self.child.is_none() && !std::thread::panicking() {
            self.begin();
        }
        self.child.as_mut().into_iter().for_each(end);
        end(&mut self.containerd);
        if let Some(socket) = self.host.strip_prefix("unix://")
            && let Some(folder) = Path::new(socket).parent()
        {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// A file system of its own in a file, with little room; it goes when this is dropped.
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// One of so many MiB.
    pub fn new(mib: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Self { folder };
        let file = disk.folder.path().join("file");
        let image = std::fs::File::create(&file).expect("a file");
        image.set_len(mib << 20).expect("its length");
        std::fs::create_dir(disk.path()).expect("a folder");
        let (file, path) = (
            file.display().to_string(),
            disk.path().display().to_string(),
        );
        run("mkfs.ext4", &["-q", "-F", "-m", "0", &file]);
        run("mount", &["-o", "loop", &file, &path]);
        disk
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
