use std::collections::BTreeSet;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::*;
use crate::app::{
    Attachment, ByteSize, ContainerFile, ContainerSpec, Cpus, Device, Fields, HealthCheck,
    ImageSource, Mount, MountOptions, MountSource, Name, Network, PortMapping, Probe, Protocol,
    RestartPolicy, Service, Swap, Volume,
};
use crate::secrets::Secret;

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn spec() -> ContainerSpec {
    ContainerSpec {
        command: Some(vec![text("serve"), text("--all")]),
        entrypoint: Some(Vec::new()),
        env: [(text("A"), text("1")), (text("EMPTY"), String::new())].into(),
        memory: Some(ByteSize::mib(1130)),
        cpus: Cpus::new(0.1).ok(),
        devices: vec![Device {
            host_path: text("/dev/disk/by-path/pci-0000:00:1f.2"),
            container_path: text("/dev/disk"),
            permissions: text("r"),
        }],
        mounts: vec![
            Mount {
                source: MountSource::Bind(text("/a:b")),
                target: text("/c"),
                read_only: true,
                options: MountOptions {
                    subpath: Some(text("x")),
                    ..Default::default()
                },
            },
            Mount {
                source: MountSource::Anonymous,
                target: text("/d"),
                read_only: false,
                options: MountOptions::default(),
            },
        ],
        ports: vec![PortMapping {
            container_port: 80,
            protocol: Protocol::Udp,
            host_port: Some(8080),
            host_port_last: Some(8090),
            host_address: "::1".parse().ok(),
            app_protocol: Some(crate::app::AppProtocol::H2c),
        }],
        restart: RestartPolicy::OnFailure(3),
        health: Some(HealthCheck::new(Probe::Http {
            path: text("/healthz"),
            port: None,
            status: Some(204),
        })),
        stop_timeout: Some(std::time::Duration::from_millis(1500)),
        networks: [(text("default"), Attachment::default())].into(),
        expose: vec![(53, Protocol::Udp)],
        files: [(
            text("/etc/app"),
            ContainerFile {
                contents: vec![0xff, 0],
                mode: 0o444,
                uid: 0,
                gid: 7,
                secret: false,
            },
        )]
        .into(),
        swap: Some(Swap::Unlimited),
        tty: true,
        ..Default::default()
    }
}

fn app(spec: ContainerSpec) -> App {
    let image = ImageSource::Image(text("app:1"));
    let mut app = App::new(name("shop"), [Service::new(name("web"), image, spec)]);
    app.networks.insert(
        text("default"),
        Network {
            name: text("shop_default"),
            ipv4: Some(false),
            ..Default::default()
        },
    );
    app.volumes.insert(
        text("data"),
        Volume {
            name: text("shop_data"),
            external: true,
            ..Default::default()
        },
    );
    app
}

fn there_and_back(
    app: &App,
    seal: &Seal,
    present: &App,
    value: Option<&str>,
) -> Result<App, Damage> {
    let stored = store(app, seal).to_string();
    let secret = |_: &str| value.map(str::to_owned);
    let unseal = Unseal {
        secret: &secret,
        present,
    };
    restore(&serde_json::from_str(&stored).expect("JSON"), &unseal)
}

#[test]
fn what_is_stored_is_restored() {
    for spec in [spec(), ContainerSpec::default()] {
        let app = app(spec);
        let restored = there_and_back(&app, &Seal::default(), &app, None);
        assert_eq!(restored, Ok(app));
    }
    for probe in [
        Probe::Tcp(80),
        Probe::Shell(text("a `b`")),
        Probe::Exec(vec![text("a b"), String::new()]),
        Probe::None,
    ] {
        let app = app(ContainerSpec {
            health: Some(HealthCheck::new(probe)),
            ..Default::default()
        });
        assert_eq!(there_and_back(&app, &Seal::default(), &app, None), Ok(app));
    }
}

