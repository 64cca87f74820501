//! What Podman can't do: each row of engine/PODMAN.md is told by rengine, and is so.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use rengine_tests::machine::Machine;
use rengine_tests::{Outcome, Project, until};
use serde_json::{Value, json};

/// A Podman, and a folder with a Compose file.
struct Lab {
    machine: Machine,
    url: String,
    project: Project,
}

impl Lab {
    fn new(name: &str) -> Self {
        let (machine, url) = Machine::with_service();
        let project = Project::new(name, "hello", "");
        std::fs::remove_file(project.path().join("plugins.toml")).expect("it was there");
        Self {
            machine,
            url,
            project,
        }
    }

    fn compose(&self, text: &str) {
        let name = &self.project.app;
        self.project
            .write("compose.yaml", &format!("name: {name}\n{text}"));
    }

    fn rengine(&self, args: &[&str]) -> Outcome {
        let output = self
            .project
            .command(args)
            .env("DOCKER_HOST", &self.url)
            .output();
        Outcome::from(output.expect("rengine runs"))
    }

    fn docker(&self, args: &[&str]) -> Outcome {
        let mut command = Command::new("docker");
        let output = command.args(args).env("DOCKER_HOST", &self.url).output();
        Outcome::from(output.expect("docker runs"))
    }

    /// A request without rengine: the status, and the answer.
    fn api(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let socket = self.url.strip_prefix("unix://").expect("a socket");
        let mut curl = Command::new("curl");
        curl.args(["-s", "--unix-socket", socket, "-X", method])
            .args([
                "-w",
                "\n%{http_code}",
                "-H",
                "Content-Type: application/json",
            ])
            .arg(format!("http://podman{path}"));
        if let Some(body) = body {
            curl.args(["-d", &body.to_string()]);
        }
        let output = curl.output().expect("curl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (answer, status) = text.rsplit_once('\n').expect("a status");
        (
            status.parse().expect("a number"),
            serde_json::from_str(answer).unwrap_or_default(),
        )
    }

    /// The status with which a container of this kind is made, or else with which it starts.
    fn starts(&self, host: &Value) -> u16 {
        let body = json!({
            "Image": "rengine/busybox:local", "Cmd": ["sleep", "1000"], "HostConfig": host,
        });
        let (status, answer) = self.api("POST", "/v1.41/containers/create", Some(&body));
        match answer["Id"].as_str() {
            Some(id) => {
                self.api("POST", &format!("/v1.41/containers/{id}/start"), None)
                    .0
            }
            None => status,
        }
    }

    fn container(&self, service: &str) -> String {
        let filter = format!("label=dev.rengine.service={service}");
        let ids = self.docker(&["ps", "-q", "--no-trunc", "--filter", &filter]);
        ids.stdout.trim().to_owned()
    }

    fn inspect(&self, service: &str) -> Value {
        let path = format!("/v1.41/containers/{}/json", self.container(service));
        self.api("GET", &path, None).1
    }

    /// The same in Podman's own words, which has more.
    fn inspect_more(&self, service: &str) -> Value {
        let path = format!("/v4.0.0/libpod/containers/{}/json", self.container(service));
        self.api("GET", &path, None).1
    }

    fn network(&self, name: &str) -> Value {
        let path = format!("/v1.41/networks/{}_{name}", self.project.app);
        self.api("GET", &path, None).1
    }

    fn exec(&self, service: &str, command: &str) -> String {
        let id = self.container(service);
        let outcome = self.docker(&["exec", &id, "sh", "-c", command]);
        outcome.stdout + &outcome.stderr
    }
}

/// What of the table rengine answers with this.
fn rows(rengine: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/PODMAN.md");
    let text = std::fs::read_to_string(path).expect("PODMAN.md");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let key = cells.next()?.trim_end_matches('`');
        (cells.nth(1)? == rengine).then(|| key.to_owned())
    });
    rows.collect()
}

/// The key without what all keys of services or networks begin with.
fn short(key: &str) -> &str {
    key.split_once(".*.").expect("a path").1
}

/// A row that is a warning: its key, a service or network that asks for it, and whether the one
/// of this name goes without.
struct LeftOut {
    key: &'static str,
    yaml: &'static str,
    goes_without: fn(&Lab, &str) -> bool,
}

