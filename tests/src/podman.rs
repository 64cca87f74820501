//! Podman, whose service the tests start themselves.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::until;

/// Limits that a container may always be given. By default Podman asks for more than a service
/// without `CAP_SYS_RESOURCE` has, as in a container or a small virtual machine.
const CONFIG: &str =
    "[containers]\ndefault_ulimits = [\"nofile=1000:1000\", \"nproc=1000:1000\"]\n";

struct Service {
    folder: PathBuf,
}

/// The configuration of Podman that tests use, to be set as CONTAINERS_CONF.
pub fn config() -> PathBuf {
    service().folder.join("containers.conf")
}

/// The URL of a service that all tests of this process share; it ends by itself after them.
pub fn url() -> String {
    format!("unix://{}", socket(&service().folder).display())
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("podman.sock")
}

fn service() -> &'static Service {
    static SERVICE: OnceLock<Service> = OnceLock::new();
    SERVICE.get_or_init(start)
}

fn start() -> Service {
    let folder = tempfile::Builder::new().prefix("podman-").tempdir();
    let folder = folder.expect("a folder").keep();
    let config = folder.join("containers.conf");
    std::fs::write(&config, CONFIG).expect("a file");
    let log = std::fs::File::create(folder.join("log")).expect("a file");
    // A shell in the background takes the folder away when nobody has used the service for a while.
    let started = Command::new("sh")
        .args([
            "-c",
            r#"{ podman system service --time=60 "unix://$0/podman.sock"; rm -rf "$0"; } &"#,
        ])
        .arg(&folder)
        .env("CONTAINERS_CONF", &config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .status();
    assert!(started.expect("a shell").success());
    until("Podman's service listens: is podman installed?", || {
        UnixStream::connect(socket(&folder)).is_ok()
    });
    base_image();
    Service { folder }
}

/// Brings the base image over from Docker.
fn base_image() {
    const IMAGE: &str = "rengine/busybox:local";
    let there = Command::new("podman")
        .args(["image", "exists", IMAGE])
        .status();
    if there.expect("podman runs").success() {
        return;
    }
    let saved = Command::new("docker").args(["save", IMAGE]).output();
    let saved = saved.expect("docker runs").stdout;
    let mut load = Command::new("podman")
        .arg("load")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("podman runs");
    let mut input = load.stdin.take().expect("its input");
    input.write_all(&saved).expect("it reads");
    drop(input);
    assert!(load.wait().expect("its state").success(), "podman load");
}
