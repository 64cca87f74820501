//! What a project is as an app.

use serde_json::{Value, json};

use super::super::ComposeError;
use super::{Folder, told};
use crate::app::{App, MountSource, Probe, RestartPolicy};

pub fn app(folder: &Folder) -> Result<App, ComposeError> {
    folder.load()?.to_app()
}

pub fn converted(files: &[(&str, &str)]) -> App {
    app(&Folder::new(files)).unwrap_or_else(|error| panic!("{}", told(&error)))
}

/// A service as JSON, of one file with these lines of the service `web`.
pub fn web(lines: &str) -> Value {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!("services:\n  web:\n    image: i\n{lines}");
    let app = converted(&[("compose.yaml", &text)]);
    serde_json::to_value(&app.services["web"]).expect("JSON")
}

#[test]
fn an_app_has_services_networks_and_volumes() {
    let app = converted(&[
        (
            "compose.yaml",
            "services:\n  web:\n    build: {context: ., args: {A: 1}, target: t}\n    \
             depends_on: {db: {condition: service_healthy, restart: true}}\n    networks: {back: {aliases: [w], priority: 5}}\n    \
             links: [\"db:database\"]\n  db:\n    image: postgres\n    scale: 2\n    networks: [back]\n    \
             volumes: [\"data:/data:ro\", /cache, \"./x:/x\"]\nnetworks: {back: {internal: true}}\nvolumes: {data: {labels: {a: b}}}\n",
        ),
        ("Dockerfile", "FROM scratch AS t\n"),
    ]);
    assert_eq!(app.name.as_str(), "shop");
    assert_eq!(app.networks["back"].name, "shop_back");
    assert_eq!(app.volumes["data"].name, "shop_data");
    let web = &app.services["web"];
    let build = web.image.build().expect("a build");
    assert_eq!(build.dockerfile.as_deref(), Some("FROM scratch AS t\n"));
    assert_eq!(
        (build.args["A"].as_str(), build.target.as_deref()),
        ("1", Some("t"))
    );
    let needs = serde_json::to_value(&web.depends_on).expect("JSON");
    assert_eq!(
        needs,
        json!({"db": {"condition": "healthy", "restart": true, "required": true}})
    );
    assert_eq!(web.container.networks["back"].priority, 5);
    let db = &app.services["db"];
    assert_eq!(db.replicas, 2);
    // The name that a link gives is one more on the network.
    assert_eq!(db.container.networks["back"].aliases, ["database"]);
    assert_eq!(
        db.container.mounts[0].source,
        MountSource::Volume("shop_data".into())
    );
    assert_eq!(db.container.mounts[1].source, MountSource::Anonymous);
    assert!(db.container.mounts[0].read_only && db.container.mounts[2].options.create_host_path);
    assert_eq!(db.container.restart, RestartPolicy::No);
}

#[test]
fn settings_of_a_container() {
    let service = web(
        "mem_limit: 64m\nmemswap_limit: -1\ncpus: 0.5\npids_limit: -1\ncap_add: [CAP_net_admin]\n\
         security_opt: ['no-new-privileges:true', 'seccomp:unconfined']\ntmpfs: ['/run:size=1m', /tmp]\n\
         ports: ['127.0.0.1:8000-8001:80/udp', 90]\nexpose: ['81-82/udp']\nextra_hosts: ['a=::1']\n\
         ulimits: {nofile: 5}\nenvironment: [A=1, NONE]\ngpus: all\nstop_grace_period: 3s\nrestart: on-failure:2\n\
         logging: {driver: none}\nnetwork_mode: none",
    );
    let container = &service["container"];
    let wanted = [
        ("memory", json!("64MiB")),
        ("swap", json!("unlimited")),
        ("cpus", json!("0.5")),
        ("pids-limit", Value::Null),
        ("cap-add", json!(["NET_ADMIN"])),
        ("no-new-privileges", json!(true)),
        ("security-options", json!(["seccomp:unconfined"])),
        ("tmpfs", json!({"/run": "size=1m", "/tmp": ""})),
        ("ports", json!(["127.0.0.1:8000-8001:80/udp", "90"])),
        ("expose", json!([[81, "udp"], [82, "udp"]])),
        ("extra-hosts", json!(["a:::1"])),
        ("env", json!({"A": "1"})),
        ("stop-timeout", json!("3s")),
        ("restart", json!("on-failure:2")),
        ("network-mode", json!("none")),
        ("networks", json!({})),
    ];
    for (key, value) in wanted {
        assert_eq!(container[key], value, "{key}");
    }
    assert_eq!(container["device-requests"][0]["count"], -1);
}