#[test]
fn a_secret_is_stored_by_its_name() {
    let seal = Seal::new([
        (text("TOKEN"), Secret::new(text("hunter2-and-more"))),
        (text("SHORT"), Secret::new(text("hunter2"))),
    ]);
    let with = |token: &str| {
        app(ContainerSpec {
            env: [(text("URL"), format!("https://{token}@host/hunter"))].into(),
            ..Default::default()
        })
    };
    let then = with("hunter2-and-more");
    let stored = store(&then, &seal).to_string();
    assert!(!stored.contains("hunter2"), "{stored}");
    // The value that holds now, whatever it was then.
    assert_eq!(
        there_and_back(&then, &seal, &then, Some("new")),
        Ok(with("new"))
    );
    let secret = text("TOKEN");
    assert_eq!(
        there_and_back(&then, &seal, &then, None),
        Err(Damage::NoSecret { secret })
    );
    let encoded = with("aHVudGVyMi1hbmQtbW9yZQ==");
    let stored = store(&encoded, &seal).to_string();
    assert!(!stored.contains("aHVudGVy"), "{stored}");
    let restored = there_and_back(&encoded, &seal, &then, Some("new"));
    assert!(
        matches!(restored, Err(Damage::Opaque { .. })),
        "{restored:?}"
    );
}

#[test]
fn a_secret_file_comes_from_the_present_project() {
    let file = |contents: &str| ContainerFile {
        contents: contents.into(),
        mode: 0o400,
        uid: 0,
        gid: 0,
        secret: true,
    };
    let with = |contents: &str| {
        app(ContainerSpec {
            files: [(text("/run/secrets/key"), file(contents))].into(),
            ..Default::default()
        })
    };
    let then = with("old key");
    assert!(
        !store(&then, &Seal::default())
            .to_string()
            .contains("old key")
    );
    let now = with("new key");
    assert_eq!(
        there_and_back(&then, &Seal::default(), &now, None),
        Ok(with("new key"))
    );
    let without = app(ContainerSpec::default());
    let restored = there_and_back(&then, &Seal::default(), &without, None);
    assert!(
        matches!(restored, Err(Damage::NoSecretFile { .. })),
        "{restored:?}"
    );
}

#[test]
fn what_is_not_known_is_refused() {
    let app = app(ContainerSpec::default());
    let mut stored = store(&app, &Seal::default());
    stored["services"][0][1]["container"]["gravity"] = 9.into();
    let unseal = Unseal {
        secret: &|_| None,
        present: &app,
    };
    assert_eq!(
        restore(&stored, &unseal),
        Err(Damage::Unknown(text("gravity")))
    );
    let nothing = restore(&serde_json::Value::Null, &unseal);
    assert!(matches!(nothing, Err(Damage::Damaged(_))), "{nothing:?}");
}

fn record(number: u64, outcome: ReleaseOutcome, image: &str) -> Record {
    let service = ServiceRecord {
        image: Some(ImageRecord {
            id: text(image),
            reference: None,
            digest: None,
        }),
        replicas: 1,
        ..Default::default()
    };
    Record {
        format: Record::FORMAT,
        release: format!("r{number}"),
        app: text("shop"),
        number,
        outcome,
        error: None,
        rollback_to: None,
        started: Timestamp::UNIX_EPOCH,
        took_ms: Some(1),
        user: text("me"),
        host: text("here"),
        by: None,
        reason: None,
        rengine: text("0"),
        git: None,
        plugins: Vec::new(),
        policy: None,
        services: IndexMap::from([(text("web"), service)]),
        changes: Vec::new(),
        steps: Vec::new(),
        spec: serde_json::Value::Null,
    }
}

use ReleaseOutcome::{Failed, Interrupted, Running, Succeeded, Unfinished};

#[test]
fn a_record_is_read_again() {
    let record = record(1, Succeeded, "a");
    let text = record.to_text(&Seal::default());
    assert_eq!(Record::from_text(&text).as_ref(), Some(&record));
    assert_eq!(Record::from_text("{}"), None);
    let later = text.replace("\"format\":1", "\"format\":2");
    assert_eq!(Record::from_text(&later), None);
}

