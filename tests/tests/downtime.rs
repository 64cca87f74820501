//! Releases that change while clients never stop asking, and what becomes of the edge in between.

use std::time::Instant;

use rengine_tests::load::{Load, build_server};
use rengine_tests::{Project, docker, free_port, on_podman, until};

/// How often what runs is replaced under load, how often what ran before is brought back, and how many clients
/// ask without a pause; less on Podman, whose service is slow beside so much work.
fn load() -> (u32, u32, usize) {
    if on_podman() { (6, 2, 4) } else { (20, 5, 16) }
}

/// A server of pages on 8080, of what it is told on 9000, and of upgraded connections on 9001.
const DOCKERFILE: &str = r#"FROM rengine/busybox:local
COPY --chmod=755 server upgrade.sh serve.sh /
CMD ["/serve.sh"]
"#;
const SERVE: &str = "#!/bin/sh
nc -ll -p 9000 -e cat &
nc -ll -p 9001 -e /upgrade.sh &
exec /server
";
const UPGRADE: &str = r#"#!/bin/sh
while read -r line; do
  [ "$line" = "$(printf '\r')" ] && break
done
printf 'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n'
exec cat
"#;

fn edge(project: &Project) -> String {
    let filter = format!("label=dev.rengine.app={}", project.app);
    let with = "label=dev.rengine.edge.slots";
    docker(&[
        "ps",
        "-aq",
        "--no-trunc",
        "--filter",
        &filter,
        "--filter",
        with,
    ])
}

#[test]
fn releases_change_without_a_lost_request() {
    let (releases, rollbacks, clients) = load();
    let project = Project::new("edge-load", "hello", "");
    let (tcp, upgraded) = (free_port(), free_port());
    for (name, text) in [
        ("Dockerfile", DOCKERFILE),
        ("serve.sh", SERVE),
        ("upgrade.sh", UPGRADE),
    ] {
        project.write(name, text);
    }
    build_server(project.path());
    // Files of the project that change are no reason to build.
    project.write(".dockerignore", "plugins.toml\n");
    let release = |number: u32| {
        let text = format!(
            "[app]\nname = \"{}\"\nports = [\"{}:8080\", \"{tcp}:9000\", \"{upgraded}:9001\"]\n\
             env = {{ NUMBER = {number} }}\nstop-timeout = \"1s\"\nhealth = {{ http = \"/\" }}\n\
             [deploy]\nkeep = 10\n",
            project.app, project.port
        );
        project.write("plugins.toml", &text);
        let deployed = project.rengine(&["deploy"]);
        assert_eq!(deployed.code, 0, "{deployed:?}");
        deployed
    };
    let first = release(0);
    assert!(first.stderr.contains("✔ edge"), "{first:?}");
    let container = project.containers();
    let front = edge(&project);

    let begun = Instant::now();
    let loads = [
        ("HTTP", Load::http(project.port, clients)),
        ("TCP", Load::tcp(tcp, 2)),
        ("upgraded", Load::upgraded(upgraded, 4)),
    ];
    for number in 1..=releases {
        let next = release(number);
        assert!(!next.stderr.contains("cut off"), "{next:?}");
    }
    for _ in 0..rollbacks {
        let back = project.rengine(&["rollback"]);
        assert_eq!(back.code, 0, "{back:?}");
        assert!(!back.stderr.contains("cut off"), "{back:?}");
    }
    let env = project.inspect()["Config"]["Env"].to_string();
    let number = format!("NUMBER={}", releases - rollbacks);
    assert!(env.contains(&number), "{env}");
    let took = begun.elapsed();
    for (what, load) in loads {
        let counts = load.stop();
        let each = counts.fine as f64 / took.as_secs_f64();
        println!(
            "{what}: {} well in {releases} releases and {rollbacks} rollbacks ({each:.0} a second), {} failed",
            counts.fine,
            counts.failed.len()
        );
        assert!(counts.failed.is_empty(), "{what}: {:?}", counts.failed);
        // Two a release of each: or else nobody was there to notice.
        assert!(counts.fine > 2 * releases as usize, "{what}: {counts:?}");
    }
    assert_ne!(project.containers(), container);
    assert_eq!(edge(&project), front, "one edge for all of them");
    release(releases);
    let nothing = project.rengine(&["deploy"]);
    assert!(nothing.stderr.contains("nothing to do"), "{nothing:?}");
    assert_eq!(project.rengine(&["down"]).code, 0);
    assert_eq!(edge(&project), "");
}

