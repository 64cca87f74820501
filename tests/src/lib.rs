//! What end-to-end tests share: a project in a folder of its own, the real `rengine`, and the
//! real daemon.

pub mod authority;
pub mod compose;
pub mod dockerd;
pub mod faulty;
pub mod gate;
pub mod killing;
pub mod load;
pub mod machine;
pub mod podman;
pub mod proxy;
pub mod registry;
mod running;
pub mod ssh;
pub mod team;
pub mod tidy;
pub mod tokens;
pub mod tunnel;
pub mod watching;
pub mod world;

pub use running::{Outcome, Running};

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// An app in a temporary folder; what it made in the daemon goes when it is dropped.
pub struct Project {
    folder: tempfile::TempDir,
    /// The app's name, unique to this process and test.
    pub app: String,
    /// A port of the host that was free a moment ago.
    pub port: u16,
    /// Where that port is reached.
    pub address: String,
    /// The daemon, where it is not the one that all tests share.
    host: Option<String>,
    /// The network in which rengine runs then.
    network: Option<String>,
}

impl Project {
    /// A web app that serves `page`; `extra` goes to the end of plugins.toml's `[app]`.
    pub fn new(name: &str, page: &str, extra: &str) -> Self {
        Self::on(None, name, page, extra)
    }

    /// The same on a daemon of the test's own.
    pub fn on(daemon: Option<&dockerd::Dockerd>, name: &str, page: &str, extra: &str) -> Self {
        let project = Self {
            folder: tempfile::tempdir().expect("a folder"),
            app: format!("t{}-{name}", std::process::id()),
            port: free_port(),
            address: daemon
                .map_or("127.0.0.1", |daemon| daemon.address())
                .to_owned(),
            host: daemon.map(|daemon| daemon.host.clone()),
            network: daemon
                .and_then(|daemon| daemon.network())
                .map(str::to_owned),
        };
        let docker = project.docker_command(&["version"]).output();
        assert!(
            docker.is_ok_and(|output| output.status.success()),
            "no daemon answers: run ./dev setup"
        );
        let dockerfile = "FROM rengine/busybox:local\nCOPY index.html /www/\n\
             CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n";
        project.write("Dockerfile", dockerfile);
        project.write("index.html", page);
        project.configure(extra);
        project
    }

    /// Writes plugins.toml with `extra` at its end.
    pub fn configure(&self, extra: &str) {
        let (app, port) = (&self.app, self.port);
        let text = format!("[app]\nname = \"{app}\"\nports = [\"{port}:8080\"]\n{extra}\n");
        self.write("plugins.toml", &text);
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
    }

