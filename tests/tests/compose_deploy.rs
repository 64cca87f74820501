//! Compose apps in real deploys.

use rengine_tests::compose::App;
use rengine_tests::{docker, has_api, on_podman};

const TEN: &str = r#"
x-worker: &worker
  image: rengine/busybox:local
  command: ["sh", "-c", "sleep 100000 & wait"]
  stop_grace_period: 1s
  networks: [back]
  depends_on: { api: { condition: service_started } }

services:
  db:
    image: rengine/busybox:local
    command: ["sh", "-c", "sleep 1; cat /run/secrets/password > /data/ready; sleep 100000 & wait"]
    stop_grace_period: 1s
    volumes: ["data:/data"]
    secrets: [password]
    tmpfs: [/run]
    networks: { back: { aliases: [database] } }
    healthcheck: { test: "grep -q s3cret /data/ready", interval: 200ms, retries: 50 }
  cache:
    image: rengine/busybox:local
    command: sleep 100000
    stop_grace_period: 0s
    read_only: true
    configs: [{ source: motd, target: /etc/motd/text, mode: 0400 }]
    networks: [back]
  migrate:
    image: rengine/busybox:local
    command: ["sh", "-c", "ping -c 1 database && echo migrated > /data/migrated"]
    cap_add: [NET_RAW]
    volumes: ["data:/data"]
    networks: [back]
    depends_on: { db: { condition: service_healthy } }
  api:
    build: .
    environment: { MODE: "${MODE:-plain}", TOKEN: a$$b }
    networks: [back, front]
    stop_grace_period: 0s
    depends_on:
      migrate: { condition: service_completed_successfully }
      cache: { condition: service_started }
    healthcheck: { test: ["CMD", "wget", "-qO-", "http://localhost:8080/"], interval: 200ms, retries: 50 }
  web:
    build: .
    ports: ["PORT:8080"]
    networks: [front]
    stop_grace_period: 0s
    depends_on: { api: { condition: service_healthy, restart: true } }
  one: { <<: *worker, deploy: { replicas: 2 } }
  two: *worker
  three: *worker
  four: { <<: *worker, network_mode: "service:api", networks: !reset null }
  extra: { <<: *worker, profiles: [extra] }

networks:
  front:
  back: { internal: true }
volumes:
  data:
secrets:
  password: { file: ./password.txt }
configs:
  motd: { content: "hello ${WHO:-you}" }
"#;

