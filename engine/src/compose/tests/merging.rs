//! The specification's rules of merging.

use serde_json::{Value, json};

use super::Folder;

/// Two files, each with these lines of the service `web`; what becomes of it.
fn merged(base: &str, over: &str) -> Value {
    let file = |lines: &str| {
        let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
        format!("services:\n  web:\n    image: i\n{lines}volumes: {{a: , b: }}\n")
    };
    let folder = Folder::new(&[
        ("compose.yaml", &file(base)),
        ("compose.override.yaml", &file(over)),
        ("a.env", "A=a\n"),
        ("b.env", "A=b\n"),
    ]);
    folder.json()["services"]["web"].clone()
}

#[test]
fn mappings_are_merged_and_scalars_replaced() {
    let service = merged(
        "environment: [A=1, B=1]\nlabels: {a: 1}\nuser: root\nlogging: {driver: syslog, options: {a: b}}",
        "environment: {B: 2, C: 2}\nlabels: [b=2]\nuser: me\nlogging: {options: {c: d}}",
    );
    assert_eq!(
        service["environment"],
        json!({"A": "1", "B": "2", "C": "2"})
    );
    assert_eq!(service["labels"], json!({"a": "1", "b": "2"}));
    assert_eq!(service["user"], "me");
    assert_eq!(
        service["logging"],
        json!({"driver": "syslog", "options": {"a": "b", "c": "d"}})
    );
}

#[test]
fn options_of_another_log_driver_are_gone() {
    let service = merged(
        "logging: {driver: syslog, options: {a: b}}",
        "logging: {driver: local, options: {c: d}}",
    );
    assert_eq!(
        service["logging"],
        json!({"driver": "local", "options": {"c": "d"}})
    );
}

#[test]
fn lists_are_appended_without_doubles() {
    let service = merged(
        "dns: 1.1.1.1\ncap_add: [A, B]\nexpose: [80, '81']\nsecurity_opt: [x]\nextra_hosts: [a=1.1.1.1]",
        "dns: [8.8.8.8, 1.1.1.1]\ncap_add: [B, C]\nexpose: ['80', 82]\nsecurity_opt: [y]\nextra_hosts: {a: 2.2.2.2}",
    );
    assert_eq!(service["dns"], json!(["1.1.1.1", "8.8.8.8"]));
    assert_eq!(service["cap_add"], json!(["A", "B", "C"]));
    assert_eq!(service["expose"], json!(["80", "81", "82"]));
    assert_eq!(service["security_opt"], json!(["x", "y"]));
    assert_eq!(service["extra_hosts"], json!(["a=1.1.1.1", "a=2.2.2.2"]));
}

#[test]
fn commands_are_replaced() {
    let service = merged(
        "command: [a, b]\nentrypoint: a\nhealthcheck: {test: a, retries: 3}",
        "command: c d\nentrypoint: [b, c]\nhealthcheck: {test: [CMD, b], timeout: 3s}",
    );
    assert_eq!(service["command"], json!(["c", "d"]));
    assert_eq!(service["entrypoint"], json!(["b", "c"]));
    let wanted = json!({"test": ["CMD", "b"], "retries": 3, "timeout": "3s"});
    assert_eq!(service["healthcheck"], wanted);
}

#[test]
fn ports_are_one_by_address_ports_and_protocol() {
    let service = merged(
        "ports: ['8080:80', '53:53/udp', '127.0.0.1:8080:80']",
        "ports: ['8080:80', '53:53', {target: 80, published: 8081}]",
    );
    let ports: Vec<String> = service["ports"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|port| {
            let text = |key: &str| port[key].to_string().replace('"', "");
            format!(
                "{} {}:{}/{}",
                text("host_ip"),
                text("published"),
                text("target"),
                text("protocol")
            )
        })
        .collect();
    assert_eq!(
        ports,
        [
            "null 8080:80/tcp",
            "null 53:53/udp",
            "127.0.0.1 8080:80/tcp",
            "null 53:53/tcp",
            "null 8081:80/tcp"
        ]
    );
}

#[test]
fn mounts_and_devices_are_one_by_target() {
    let service = merged(
        "volumes: [a:/x, ./c:/y]\ndevices: [/dev/a:/dev/x]\ntmpfs: /run",
        "volumes: [{type: volume, source: b, target: /x}]\ndevices: [/dev/b:/dev/x:r]\ntmpfs: [/run, /tmp]",
    );
    assert_eq!(service["volumes"][0]["source"], "b");
    assert_eq!(service["volumes"].as_array().map(Vec::len), Some(2));
    let wanted = json!([{"source": "/dev/b", "target": "/dev/x", "permissions": "r"}]);
    assert_eq!(service["devices"], wanted);
    assert_eq!(service["tmpfs"], json!(["/run", "/tmp"]));
}

#[test]
fn environment_files_are_appended_in_order() {
    let service = merged("env_file: a.env", "env_file: [b.env]");
    assert_eq!(service["environment"], json!({"A": "b"}));
}

#[test]
fn a_build_may_be_short_in_one_file_and_long_in_another() {
    let service = merged("build: ./a", "build: {target: t, args: [A=1]}");
    let wanted = json!({
        "context": "/shop/a", "dockerfile": "Dockerfile", "target": "t", "args": {"A": "1"},
    });
    assert_eq!(service["build"], wanted);
}

