use std::path::PathBuf;
use std::time::Duration;

use super::{Bases, Manifest, ManifestError, OnError, convert};
use crate::app::{ByteSize, Canary, MountSource, Probe, Strategy};
use crate::plugin::Limits;

fn parse(text: &str) -> Result<Manifest, ManifestError> {
    let env = |name: &str| (name == "SET").then(|| "value".to_owned());
    convert::manifest(text, None, PathBuf::from("/"), None, &Bases::none(), &env)
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
        (
            "[plugins.x]\npath = \"x\"\nlimits = { table-elements = 1000001 }",
            "1000000 elements of tables are the most",
            "1000001",
        ),
        ("[plugins.x]\n", "has no `path`", "x"),
        (
            "[plugins.x]\nsource = \"oci://r/x:1\"",
            "`r` is no host",
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
    plugin.retain(|key| key != "builtin");
    let tables = [
        ("`[app]`", keys::<raw::AppTable>()),
        ("`[app.build]`", keys::<raw::BuildTable>()),
        ("`[app.health]`", keys::<raw::Health>()),
        ("`[app.canary]`", keys::<raw::CanaryTable>()),
        ("`[app.rolling]`", keys::<raw::RollingTable>()),
        ("`[docker]`", keys::<raw::DockerTable>()),
        ("`[deploy]`", keys::<raw::DeployTable>()),
        ("`[edge]`", keys::<raw::EdgeTable>()),
        ("`[watch]`", keys::<raw::WatchTable>()),
        ("`[[edge.tls]]`", keys::<raw::TlsTable>()),
        ("`[plugins.NAME]`", plugin),
        ("`[registries.HOST]`", keys::<raw::RegistryTable>()),
        ("`[trust]`", keys::<raw::TrustTable>()),
        ("`[plugins.NAME.grants]`", keys::<crate::grants::Grants>()),
        ("`[plugins.NAME.limits]`", keys::<raw::LimitsTable>()),
        ("`[secrets]`", keys::<raw::SecretTable>()),
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

#[test]
fn proxies_whose_word_is_taken_are_ranges_of_addresses() {
    let manifest = parse("[edge]\ntrust = [\"10.0.0.0/8\", \"2001:db8::1\"]").expect("a manifest");
    let trust: Vec<_> = manifest
        .edge
        .trust
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(trust, ["10.0.0.0/8", "2001:db8::1/128"]);
    let refused = parse("[edge]\ntrust = [\"10.0.0.0/33\"]").expect_err("no range");
    let told = format!("{refused:?}");
    assert!(
        told.contains("`10.0.0.0/33` is no range of addresses"),
        "{told}"
    );
}

#[test]
fn a_rollout_is_read() {
    let app = |text: &str| {
        let manifest = parse(&format!("[app]\n{text}")).unwrap_or_else(|error| panic!("{error:?}"));
        manifest.app.services["web"].clone()
    };
    let canary = app("strategy = \"canary\"\ncanary = { share = \"2.5%\", for = \"90s\" }");
    let Some(Strategy::Canary(canary)) = canary.strategy else {
        panic!("{canary:?}");
    };
    assert_eq!(canary.share.to_string(), "2.5%");
    assert_eq!(canary.time, Duration::from_secs(90));
    assert_eq!(canary.max_errors, Canary::default().max_errors);
    let rolling = app("replicas = 4\nrolling = { max-unavailable = \"50%\" }");
    assert_eq!(rolling.replicas, 4);
    assert_eq!(rolling.strategy, None);
    assert_eq!(rolling.batches.map(|batches| batches.of(4)), Some((0, 2)));
    let place = |text: &str| {
        let manifest = parse(text).unwrap_or_else(|error| panic!("{error:?}"));
        manifest.strategies.values().cloned().collect::<Vec<_>>()
    };
    assert_eq!(place("[app]\nstrategy = \"canary\""), ["plugins.toml:2:12"]);
    assert!(place("").is_empty());
}

#[test]
fn a_rollout_that_can_not_be_meant_is_told_with_its_place() {
    for (text, words, place) in [
        ("replicas = 0", "at least 1 container", "0"),
        (
            "strategy = \"canery\"",
            "unknown variant `canery`",
            "\"canery\"",
        ),
        (
            "strategy = { canary = { share = \"5%\" } }",
            "how it is done is said in `canary`",
            "{ canary = { share = \"5%\" } }",
        ),
        (
            "canary = { share = \"5%\" }",
            "goes with `strategy",
            "{ share = \"5%\" }",
        ),
        (
            "strategy = \"canary\"\ncanary = { share = \"5\" }",
            "`5` is no share",
            "\"5\"",
        ),
        (
            "strategy = \"canary\"\ncanary = { for = \"3days\" }",
            "a day is the longest",
            "\"3days\"",
        ),
        (
            "strategy = \"canary\"\ncanary = { shar = \"5%\" }",
            "unknown field `shar`",
            "shar",
        ),
        (
            "strategy = \"recreate\"\nrolling = { max-surge = 1 }",
            "goes with `strategy",
            "{ max-surge = 1 }",
        ),
        (
            "rolling = { max-surge = \"a few\" }",
            "no number of containers",
            "\"a few\"",
        ),
        (
            "rolling = { max-surge = 0, max-unavailable = \"0%\" }",
            "none can be replaced",
            "{ max-surge = 0, max-unavailable = \"0%\" }",
        ),
    ] {
        let (message, at) = error(&format!("[app]\n{text}\n"));
        assert!(message.contains(words), "{text}: {message}");
        assert_eq!(at, place, "{text}: {message}");
    }
}

#[test]
fn a_malformed_grant_is_told_with_its_place() {
    for (grants, place, why) in [
        (
            "http = [\"a.example\", \"b.example/path\"]",
            "\"b.example/path\"",
            "it has a path",
        ),
        ("secrets = [\"A-B\"]", "\"A-B\"", "no name of a variable"),
        ("env = [\"HOME\", \"\"]", "\"\"", "no name of a variable"),
        ("exec = \"yes\"", "\"yes\"", "expected a boolean"),
    ] {
        let text = format!("[plugins.x]\npath = \"x.wasm\"\ngrants = {{ {grants} }}\n");
        let error = parse(&text).expect_err(grants);
        let ManifestError::Invalid { message, span, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(message.contains(why), "{message}");
        assert_eq!(&text[span.offset()..][..span.len()], place, "{grants}");
    }
}

#[test]
fn limits_are_lowered_and_raised() {
    let manifest = parse(
        "[plugins.x]\npath = \"x.wasm\"\n[plugins.x.limits]\nlog = \"1KiB\"\nhttp = \"1GiB\"\n\
         result = \"2MiB\"\ntable-elements = 7\ninstances = 8\n",
    )
    .expect("a manifest");
    let limits = manifest.plugins["x"].limits;
    assert_eq!(
        limits,
        Limits {
            log: ByteSize(1 << 10),
            http: ByteSize(1 << 30),
            result: ByteSize::mib(2),
            table_elements: 7,
            instances: 8,
        }
    );
}

#[test]
fn secrets_come_from_the_environment_and_from_files() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("key"), "from file\r\n").expect("a file");
    std::fs::write(folder.path().join("empty"), "\n").expect("a file");
    let text = "[plugins.x]\npath = \"x.wasm\"\n\
        grants = { secrets = [\"BY_NAME\", \"OTHER\", \"KEY\", \"SHORT\", \"UNSET\", \"EMPTY\"] }\n\
        [secrets]\nOTHER = { env = \"ELSEWHERE\" }\nKEY = { file = \"key\" }\n\
        EMPTY = { file = \"empty\" }\nUNUSED = { env = \"X\" }\n";
    let env = |name: &str| match name {
        "BY_NAME" => Some("by name".to_owned()),
        "ELSEWHERE" => Some("from elsewhere".to_owned()),
        "SHORT" => Some("abc".to_owned()),
        _ => None,
    };
    let dir = folder.path().to_owned();
    let manifest =
        super::convert::manifest(text, None, dir, None, &Bases::none(), &env).expect("a manifest");
    let values: Vec<_> = manifest
        .secrets
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    let expected = [
        ("BY_NAME", "by name"),
        ("KEY", "from file"),
        ("OTHER", "from elsewhere"),
        ("SHORT", "abc"),
    ];
    assert_eq!(values, expected);
    let missing: Vec<_> = manifest
        .secrets
        .missing
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing[0].contains("`EMPTY`") && missing[0].contains("is empty"));
    assert!(missing[1].contains("`UNSET`") && missing[1].contains("`UNSET` is not set"));
    assert_eq!(manifest.warnings.len(), 2, "{:?}", manifest.warnings);
    assert!(manifest.warnings[0].contains("`SHORT` has fewer than 4 bytes"));
    assert!(manifest.warnings[1].contains("no plugin is granted the secret `UNUSED`"));
    let debug = format!("{manifest:?}");
    assert!(!debug.contains("by name") && !debug.contains("from file"));
}

#[test]
fn environment_variables_are_handed_on_by_name() {
    let text = "[plugins.x]\npath = \"x.wasm\"\ngrants = { env = [\"HOME\", \"UNSET\"] }\n";
    let env = |name: &str| (name != "UNSET").then(|| format!("{name} of mine"));
    let manifest = super::convert::manifest(text, None, "/".into(), None, &Bases::none(), &env)
        .expect("a manifest");
    let seen: Vec<_> = manifest.plugins["x"].env.iter().collect();
    assert_eq!(seen, [(&"HOME".to_owned(), &"HOME of mine".to_owned())]);
}

/// Reading a device has no end.
#[test]
fn a_dockerfile_is_a_file_of_bearable_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("Dockerfile");
    std::os::unix::fs::symlink("/dev/zero", &file).expect("a link");
    let read = || {
        convert::manifest(
            "",
            None,
            folder.path().to_owned(),
            None,
            &Bases::none(),
            &|_| None,
        )
    };
    let error = read().expect_err("it is no file").to_string();
    assert!(
        error.ends_with("can't be read: it is not a file"),
        "{error}"
    );
    std::fs::remove_file(&file).expect("the link is gone");
    std::fs::write(&file, "#".repeat(2 << 20)).expect("a file");
    let error = read().expect_err("it is too large").to_string();
    assert!(error.ends_with("it is larger than 1MiB"), "{error}");
}

#[test]
fn a_probe_goes_to_a_port_and_waits_for_a_status() {
    for (health, message) in [
        ("http = \"/\", port = 0", "0 is no port"),
        ("tcp = 0", "0 is no port"),
        ("http = \"/\", status = 99", "99 is no status of HTTP"),
        (
            "http = \"up\"",
            "the path of a health check starts with `/`, and has no space in it",
        ),
        (
            "http = \"/a b\"",
            "the path of a health check starts with `/`, and has no space in it",
        ),
    ] {
        let text = format!("[app]\nimage = \"a\"\nhealth = {{ {health} }}");
        assert_eq!(error(&text).0, message, "{health}");
    }
}
