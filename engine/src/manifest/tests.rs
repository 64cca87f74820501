use std::path::PathBuf;

use super::{Manifest, ManifestError, OnError, convert};
use crate::app::{ByteSize, MountSource, Probe};

fn parse(text: &str) -> Result<Manifest, ManifestError> {
    let env = |name: &str| (name == "SET").then(|| "value".to_owned());
    convert::manifest(text, None, PathBuf::from("/"), &env)
}

/// The message, and the text that the error points at.
fn error(text: &str) -> (String, String) {
    match parse(text) {
        Err(ManifestError::Invalid { message, span, .. }) => {
            let range = span.offset()..span.offset() + span.len();
            (message, text[range].to_owned())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_file_is_all_defaults() {
    let manifest = parse("").expect("defaults");
    assert_eq!(manifest.app.name.as_str(), "app");
    assert!(!manifest.ports_declared);
    assert!(manifest.plugins.is_empty());
}

#[test]
fn every_part_is_read() {
    let manifest = parse(
        r#"
        [app]
        name = "shop"
        image = "nginx:${TAG:-1}"
        ports = [80, "8080:81", "127.0.0.1:53:53/udp", "9000-9001:90-91"]
        devices = ["/dev/fuse", "/dev/ttyS0:/dev/serial:r"]
        security-opt = ["seccomp=unconfined"]
        pid = "host"
        ipc = "private"
        env = { A = "${SET}", N = 1, B = true, D = "$$x" }
        command = "serve --name 'a b'"
        memory = "64MiB"
        cpus = 0.5
        volumes = ["data:/data", "./conf:/etc/conf:ro", "/anon"]
        health = { http = "/up", interval = "2s" }
        [deploy]
        timeout = "5s"
        [plugins.b]
        path = "b.wasm"
        config = { n = 1, list = ["x"] }
        grants = { cap-add = ["NET_ADMIN"] }
        [plugins.a]
        path = "/a.wasm"
        on-error = "warn"
        services = ["web"]
        "#,
    )
    .expect("a manifest");
    let spec = &manifest.app.services["web"].container;
    let ports: Vec<_> = spec.ports.iter().map(ToString::to_string).collect();
    assert_eq!(
        ports,
        [
            "80:80",
            "8080:81",
            "127.0.0.1:53:53/udp",
            "9000:90",
            "9001:91"
        ]
    );
    let devices: Vec<_> = spec.devices.iter().map(ToString::to_string).collect();
    assert_eq!(
        devices,
        ["/dev/fuse:/dev/fuse:rwm", "/dev/ttyS0:/dev/serial:r"]
    );
    assert_eq!(spec.security_options, ["seccomp=unconfined"]);
    assert_eq!(spec.pid_mode.as_deref(), Some("host"));
    assert_eq!(spec.ipc_mode.as_deref(), Some("private"));
    assert_eq!(spec.env["A"], "value");
    assert_eq!(spec.env["D"], "$x");
    assert_eq!(
        spec.command.as_deref(),
        Some(&["serve", "--name", "a b"].map(String::from)[..])
    );
    assert_eq!(spec.memory, Some(ByteSize::mib(64)));
    assert_eq!(spec.mounts[1].source, MountSource::Bind("/conf".into()));
    assert!(matches!(
        spec.health.as_ref().map(|h| &h.probe),
        Some(Probe::Http { .. })
    ));
    let names: Vec<_> = manifest.plugins.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["b", "a"], "in the order of the file");
    assert_eq!(manifest.plugins["b"].config["list"], "[\"x\"]");
    assert!(manifest.plugins["b"].grants.allows_cap("NET_ADMIN").is_ok());
    assert_eq!(manifest.plugins["a"].on_error, OnError::Warn);
}

#[test]
fn errors_point_at_what_is_wrong() {
    let cases = [
        ("[app]\nname = \"No\"", "`N` can't be in a name", "\"No\""),
        (
            "[app]\nmemory = \"much\"",
            "`much` is not a size",
            "\"much\"",
        ),
        ("[app]\nports = [\"x\"]", "`x` is not a port", "\"x\""),
        (
            "[app]\nports = [\"80-82:80-81\"]",
            "`80-82:80-81` is not a port",
            "\"80-82:80-81\"",
        ),
        (
            "[app]\ndevices = [\"fuse\"]",
            "`fuse` is not a device",
            "\"fuse\"",
        ),
        ("[app]\ncpus = 0.0", "0 is not a number of CPUs", "0.0"),
        (
            "[app]\nrestart = \"often\"",
            "`often` is no restart",
            "\"often\"",
        ),
        (
            "[app]\nenv = { A = \"${NOPE}\" }",
            "`NOPE` is not set",
            "\"${NOPE}\"",
        ),
        (
            "[deploy]\ntimeout = \"soon\"",
            "`soon` is not a time",
            "\"soon\"",
        ),
        (
            "[plugins.x]\nservices = [\"db\"]\npath = \"x\"",
            "no service `db`",
            "\"db\"",
        ),
        ("[plugins.x]\n", "has no `path`", "x"),
        (
            "[plugins.x]\nsource = \"oci://r/x:1\"",
            "can't be loaded by `source` yet",
            "\"oci://r/x:1\"",
        ),
        ("[app]\nmemroy = 1", "unknown field `memroy`", "memroy"),
    ];
    for (text, message, place) in cases {
        let (found, at) = error(text);
        assert!(found.contains(message), "{found}");
        assert_eq!(at, place, "{text}");
    }
}

#[test]
fn typos_are_answered_with_what_was_meant() {
    let Err(ManifestError::Invalid { help, .. }) = parse("[app]\nmemroy = \"1m\"") else {
        panic!("no error");
    };
    assert_eq!(help.as_deref(), Some("did you mean `memory`?"));
}

/// The keys that a table knows, as serde names them when it meets one that it does not know.
fn keys<T: serde::de::DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
    let error = toml::from_str::<T>("no-such-key = 1").expect_err("an unknown key");
    let list = error.message().split_once("expected").expect("a list").1;
    let quoted = list.split('`').skip(1).step_by(2);
    let mut keys: Vec<_> = quoted.map(str::to_owned).collect();
    keys.sort();
    keys
}

/// The keys in the first column of the tables in one section of the reference.
fn documented(reference: &str, heading: &str) -> Vec<String> {
    let section = reference
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("no section {heading}"));
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut keys: Vec<_> = rows
        .map(|row| row.split('`').next().unwrap_or_default().to_owned())
        .collect();
    keys.sort();
    keys
}

#[test]
fn the_reference_has_each_key_and_no_other() {
    use super::raw;
    let reference = include_str!("../../CONFIG.md");
    let mut plugin = keys::<raw::PluginTable>();
    plugin.retain(|key| !matches!(key.as_str(), "source" | "builtin"));
    let tables = [
        ("`[app]`", keys::<raw::AppTable>()),
        ("`[app.build]`", keys::<raw::BuildTable>()),
        ("`[app.health]`", keys::<raw::Health>()),
        ("`[docker]`", keys::<raw::DockerTable>()),
        ("`[deploy]`", keys::<raw::DeployTable>()),
        ("`[plugins.NAME]`", plugin),
        ("`[plugins.NAME.grants]`", keys::<crate::grants::Grants>()),
    ];
    for (heading, keys) in tables {
        assert_eq!(documented(reference, heading), keys, "{heading}");
    }
}

#[test]
fn the_examples_of_the_reference_are_valid() {
    let reference = include_str!("../../CONFIG.md");
    let examples: Vec<_> = reference.split("```toml\n").skip(1).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let text = example.split("```").next().unwrap_or_default();
        parse(text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    }
}