#[test]
fn ten_services_with_all_that_belongs_to_them() {
    // network_mode and networks don't go together, so one of them has none.
    let text = TEN.replace(", networks: !reset null", "").replace(
        "four: { <<: *worker, network_mode: \"service:api\" }",
        "four: { image: rengine/busybox:local, command: sleep 100000, stop_grace_period: 0s, \
         network_mode: \"service:api\" }",
    );
    let app = App::new("ten", "services: {}");
    app.0.write("password.txt", "s3cret-word");
    app.write(&text);
    let deployed = app.deployed();
    assert!(
        app.0.get().expect("an answer").contains("hello"),
        "{deployed:#?}"
    );
    let name = app.0.app.clone();

    // Everything is as the file says.
    let said = |service: &str, command: &[&str]| {
        app.done(&[&["exec", "-T", service], command].concat())
            .stdout
    };
    assert_eq!(said("db", &["cat", "/data/migrated"]), "migrated\n");
    assert_eq!(said("cache", &["cat", "/etc/motd/text"]), "hello you");
    assert_eq!(
        said("api", &["sh", "-c", "echo $MODE $TOKEN"]),
        "plain a$b\n"
    );
    assert!(said("web", &["wget", "-qO-", "http://api:8080/"]).contains("hello"));
    let api = app.inspect("api");
    let shared = &app.inspect("four")["HostConfig"]["NetworkMode"];
    assert_eq!(
        *shared,
        format!("container:{}", api["Id"].as_str().expect("an id"))
    );
    assert_eq!(app.inspect("migrate")["State"]["ExitCode"], 0);
    let back: serde_json::Value =
        serde_json::from_str(&docker(&["network", "inspect", &format!("{name}_back")]))
            .expect("JSON");
    assert_eq!(back[0]["Internal"], true);
    let filter = format!("label=dev.rengine.app={name}");
    let workers = docker(&[
        "ps",
        "-q",
        "--filter",
        &filter,
        "--filter",
        "label=dev.rengine.service=one",
    ]);
    assert_eq!(workers.lines().count(), 2);

    // The secret's value is in no label.
    let labels = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Labels}}"]);
    assert!(!labels.contains("cret-word"), "{labels}");

    // Nothing changed.
    let again = app.deployed();
    assert!(again.stderr.contains("nothing to do"), "{again:#?}");

    // One service changes, and who asked for it starts again; the others stay.
    let before: Vec<_> = ["db", "cache", "two"]
        .map(|service| app.inspect(service)["Id"].clone())
        .into();
    let started = app.inspect("web")["State"]["StartedAt"].clone();
    app.write(&text.replace("${MODE:-plain}", "other"));
    let changed = app.deployed();
    let after: Vec<_> = ["db", "cache", "two"]
        .map(|service| app.inspect(service)["Id"].clone())
        .into();
    assert_eq!(before, after, "{changed:#?}");
    assert_ne!(
        app.inspect("web")["State"]["StartedAt"],
        started,
        "{changed:#?}"
    );
    assert_eq!(said("api", &["sh", "-c", "echo $MODE"]), "other\n");

    // The tools that people have see a Compose project.
    // Version 1 does not know all that stands in this file, so it gets one of its own.
    let old = "version: '3'\nservices: { api: { image: x }, web: { image: x } }\n";
    app.0.write("old.yaml", old);
    let listed = rengine_tests::with_daemon("docker-compose")
        .args(["-f", "old.yaml", "ps"])
        .current_dir(app.0.path())
        .env("COMPOSE_PROJECT_NAME", &name)
        .output()
        .expect("docker-compose runs: ./dev test installs it");
    let table = String::from_utf8_lossy(&listed.stdout).into_owned();
    // Version 2 says since when, and asks for less: of Podman it does not hear about health.
    let healthy = table.contains("(healthy)") || on_podman();
    assert!(table.contains("Up ") && healthy, "{listed:?}");

    // It goes as a whole, but for what holds data.
    app.done(&["down"]);
    assert_eq!(docker(&["ps", "-aq", "--filter", &filter]), "");
    assert_eq!(docker(&["network", "ls", "-q", "--filter", &filter]), "");
    assert_ne!(docker(&["volume", "ls", "-q", "--filter", &filter]), "");
    let unknown = app.0.rengine(&["down", "--volume", "dta"]);
    assert_eq!(unknown.code, 2, "{unknown:#?}");
    app.done(&["down", "--volume", "data", "--history"]);
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &filter]), "");
}

const TWO: &str = "
services:
  one:
    image: rengine/busybox:local
    command: sleep 100000
    stop_grace_period: 0s
  two:
    image: rengine/busybox:local
    command: sleep 100000
    stop_grace_period: 0s
    depends_on: [one]
";

#[test]
fn what_fails_takes_the_whole_release_back() {
    let app = App::new("whole", TWO);
    app.deployed();
    let before = [
        app.inspect("one")["Id"].clone(),
        app.inspect("two")["Id"].clone(),
    ];
    // The first of them is fine, and goes back with the second.
    app.write(
        &TWO.replace(
            "sleep 100000\n    stop_grace_period: 0s\n  two",
            "sleep 200000\n    stop_grace_period: 0s\n  two",
        )
        .replace(
            "sleep 100000\n    stop_grace_period: 0s\n    depends",
            "sh -c 'echo broken; exit 3'\n    stop_grace_period: 0s\n    depends",
        ),
    );
    let failed = app.0.rengine(&["deploy"]);
    assert_eq!(failed.code, 1, "{failed:#?}");
    assert!(failed.stderr.contains("broken"), "{failed:#?}");
    let after = [
        app.inspect("one")["Id"].clone(),
        app.inspect("two")["Id"].clone(),
    ];
    assert_eq!(before, after, "{failed:#?}");
    app.write(TWO);
    assert!(app.deployed().stderr.contains("nothing to do"));
}

#[test]
fn a_job_that_fails_lets_nothing_begin_that_waits_for_it() {
    let compose = "
services:
  job:
    image: rengine/busybox:local
    command: sh -c 'echo no such table; exit 7'
  app:
    image: rengine/busybox:local
    command: sleep 100000
    stop_grace_period: 0s
    depends_on: { job: { condition: service_completed_successfully } }
";
    let app = App::new("job", compose);
    let failed = app.0.rengine(&["deploy"]);
    assert_eq!(failed.code, 1, "{failed:#?}");
    for part in [
        "no such table",
        "service `job` did not end well",
        "exit code 7",
    ] {
        assert!(failed.stderr.contains(part), "{part}: {failed:#?}");
    }
    assert!(!failed.stderr.contains("✔ start app"), "{failed:#?}");
    assert!(app.0.containers().is_empty(), "{failed:#?}");
    app.write(&compose.replace("exit 7", "exit 0"));
    app.deployed();
    assert!(app.deployed().stderr.contains("nothing to do"));
}

