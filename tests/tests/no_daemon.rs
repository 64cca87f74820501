//! Machines on which no daemon runs, or several do: which one is taken, Podman as a daemon for one
//! command, and what is said where there is nothing.

use std::process::{Command, Stdio};

use rengine_tests::machine::Machine;
use rengine_tests::{Outcome, Project, until};

fn ended(command: &mut Command) -> Outcome {
    Outcome::from(command.output().expect("it runs"))
}

#[track_caller]
fn done(command: &mut Command) -> Outcome {
    let outcome = ended(command);
    assert_eq!(outcome.code, 0, "{command:?}: {outcome:#?}");
    outcome
}

/// The services of Podman that run there.
fn services(machine: &Machine) -> String {
    ended(
        machine
            .command("pgrep")
            .args(["-f", "podman.*system service"]),
    )
    .stdout
}

/// Makes a socket that outlives who listened at it.
const DEAD: &str =
    "python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' \"$0\"";

const NOTE: &str = "no daemon runs here: Podman serves this command";

#[test]
fn podman_serves_for_as_long_as_a_command_takes() {
    let machine = Machine::start();
    let project = Project::new("embedded", "without a daemon", "stop-timeout = \"1s\"");
    let scratch = tempfile::tempdir().expect("a folder");
    let scratch_is = format!("TMPDIR={}", scratch.path().display());
    let rengine = |args: &[&str]| machine.rengine(project.path(), &[&scratch_is], args);
    // All that is started is stopped, and its folder is gone, by the time that rengine ends or
    // soon after it.
    let nothing_is_left = || {
        until("the service ended", || services(&machine).is_empty());
        until("its folder is gone", || {
            let left = std::fs::read_dir(scratch.path()).expect("a folder");
            left.flatten()
                .all(|entry| !entry.file_name().to_string_lossy().starts_with("rengine-"))
        });
    };
    let get = || {
        let url = format!("http://127.0.0.1:{}/", project.port);
        ended(machine.command("curl").args(["-s", &url])).stdout
    };

    let deployed = done(&mut rengine(&["deploy"]));
    assert!(deployed.stderr.contains(NOTE), "{deployed:#?}");
    nothing_is_left();
    assert_eq!(get(), "without a daemon", "the container runs on");
    let again = done(&mut rengine(&["deploy"]));
    assert!(again.stderr.contains("nothing to do"), "{again:#?}");
    let status = done(&mut rengine(&["status"]));
    assert!(status.stdout.contains("web"), "{status:#?}");
    let doctor = done(&mut rengine(&["doctor"]));
    assert!(doctor.stdout.contains("at podman://"), "{doctor:#?}");
    nothing_is_left();

    // Where it fails, and where it gets no chance to stop anything.
    let wrong = project.path().join("wrong.toml");
    let text = "[app]\nname = \"wrong\"\nimage = \"rengine/busybox:local\"\ncommand = \"false\"\n";
    std::fs::write(&wrong, text).expect("a file");
    let failed = ended(&mut rengine(&["--file", "wrong.toml", "deploy"]));
    assert_eq!(failed.code, 1, "{failed:#?}");
    nothing_is_left();
    let mut logs = rengine(&["logs", "--follow"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    until("its service runs", || !services(&machine).is_empty());
    let killed = machine
        .command("pkill")
        .args(["-KILL", "-x", "rengine"])
        .status();
    assert!(killed.expect("pkill runs").success());
    logs.wait().expect("it ended");
    nothing_is_left();

    // One may ask for it, whatever else there is.
    let asked = done(&mut rengine(&["--host", "podman://", "status"]));
    assert!(!asked.stderr.contains(NOTE), "{asked:#?}");
    done(&mut rengine(&["down"]));
    assert_eq!(get(), "");
    nothing_is_left();
}

#[test]
fn dockers_sockets_go_before_podmans_and_the_machines_before_the_users() {
    let (machine, url) = Machine::with_service();
    let real = url.strip_prefix("unix://").expect("a socket");
    let runtime = machine.path().join("runtime");
    // HOME of the machine's commands is its folder.
    let usual = [
        "/var/run/docker.sock".to_owned(),
        format!("{}/docker.sock", runtime.display()),
        format!("{}/.docker/run/docker.sock", machine.path().display()),
        format!("{}/podman/podman.sock", runtime.display()),
        "/run/podman/podman.sock".to_owned(),
    ];
    for socket in &usual {
        let link = "mkdir -p \"$(dirname \"$1\")\" && ln -s \"$0\" \"$1\"";
        done(machine.command("sh").args(["-c", link, real, socket]));
    }
    let project = tempfile::tempdir().expect("a folder");
    let runtime_is = format!("XDG_RUNTIME_DIR={}", runtime.display());
    let taken = |environment: &[&str]| {
        let environment = [&[runtime_is.as_str()][..], environment].concat();
        ended(&mut machine.rengine(project.path(), &environment, &["doctor"])).stdout
    };
    let elsewhere = taken(&["DOCKER_HOST=unix:///none.sock"]);
    assert!(elsewhere.contains("unix:///none.sock"), "{elsewhere}");
    for socket in &usual {
        let found = taken(&[]);
        let place = format!(" at unix://{socket},");
        assert!(
            found.contains("Podman") && found.contains(&place),
            "{place}: {found}"
        );
        // A socket that nobody listens at is passed over.
        done(machine.command("rm").arg(socket));
        done(machine.command("sh").args(["-c", DEAD, socket]));
    }
    let found = taken(&[]);
    assert!(found.contains("at podman://"), "{found}");
}

#[test]
fn where_nothing_is_installed_it_is_said_what_to_install() {
    let machine = Machine::start();
    let project = tempfile::tempdir().expect("a folder");
    std::fs::write(project.path().join("Dockerfile"), "FROM scratch\n").expect("a file");
    let empty = machine.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let rengine = |args: &[&str]| {
        let mut command =
            machine.command_with(&empty.display().to_string(), rengine_tests::rengine());
        command.arg("-C").arg(project.path()).args(args);
        ended(&mut command)
    };
    for command in ["deploy", "status", "down"] {
        let failed = rengine(&[command]);
        assert_eq!(failed.code, 4, "{command}: {failed:#?}");
        for part in [
            "no Docker or Podman found on this machine",
            "apt-get install podman",
            "apt-get install docker.io",
            "--host ssh://",
        ] {
            assert!(failed.stderr.contains(part), "{part}: {failed:#?}");
        }
    }
    let asked = rengine(&["--host", "podman://", "status"]);
    assert_eq!(asked.code, 4, "{asked:#?}");
    assert!(
        asked.stderr.contains("Podman is not installed"),
        "{asked:#?}"
    );
    assert!(
        asked.stderr.contains("apt-get install podman"),
        "{asked:#?}"
    );

    // A daemon that has gone is another matter.
    done(machine.command("sh").args(["-c", DEAD, "/run/docker.sock"]));
    let gone = rengine(&["status"]);
    assert_eq!(gone.code, 4, "{gone:#?}");
    for part in [
        "/var/run/docker.sock",
        "nobody listens there",
        "systemctl start docker",
    ] {
        assert!(gone.stderr.contains(part), "{part}: {gone:#?}");
    }
}