#[test]
fn an_edge_that_is_lost_or_stopped_comes_back() {
    let project = Project::new("edge-lost", "hello", "stop-timeout = \"1s\"");
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    let container = project.containers();
    for act in ["kill", "rm -f", "stop -t 1"] {
        let front = edge(&project);
        let words: Vec<&str> = act.split(' ').chain([front.trim()]).collect();
        docker(&words);
        until("the edge is gone", || project.get().is_err());
        let plan = project.rengine(&["plan"]);
        assert!(plan.stdout.contains("edge-lost-edge"), "{plan:?}");
        let deployed = project.rengine(&["deploy"]);
        assert_eq!(deployed.code, 0, "{act}: {deployed:?}");
        assert!(project.get().expect("an answer").contains("hello"), "{act}");
        assert_eq!(project.containers(), container, "it was left alone");
    }
}

#[test]
fn a_port_more_gets_an_edge_of_its_own_and_a_port_less_is_closed() {
    let project = Project::new("edge-ports", "hello", "stop-timeout = \"1s\"");
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    let front = edge(&project);
    let load = Load::http(project.port, 4);
    let more = free_port();
    let both = format!(
        "[app]\nname = \"{}\"\nports = [\"{}:8080\", \"{more}:8080\"]\nstop-timeout = \"1s\"\n",
        project.app, project.port
    );
    let one = std::fs::read_to_string(project.path().join("plugins.toml")).expect("a file");
    project.write("plugins.toml", &both);
    let deployed = project.rengine(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:?}");
    let second = Load::http(more, 1);
    until("two edges", || edge(&project).lines().count() == 2);
    std::thread::sleep(std::time::Duration::from_millis(200));
    let counts = second.stop();
    assert!(counts.failed.is_empty() && counts.fine > 0, "{counts:?}");
    project.write("plugins.toml", &one);
    let deployed = project.rengine(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:?}");
    let counts = load.stop();
    assert!(counts.failed.is_empty() && counts.fine > 0, "{counts:?}");
    assert_eq!(edge(&project), front);
}

#[test]
fn to_the_edge_and_back_again() {
    let project = Project::new("edge-back", "hello", "");
    for strategy in ["recreate", "rolling", "recreate"] {
        project.configure(&format!("stop-timeout = \"1s\"\nstrategy = \"{strategy}\""));
        let deployed = project.rengine(&["deploy"]);
        assert_eq!(deployed.code, 0, "{strategy}: {deployed:?}");
        assert!(project.get().expect("an answer").contains("hello"));
        assert_eq!(edge(&project).is_empty(), strategy == "recreate");
        let status = project.rengine(&["status"]);
        let address = format!("http://localhost:{}", project.port);
        assert!(status.stdout.contains(&address), "{status:?}");
        let again = project.rengine(&["deploy"]);
        assert!(again.stderr.contains("nothing to do"), "{again:?}");
    }
    project.configure("strategy = \"rollin\"");
    let typo = project.rengine(&["deploy"]);
    assert_eq!(typo.code, 2, "{typo:?}");
    assert!(typo.stderr.contains("rolling"), "{typo:?}");
}

/// Makes a certificate for `localhost`, and the files in the project that it is in.
fn certificate(project: &Project) -> String {
    let made = std::process::Command::new("openssl")
        .current_dir(project.path())
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-out", "shop.pem", "-keyout", "shop.key"])
        .output();
    let made = made.expect("openssl is there: run ./dev test");
    assert!(made.status.success(), "{made:?}");
    std::fs::read_to_string(project.path().join("shop.pem")).expect("a certificate")
}