#[test]
fn networks_change_orphans_are_told_and_foreign_ones_are_left_alone() {
    let app = App::new("nets", &format!("{TWO}\nnetworks: {{ default: {{}} }}\n"));
    app.deployed();
    let network = format!("{}_default", app.0.app);
    app.write(&format!(
        "{TWO}\nnetworks: {{ default: {{ internal: true }} }}\n"
    ));
    let plan = app.done(&["plan"]);
    assert!(plan.stdout.contains("remove network"), "{plan:#?}");
    app.deployed();
    let internal = docker(&["network", "inspect", "-f", "{{.Internal}}", &network]);
    assert_eq!(internal.trim(), "true");

    // A service that is gone.
    let (one, _) = TWO.split_once("  two:").expect("two");
    app.write(&format!(
        "{one}\nnetworks: {{ default: {{ internal: true }} }}\n"
    ));
    let told = app.deployed();
    assert!(
        told.stderr.contains("--remove-orphans") || told.stderr.contains("nothing to do"),
        "{told:#?}"
    );
    app.done(&["deploy", "--remove-orphans"]);
    assert_eq!(app.0.containers().len(), 1);

    // Another's network under the name.
    let foreign = format!("{}_mine", app.0.app);
    docker(&["network", "create", &foreign]);
    app.write(&format!(
        "{one}    networks: [mine]\nnetworks: {{ mine: {{}} }}\n"
    ));
    let refused = app.0.rengine(&["deploy"]);
    let still = docker(&["network", "inspect", "-f", "{{.Name}}", &foreign]);
    docker(&["network", "rm", &foreign]);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(
        refused.stderr.contains("that is not this app's"),
        "{refused:#?}"
    );
    assert_eq!(still.trim(), foreign);
    assert_eq!(app.0.containers().len(), 1);
    // One that has to be there, and is not.
    app.write(&format!(
        "{one}    networks: [out]\nnetworks: {{ out: {{ external: true }} }}\n"
    ));
    let missing = app.0.rengine(&["deploy"]);
    assert!(
        missing.stderr.contains("there is no network out"),
        "{missing:#?}"
    );
}

#[test]
fn plugins_work_on_compose_apps() {
    let app = App::new("plugged", TWO);
    let harden = rengine_tests::plugin("harden.wasm");
    app.0.write(
        "plugins.toml",
        &format!(
            "[plugins.harden]\npath = \"{}\"\nservices = [\"two\"]\n",
            harden.display()
        ),
    );
    let deployed = app.deployed();
    assert!(deployed.stderr.contains("harden"), "{deployed:#?}");
    assert_eq!(app.inspect("two")["HostConfig"]["ReadonlyRootfs"], true);
    assert_eq!(app.inspect("one")["HostConfig"]["ReadonlyRootfs"], false);
    // What only an app of one service says is an error here.
    app.0.write("plugins.toml", "[app]\nports = [\"80:80\"]\n");
    let wrong = app.0.rengine(&["plan"]);
    assert_eq!(wrong.code, 2, "{wrong:#?}");
    assert!(
        wrong
            .stderr
            .contains("`ports` is for an app of one service"),
        "{wrong:#?}"
    );
}