#[test]
fn health_checks() {
    let probe = |lines: &str| {
        let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
        let text = format!("services:\n  web:\n    image: i\n{lines}");
        let app = converted(&[("compose.yaml", &text)]);
        app.services["web"].container.health.clone()
    };
    assert_eq!(probe(""), None);
    let check = probe("healthcheck: {test: 'curl x', interval: 2s}").expect("a check");
    assert_eq!(check.probe, Probe::Shell("curl x".into()));
    assert_eq!(
        (
            check.interval.as_secs(),
            check.timeout.as_secs(),
            check.retries
        ),
        (2, 30, 3)
    );
    let check = probe("healthcheck: {test: [CMD, curl, x]}").expect("a check");
    assert_eq!(check.probe, Probe::Exec(vec!["curl".into(), "x".into()]));
    let check = probe("healthcheck: {test: [CMD, /healthz]}").expect("a check");
    assert_eq!(check.probe, Probe::Exec(vec!["/healthz".into()]));
    for none in ["{disable: true}", "{test: [NONE]}"] {
        let check = probe(&format!("healthcheck: {none}")).expect("a check");
        assert_eq!(check.probe, Probe::None);
    }
}

#[test]
fn configs_and_secrets_are_files() {
    let app = converted(&[
        (
            "compose.yaml",
            "services:\n  web:\n    image: i\n    configs: [c, {source: inline, target: /etc/inline, mode: 0400, uid: '5'}]\n    \
             secrets: [s, {source: env, target: token}]\nconfigs: {c: {file: ./c.conf}, inline: {content: \"a $SET\"}}\n\
             secrets: {s: {file: s.txt}, env: {environment: SET}}\n",
        ),
        ("c.conf", "from file"),
        ("s.txt", "hush"),
    ]);
    let files = &app.services["web"].container.files;
    let told = |path: &str| {
        let file = &files[path];
        (
            String::from_utf8_lossy(&file.contents).into_owned(),
            file.mode,
            file.uid,
            file.secret,
        )
    };
    assert_eq!(told("/c"), ("from file".into(), 0o444, 0, false));
    assert_eq!(told("/etc/inline"), ("a value".into(), 0o400, 5, false));
    assert_eq!(told("/run/secrets/s"), ("hush".into(), 0o444, 0, true));
    assert_eq!(told("/run/secrets/token"), ("value".into(), 0o444, 0, true));
}

#[test]
fn what_can_not_be_an_app_is_an_error_with_its_place() {
    let cases = [
        (
            "services:\n  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {image: i}",
            "compose.yaml:2:69: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` can't be a name here",
        ),
        (
            "services:\n  a: {build: 'https://example.com/x.git'}",
            "compose.yaml:2:14: service `a` is built from elsewhere",
        ),
        (
            "services:\n  a: {build: {context: ., dockerfile: ../D}}",
            "compose.yaml:2:39: service `a` has a Dockerfile that can't be read",
        ),
        (
            "services:\n  a: {image: i, volumes: [{type: bind, source: ., target: /x, bind: {recursive: disabled, create_host_path: true}}]}",
            "compose.yaml:2:109: service `a` has a folder that is to be made",
        ),
        (
            "services:\n  a: {build: {context: ., platforms: [linux/a, linux/b]}}",
            "compose.yaml:2:38: service `a` is built for several",
        ),
        (
            "services:\n  a: {image: i, secrets: [s]}\nsecrets:\n  s: {environment: NONE}",
            "compose.yaml:4:20: the variable `NONE` is not set",
        ),
        (
            "services:\n  a: {image: i, configs: [c]}\nconfigs:\n  c: {file: none}",
            "compose.yaml:4:13: [dir]/none can't be read",
        ),
        (
            "services:\n  a: {image: i, configs: [c]}\nconfigs:\n  c: {file: /dev/zero}",
            "compose.yaml:4:13: /dev/zero can't be read: it is no file",
        ),
        (
            "services:\n  a: {image: i, healthcheck: {interval: 3s}}",
            "compose.yaml:2:30: service `a` has a health check without a `test`",
        ),
        (
            "services:\n  a: {image: i, cpus: 9999}",
            "compose.yaml:2:23: service `a` asks for CPUs",
        ),
        (
            "services:\n  a: {image: i, isolation: hyperv}",
            "the Compose files ask for what can't be had",
        ),
    ];
    for (text, wanted) in cases {
        let folder = Folder::new(&[("compose.yaml", text)]);
        let error = app(&folder).map(|app| app.name).expect_err(text);
        let error = told(&error).replace(&folder.dir().display().to_string(), "[dir]");
        assert!(
            error.starts_with(wanted),
            "{text}\n  wanted {wanted}\n  got    {error}"
        );
    }
    let folder = Folder::new(&[(
        "compose.yaml",
        "services:\n  a: {image: i, isolation: x, umask: 0022}",
    )]);
    let Err(ComposeError::Refused { problems }) = app(&folder) else {
        panic!("nothing is refused");
    };
    let places: Vec<_> = problems
        .iter()
        .map(|problem| problem.place.to_string())
        .collect();
    assert_eq!(places, ["compose.yaml:2:17", "compose.yaml:2:31"]);
}

