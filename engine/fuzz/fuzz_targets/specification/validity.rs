//! What every specification must be, whoever made it.

use rengine::app::{App, ContainerSpec, Fields, ImageBuild, ImageSource, MountSource, Name, Probe};

/// The labels that are rengine's own.
const RESERVED: &str = "dev.rengine.";
const MAX_TEXT: usize = 1 << 20;
const MAX_GENERATED: usize = 64 << 20;

fn text(what: &str, value: &str) {
    assert!(value.len() <= MAX_TEXT, "{what} has {} bytes", value.len());
    assert!(!value.contains('\0'), "{what} has a NUL: {value:?}");
}

fn line(what: &str, value: &str) {
    text(what, value);
    assert!(!value.chars().any(char::is_control), "{what}: {value:?}");
}

fn absolute(what: &str, path: &str) {
    line(what, path);
    assert!(path.starts_with('/'), "{what}: {path:?}");
}

/// A path that stands before or behind a colon.
fn mountable(what: &str, path: &str) {
    absolute(what, path);
    assert!(!path.contains(':'), "{what}: {path:?}");
}

fn variable(name: &str) {
    line("a variable", name);
    assert!(!name.is_empty() && !name.contains('='), "{name:?}");
}

fn label(name: &str, value: &str) {
    line("a label", name);
    text("a label", value);
    assert!(!name.is_empty() && !name.starts_with(RESERVED), "{name:?}");
}

pub fn container(spec: &ContainerSpec) {
    for (what, value) in [
        ("the user", &spec.user),
        ("the network", &spec.network_mode),
        ("the processes", &spec.pid_mode),
        ("the IPC", &spec.ipc_mode),
        ("the signal", &spec.stop_signal),
        ("the host name", &spec.hostname),
    ] {
        line(what, value.as_deref().unwrap_or_default());
    }
    for word in spec.command.iter().chain(&spec.entrypoint).flatten() {
        text("a word", word);
    }
    if let Some(path) = &spec.working_dir {
        absolute("the working directory", path);
    }
    for (name, value) in &spec.env {
        variable(name);
        text("a variable", value);
    }
    for (name, value) in &spec.labels {
        label(name, value);
    }
    let memory = spec.memory.map_or(6 << 20, |memory| memory.0);
    assert!((6 << 20..=i64::MAX as u64).contains(&memory), "{memory}");
    let cpus = spec.cpus.map_or(1.0, |cpus| cpus.as_f64());
    assert!(cpus > 0.0 && cpus.is_finite(), "{cpus}");
    assert_ne!(spec.pids_limit, Some(0));
    for (path, options) in &spec.tmpfs {
        absolute("a mount", path);
        line("its options", options);
    }
    for name in spec.cap_add.iter().chain(&spec.cap_drop) {
        let plain = |c: char| c.is_ascii_uppercase() || c == '_';
        assert!(!name.is_empty() && name.chars().all(plain), "{name}");
        assert!(!name.starts_with("CAP_"), "{name}");
    }
    for device in &spec.devices {
        mountable("a device", &device.host_path);
        mountable("a device", &device.container_path);
        let known = |c: char| "rwm".contains(c);
        assert!(!device.permissions.is_empty() && device.permissions.chars().all(known));
    }
    let mut targets: Vec<_> = spec.mounts.iter().map(|mount| &mount.target).collect();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets.len(), spec.mounts.len(), "one mount at each target");
    for mount in &spec.mounts {
        mountable("a mount", &mount.target);
        match &mount.source {
            MountSource::Bind(path) => mountable("its source", path),
            MountSource::Volume(name) => {
                let rest = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
                assert!(name.len() > 1 && name.chars().all(rest), "{name:?}");
                assert!(
                    name.starts_with(|c: char| c.is_ascii_alphanumeric()),
                    "{name:?}"
                );
            }
            MountSource::Anonymous => {}
        }
    }
    for port in &spec.ports {
        assert!(
            port.container_port > 0 && port.host_port != Some(0),
            "{port}"
        );
    }
    if let Some(check) = &spec.health {
        assert!(
            !check.interval.is_zero() && !check.timeout.is_zero(),
            "{check:?}"
        );
        match &check.probe {
            Probe::Http { path, port, .. } => {
                line("the path", path);
                assert!(path.starts_with('/') && *port != Some(0), "{check:?}");
            }
            Probe::Tcp(port) => assert_ne!(*port, 0),
            Probe::Shell(script) => text("a script", script),
            Probe::Exec(words) => {
                assert!(!words.is_empty());
                words.iter().for_each(|word| text("a word", word));
            }
            Probe::None => {}
        }
    }
    // Whatever it is, it can be told and fingerprinted.
    assert!(!Fields::of(spec).fingerprint().is_empty());
}

pub fn build(build: &ImageBuild) {
    text(
        "the Dockerfile",
        build.dockerfile.as_deref().unwrap_or_default(),
    );
    for (name, value) in &build.args {
        variable(name);
        text("an argument", value);
    }
    for (name, value) in &build.labels {
        label(name, value);
    }
    for value in build.target.iter().chain(&build.platform) {
        line("the target or platform", value);
    }
    for image in &build.cache_from {
        text("an image", image);
    }
    let mut bytes = 0;
    for (path, file) in &build.generated {
        line("a path", path);
        let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\\');
        assert!(path.split('/').all(plain), "{path:?}");
        assert_ne!(path, &build.dockerfile_path);
        bytes += file.contents.len();
    }
    assert!(bytes <= MAX_GENERATED);
    assert_eq!(build.context, std::path::Path::new("/nowhere"));
    assert_eq!(build.dockerfile_path, "Dockerfile");
}

pub fn app(app: &App) {
    assert_eq!(app.name.as_str(), "shop");
    assert!(app.services.len() <= 100);
    for (name, service) in &app.services {
        assert!(Name::parse(name.as_str()).is_ok());
        assert_eq!(name, &service.name);
        container(&service.container);
        if let ImageSource::Image(reference) = &service.image {
            let fine = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
            assert!(
                !reference.is_empty() && reference.chars().all(fine),
                "{reference:?}"
            );
        }
    }
}
