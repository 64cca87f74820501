//! What the tests share that need a real daemon.

// Each test file is a program of its own, and none uses all of this.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rengine::app::{ContainerSpec, ImageBuild};
use rengine::context::Context;
use rengine::docker::{BuildEvent, BuilderChoice, BuiltImage, Docker, DockerError, Endpoint};
use tokio::sync::mpsc;

/// A static binary to build images from, where nothing can be pulled.
pub const BUSYBOX: &str = "/bin/busybox";

/// Connects to the daemon that DOCKER_HOST names, or the usual one.
pub async fn connect() -> Docker {
    connect_with(BuilderChoice::Automatic).await
}

/// As [`connect`], with a choice of builder.
pub async fn connect_with(builder: BuilderChoice) -> Docker {
    let endpoint = Endpoint::discover(None, &|name| std::env::var(name).ok());
    let endpoint = endpoint.unwrap_or_else(|error| no_daemon(&error.to_string()));
    let docker = Docker::connect(endpoint, builder).await;
    docker.unwrap_or_else(|error| no_daemon(&error.to_string()))
}

/// A test without a daemon shows nothing, so it fails.
pub fn no_daemon(reason: &str) -> ! {
    panic!("no Docker daemon answers: run ./dev setup ({reason})")
}

/// A name that nothing else on the daemon has.
pub fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("dk-{what}-{}-{count}", std::process::id())
}

/// Removes containers and images of a test at its end, however it ends.
#[derive(Default)]
pub struct Cleanup {
    containers: Vec<String>,
    images: Vec<String>,
}

impl Cleanup {
    /// A container to remove, by id or name.
    pub fn container(&mut self, id: impl Into<String>) {
        self.containers.push(id.into());
    }

    /// An image to remove, by id or tag.
    pub fn image(&mut self, id: impl Into<String>) {
        self.images.push(id.into());
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let containers = std::mem::take(&mut self.containers);
        let images = std::mem::take(&mut self.images);
        // On a thread of its own: drop can't wait, and the test's runtime is at its end.
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let docker = connect().await;
                for id in containers {
                    let _ = docker.remove(&id, true).await;
                }
                for id in images {
                    let _ = docker.remove_image(&id).await;
                }
            });
        });
        let _ = cleaning.join();
    }
}

/// A folder with these files, and busybox as `busybox`.
pub fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let copied = std::fs::copy(BUSYBOX, folder.path().join("busybox"));
    copied.expect("busybox-static is installed: run ./dev setup");
    folder
}

/// The build of a folder with this Dockerfile.
pub fn image_build(folder: &Path, dockerfile: &str) -> ImageBuild {
    ImageBuild {
        context: folder.to_owned(),
        dockerfile_path: "Dockerfile".to_owned(),
        dockerfile: Some(dockerfile.to_owned()),
        args: BTreeMap::new(),
        labels: BTreeMap::new(),
        target: None,
        platform: None,
        cache_from: Vec::new(),
        no_cache: false,
        pull: false,
        inline_cache: false,
        run: rengine::app::BuildRun::default(),
        tags: Vec::new(),
        contexts: BTreeMap::new(),
        generated: BTreeMap::new(),
    }
}

/// A Dockerfile's start, after which there are a shell and its tools.
pub const WITH_SHELL: &str = "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";

/// Builds, and gives all events too.
pub async fn build(
    docker: &Docker,
    build: &ImageBuild,
    tags: &[String],
) -> (Result<BuiltImage, DockerError>, Vec<BuildEvent>) {
    let context = Context::load(build).expect("a context");
    let (sender, mut receiver) = mpsc::channel(16);
    let labels = BTreeMap::new();
    let building = docker.build(build, &context, tags, &labels, sender);
    let listening = async {
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event);
        }
        events
    };
    tokio::join!(building, listening)
}

/// An image with a shell, for containers; built once, and left to be reused.
pub async fn shell_image(docker: &Docker) -> String {
    let folder = folder(&[]);
    let dockerfile = format!("{WITH_SHELL}EXPOSE 80\nCMD [\"sleep\", \"300\"]\n");
    let tags = ["dk-shell:1".to_owned()];
    let (built, _) = build(docker, &image_build(folder.path(), &dockerfile), &tags).await;
    built.expect("an image with a shell").id
}

/// A container's spec that runs this command, and is not started again when it ends.
pub fn shell(script: &str) -> ContainerSpec {
    ContainerSpec {
        command: Some(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]),
        restart: rengine::app::RestartPolicy::No,
        stop_timeout: Some(std::time::Duration::from_secs(1)),
        ..ContainerSpec::default()
    }
}

/// Runs the `docker` command and gives its output, or what it said against it.
pub fn cli(
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<Vec<u8>, String> {
    let output = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// A `docker` command that can use this builder. Newer ones need a plugin for BuildKit; one from
/// Debian may be there beside such.
pub fn docker_with(buildkit: &str) -> &'static str {
    static CLASSIC: OnceLock<&str> = OnceLock::new();
    static BUILDKIT: OnceLock<&str> = OnceLock::new();
    let found = if buildkit == "1" { &BUILDKIT } else { &CLASSIC };
    found.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(
            folder.path().join("Dockerfile"),
            "FROM scratch\nLABEL dk=1\n",
        )
        .expect("a file");
        let path = folder.path().to_str().expect("a path");
        let mut errors = String::new();
        for program in ["docker", "/usr/bin/docker"] {
            match cli(
                program,
                &["build", "-q", "--no-cache", path],
                &[("DOCKER_BUILDKIT", buildkit)],
            ) {
                Ok(_) => return program,
                Err(error) => errors.push_str(&error),
            }
        }
        no_daemon(&format!(
            "`DOCKER_BUILDKIT={buildkit} docker build` does not work: {errors}"
        ))
    })
}

/// What a file of an image is: type, mode, owner, group, seconds of its time, and what is in it or
/// where it leads.
pub type Facts = (u8, u32, u64, u64, u64, Vec<u8>);

/// The files of an image, but for those that every container has.
pub fn files(image: &str) -> BTreeMap<String, Facts> {
    let docker = |arguments: &[&str]| {
        let output = cli("docker", arguments, &[]);
        output.unwrap_or_else(|error| panic!("docker {arguments:?}: {error}"))
    };
    let created = docker(&["create", image, "none"]);
    let container = String::from_utf8(created).expect("text").trim().to_owned();
    let mut cleanup = Cleanup::default();
    cleanup.container(&container);
    let archive = docker(&["export", &container]);
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(&archive[..]);
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let own = ["dev/", "etc/", "proc/", "sys/", ".dockerenv"];
        if own.iter().any(|own| path.starts_with(own)) {
            continue;
        }
        let header = entry.header().clone();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).expect("contents");
        if let Some(link) = entry.link_name_bytes() {
            contents = link.into_owned();
        }
        // BuildKit's are of when it copied them, whoever sent it what is in them.
        let is_folder = header.entry_type().is_dir();
        let time = if is_folder {
            0
        } else {
            header.mtime().expect("a time")
        };
        let facts = (
            header.entry_type().as_byte(),
            header.mode().expect("a mode") & 0o7777,
            header.uid().expect("an owner"),
            header.gid().expect("a group"),
            time,
            contents,
        );
        files.insert(path, facts);
    }
    files
}