/// How many private keys the edge has.
fn keys(project: &Project) -> usize {
    let copy = tempfile::tempdir().expect("a folder");
    let from = format!("{}:/var/lib/rengine-edge", project.edges()[0]);
    docker(&["cp", &from, &copy.path().display().to_string()]);
    let entries = std::fs::read_dir(copy.path().join("rengine-edge")).expect("its folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .filter(|name| name.to_string_lossy().ends_with(".key"))
        .count()
}

/// What is answered over TLS, by who has the certificate in the project.
fn secure(project: &Project) -> String {
    let output = std::process::Command::new("curl")
        .current_dir(project.path())
        .args(["-sS", "--max-time", "20", "--cacert", "shop.pem"])
        .arg(format!("https://localhost:{}/", project.port))
        .output();
    let output = output.expect("curl is there: run ./dev test");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn certificates_come_from_files_and_are_replaced_without_a_new_container() {
    let project = Project::new("edge-tls", "hello over TLS", "");
    project.write(".dockerignore", "plugins.toml\nshop.*\n");
    let with = |port: u16| {
        let table = "certificate = \"shop.pem\"\nkey = \"shop.key\"";
        project.configure(&format!(
            "stop-timeout = \"1s\"\nhealth = {{ http = \"/\" }}\n\
             [edge]\ndrain = \"10s\"\n[[edge.tls]]\nport = {port}\n{table}"
        ));
        project.rengine(&["deploy"])
    };
    let missing = with(project.port);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(missing.stderr.contains("shop.pem"), "{missing:?}");
    let first = certificate(&project);
    let other = with(1);
    assert_eq!(other.code, 2, "{other:?}");
    assert!(other.stderr.contains("port 1,"), "{other:?}");
    let deployed = with(project.port);
    assert_eq!(deployed.code, 0, "{deployed:?}");
    assert!(secure(&project).contains("hello over TLS"));
    let again = project.rengine(&["deploy"]);
    assert!(again.stderr.contains("nothing to do"), "{again:?}");

    let containers = project.containers();
    assert_ne!(certificate(&project), first);
    let replaced = with(project.port);
    assert_eq!(replaced.code, 0, "{replaced:?}");
    assert!(secure(&project).contains("hello over TLS"), "{replaced:?}");
    assert_eq!(project.containers(), containers);
    assert_eq!(keys(&project), 1, "the one before is gone");
    // A key that is another certificate's is refused by the edge, and the one before goes on.
    let key = std::fs::read_to_string(project.path().join("shop.key")).expect("a key");
    let good = std::fs::read_to_string(project.path().join("shop.pem")).expect("a certificate");
    certificate(&project);
    project.write("shop.key", &key);
    let refused = with(project.port);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("the edge"), "{refused:?}");
    project.write("shop.pem", &good);
    assert!(secure(&project).contains("hello over TLS"));
}

#[test]
fn an_image_can_not_pass_itself_off_as_an_edge() {
    let project = Project::new("edge-false", "hello", "");
    let slots = format!(
        "[{{\\\"host-address\\\":null,\\\"host-port\\\":{},\\\"listen\\\":8080}}]",
        project.port
    );
    let labels = format!(
        "LABEL dev.rengine.edge=0.0.1 dev.rengine.edge.slots=\"{slots}\" dev.rengine.edge.target=web\n"
    );
    let plain = std::fs::read_to_string(project.path().join("Dockerfile")).expect("a file");
    project.write("Dockerfile", &format!("{plain}{labels}"));
    project.write(".dockerignore", "plugins.toml\n");
    for strategy in ["rolling", "recreate"] {
        project.configure(&format!("stop-timeout = \"1s\"\nstrategy = \"{strategy}\""));
        let deployed = project.rengine(&["deploy"]);
        assert_eq!(deployed.code, 0, "{deployed:?}");
        assert!(project.get().expect("an answer").contains("hello"));
        let status = project.rengine(&["status"]);
        assert!(status.stdout.contains("web "), "{status:?}");
        let again = project.rengine(&["deploy"]);
        assert!(again.stderr.contains("nothing to do"), "{again:?}");
    }
    let down = project.rengine(&["down"]);
    assert!(down.stderr.contains("-web-"), "{down:?}");
}