#[test]
fn rollbacks_go_back_one_by_one() {
    let mut records = vec![
        record(1, Succeeded, "a"),
        record(2, Succeeded, "b"),
        record(3, Failed, "c"),
        record(4, Succeeded, "d"),
    ];
    let previous = |records: &[Record]| {
        let running = running(records, &BTreeSet::new()).expect("one runs");
        previous(records, running).map(|record| record.release.clone())
    };
    assert_eq!(previous(&records).as_deref(), Some("r2"));
    let back = |number, to: &str| Record {
        rollback_to: Some(text(to)),
        ..record(number, Succeeded, "b")
    };
    records.push(back(5, "r2"));
    assert_eq!(previous(&records).as_deref(), Some("r1"));
    records.push(back(6, "r1"));
    assert_eq!(previous(&records), None);
    records.push(record(7, Succeeded, "e"));
    assert_eq!(previous(&records).as_deref(), Some("r6"));
    records.push(back(8, "r6"));
    assert_eq!(previous(&records), None);
    records.push(back(9, "r3"));
    records.remove(2);
    assert_eq!(previous(&records).as_deref(), Some("r2"), "r3 is forgotten");
}

#[test]
fn what_serves_runs_though_it_was_never_done() {
    let mut records = vec![
        record(1, Succeeded, "a"),
        record(2, Succeeded, "b"),
        record(3, Running, "c"),
    ];
    let both = |records: &[Record], serving: &[&str]| {
        let running = running(records, &serving.iter().copied().collect()).expect("one runs");
        let previous = previous(records, running).map(|record| record.release.clone());
        (running.release.clone(), previous)
    };
    let expected = |running: &str, previous: &str| (text(running), Some(text(previous)));
    assert_eq!(both(&records, &["r3"]), expected("r2", "r1"), "it is made");
    close(&mut records);
    assert_eq!(records[2].outcome, Unfinished);
    // Of a service that it did not touch the container is an old one.
    assert_eq!(both(&records, &["r1", "r3"]), expected("r3", "r2"));
    assert_eq!(
        both(&records, &["r2"]),
        expected("r2", "r1"),
        "it came to nothing"
    );
    for outcome in [Failed, Interrupted] {
        records[2].outcome = outcome;
        assert_eq!(both(&records, &["r3"]), expected("r3", "r2"));
    }
    // A rollback that had taken over has gone back, too.
    records[2].rollback_to = Some(text("r1"));
    records.insert(0, record(0, Succeeded, "z"));
    assert_eq!(both(&records, &["r3"]), expected("r3", "r0"));
    records.push(record(4, Succeeded, "d"));
    assert_eq!(both(&records, &["r3"]), expected("r4", "r2"));
}

#[test]
fn a_release_is_found_by_its_beginning() {
    let records = [
        record(1, Succeeded, "a"),
        record(10, Succeeded, "b"),
        record(2, Failed, "c"),
    ];
    let found = |prefix| find(&records, prefix).map(|record| record.number);
    assert_eq!(found("r1"), Ok(1));
    assert_eq!(found("r10"), Ok(10));
    assert_eq!(found("r2"), Ok(2));
    assert_eq!(found("r"), Err(vec!["r1", "r10", "r2"]));
    assert_eq!(found("x"), Err(vec![]));
    assert_eq!(found(""), Err(vec![]));
}

#[test]
fn what_runs_and_what_kept_releases_need_stays() {
    let records = [
        record(1, Succeeded, "a"),
        record(2, Succeeded, "b"),
        record(3, Failed, "c"),
        record(4, Unfinished, "d"),
        record(5, Succeeded, "e"),
        record(6, Running, "f"),
        record(7, Failed, "g"),
    ];
    let images = ["a", "b", "c", "d", "e", "f", "g", "stray"];
    let garbage = garbage(&records, 2, &images, &["a"]);
    assert_eq!(garbage.records, ["r1", "r4", "r3"]);
    assert_eq!(garbage.images, ["c", "d", "stray"]);
    let first = super::garbage(&records[2..4], 2, &images, &[]);
    assert!(first.is_empty(), "nothing is known of what is needed");
}