const LEFT_OUT: &[LeftOut] = &[
    LeftOut {
        key: "services.*.annotations",
        yaml: "annotations: { com.example.note: x }",
        goes_without: |lab, name| {
            let annotations = &lab.inspect_more(name)["Config"]["Annotations"];
            annotations.is_object() && annotations["com.example.note"].is_null()
        },
    },
    LeftOut {
        key: "services.*.blkio_config.weight",
        yaml: "blkio_config: { weight: 100 }",
        goes_without: |lab, name| lab.inspect(name)["HostConfig"]["BlkioWeight"] == 0,
    },
    LeftOut {
        key: "services.*.build.cache_to",
        yaml: "build: { context: ., cache_to: [type=inline] }",
        goes_without: |lab, name| {
            let image = lab.inspect(name)["Image"]
                .as_str()
                .expect("an id")
                .to_owned();
            let saved = lab.docker(&["save", &image]).stdout;
            saved.contains("rootfs") && !saved.contains("moby.buildkit.cache")
        },
    },
    LeftOut {
        key: "services.*.build.extra_hosts without a network",
        yaml: "build: { context: ., network: none, extra_hosts: [\"db:10.1.2.3\"], dockerfile_inline: \
               \"FROM rengine/busybox:local\\nRUN cat /etc/hosts >/hosts; ls /sys/class/net >/nets\" }",
        goes_without: |lab, name| lab.exec(name, "cat /hosts /nets") == "lo\n",
    },
    LeftOut {
        key: "services.*.cgroup",
        // Whatever the one is that is not chosen: both are asked for.
        yaml: "cgroup: private",
        goes_without: |lab, name| {
            let own = lab.exec(name, "readlink /proc/self/ns/cgroup");
            let other = lab.exec("cgroup-host", "readlink /proc/self/ns/cgroup");
            let hosts = std::fs::read_link("/proc/self/ns/cgroup").expect("a namespace");
            let hosts = hosts.to_string_lossy();
            (own.trim() == hosts) == (other.trim() == hosts)
        },
    },
    LeftOut {
        key: "services.*.domainname",
        yaml: "domainname: example.org",
        goes_without: |lab, name| lab.exec(name, "cat /proc/sys/kernel/domainname") == "(none)\n",
    },
    LeftOut {
        key: "services.*.environment without a value",
        yaml: "build: { context: ., dockerfile_inline: \"FROM rengine/busybox:local\\nENV WORD=stays\" }\n    \
               environment: [WORD]",
        goes_without: |lab, name| lab.exec(name, "echo $WORD") == "stays\n",
    },
    LeftOut {
        key: "services.*.healthcheck after a deploy",
        yaml: "healthcheck: { test: echo checked >>/checks, interval: 100ms }",
        goes_without: |lab, name| {
            let checks = || lab.exec(name, "cat /checks");
            let before = checks();
            // It takes more than the interval.
            let restarted = lab.rengine(&["restart", "-t", "1", "annotations"]);
            assert_eq!(restarted.code, 0, "{restarted:#?}");
            before.contains("checked") && checks() == before
        },
    },
    LeftOut {
        key: "services.*.healthcheck.start_interval",
        yaml: "healthcheck: { test: \"true\", interval: 1s, start_period: 9s, start_interval: 2s }",
        goes_without: |lab, name| {
            let check = &lab.inspect(name)["Config"]["Healthcheck"];
            check["StartPeriod"] == 9_000_000_000_u64 && check["StartInterval"].is_null()
        },
    },
    LeftOut {
        key: "services.*.logging.options",
        yaml: "logging: { driver: json-file, options: { max-size: 1m, max-file: \"3\", tag: x } }",
        goes_without: |lab, name| {
            let log = &lab.inspect_more(name)["HostConfig"]["LogConfig"];
            let asked = json!({"LogConfig": {"Type": "json-file", "Config": {"tag": "x"}}});
            log["Tag"] == "" && log["Size"] != "0B" && lab.starts(&asked) == 500
        },
    },
    LeftOut {
        key: "services.*.memswap_limit: -1",
        yaml: "mem_limit: 32m\n    memswap_limit: -1",
        goes_without: |lab, name| lab.inspect(name)["HostConfig"]["MemorySwap"] == 64 << 20,
    },
    LeftOut {
        key: "services.*.networks.*.driver_opts",
        yaml: "networks: { default: { driver_opts: { com.example.x: \"1\" } } }",
        goes_without: |lab, name| joined(lab, name)["DriverOpts"].is_null(),
    },
    LeftOut {
        key: "services.*.networks.*.gw_priority",
        yaml: "networks: { default: { gw_priority: 7 } }",
        goes_without: |lab, name| joined(lab, name)["GwPriority"].is_null(),
    },
    LeftOut {
        key: "services.*.networks.*.link_local_ips",
        yaml: "networks: { default: { link_local_ips: [169.254.8.8] } }",
        goes_without: |lab, name| {
            let addresses = lab.exec(name, "ip address");
            addresses.contains("inet ") && !addresses.contains("169.254.8.8")
        },
    },
    LeftOut {
        key: "networks.*.driver_opts",
        yaml: "driver_opts: { com.example.x: \"1\", mtu: \"1400\" }",
        goes_without: |lab, name| lab.network(name)["Options"] == json!({"mtu": "1400"}),
    },
    LeftOut {
        key: "networks.*.enable_ipv4: false",
        yaml: "enable_ipv4: false\n    enable_ipv6: true",
        goes_without: |lab, name| {
            let network = lab.network(name);
            network["IPAM"]["Config"][0]["Subnet"]
                .as_str()
                .is_some_and(|subnet| subnet.contains('.'))
        },
    },
    LeftOut {
        key: "networks.*.ipam.config[].aux_addresses",
        yaml: "ipam: { config: [{ subnet: 10.77.0.0/24, aux_addresses: { taken: 10.77.0.2 } }] }",
        goes_without: |lab, name| {
            let addresses = lab.exec(&format!("in-{name}"), "ip address");
            addresses.contains("10.77.0.2/24")
        },
    },
    LeftOut {
        key: "networks.*.ipam.driver",
        yaml: "ipam: { driver: example }",
        goes_without: |lab, name| lab.network(name)["IPAM"]["Options"]["driver"] == "host-local",
    },
    LeftOut {
        key: "networks.*.ipam.options",
        yaml: "ipam: { options: { com.example.x: \"1\" } }",
        goes_without: |lab, name| lab.network(name)["IPAM"]["Options"]["com.example.x"].is_null(),
    },
];