#[test]
fn an_app_as_plugins_leave_it_is_a_compose_file_that_deploys_to_the_same() {
    let app = App::new(
        "written",
        r#"
services:
  web:
    build: .
    command: ["sh", "-c", "echo $$HOME; sleep 100000 & wait"]
    stop_grace_period: 0s
    secrets: [token]
    volumes: ["data:/data", "/tmp"]
    depends_on: [other]
  other: { image: "rengine/busybox:local", command: sleep 100000, stop_grace_period: 0s, network_mode: none }
volumes: { data: {} }
secrets: { token: { file: ./token } }
"#,
    );
    app.0.write("token", "not-to-be-told");
    // The file that is written is no part of what it describes.
    app.0.write(".dockerignore", "*.yaml\n*.toml\n");
    let harden = rengine_tests::plugin("harden.wasm");
    let harden = harden.display();
    app.0.write(
        "plugins.toml",
        &format!("[plugins.harden]\npath = \"{harden}\"\nservices = [\"web\"]\n"),
    );
    let before = app.done(&["config"]).stdout;
    assert!(!before.contains("read_only: true"), "{before}");
    let written = app.done(&["config", "--with-plugins"]).stdout;
    assert!(written.contains("read_only: true"), "{written}");
    assert!(!written.contains("not-to-be-told"), "{written}");
    app.deployed();
    // Without the plugin: it says already what the plugin would do.
    std::fs::remove_file(app.0.path().join("plugins.toml")).expect("it was there");
    app.0.write("compose.yaml", &written);
    let again = app.deployed();
    assert!(again.stderr.contains("nothing to do"), "{again:#?}");
    assert_eq!(app.done(&["config", "--with-plugins"]).stdout, written);

    // An app of plugins.toml is one, too, but for what only rengine knows.
    std::fs::remove_file(app.0.path().join("compose.yaml")).expect("it was there");
    app.0.configure("health = { http = \"/\" }");
    let single = app.done(&["config", "--with-plugins"]);
    assert!(
        single.stdout.contains("network_mode: bridge"),
        "{single:#?}"
    );
    assert!(
        single
            .stderr
            .contains("can't have the health check of `web`"),
        "{single:#?}"
    );
}

#[test]
fn a_build_is_given_what_its_commands_need_and_the_image_its_names() {
    let app = App::new(
        "givenbuild",
        r#"
services:
  Web.One:
    image: APP/web:v1
    build:
      context: .
      dockerfile_inline: |
        FROM rengine/busybox:local
        RUN --mount=type=secret,id=token --mount=type=secret,id=word cat /run/secrets/token /run/secrets/word | sha256sum > /sum
        RUN --mount=type=secret,id=token echo "for APP/ it is $$(cat /run/secrets/token)"
        RUN --mount=type=ssh test -S "$$SSH_AUTH_SOCK"
        RUN grep -E '^10\.1\.2\.[34]' /etc/hosts > /hosts && ls /sys/class/net > /nets
        CMD ["sleep", "1000"]
      network: none
      extra_hosts: ["db:10.1.2.3", "cache:10.1.2.4"]
      secrets: [{source: file, target: token}, word]
      ssh: ["default=./key"]
      tags: ["APP/web:more"]
      cache_to: ["type=inline"]
    healthcheck: {test: [CMD, /bin/true], interval: 1s}
secrets:
  file: {file: ./secret.txt}
  word: {environment: WORD}
"#,
    );
    let name = app.0.app.clone();
    let compose = std::fs::read_to_string(app.0.path().join("compose.yaml")).expect("a file");
    app.0.write(
        "compose.yaml",
        &compose.replace("APP/", &format!("{name}/")),
    );
    app.0.write("secret.txt", "from-a-file ");
    app.0.write(".dockerignore", "*\n");
    app.0.write(".env", "WORD=from-the-environment\n");
    let key = app.0.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.expect("ssh-keygen runs").success());

    if on_podman() {
        let refused = app.0.rengine(&["deploy"]);
        assert_eq!(refused.code, 2, "{refused:#?}");
        for key in ["`build.secrets`", "`build.ssh`"] {
            assert!(refused.stderr.contains(key), "{key}: {refused:#?}");
        }
        let compose = std::fs::read_to_string(app.0.path().join("compose.yaml")).expect("a file");
        let others = compose.lines().filter(|line| {
            let words = ["type=secret", "type=ssh", "secrets: [", "ssh: ["];
            !words.iter().any(|word| line.contains(word))
        });
        let others = others.collect::<Vec<_>>().join("\n");
        // Without a network there are no hosts.
        let hosts = r"grep -E '^10\.1\.2\.[34]' /etc/hosts > /hosts && ";
        assert!(others.contains(hosts), "{others}");
        app.0.write("compose.yaml", &others.replace(hosts, ""));
    }
    let outcome = app.deployed();
    let container = app.inspect("Web.One");
    let id = container["Id"].as_str().expect("an id");
    let inside = |path: &str| docker(&["exec", id, "cat", path]);
    // Of "from-a-file from-the-environment".
    let sum = docker(&[
        "exec",
        id,
        "sh",
        "-c",
        "printf 'from-a-file from-the-environment' | sha256sum",
    ]);
    if !on_podman() {
        assert_eq!(inside("/sum"), sum);
        assert_eq!(inside("/hosts").lines().count(), 2);
    }
    assert_eq!(inside("/nets").trim(), "lo");
    assert_eq!(
        container["Config"]["Healthcheck"]["Test"],
        serde_json::json!(["CMD", "/bin/true"])
    );
    for tag in ["v1", "more"] {
        let tagged = docker(&[
            "inspect",
            "--format",
            "{{.Id}}",
            &format!("{name}/web:{tag}"),
        ]);
        assert_eq!(tagged.trim(), container["Image"].as_str().expect("an id"));
    }
    // Nothing of the secrets is in the image, nor in what was said; even where a step says it.
    assert!(
        on_podman() || outcome.stderr.contains("it is ***"),
        "{outcome:#?}"
    );
    let image = docker(&["inspect", &format!("{name}/web:v1")]);
    let history = docker(&["history", "--no-trunc", &format!("{name}/web:v1")]);
    for told in [&image, &history, &outcome.stdout, &outcome.stderr] {
        assert!(
            !told.contains("from-a-file") && !told.contains("from-the-env"),
            "{told}"
        );
    }

    // Another secret builds nothing; a name that was taken away is given again.
    app.0.write("secret.txt", "another ");
    assert!(app.deployed().stderr.contains("nothing to do"));
    docker(&["rmi", &format!("{name}/web:more")]);
    let plan = app.done(&["plan"]).stdout;
    assert!(plan.contains("tag") && plan.contains("web:more"), "{plan}");
    assert!(!plan.contains("create"), "{plan}");
    app.deployed();
    assert!(app.deployed().stderr.contains("nothing to do"));
    docker(&[
        "rmi",
        "-f",
        &format!("{name}/web:v1"),
        &format!("{name}/web:more"),
    ]);
}

