//! A daemon on another machine, by a real sshd.

use std::io::Write;
use std::process::{Command, Stdio};

use rengine_tests::authority::Authority;
use rengine_tests::load::Load;
use rengine_tests::ssh::{SshServer, programs};
use rengine_tests::{Outcome, Project, until};

fn run(project: &Project, server: &SshServer, host: &str, args: &[&str]) -> Outcome {
    let mut command = project.command(args);
    command.env("PATH", server.path()).env("DOCKER_HOST", host);
    Outcome::from(command.output().expect("rengine runs"))
}

fn done(outcome: &Outcome) {
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

/// The folders in which ssh forwards sockets, of all processes.
fn forwarding_folders() -> Vec<String> {
    let folder = std::env::temp_dir();
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries
        .filter(|entry| entry.path().join("docker.sock").exists())
        .map(|entry| entry.path().display().to_string())
        .collect()
}

/// Builds, runs, talks to a process both ways, reads logs, and takes all down.
fn all_of_it(project: &Project, server: &SshServer, host: &str) {
    done(&run(project, server, host, &["deploy"]));
    assert!(project.get().expect("an answer").contains("over ssh"));
    let again = run(project, server, host, &["deploy"]);
    assert!(again.stderr.contains("nothing to do"), "{again:?}");
    // The process ends when it sees the end of its input.
    let mut child = project
        .command(&["exec", "-T", "web", "wc", "-c"])
        .env("PATH", server.path())
        .env("DOCKER_HOST", host)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rengine runs");
    let text = vec![b'x'; 3_000_000];
    let mut input = child.stdin.take().expect("its input");
    input.write_all(&text).expect("it reads");
    drop(input);
    let counted = Outcome::from(child.wait_with_output().expect("it ends"));
    assert_eq!(counted.stdout.trim(), "3000000", "{counted:?}");
    done(&run(project, server, host, &["logs"]));
    done(&run(project, server, host, &["down"]));
    assert!(project.containers().is_empty());
    until("no ssh is left", || server.clients().is_empty());
}

#[test]
fn the_docker_command_there_is_the_connection() {
    let server = SshServer::start("");
    let project = Project::new("ssh", "over ssh", "stop-timeout = \"1s\"");
    all_of_it(&project, &server, &server.url(""));
    all_of_it(&project, &server, "ssh://web1/var/run/docker.sock");
}

#[test]
fn without_a_docker_command_there_the_socket_is_forwarded() {
    let (_folder, path) = programs(&["sh", "id", "cat"]);
    let server = SshServer::start(&format!("SetEnv PATH={}", path.display()));
    let project = Project::new("sshfwd", "over ssh", "stop-timeout = \"1s\"");
    all_of_it(&project, &server, &server.url(""));
}

#[test]
fn releases_change_behind_an_edge_there_without_a_lost_request() {
    let server = SshServer::start("");
    let host = server.url("");
    let project = Project::new("sshedge", "over ssh", "");
    project.write(".dockerignore", "plugins.toml\n");
    let release = |number: u32| {
        project.configure(&format!(
            "env = {{ NUMBER = {number} }}\nstop-timeout = \"1s\"\nhealth = {{ http = \"/\" }}"
        ));
        run(&project, &server, &host, &["deploy"])
    };
    let number = || {
        let env = project.inspect()["Config"]["Env"].to_string();
        env.split("NUMBER=").nth(1).expect("it")[..1].to_owned()
    };
    let first = release(0);
    done(&first);
    assert!(first.stderr.contains("✔ edge"), "{first:?}");
    let edge = project.edges();
    let load = Load::http(project.port, 4);
    for number in 1..=2 {
        done(&release(number));
    }
    done(&run(&project, &server, &host, &["rollback"]));
    assert_eq!(number(), "1");
    // One that is never healthy never gets a request.
    project.configure("health = { http = \"/missing\", interval = \"50ms\", retries = 2 }");
    let bad = run(&project, &server, &host, &["deploy"]);
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!(bad.stderr.contains("/missing"), "{bad:?}");
    assert_eq!(number(), "1");
    let counts = load.stop();
    assert!(counts.failed.is_empty(), "{counts:?}");
    assert!(counts.fine > 20, "{counts:?}");
    assert_eq!(project.edges(), edge);
    done(&run(&project, &server, &host, &["down"]));
    assert!(project.containers().is_empty() && project.edges().is_empty());
    until("no ssh is left", || server.clients().is_empty());
}

#[test]
fn certificates_are_put_into_an_edge_there() {
    let server = SshServer::start("");
    let project = Project::new("sshcert", "over ssh and TLS", "");
    project.write(".dockerignore", "plugins.toml\nshop.*\n");
    project.configure(&format!(
        "stop-timeout = \"1s\"\nhealth = {{ http = \"/\" }}\n\
         [[edge.tls]]\nport = {}\ncertificate = \"shop.pem\"\nkey = \"shop.key\"",
        project.port
    ));
    // Each is of an authority of its own, which alone the client trusts.
    for _ in 0..2 {
        let authority = Authority::new();
        let signed = authority.sign("shop", "DNS:localhost", "2");
        for (from, to) in [("cert.pem", "shop.pem"), ("key.pem", "shop.key")] {
            std::fs::copy(signed.join(from), project.path().join(to)).expect("a copy");
        }
        done(&run(&project, &server, &server.url(""), &["deploy"]));
        let asked = Command::new("curl")
            .args(["-sS", "--max-time", "20", "--cacert"])
            .arg(authority.file("ca.pem"))
            .arg(format!("https://localhost:{}/", project.port))
            .output();
        let asked = Outcome::from(asked.expect("curl is there: run ./dev test"));
        assert!(asked.stdout.contains("over ssh and TLS"), "{asked:?}");
    }
    assert_eq!(project.edges().len(), 1);
    done(&run(&project, &server, &server.url(""), &["down"]));
}

#[test]
fn many_services_at_once() {
    let server = SshServer::start("");
    let project = Project::new("sshmany", "over ssh", "");
    std::fs::remove_file(project.path().join("plugins.toml")).expect("a file");
    let mut compose = format!("name: {}\nservices:\n", project.app);
    for number in 0..12 {
        compose += &format!(
            "  s{number}:\n    image: rengine/busybox:local\n    command: [sleep, '300']\n    \
             stop_grace_period: 0s\n"
        );
    }
    project.write("compose.yaml", &compose);
    let host = server.url("");
    done(&run(&project, &server, &host, &["deploy"]));
    assert_eq!(project.containers().len(), 12);
    done(&run(&project, &server, &host, &["down"]));
}

#[test]
fn a_context_of_the_docker_command_may_be_there() {
    let server = SshServer::start("");
    let project = Project::new("sshctx", "over ssh", "");
    let config = tempfile::tempdir().expect("a folder");
    let docker = |args: &[&str]| {
        let mut command = Command::new("docker");
        command.args(args).env("DOCKER_CONFIG", config.path());
        let status = command.stdout(Stdio::null()).status();
        assert!(status.expect("docker runs").success(), "docker {args:?}");
    };
    let host = format!("host={}", server.url(""));
    docker(&["context", "create", "web", "--docker", &host]);
    docker(&["context", "use", "web"]);
    let doctor = project
        .command(&["doctor"])
        .env("PATH", server.path())
        .env("DOCKER_CONFIG", config.path())
        .env_remove("DOCKER_HOST")
        .output();
    let doctor = Outcome::from(doctor.expect("rengine runs"));
    assert!(doctor.stdout.contains(&server.url("")), "{doctor:?}");
    assert!(doctor.stdout.contains("✔ daemon"), "{doctor:?}");
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    let server = SshServer::start("");
    let project = Project::new("sshbad", "over ssh", "");
    let fails = |host: &str, texts: &[&str]| {
        let outcome = run(&project, &server, host, &["status"]);
        assert_eq!(outcome.code, 4, "{outcome:?}");
        // Lines of errors are wrapped.
        let words: Vec<_> = outcome.stderr.split_whitespace().collect();
        let words = words.join(" ").replace("│ ", "");
        for text in texts {
            assert!(words.contains(text), "{text}: {words}");
        }
    };
    let host = server.url("");
    server.client("user", false);
    fails(&host, &["host key is not known", "ssh 127.0.0.1 -p"]);
    server.client("stranger", true);
    fails(&host, &["permission denied", "ssh-copy-id"]);
    server.client("user", true);
    fails(
        &server.url("/run/none.sock"),
        &["no daemon answers there", "systemctl start docker"],
    );
    fails("ssh://127.0.0.1:1", &["refused", "ssh -v"]);
    fails("ssh://no-such-host.invalid", &["no such host"]);

    let (_folder, path) = programs(&["sh", "id", "cat"]);
    let bare = SshServer::start(&format!("SetEnv PATH={}", path.display()));
    let nothing = run(&project, &bare, &bare.url("/run/none.sock"), &["status"]);
    assert!(
        nothing.stderr.contains("neither Docker nor Podman"),
        "{nothing:?}"
    );
    let closed = SshServer::start(&format!(
        "SetEnv PATH={}\nAllowStreamLocalForwarding no",
        path.display()
    ));
    let closed = run(&project, &closed, &closed.url(""), &["status"]);
    assert!(
        closed.stderr.contains("AllowStreamLocalForwarding"),
        "{closed:?}"
    );
}

#[test]
fn nothing_is_left_of_a_rengine_that_was_killed() {
    let (_folder, path) = programs(&["sh", "id", "cat"]);
    for config in [String::new(), format!("SetEnv PATH={}", path.display())] {
        let server = SshServer::start(&config);
        let project = Project::new("sshkill", "over ssh", "stop-timeout = \"1s\"");
        let host = server.url("");
        done(&run(&project, &server, &host, &["deploy"]));
        let mut following = project
            .command(&["logs", "--follow"])
            .env("PATH", server.path())
            .env("DOCKER_HOST", &host)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("rengine runs");
        until("it is connected", || server.clients().lines().count() > 0);
        following.kill().expect("killed");
        following.wait().expect("its state");
        until("no ssh is left", || server.clients().is_empty());
        until("no folder is left", || {
            !forwarding_folders()
                .iter()
                .any(|folder| folder.contains("rengine-"))
        });
    }
}