#[test]
fn reset_takes_away_and_override_replaces() {
    let service = merged(
        "ports: ['80:80']\nenvironment: {A: 1, B: 1}\nlabels: {a: 1}\nuser: root\ncap_add: [A]",
        "ports: !override ['90:90']\nenvironment: {A: !reset null}\nlabels: !override {b: 2}\n\
         user: !reset null\ncap_add: !reset []",
    );
    assert_eq!(service["ports"].as_array().map(Vec::len), Some(1));
    assert_eq!(service["ports"][0]["target"], 90);
    assert_eq!(service["environment"], json!({"B": "1"}));
    assert_eq!(service["labels"], json!({"b": "2"}));
    assert_eq!((service.get("user"), service.get("cap_add")), (None, None));
}

#[test]
fn a_service_and_a_volume_can_be_reset() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "services: {a: {image: i}, b: {image: i, volumes: [v:/v]}}\nvolumes: {v: , w: }\n",
        ),
        (
            "compose.override.yaml",
            "services: {a: !reset null, b: !override {image: j}}\nvolumes: {v: !reset {}}\n",
        ),
    ]);
    let json = folder.json();
    assert_eq!(
        json["services"],
        json!({"b": {"image": "j", "networks": {"default": null}}})
    );
    assert_eq!(json["volumes"], json!({"w": {"name": "shop_w"}}));
}

#[test]
fn pools_of_addresses_are_one_by_subnet() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "services: {a: {image: i}}\nnetworks: {default: {ipam: {config: [{subnet: 10.1.0.0/16}, {subnet: 10.2.0.0/16}]}}}\n",
        ),
        (
            "compose.override.yaml",
            "networks: {default: {ipam: {config: [{subnet: 10.2.0.0/16, gateway: 10.2.0.1}]}}}\n",
        ),
    ]);
    let wanted =
        json!([{"subnet": "10.1.0.0/16"}, {"subnet": "10.2.0.0/16", "gateway": "10.2.0.1"}]);
    assert_eq!(
        folder.json()["networks"]["default"]["ipam"]["config"],
        wanted
    );
}

#[test]
fn dependencies_are_merged_by_name() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "services: {a: {image: i, depends_on: [b, c]}, b: {image: i}, c: {image: i}}\n",
        ),
        (
            "compose.override.yaml",
            "services: {a: {depends_on: {b: {condition: service_healthy, restart: true}}}}\n",
        ),
    ]);
    let wanted = json!({
        "b": {"condition": "service_healthy", "required": true, "restart": true},
        "c": {"condition": "service_started", "required": true},
    });
    assert_eq!(folder.json()["services"]["a"]["depends_on"], wanted);
}

#[test]
fn documents_of_one_file_are_merged_as_files_are() {
    let text = "services: {a: {image: i, environment: {A: 1}}}\n---\nservices: {a: {environment: {B: 2}}}\n";
    let json = Folder::new(&[("compose.yaml", text)]).json();
    assert_eq!(
        json["services"]["a"]["environment"],
        json!({"A": "1", "B": "2"})
    );
}

#[test]
fn one_place_may_be_written_in_several_ways() {
    let service = merged(
        "tmpfs: ['/run:size=1m', /tmp]\nvolumes: [a:/data]\nports: ['80:80']",
        "tmpfs: [/run/:size=2m]\nvolumes: ['b:/data/']\nports: ['0.0.0.0:80:80']",
    );
    assert_eq!(service["tmpfs"], json!(["/run/:size=2m", "/tmp"]));
    assert_eq!(service["volumes"].as_array().map(Vec::len), Some(1));
    assert_eq!(service["volumes"][0]["source"], "b");
    assert_eq!(service["volumes"][0]["target"], "/data");
    assert_eq!(service["ports"].as_array().map(Vec::len), Some(1));
    assert_eq!(service["ports"][0]["host_ip"], "0.0.0.0");
}

#[test]
fn what_a_service_takes_away_it_takes_from_earlier_files_and_from_what_it_extends() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "services: {a: {image: i, ports: ['80:80'], labels: {a: 1}, environment: {A: 1, B: 1}, user: me}}\n",
        ),
        (
            "base.yaml",
            "services: {base: {ports: ['90:90'], labels: {b: 1}, environment: {A: 2}, tty: !reset null, \
             user: !reset null, dns: [1.1.1.1]}}\n",
        ),
        (
            "compose.override.yaml",
            "services:\n  a:\n    extends: {service: base, file: base.yaml}\n    ports: !reset []\n    \
             labels: !override {c: 1}\n    environment: {A: !reset null}\n    dns: !reset []\n",
        ),
    ]);
    let service = &folder.json()["services"]["a"];
    assert_eq!(service.get("ports"), None);
    assert_eq!(service["labels"], json!({"c": "1"}));
    assert_eq!(service["environment"], json!({"B": "1"}));
    assert_eq!(service.get("dns"), None);
    // What the other one takes away is no matter of this one.
    assert_eq!(service["user"], "me");
}
