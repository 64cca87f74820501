//! A machine of its own, as it were, that has Podman and no Docker: `tests/machine`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{docker_command, podman, rengine, until};

/// One that runs; it ends, with all that runs on it, when this is dropped.
pub struct Machine {
    folder: tempfile::TempDir,
    child: Child,
    /// Its command waits for the end of this.
    _input: ChildStdin,
}

impl Machine {
    /// Starts one on which no daemon runs. Podman has the base image there.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(configuration("machine"))
            .arg(folder.path().join("storage"))
            .args(["sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output");
        let read = BufReader::new(output).read_line(&mut line);
        assert!(
            read.is_ok() && line == "ready\n",
            "tests/machine did not start, as root: run ./dev test"
        );
        let machine = Self {
            _input: child.stdin.take().expect("its input"),
            folder,
            child,
        };
        machine.load("rengine/busybox:local");
        machine
    }

    /// Starts one on which Podman's service listens, and gives its URL, which holds everywhere.
    pub fn with_service() -> (Self, String) {
        let machine = Self::start();
        let socket = machine.path().join("podman.sock");
        let url = format!("unix://{}", socket.display());
        let started = machine
            .command("sh")
            .args(["-c", "podman system service --time=0 \"$0\" &"])
            .arg(&url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(started.expect("it runs").success());
        until("Podman's service listens", || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        (machine, url)
    }

    /// A folder of its own, which is the same there and here.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command that is to run there, without any variable of the environment but a PATH.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.command_with(&std::env::var("PATH").expect("a PATH"), program)
    }

    /// As [`Self::command`], with another PATH.
    pub fn command_with(&self, path: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let pid = self.child.id();
        let mut command = Command::new("nsenter");
        command
            .args(["--net", "--mount", "--target", &pid.to_string()])
            .arg(format!("--pid=/proc/{pid}/ns/pid_for_children"))
            .args(["--", "/usr/bin/env", "-i"])
            .arg(format!("PATH={path}"))
            .arg(format!("HOME={}", self.path().display()));
        for (name, value) in podman::environment() {
            command.arg(format!("{name}={}", value.display()));
        }
        command.arg(program);
        command
    }

    /// `rengine` there, for a project; what comes before its arguments is its environment.
    pub fn rengine(&self, project: &Path, environment: &[&str], args: &[&str]) -> Command {
        let mut command = self.command("/usr/bin/env");
        command.args(environment).arg(rengine());
        command.arg("-C").arg(project).args(args);
        command
    }

    /// Brings an image over from the daemon that is tested.
    fn load(&self, image: &str) {
        let saved = docker_command(&["save", image]).output();
        let saved = saved.expect("docker runs");
        assert!(saved.status.success(), "{image}: run ./dev setup");
        let mut load = self
            .command("podman")
            .args(["load", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("podman runs: run ./dev test");
        let mut input = load.stdin.take().expect("its input");
        input.write_all(&saved.stdout).expect("it reads");
        drop(input);
        assert!(load.wait().expect("its state").success(), "podman load");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file of this crate.
pub(crate) fn configuration(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
