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
    listens: Box<dyn Fn() -> bool + Send>,
    net: Net,
    /// Where it listens, as DOCKER_HOST has it.
    pub host: String,
}

/// The network that it has.
enum Net {
    /// This machine's, with a bridge of its own. Its containers do not reach each other: the rules
    /// of the daemon that tests share let nothing pass that it does not know.
    Shared(Bridge),
    /// One of its own.
    Own(Network),
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

/// Undoes what is mounted in a folder: a daemon that was killed leaves that, and so nobody can remove
/// the folder.
fn unmount(folder: &Path) {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let paths = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    // What is deeper was mounted later.
    for path in paths
        .rev()
        .filter(|path| Path::new(path).starts_with(folder))
    {
        let _ = Command::new("umount").args(["-l", path]).status();
    }
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

/// A network as another machine has it, with a cable to this one.
struct Network {
    name: String,
    /// Its address at that cable.
    address: String,
}

impl Network {
    fn new(port: u16) -> Self {
        let name = format!("net{port}");
        let (here, there) = (format!("veth{port}"), format!("end{port}"));
        // Of the network that is reserved for measurements between networks.
        let at = |number: u16| format!("198.19.{}.{}", port / 16 % 256, port % 16 * 16 + number);
        run("ip", &["netns", "add", &name]);
        let network = Self {
            name,
            address: at(2),
        };
        let inside = ["-n", &network.name];
        run("ip", &[&inside[..], &["link", "set", "lo", "up"]].concat());
        run(
            "ip",
            &["link", "add", &here, "type", "veth", "peer", "name", &there],
        );
        run("ip", &["link", "set", &there, "netns", &network.name]);
        let mask = |number| format!("{}/28", at(number));
        run("ip", &["address", "add", &mask(1), "dev", &here]);
        run("ip", &["link", "set", &here, "up"]);
        let address = mask(2);
        run(
            "ip",
            &[&inside[..], &["address", "add", &address, "dev", &there]].concat(),
        );
        run(
            "ip",
            &[&inside[..], &["link", "set", &there, "up"]].concat(),
        );
        network
    }
}

impl Network {
    /// A command that is to run in it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name));
        command.args(["--", program]);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The cable goes with it.
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

impl Dockerd {
    /// Starts one with a network of its own, where its containers reach each other.
    pub fn elsewhere(data: Option<&Path>) -> Self {
        let net = Net::Own(Network::new(free_port()));
        Self::with_image(net, data)
    }

    /// Starts one that listens at a socket in a folder of its own, and has the base image. `data`
    /// is where it keeps all that it has; a folder of its own if `None`.
    pub fn new(data: Option<&Path>) -> Self {
        Self::with_image(Net::Shared(Bridge::new(free_port())), data)
    }

    fn with_image(net: Net, data: Option<&Path>) -> Self {
        let sockets = tempfile::tempdir().expect("a folder").keep();
        let host = format!("unix://{}", sockets.join("docker.sock").display());
        let asked = host.clone();
        // It listens before it has looked after the containers that it has.
        let listens = move || {
            let output = Command::new("docker").args(["-H", &asked, "ps"]).output();
            output.is_ok_and(|output| output.status.success())
        };
        let daemon = Self::start_in(net, host, Vec::new(), data, listens);
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
        listens: impl Fn() -> bool + Send + 'static,
    ) -> Self {
        let net = Net::Shared(Bridge::new(free_port()));
        Self::start_in(net, host, args, data, listens)
    }

    fn start_in(
        net: Net,
        host: String,
        args: Vec<String>,
        data: Option<&Path>,
        listens: impl Fn() -> bool + Send + 'static,
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
            net,
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
        let mut command = match &self.net {
            Net::Shared(bridge) => {
                let mut command = Command::new("dockerd");
                command.args([
                    "--iptables=false",
                    "--ip6tables=false",
                    "--ip-forward=false",
                ]);
                command.arg(format!("--bridge={}", bridge.0));
                command
            }
            Net::Own(network) => {
                let mut command = network.command("dockerd");
                command.arg("--ip6tables=false");
                command
            }
        };
        let mut child = command
            .args(["--storage-driver=vfs", "--log-level=warn"])
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

    /// The address at which published ports answer here.
    pub fn address(&self) -> &str {
        match &self.net {
            Net::Shared(_) => "127.0.0.1",
            Net::Own(network) => &network.address,
        }
    }

    /// The network that a program has to be in that is to reach its containers.
    pub fn network(&self) -> Option<&str> {
        match &self.net {
            Net::Shared(_) => None,
            Net::Own(network) => Some(&network.name),
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
        // Some go on without it.
        let list = Command::new("docker")
            .args(["-H", &self.host, "ps", "-aq"])
            .output();
        let list = list.map(|output| output.stdout).unwrap_or_default();
        for id in String::from_utf8_lossy(&list).lines() {
            let mut remove = Command::new("docker");
            let _ = remove.args(["-H", &self.host, "rm", "-f", id]).output();
        }
        self.child.as_mut().into_iter().for_each(end);
        end(&mut self.containerd);
        unmount(self.folder.path());
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