#[test]
fn what_a_builder_can_not_do_is_an_error_that_says_so() {
    let build = |name: &str, keys: &str| {
        App::new(
            name,
            &format!(
                "services:\n  web:\n    build:\n      context: .\n      dockerfile_inline: |\n        \
                 FROM rengine/busybox:local\n        RUN df -k /dev/shm > /shm; ulimit -n > /files\n        \
                 CMD [\"sleep\", \"1000\"]\n      {keys}\nsecrets: {{s: {{file: ./s}}}}\n"
            ),
        )
    };
    let app = build("limitsbuild", "shm_size: 32m\n      ulimits: {nofile: 512}");
    let has_limits = || {
        let container = app.inspect("web");
        let id = container["Id"].as_str().expect("an id");
        assert!(docker(&["exec", id, "cat", "/shm"]).contains("32768"));
        assert_eq!(docker(&["exec", id, "cat", "/files"]).trim(), "512");
    };
    if !on_podman() {
        let outcome = app.0.rengine(&["deploy"]);
        if has_api(42) {
            assert_eq!(outcome.code, 0, "{outcome:#?}");
            has_limits();
            app.done(&["down", "--images"]);
        } else {
            // BuildKit before Docker 23 would leave it out.
            assert_ne!(outcome.code, 0, "{outcome:#?}");
            assert!(
                outcome.stderr.contains("can't build with `shm_size`"),
                "{outcome:#?}"
            );
        }
    }
    let outcome = app.deploy_classic();
    assert_eq!(outcome.code, 0, "{outcome:#?}");
    has_limits();

    let app = build("secretsbuild", "secrets: [s]");
    app.0.write("s", "hush");
    let outcome = app.deploy_classic();
    assert_ne!(outcome.code, 0, "{outcome:#?}");
    let told = match on_podman() {
        true => "can't do what is asked for: `build.secrets`",
        false => "can't build with `secrets`",
    };
    assert!(outcome.stderr.contains(told), "{outcome:#?}");
}

#[test]
fn images_go_with_all_their_names_where_that_is_asked_for() {
    let app = App::new("names", "");
    let name = format!("localhost:5999/{}", app.0.app);
    app.write(&format!(
        "services: {{ web: {{ build: ., image: \"{name}:1\", stop_grace_period: 0s }} }}\n"
    ));
    app.deployed();
    let reference = format!("reference={name}");
    let images = || docker(&["images", "-q", "--filter", &reference]);
    assert_ne!(images(), "");
    app.done(&["down", "--images"]);
    assert_eq!(images(), "");
}