#[test]
fn differences_name_the_plugin_behind_them() {
    let mut old = record(1, Succeeded, "a");
    let mut new = record(2, Succeeded, "b");
    let set = |record: &mut Record, fields: &[(&str, &str)], build: &[(&str, &str)]| {
        let service = record.services.get_mut("web").expect("it");
        let make = |pairs: &[(&str, &str)]| {
            let mut fields = Fields::default();
            pairs
                .iter()
                .for_each(|(name, value)| fields.set(name, text(value)));
            fields
        };
        service.container = make(fields);
        service.build = make(build);
    };
    set(
        &mut old,
        &[("user", "0"), ("memory", "1MiB")],
        &[("target", "x")],
    );
    set(&mut new, &[("user", "10001"), ("memory", "1MiB")], &[]);
    let change = |hook: &str, field: &str| ChangeRecord {
        plugin: text("harden"),
        hook: text(hook),
        service: text("web"),
        field: text(field),
        old: None,
        new: None,
    };
    new.changes = vec![change("pre-run", "user"), change("pre-build", "target")];
    new.services.insert(
        text("db"),
        ServiceRecord {
            replicas: 1,
            ..Default::default()
        },
    );
    let told: Vec<_> = diff(&old, &new)
        .fields
        .into_iter()
        .map(|diff| {
            format!(
                "{} {} {:?} {:?} {:?}",
                diff.service, diff.field, diff.old, diff.new, diff.plugins
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"web build.target Some("x") None ["harden"]"#,
            r#"web image Some("a") Some("b") []"#,
            r#"web user Some("0") Some("10001") ["harden"]"#,
            r#"db replicas None Some("1") []"#,
            r#"db service None Some("there") []"#,
        ]
    );
}

fn policy(digest: &str, signers: Vec<SignerRecord>, new: Option<&str>) -> PolicyRecord {
    let base = text("oci://r.example/base:^3");
    PolicyRecord {
        bases: vec![BaseRecord {
            reference: base.clone(),
            version: Some(text("3.0.1")),
            digest: format!("sha256:{}", digest.repeat(32)),
            signers,
        }],
        required: vec![RequiredRecord {
            plugin: text("harden"),
            base: base.clone(),
        }],
        overrides: new
            .map(|new| OverrideRecord {
                plugin: text("harden"),
                base,
                key: text("config.memory"),
                at: text("plugins.toml:3:1"),
                old: Some(text("64MiB")),
                new: text(new),
            })
            .into_iter()
            .collect(),
    }
}

fn signer(key: &str, fingerprint: &str) -> SignerRecord {
    SignerRecord {
        key: text(key),
        fingerprint: text(fingerprint),
    }
}

#[test]
fn differences_are_in_bases_and_signers_too() {
    let (mut old, mut new) = (record(1, Succeeded, "a"), record(2, Succeeded, "a"));
    let plugin = |version: &str, key: &str| PluginRecord {
        name: text("harden"),
        digest: "ab".repeat(32),
        artifact: Some(ArtifactRecord {
            repository: text("r.example/harden"),
            version: Some(text(version)),
            digest: text("sha256:cd"),
            signers: vec![signer(key, &"ef".repeat(32))],
        }),
    };
    old.plugins = vec![plugin("1.0.0", "one.pub")];
    new.plugins = vec![plugin("1.1.0", "two.pub")];
    old.policy = Some(policy("12", Vec::new(), Some("32MiB")));
    let signers = vec![signer("base.pub", &"ef".repeat(32))];
    new.policy = Some(policy("34", signers, Some("48MiB")));
    let told = |old: &Record, new: &Record| -> Vec<String> {
        let fields = diff(old, new).fields.into_iter();
        let or = |value: Option<String>| value.unwrap_or_else(|| text("-"));
        let lines = fields.map(|one| format!("{} {} {}", one.field, or(one.old), or(one.new)));
        lines.collect()
    };
    let digest = |half: &str| format!("sha256:{}", half.repeat(32));
    assert_eq!(
        told(&old, &new),
        [
            text(
                "plugin.harden.artifact r.example/harden:1.0.0@sha256:cd r.example/harden:1.1.0@sha256:cd"
            ),
            text("plugin.harden.signers one.pub (efefefefefefefef) two.pub (efefefefefefefef)"),
            format!(
                "base.oci://r.example/base:^3 {} {}",
                digest("12"),
                digest("34")
            ),
            text("base.oci://r.example/base:^3.signers - base.pub (efefefefefefefef)"),
            text("override.harden.config.memory 32MiB 48MiB"),
        ]
    );
    new.policy = None;
    let gone = told(&old, &new);
    assert!(
        gone.contains(&text("required.harden by oci://r.example/base:^3 -")),
        "{gone:?}"
    );
    assert!(
        gone.contains(&text("override.harden.config.memory.base 64MiB -")),
        "{gone:?}"
    );
}

#[test]
fn signers_of_bases_in_records_of_before_are_read() {
    let base = |signers: &str| -> BaseRecord {
        let fields = r#""reference": "oci://r.example/base:^3", "digest": "sha256:cd""#;
        serde_json::from_str(&format!("{{{fields}{signers}}}")).expect("readable")
    };
    assert!(base("").signers.is_empty());
    let two = base(r#", "signer": "a.pub (0123456789abcdef), keys (old).pub (fedcba9876543210)""#);
    let known = [
        signer("a.pub", "0123456789abcdef"),
        signer("keys (old).pub", "fedcba9876543210"),
    ];
    assert_eq!(two.signers, known);
    assert_eq!(base(r#", "signer": "odd""#).signers, [signer("odd", "")]);
    let written = serde_json::to_value(&two).expect("JSON");
    assert_eq!(written["signers"][1]["key"], "keys (old).pub");
    let again: BaseRecord = serde_json::from_value(written).expect("readable");
    assert_eq!(again, two);
}

#[test]
fn provenance_names_images_plugins_and_changes() {
    let mut record = record(7, ReleaseOutcome::Succeeded, "sha256:image");
    let artifact = ArtifactRecord {
        repository: text("r.example/platform/policy"),
        version: Some(text("1.2.0")),
        digest: format!("sha256:{}", "cd".repeat(32)),
        signers: vec![SignerRecord {
            key: text("platform.pub"),
            fingerprint: "ef".repeat(32),
        }],
    };
    let plugin = |name: &str, artifact: Option<ArtifactRecord>| PluginRecord {
        name: text(name),
        digest: "ab".repeat(32),
        artifact,
    };
    record.plugins = vec![plugin("harden", None), plugin("policy", Some(artifact))];
    record.changes = vec![ChangeRecord {
        plugin: text("harden"),
        hook: text("pre-run"),
        service: text("web"),
        field: text("read-only"),
        old: None,
        new: Some(text("true")),
    }];
    let signers = vec![signer("base.pub", &"12".repeat(32))];
    record.policy = Some(policy("cd", signers, None));
    record.git = Some(GitRevision {
        commit: "c".repeat(40),
        dirty: true,
    });
    // One that was written before plugins came from registries.
    let old = r#"{"name": "harden", "digest": "ab"}"#;
    let old: PluginRecord = serde_json::from_str(old).expect("readable");
    assert_eq!(old.artifact, None);
    let again = Record::from_text(&record.to_text(&Seal::default()));
    assert_eq!(again.as_ref(), Some(&record));
    let statement = provenance(&record, &Places::new());
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(
        definition["externalParameters"]["release"],
        record.release.as_str()
    );
    let materials = definition["resolvedDependencies"]
        .as_array()
        .expect("a list");
    assert_eq!(materials[0]["name"], "harden");
    assert_eq!(materials[0]["digest"]["sha256"], "ab".repeat(32));
    let policy = &materials[1];
    let digest = "cd".repeat(32);
    let uri = format!("oci://r.example/platform/policy:1.2.0@sha256:{digest}");
    assert_eq!(policy["uri"], uri.as_str());
    assert_eq!(policy["digest"]["sha256"], digest.as_str());
    let more = &policy["annotations"];
    assert_eq!(more["component"]["sha256"], "ab".repeat(32));
    assert_eq!(more["signers"][0]["sha256"], "ef".repeat(32));
    assert_eq!(materials[2]["uri"], "oci://r.example/base:^3");
    assert_eq!(materials[2]["digest"]["sha256"], "cd".repeat(32));
    let signers = &materials[2]["annotations"]["signers"];
    assert_eq!(signers[0]["sha256"], "12".repeat(32));
    assert_eq!(
        definition["internalParameters"]["policy"]["required"][0]["plugin"],
        "harden"
    );
    assert_eq!(materials[3]["digest"]["gitCommit"], "c".repeat(40));
    assert_eq!(
        definition["internalParameters"]["changes"][0]["field"],
        "read-only"
    );
}