#[test]
fn how_containers_are_replaced_is_read() {
    let canary = web("x-rengine: {strategy: canary, canary: {share: 5%, min-requests: 7}}");
    let canary = &canary["strategy"]["canary"];
    assert_eq!(canary["share"], "5%");
    assert_eq!(canary["for"], "2m");
    assert_eq!(canary["min-requests"], 7);
    for (lines, batches) in [
        ("deploy: {replicas: 2}", Value::Null),
        ("deploy: {update_config: {parallelism: 0}}", Value::Null),
        (
            "deploy: {update_config: {delay: 1s}}",
            json!({"max-surge": 1, "max-unavailable": 0, "min-ready": "1s"}),
        ),
        (
            "deploy: {update_config: {parallelism: 2, order: stop-first, delay: 3s, monitor: 5s}}",
            json!({"max-surge": 0, "max-unavailable": 2, "min-ready": "5s"}),
        ),
        (
            "x-rengine: {rolling: {max-surge: 25%}}\ndeploy: {update_config: {parallelism: 9}}",
            json!({"max-surge": "25%", "max-unavailable": 0, "min-ready": "0s"}),
        ),
        (
            "x-rengine: {rolling: {max-unavailable: 1}}",
            json!({"max-surge": 0, "max-unavailable": 1, "min-ready": "0s"}),
        ),
        (
            "x-rengine: {strategy: recreate}\ndeploy: {update_config: {parallelism: 9}}",
            Value::Null,
        ),
    ] {
        assert_eq!(web(lines)["batches"], batches, "{lines}");
    }
}

#[test]
fn a_rollout_that_can_not_be_is_told_with_its_place() {
    for (own, place, words) in [
        (
            "{strategy: canary, canary: {share: 10}}",
            "10}",
            "`10` is no share",
        ),
        (
            "{canary: {share: 10%}}",
            "{share",
            "goes with `strategy: canary`",
        ),
        (
            "{strategy: recreate, rolling: {max-surge: 1}}",
            "{max",
            "`strategy: rolling`",
        ),
        (
            "{rolling: {max-surge: 0}}",
            "{max",
            "can replace no container",
        ),
        (
            "{strategy: canery}",
            "{strategy",
            "unknown variant `canery`",
        ),
    ] {
        let text = format!("services:\n  web:\n    image: i\n    x-rengine: {own}\n");
        let error = app(&Folder::new(&[("compose.yaml", &text)])).expect_err(own);
        let text = told(&error);
        assert!(text.contains(words), "{own}: {text}");
        let at = error.place().map(ToString::to_string).unwrap_or_default();
        let column = "    x-rengine: ".len() + own.find(place).expect("it") + 1;
        assert_eq!(at, format!("compose.yaml:4:{column}"), "{own}: {text}");
    }
}

#[test]
fn when_a_container_starts_again_is_said_by_deploy_first() {
    let restart = |lines: &str| web(lines)["container"]["restart"].clone();
    assert_eq!(restart("restart: always"), "always");
    let both =
        "restart: always\ndeploy: {restart_policy: {condition: on-failure, max_attempts: 3}}";
    assert_eq!(restart(both), "on-failure:3");
    let none = "restart: always\ndeploy: {restart_policy: {condition: none}}";
    assert_eq!(restart(none), "no");
}

#[test]
fn a_dockerfile_may_be_outside_of_its_context() {
    let app = converted(&[
        (
            "compose.yaml",
            "services: {a: {build: {context: ./app, dockerfile: ../docker/D}}}",
        ),
        ("docker/D", "FROM scratch\n"),
        ("app/x", ""),
    ]);
    let build = app.services["a"].image.build().expect("a build");
    assert_eq!(build.dockerfile.as_deref(), Some("FROM scratch\n"));
    assert_eq!(build.dockerfile_path, "Dockerfile");
}