    /// The project's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `rengine` in the project, for whoever runs it in a way of their own.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_of(&rengine(), args)
    }

    /// The same with another `rengine`.
    pub fn command_of(&self, rengine: &Path, args: &[&str]) -> Command {
        let mut command = self.program(&rengine.display().to_string());
        command.current_dir(self.path()).args(args);
        command
    }

    /// A program that is told by its environment where the project's daemon is.
    pub fn program(&self, name: &str) -> Command {
        let mut command = match &self.network {
            None => with_daemon(name),
            Some(network) => {
                let mut command = with_daemon("nsenter");
                command.arg(format!("--net=/run/netns/{network}"));
                command.args(["--", name]);
                command
            }
        };
        if let Some(host) = &self.host {
            command.env("DOCKER_HOST", host);
        }
        command
    }

    fn docker_command(&self, args: &[&str]) -> Command {
        let mut command = self.program("docker");
        command.args(args);
        command
    }

    /// Runs `docker` with the project's daemon, and returns what it prints.
    pub fn docker(&self, args: &[&str]) -> String {
        printed(|| self.docker_command(args))
    }

    /// What the daemon answers to a question, as `/networks?`, for what this filter lets through.
    pub(crate) fn ask(&self, path: &str, filter: &str) -> serde_json::Value {
        let host = self.host.clone().or_else(host);
        let host = host.as_deref().unwrap_or("unix:///var/run/docker.sock");
        let socket = host.strip_prefix("unix://").expect("a socket of a daemon");
        world::get(Path::new(socket), path, filter)
    }

    /// Runs `rengine` in the project.
    pub fn rengine(&self, args: &[&str]) -> Outcome {
        let output = self.command(args).output();
        Outcome::from(output.expect("rengine runs"))
    }

    /// Starts `rengine` in the project, and goes on.
    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, &[])
    }

    /// The same with other variables.
    pub fn start_with(&self, args: &[&str], env: &[(&str, &str)]) -> Running {
        let (stdout, stderr) = (running::scratch(), running::scratch());
        let child = self
            .command(args)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(stdout.reopen().expect("a file"))
            .stderr(stderr.reopen().expect("a file"))
            .spawn()
            .expect("rengine runs");
        Running::new(child, stdout, stderr)
    }

    /// What the app answers on its port.
    pub fn get(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((self.address.as_str(), self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// The ids of the app's containers, but for its edges'.
    pub fn containers(&self) -> Vec<String> {
        let listed = self.listed();
        let edge = |line: &&str| line.contains(' ');
        let own = listed.lines().map(str::trim).filter(|line| !edge(line));
        own.map(str::to_owned).collect()
    }

    /// A line for each container: its id, and then what an edge's label says.
    fn listed(&self) -> String {
        let filter = format!("label=dev.rengine.app={}", self.app);
        let format = "{{.ID}} {{.Label \"dev.rengine.edge.slots\"}}";
        self.docker(&[
            "ps",
            "-a",
            "--no-trunc",
            "--filter",
            &filter,
            "--format",
            format,
        ])
    }

    /// What the daemon knows of the app's only container.
    pub fn inspect(&self) -> serde_json::Value {
        let containers = self.containers();
        assert_eq!(containers.len(), 1, "{containers:?}");
        let text = self.docker(&["inspect", &containers[0]]);
        let mut list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        list.remove(0)
    }

    /// The ids of the app's edges.
    pub fn edges(&self) -> Vec<String> {
        let listed = self.listed();
        let edges = listed.lines().filter_map(|line| line.split_once(' '));
        let edges = edges.filter(|(_, slots)| !slots.trim().is_empty());
        edges.map(|(id, _)| id.to_owned()).collect()
    }
}

/// A port that nobody listens on, and nobody is given by chance: those that the kernel hands out,
/// to outgoing connections too, start at 32768. No other test of this process gets it.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(101);
    let candidates = (0..COUNT).map(|_| {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        u16::try_from(FIRST + offset).expect("a port")
    });
    let mut free = candidates.filter(|&port| TcpListener::bind(("0.0.0.0", port)).is_ok());
    free.next().expect("a free port")
}

impl Drop for Project {
    fn drop(&mut self) {
        for line in self.listed().lines() {
            let id = line.split(' ').next().unwrap_or_default();
            self.docker(&["rm", "-f", "-v", id]);
        }
        let filter = format!("label=dev.rengine.app={}", self.app);
        for kind in ["network", "volume"] {
            for name in self
                .docker(&[kind, "ls", "-q", "--filter", &filter])
                .lines()
            {
                self.docker(&[kind, "rm", name]);
            }
        }
        for id in self.docker(&["images", "-q", "--filter", &filter]).lines() {
            self.docker(&["rmi", "-f", id]);
        }
    }
}

/// Waits until something is true; a minute is far more than anything here takes.
pub fn until(what: &str, done: impl FnMut() -> bool) {
    assert!(within_a_minute(done), "never: {what}");
}

/// The same, and false if it never was.
fn within_a_minute(mut done: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !done() {
        if started.elapsed() >= Duration::from_secs(60) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// The daemon that is tested, where it is not the usual one: `RENGINE_TEST_DAEMON=podman`.
fn host() -> Option<String> {
    match std::env::var("RENGINE_TEST_DAEMON").as_deref() {
        Ok("podman") => Some(podman::url()),
        Ok("docker") | Err(_) => None,
        Ok(other) => panic!("RENGINE_TEST_DAEMON is `docker` or `podman`, not `{other}`"),
    }
}

/// Runs `docker` and returns what it prints.
pub fn docker(args: &[&str]) -> String {
    printed(|| docker_command(args))
}

/// What a command of `docker` prints. What it says of a failure is in the output of a test that fails. Podman reads
/// images one by one after it has listed them, and fails where another test removed one in between: that list is
/// asked for again.
fn printed(command: impl Fn() -> Command) -> String {
    const TRIES: u32 = 10;
    let mut tries = 1;
    loop {
        let mut command = command();
        let output = command.output().expect("docker runs");
        if output.status.success() {
            return String::from_utf8_lossy(&output.stdout).into_owned();
        }
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("{command:?}: {}: {said}", output.status);
        let lists_images = command
            .get_args()
            .next()
            .is_some_and(|word| word == "images");
        let torn = said.contains("image not known") || said.contains("layer not known");
        if !(lists_images && torn && tries < TRIES) {
            return String::from_utf8_lossy(&output.stdout).into_owned();
        }
        tries += 1;
    }
}

/// `docker` with the daemon that is tested.
pub fn docker_command(args: &[&str]) -> Command {
    let mut command = with_daemon("docker");
    command.args(args);
    command
}

/// A program that is told by its environment which daemon is tested.
pub fn with_daemon(program: &str) -> Command {
    let mut command = Command::new(program);
    if let Some(host) = host() {
        command.env("DOCKER_HOST", host);
    }
    command
}

/// True where that is Podman, which can't do all that Docker does: engine/PODMAN.md.
pub fn on_podman() -> bool {
    host().is_some()
}

/// True where the daemon's API is version 1.`minor` or later.
pub fn has_api(minor: u32) -> bool {
    let version = docker(&["version", "--format", "{{.Server.APIVersion}}"]);
    let version = version.trim().strip_prefix("1.").map(str::parse::<u32>);
    version.expect("a version").expect("a number") >= minor
}

/// A plugin of this repository, built by `./dev test`.
pub fn plugin(file: &str) -> PathBuf {
    let path = target().join("wasm32-wasip2/plugin").join(file);
    assert!(
        path.is_file(),
        "{} is missing: run ./dev test",
        path.display()
    );
    path
}

/// A plugin in `examples/plugins`, built from its source by `./dev test`.
pub fn example(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join("examples/plugins").join(name).join("plugin.wasm");
    assert!(
        path.is_file(),
        "{} is missing: run ./dev plugins",
        path.display()
    );
    path
}

/// The `rengine` that is tested.
pub fn rengine() -> PathBuf {
    let path = target().join("debug/rengine");
    assert!(
        path.is_file(),
        "{} is missing: run ./dev test",
        path.display()
    );
    path
}

fn target() -> PathBuf {
    // target/debug/deps/TEST
    let test = std::env::current_exe().expect("this test");
    let target = test.ancestors().nth(3).expect("three folders above");
    target.to_owned()
}

/// A program that `./dev test` installs for tests.
pub fn tool(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(".dev/tools/bin").join(name);
    assert!(
        path.is_file(),
        "{} is missing: run ./dev test",
        path.display()
    );
    path
}
