//! Podman's service, where it is what is tested.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::machine::configuration;
use crate::until;

/// The variables that name the configuration of Podman that tests use.
pub fn environment() -> [(&'static str, PathBuf); 2] {
    [
        ("CONTAINERS_CONF", configuration("containers.conf")),
        (
            "CONTAINERS_REGISTRIES_CONF",
            configuration("registries.conf"),
        ),
    ]
}

/// The URL of a service that all tests of this process share; it ends by itself after them.
pub fn url() -> String {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(start);
    format!("unix://{}", socket(folder).display())
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("podman.sock")
}

fn start() -> PathBuf {
    let image = Command::new("podman")
        .args(["image", "exists", "rengine/busybox:local"])
        .envs(environment())
        .status();
    assert!(
        image.is_ok_and(|status| status.success()),
        "Podman is missing, or has no base image: run ./dev podman"
    );
    let folder = tempfile::Builder::new().prefix("podman-").tempdir();
    let folder = folder.expect("a folder").keep();
    let log = std::fs::File::create(folder.join("log")).expect("a file");
    // A shell in the background takes the folder away when nobody has used the service for a while.
    let started = Command::new("sh")
        .args([
            "-c",
            r#"{ podman system service --time=60 "unix://$0/podman.sock"; rm -rf "$0"; } &"#,
        ])
        .arg(&folder)
        .envs(environment())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .status();
    assert!(started.expect("a shell").success());
    until("Podman's service listens", || {
        UnixStream::connect(socket(&folder)).is_ok()
    });
    folder
}