/// How a service is in its only network.
fn joined(lab: &Lab, service: &str) -> Value {
    let networks = &lab.inspect(service)["NetworkSettings"]["Networks"];
    let networks = networks.as_object().expect("networks");
    networks.values().next().expect("a network").clone()
}

/// A name that Compose files and hosts take.
fn name_of(key: &str) -> String {
    let part = short(key).replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    part.trim_matches('-').to_owned()
}

#[test]
fn what_it_leaves_out_is_told_and_left_out() {
    let keys: BTreeSet<_> = LEFT_OUT.iter().map(|row| row.key.to_owned()).collect();
    assert_eq!(keys, rows("a warning"), "the rows of engine/PODMAN.md");
    let lab = Lab::new("leftout");
    let (mut services, mut networks) = (String::new(), String::new());
    let mut service = |name: &str, yaml: &str| {
        let image = match yaml.starts_with("build:") {
            true => "",
            false => "image: rengine/busybox:local\n    ",
        };
        services += &format!(
            "  {name}:\n    {image}command: sleep 1000\n    stop_grace_period: 0s\n    {yaml}\n"
        );
    };
    service("cgroup-host", "cgroup: host");
    for row in LEFT_OUT {
        let name = name_of(row.key);
        if row.key.starts_with("services") {
            service(&name, row.yaml);
        } else {
            networks += &format!("  {name}:\n    {}\n", row.yaml);
            service(&format!("in-{name}"), &format!("networks: [{name}]"));
        }
    }
    lab.compose(&format!("services:\n{services}networks:\n{networks}"));
    let deployed = lab.rengine(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:#?}");
    for row in LEFT_OUT {
        let (name, what) = (name_of(row.key), short(row.key));
        let place = match row.key.starts_with("services") {
            true => "service",
            false => "network",
        };
        let told = format!("leaves out `{what}` of {place} `{name}`: ");
        assert!(deployed.stderr.contains(&told), "{told}: {deployed:#?}");
        assert!(
            (row.goes_without)(&lab, &name),
            "Podman learned `{}`: take it out of the limits",
            row.key
        );
    }
    let again = lab.rengine(&["deploy"]);
    assert!(again.stderr.contains("nothing to do"), "{again:#?}");
    let down = lab.rengine(&["down"]);
    assert_eq!(down.code, 0, "{down:#?}");
}

/// A row that is an error: its key, a service that asks for it, and whether Podman goes without
/// or fails.
struct Refused {
    key: &'static str,
    yaml: &'static str,
    is_so: fn(&Lab) -> bool,
}

const REFUSED: &[Refused] = &[
    Refused {
        key: "services.*.build.network with a name",
        yaml: "build: { context: ., network: somewhere }",
        // Though there is no such network.
        is_so: |lab| {
            let folder = lab.project.path().display().to_string();
            lab.docker(&["build", "--network=somewhere", &folder]).code == 0
        },
    },
    Refused {
        key: "services.*.build.secrets",
        yaml: "build: { context: ., secrets: [word] }",
        is_so: |lab| lab.api("POST", "/v1.41/session", None).0 == 404,
    },
    Refused {
        key: "services.*.build.ssh",
        yaml: "build: { context: ., ssh: [\"default=./key\"] }",
        is_so: |lab| lab.api("POST", "/v1.41/session", None).0 == 404,
    },
    Refused {
        key: "services.*.device_cgroup_rules",
        yaml: "device_cgroup_rules: [\"c 10:229 rwm\"]",
        is_so: |lab| {
            let rule = "--device-cgroup-rule=c 10:229 rwm";
            let image = "rengine/busybox:local";
            let id = lab
                .docker(&["run", "-d", rule, image, "sleep", "1000"])
                .stdout;
            let open = "mknod /fuse c 10 229 && true </fuse";
            let ran = lab.docker(&["exec", id.trim(), "sh", "-c", open]);
            ran.stderr.contains("not permitted")
        },
    },
    Refused {
        key: "services.*.gpus",
        yaml: "gpus: all",
        is_so: |lab| {
            let request = json!({"Driver": "none", "Count": -1, "Capabilities": [["gpu"]]});
            lab.starts(&json!({"DeviceRequests": [request]})) == 204
        },
    },
    Refused {
        key: "services.*.logging.driver",
        yaml: "logging: { driver: syslog }",
        is_so: |lab| lab.starts(&json!({"LogConfig": {"Type": "syslog"}})) == 500,
    },
    Refused {
        key: "services.*.ports with a range of the host's",
        yaml: "ports: [\"20100-20110:80\"]",
        is_so: |lab| {
            let ports = json!({"80/tcp": [{"HostPort": "20100-20110"}]});
            lab.starts(&json!({"PortBindings": ports})) == 500
        },
    },
    Refused {
        key: "services.*.runtime",
        yaml: "runtime: none-such",
        is_so: |lab| lab.starts(&json!({"Runtime": "none-such"})) == 204,
    },
    Refused {
        key: "services.*.volumes[].volume.subpath",
        yaml: "volumes: [{ type: volume, source: data, target: /data, volume: { subpath: part } }]",
        is_so: |lab| {
            // There is no such part, so it must not start.
            let mount = json!({
                "Type": "volume", "Source": "whole", "Target": "/data",
                "VolumeOptions": {"Subpath": "part"},
            });
            lab.starts(&json!({"Mounts": [mount]})) == 204
        },
    },
];

#[test]
fn what_it_can_not_do_is_an_error_before_anything_is_touched() {
    let keys: BTreeSet<_> = REFUSED.iter().map(|row| row.key.to_owned()).collect();
    assert_eq!(keys, rows("an error"), "the rows of engine/PODMAN.md");
    let lab = Lab::new("refused");
    lab.project.write("key", "");
    lab.project.write("word", "x");
    for row in REFUSED {
        let image = match row.yaml.starts_with("build:") {
            true => "",
            false => "image: rengine/busybox:local\n    ",
        };
        lab.compose(&format!(
            "services:\n  web:\n    {image}{}\nvolumes: {{ data: {{}} }}\n\
             secrets: {{ word: {{ file: ./word }} }}\n",
            row.yaml
        ));
        for command in ["plan", "deploy"] {
            let refused = lab.rengine(&[command]);
            assert_eq!(refused.code, 2, "{}: {refused:#?}", row.key);
            let told = format!(
                "can't do what is asked for: `{}` of service `web`",
                short(row.key)
            );
            assert!(refused.stderr.contains(&told), "{told}: {refused:#?}");
            assert!(
                refused.stderr.contains("help: nothing was touched; "),
                "{refused:#?}"
            );
        }
        assert!(
            (row.is_so)(&lab),
            "Podman learned `{}`: take it out of the limits",
            row.key
        );
    }
    assert_eq!(lab.container("web"), "");
}

#[test]
fn builds_are_of_the_time_before_buildkit() {
    let lab = Lab::new("builds");
    let dockerfile = |text: &str| {
        lab.project.write(
            "Dockerfile",
            &format!("FROM rengine/busybox:local\n{text}\n"),
        );
    };
    let raw = || lab.docker(&["build", &lab.project.path().display().to_string()]);
    lab.compose("services: { web: { build: ., command: sleep 1000, stop_grace_period: 0s } }\n");
    dockerfile("RUN true\nRUN <<EOF\necho x >/x\nEOF");
    let refused = lab.rengine(&["deploy"]);
    assert_eq!(refused.code, 2, "{refused:#?}");
    for part in [
        "the heredoc in Dockerfile, line 3, of service `web`",
        "&& \\",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:#?}");
    }
    assert_ne!(
        raw().code,
        0,
        "Podman learned heredocs: take them out of the limits"
    );

    for step in [
        "COPY --link index.html /",
        "COPY --parents index.html /",
        "RUN --network=none true",
    ] {
        dockerfile(step);
        let failed = lab.rengine(&["deploy"]);
        assert_eq!(failed.code, 1, "{failed:#?}");
        assert!(failed.stderr.contains(step), "{failed:#?}");
        assert!(failed.stderr.contains("only support"), "{failed:#?}");
        assert_ne!(raw().code, 0, "Podman learned `{step}`: engine/PODMAN.md");
    }
    dockerfile(
        "RUN --mount=type=cache,target=/c --mount=type=bind,target=/b --mount=type=tmpfs,target=/t \
         cp /b/index.html /c && cp /c/index.html /t && cp /t/index.html /page",
    );
    let built = lab.rengine(&["deploy"]);
    assert_eq!(built.code, 0, "{built:#?}");
    assert_eq!(lab.exec("web", "cat /page"), "hello");

    // What it kills itself is begun again.
    dockerfile("RUN sleep 2");
    let mut deploy = lab.project.command(&["deploy"]);
    deploy.env("DOCKER_HOST", &lab.url);
    let deploy = deploy.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    until("the step runs", || {
        let mut kill = lab.machine.command("pkill");
        kill.args(["-KILL", "-f", "^buildah-oci-runtime"]);
        kill.status().is_ok_and(|status| status.success())
    });
    let built = deploy.expect("rengine runs").wait_with_output();
    let built = Outcome::from(built.expect("its output"));
    assert_eq!(built.code, 0, "{built:#?}");
    assert!(built.stderr.contains("try 2 of 3"), "{built:#?}");

    // They have a network and limits of their own, if they are asked for.
    for (network, interfaces) in [("default", "eth0\nlo\n512\n"), ("none", "lo\n512\n")] {
        let hosts = match network {
            "none" => "",
            _ => "extra_hosts: [\"db:10.1.2.3\"], ",
        };
        dockerfile(&format!(
            "ENV NETWORK={network}\nRUN {{ ls /sys/class/net; ulimit -n; }} >/given; df -k /dev/shm >/shm\n\
             RUN cp /etc/hosts /hosts || echo {network} >/hosts"
        ));
        lab.compose(&format!(
            "services: {{ web: {{ command: sleep 1000, stop_grace_period: 0s, build: {{ context: ., \
             network: {network}, {hosts}ulimits: {{ nofile: 512 }}, shm_size: 32m }} }} }}\n"
        ));
        let built = lab.rengine(&["deploy"]);
        assert_eq!(built.code, 0, "{built:#?}");
        assert_eq!(lab.exec("web", "cat /given"), interfaces);
        assert!(lab.exec("web", "cat /shm").contains(" 32768 "));
        let there = lab.exec("web", "cat /hosts").contains("10.1.2.3");
        assert_eq!(there, network == "default");
    }
}

#[test]
fn what_differs_otherwise() {
    let lab = Lab::new("otherwise");
    let image = "image: rengine/busybox:local, command: sleep 1000, stop_grace_period: 0s";
    // The tests' configuration names no init process.
    lab.compose(&format!("services: {{ web: {{ {image}, init: true }} }}\n"));
    let failed = lab.rengine(&["deploy"]);
    assert_eq!(failed.code, 1, "{failed:#?}");
    for part in ["can't have an init process", "apt-get install catatonit"] {
        assert!(failed.stderr.contains(part), "{part}: {failed:#?}");
    }

    // It knows `nocopy` in one of the API's two forms.
    for (nocopy, found) in [(true, ""), (false, "index.html\n")] {
        let volume = format!(
            "type: volume, source: data-{nocopy}, target: /www, volume: {{ nocopy: {nocopy} }}"
        );
        lab.compose(&format!(
            "services:\n  web: {{ build: ., command: sleep 1000, stop_grace_period: 0s, \
             volumes: [{{ {volume} }}] }}\nvolumes: {{ data-{nocopy}: {{}} }}\n"
        ));
        let deployed = lab.rengine(&["deploy"]);
        assert_eq!(deployed.code, 0, "{deployed:#?}");
        assert_eq!(lab.exec("web", "ls /www"), found);
    }

    // What starts containers with the host.
    let unit = std::fs::read_to_string("/lib/systemd/system/podman-restart.service");
    let unit = unit.expect("a unit of Debian's podman");
    assert!(unit.contains("--filter restart-policy=always"), "{unit}");
    assert!(!unit.contains("unless-stopped"), "{unit}");
}
