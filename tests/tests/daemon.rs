//! What the daemon does to a deploy: its own health checks, limits and environment, and the ways
//! in which it can fail.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rengine_tests::{Outcome, Project, docker, on_podman, podman, until};

/// Deploys the page `the old one`, which a test then tries to replace.
fn deployed(name: &str) -> Project {
    let project = Project::new(name, "the old one", "stop-timeout = \"1s\"");
    let first = project.rengine(&["deploy"]);
    assert_eq!(first.code, 0, "{first:?}");
    project
}

/// The release failed, and the old one answers.
fn taken_back(project: &Project, failed: &Outcome) {
    assert_eq!(failed.code, 1, "{failed:?}");
    until("the old one answers again", || {
        project.get().is_ok_and(|text| text.contains("the old one"))
    });
    assert_eq!(project.containers().len(), 1);
}

#[test]
fn a_port_that_is_taken() {
    let project = Project::new("port", "hello", "");
    let _taken = TcpListener::bind(("0.0.0.0", project.port)).expect("the port");
    let failed = project.rengine(&["deploy"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let port = project.port.to_string();
    for text in [port.as_str(), "another program on the host", "ss -ltnp"] {
        assert!(failed.stderr.contains(text), "{text}: {failed:?}");
    }
    assert!(project.containers().is_empty(), "nothing is left");
}

#[test]
fn a_port_that_another_app_has_is_told_before_the_build() {
    let other = deployed("port-holder");
    let project = Project::new("port-other", "hello", "");
    let text = format!(
        "[app]\nname = \"{}\"\nports = [\"{}:8080\"]\n",
        project.app, other.port
    );
    project.write("plugins.toml", &text);
    let plan = project.rengine(&["plan"]);
    assert!(plan.stdout.contains("can't have port"), "{plan:?}");
    let failed = project.rengine(&["deploy"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let holder = format!("the container {}-edge", other.app);
    assert!(failed.stderr.contains(&holder), "{failed:?}");
    assert!(!failed.stderr.contains("✔ build"), "{failed:?}");
    assert!(project.containers().is_empty());
}

#[test]
fn a_dockerfile_that_is_wrong_touches_nothing() {
    let project = deployed("syntax");
    let old = project.containers();
    project.write("Dockerfile", "FROM rengine/busybox:local\n\nCOPPY a b\n");
    let failed = project.rengine(&["deploy"]);
    assert_ne!(failed.code, 0, "{failed:?}");
    for text in ["Dockerfile", "line 3", "COPPY"] {
        assert!(failed.stderr.contains(text), "{text}: {failed:?}");
    }
    assert_eq!(project.containers(), old);

    project.write(
        "Dockerfile",
        "FROM rengine/busybox:local\nRUN echo why; exit 9\n",
    );
    let failed = project.rengine(&["deploy"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    for text in ["why", "exit 9"] {
        assert!(failed.stderr.contains(text), "{text}: {failed:?}");
    }
    assert_eq!(project.containers(), old);
}

#[test]
fn health_over_http_tcp_and_in_the_container() {
    let project = deployed("health");
    let short = "interval = \"100ms\", start-period = \"1s\"";
    for probe in [
        "http = \"/none\"",
        "tcp = 9",
        "command = \"echo probed; exit 1\"",
    ] {
        let command = "command = \"sh -c 'echo last words; exec httpd -f -p 8080 -h /www'\"";
        project.configure(&format!(
            "stop-timeout = \"1s\"\n{command}\nhealth = {{ {probe}, {short} }}"
        ));
        let failed = project.rengine(&["deploy"]);
        assert!(failed.stderr.contains("last words"), "{failed:?}");
        taken_back(&project, &failed);
    }
    for probe in [
        "http = \"/\"",
        "tcp = 8080",
        "command = [\"test\", \"-d\", \"/www\"]",
    ] {
        project.configure(&format!(
            "stop-timeout = \"1s\"\nhealth = {{ {probe}, {short} }}"
        ));
        let fine = project.rengine(&["deploy"]);
        assert_eq!(fine.code, 0, "{fine:?}");
    }
}

#[test]
fn the_images_own_health_check_decides() {
    let project = deployed("own-health");
    let with = |check: &str| {
        format!(
            "FROM rengine/busybox:local\nCOPY index.html /www/\n\
             HEALTHCHECK --interval=1s --retries=1 CMD {check}\n\
             CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n"
        )
    };
    project.write("Dockerfile", &with("echo not yet; false"));
    let failed = project.rengine(&["deploy"]);
    assert!(failed.stderr.contains("not yet"), "{failed:?}");
    taken_back(&project, &failed);
    project.write("Dockerfile", &with("true"));
    let fine = project.rengine(&["deploy"]);
    assert_eq!(fine.code, 0, "{fine:?}");
    assert_eq!(project.inspect()["State"]["Health"]["Status"], "healthy");
}

#[test]
fn limits_environment_and_command_reach_the_kernel() {
    let project = Project::new("kernel", "hello", "");
    project.write("app.env", "FROM_FILE='a b'\nBOTH=file\n");
    project.configure(
        "stop-timeout = \"1s\"\nmemory = \"48MiB\"\npids = 40\nenv-file = \"app.env\"\n\
         env = { BOTH = \"table\", NUMBER = 7 }\nlabels = { \"com.example.team\" = \"web\" }\n\
         volumes = [\"./data:/data:ro\"]\ntmpfs = [\"/scratch:size=1m\"]\nread-only = true",
    );
    std::fs::create_dir(project.path().join("data")).expect("a folder");
    project.write("data/file", "from the host");
    let deployed = project.rengine(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:?}");
    let container = project.inspect();
    let pid = &container["State"]["Pid"];
    assert_eq!(
        cgroup(
            &pid.to_string(),
            "memory",
            "memory.limit_in_bytes",
            "memory.max"
        ),
        (48 << 20).to_string()
    );
    assert_eq!(
        cgroup(&pid.to_string(), "pids", "pids.max", "pids.max"),
        "40"
    );
    assert_eq!(container["Config"]["Labels"]["com.example.team"], "web");
    let id = container["Id"].as_str().expect("an id").to_owned();
    let env = docker(&["exec", &id, "env"]);
    for line in ["FROM_FILE=a b", "BOTH=table", "NUMBER=7"] {
        assert!(env.lines().any(|found| found == line), "{line}: {env}");
    }
    assert_eq!(docker(&["exec", &id, "cat", "/data/file"]), "from the host");
    let script = "touch /x || touch /data/x || touch /scratch/x && echo done";
    let tried = docker(&["exec", &id, "sh", "-c", script]);
    assert_eq!(tried.trim(), "done", "only the tmpfs can be written");
    let there = docker(&["exec", &id, "ls", "/scratch"]);
    assert_eq!(there.trim(), "x");
}

/// A limit of a process as its kernel keeps it.
fn cgroup(pid: &str, controller: &str, v1: &str, v2: &str) -> String {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its cgroups");
    let group = |wanted: &dyn Fn(&str) -> bool| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (names, path) = (parts.next()?, parts.next()?);
            wanted(names).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let root = Path::new("/sys/fs/cgroup");
    let path = match group(&|names| names.split(',').any(|name| name == controller)) {
        Some(path) => root.join(controller).join(path).join(v1),
        None => {
            let path = group(&|names| names.is_empty()).expect("a cgroup");
            root.join(path).join(v2)
        }
    };
    let text = std::fs::read_to_string(&path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .trim()
        .to_owned()
}

#[test]
fn the_classic_builder_builds_too() {
    let project = Project::new("classic", "built in the old way", "stop-timeout = \"1s\"");
    let classic = |args: &[&str]| {
        let mut command = project.command(args);
        Outcome::from(
            command
                .env("DOCKER_BUILDKIT", "0")
                .output()
                .expect("it runs"),
        )
    };
    let deployed = classic(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:?}");
    assert!(deployed.stderr.contains("COPY index.html"), "{deployed:?}");
    assert!(
        project
            .get()
            .expect("an answer")
            .contains("built in the old way")
    );
    let again = classic(&["deploy"]);
    assert!(again.stderr.contains("nothing to do"), "{again:?}");
    let doctor = classic(&["doctor"]);
    assert!(doctor.stdout.contains("classic"), "{doctor:?}");
    project.write(
        "Dockerfile",
        "FROM rengine/busybox:local\nRUN echo why; exit 9\n",
    );
    let failed = classic(&["deploy"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("why"), "{failed:?}");
    assert!(
        project
            .get()
            .expect("an answer")
            .contains("built in the old way")
    );
}

#[test]
fn logs_are_shown_and_followed() {
    let lines =
        "command = \"sh -c 'echo line one; sleep 1; while true; do echo more; sleep 0.2; done'\"";
    let project = Project::new("logs", "hello", "");
    let text = format!(
        "[app]\nname = \"{}\"\nports = []\nstop-timeout = \"1s\"\n{lines}\n",
        project.app
    );
    project.write("plugins.toml", &text);
    let deployed = project.rengine(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:?}");
    let logs = project.rengine(&["logs"]);
    assert_eq!(logs.code, 0, "{logs:?}");
    assert!(logs.stdout.contains("line one"), "{logs:?}");
    let json = project.rengine(&["logs", "--json", "--tail", "1"]);
    assert_eq!(json.stdout.lines().count(), 1, "{json:?}");
    let mut follow = project.start(&["logs", "--follow", "--tail", "1"]);
    until("lines come", || follow.output().matches("more").count() > 3);
    follow.wait_for("more");
    follow.signal("INT");
    let ended = follow.finish();
    assert_eq!(ended.code, 130, "{ended:?}");
}

/// A daemon of its own, for tests that stop it.
struct Daemon {
    folder: tempfile::TempDir,
    child: Child,
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let log = std::fs::File::create(at("log")).expect("a file");
        if on_podman() {
            let child = Command::new("podman")
                .args(["system", "service", "--time=0"])
                .arg(format!("unix://{}", at("sock")))
                .envs(podman::environment())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("podman runs: run ./dev podman");
            return Self { folder, child }.answers();
        }
        // With a network of its own, since two daemons would quarrel over one bridge; and with
        // processes and mounts of its own, so that nothing of it is left when it is killed.
        let child = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child"])
            .args(["--mount-proc", "dockerd"])
            .args(["--data-root", &at("data"), "--exec-root", &at("exec")])
            .args([
                "--pidfile",
                &at("pid"),
                "--host",
                &format!("unix://{}", at("sock")),
            ])
            .args(["--iptables=false", "--ip-masq=false"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("dockerd runs, as root: run ./dev setup");
        Self { folder, child }.answers()
    }

    fn answers(self) -> Self {
        until("the second daemon answers", || {
            let version = self.docker(&["version"]).output();
            version.is_ok_and(|output| output.status.success())
        });
        self
    }

    fn url(&self) -> String {
        format!("unix://{}/sock", self.folder.path().display())
    }

    fn docker(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.url()]).args(args);
        command
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_daemon_that_stops_in_the_middle() {
    let mut daemon = Daemon::start();
    let project = Project::new("stops", "hello", "");
    // Nothing is there, and nothing is to be pulled: an image out of one static program.
    std::fs::copy("/bin/busybox", project.path().join("busybox")).expect("busybox is there");
    project.write(
        "Dockerfile",
        "FROM scratch\nCOPY busybox /bin/sh\nRUN sleep 50\n",
    );
    let url = daemon.url();
    let mut deploy = project.start(&["-H", &url, "deploy"]);
    deploy.wait_for("RUN sleep 50");
    // It gets no chance to end well.
    daemon.child.kill().expect("it runs");
    let ended = deploy.finish();
    assert_eq!(ended.code, 4, "{ended:?}");
    for text in [&url, "can't be reached", "help:"] {
        assert!(ended.stderr.contains(text), "{text}: {ended:?}");
    }
}
