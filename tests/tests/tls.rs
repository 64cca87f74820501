//! A daemon behind TLS: a real dockerd that wants to see a client's certificate.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rengine_tests::authority::Authority;
use rengine_tests::dockerd::Dockerd;
use rengine_tests::{Outcome, Project, free_port};

/// A dockerd of this test alone, which listens with TLS.
fn start(authority: &Authority, certificate: &Path) -> (Dockerd, u16) {
    let port = free_port();
    let flag = |name: &str, path: PathBuf| format!("--{name}={}", path.display());
    let args = vec![
        "--tlsverify".to_owned(),
        flag("tlscacert", authority.file("ca.pem")),
        flag("tlscert", certificate.join("cert.pem")),
        flag("tlskey", certificate.join("key.pem")),
    ];
    let listens = move || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let host = format!("tcp://127.0.0.1:{port}");
    (Dockerd::start(host, args, None, listens), port)
}

fn doctor(project: &Project, host: &str, certificates: Option<&Path>) -> Outcome {
    let mut command = project.command(&["doctor", "--host", host]);
    command
        .env_remove("DOCKER_TLS_VERIFY")
        .env_remove("DOCKER_CERT_PATH");
    if let Some(folder) = certificates {
        command
            .env("DOCKER_TLS_VERIFY", "1")
            .env("DOCKER_CERT_PATH", folder);
    }
    Outcome::from(command.output().expect("rengine runs"))
}

#[test]
fn both_sides_show_who_they_are() {
    let authority = Authority::new();
    let server = authority.sign("server", "IP:127.0.0.1", "2");
    let client = authority.sign("client", "DNS:client", "2");
    let (_daemon, port) = start(&authority, &server);
    let project = Project::new("tls", "hello", "");
    let host = format!("tcp://127.0.0.1:{}", port);
    let fine = doctor(&project, &host, Some(&client));
    assert!(fine.stdout.contains("✔ daemon"), "{fine:?}");

    // The same from a context of the docker command.
    let config = tempfile::tempdir().expect("a folder");
    let (file, folder) = (|name: &str| client.join(name), config.path());
    let endpoint = format!(
        "host={host},ca={},cert={},key={}",
        file("ca.pem").display(),
        file("cert.pem").display(),
        file("key.pem").display()
    );
    for args in [
        &["context", "create", "secure", "--docker", &endpoint][..],
        &["context", "use", "secure"],
    ] {
        let mut command = Command::new("docker");
        command
            .args(args)
            .env("DOCKER_CONFIG", folder)
            .stdout(Stdio::null());
        assert!(command.status().expect("docker runs").success());
    }
    let mut by_context = project.command(&["doctor"]);
    by_context
        .env("DOCKER_CONFIG", folder)
        .env_remove("DOCKER_HOST");
    let by_context = Outcome::from(by_context.output().expect("rengine runs"));
    assert!(by_context.stdout.contains(&host), "{by_context:?}");
    assert!(by_context.stdout.contains("✔ daemon"), "{by_context:?}");

    let refused = |host: &str, folder: Option<&Path>, texts: &[&str]| {
        let outcome = doctor(&project, host, folder);
        assert_eq!(outcome.code, 4, "{outcome:?}");
        for text in texts {
            assert!(outcome.stdout.contains(text), "{text}: {outcome:?}");
        }
    };
    let others = Authority::new();
    let stranger = others.sign("client", "DNS:client", "2");
    refused(
        &host,
        Some(&stranger),
        &["signed by nobody that is trusted", "ca.pem"],
    );
    // Trusted, and not trusting.
    std::fs::copy(authority.file("ca.pem"), stranger.join("ca.pem")).expect("a copy");
    refused(&host, Some(&stranger), &["refuses the client certificate"]);
    let old = authority.sign("old", "DNS:client", "0");
    refused(
        &host,
        Some(&old),
        &["refuses the client certificate", "expired"],
    );
    let bare = authority.file("bare");
    std::fs::create_dir(&bare).expect("a folder");
    std::fs::copy(authority.file("ca.pem"), bare.join("ca.pem")).expect("a copy");
    refused(
        &host,
        Some(&bare),
        &["wants a client certificate", "cert.pem"],
    );
    let by_name = format!("tcp://localhost:{}", port);
    refused(&by_name, Some(&client), &["not for the name localhost"]);
    refused(
        &host,
        None,
        &["HTTP request to an HTTPS server", "DOCKER_TLS_VERIFY"],
    );
    std::fs::write(bare.join("cert.pem"), "not PEM").expect("a file");
    std::fs::write(bare.join("key.pem"), "not PEM").expect("a file");
    refused(&host, Some(&bare), &["cert.pem", "can't be used"]);
}

#[test]
fn a_daemon_whose_certificate_has_expired() {
    let authority = Authority::new();
    let server = authority.sign("server", "IP:127.0.0.1", "0");
    let client = authority.sign("client", "DNS:client", "2");
    let (_daemon, port) = start(&authority, &server);
    let project = Project::new("tlsold", "hello", "");
    let host = format!("tcp://127.0.0.1:{}", port);
    let outcome = doctor(&project, &host, Some(&client));
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert!(outcome.stdout.contains("has expired"), "{outcome:?}");
}
