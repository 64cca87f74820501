use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::app::{ByteSize, ContainerFile, Cpus, Device, MountOptions, PortMapping, Protocol};

fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    create_body("sha256:1", spec, &BTreeMap::new(), None)
}

#[test]
fn an_empty_spec_leaves_everything_to_the_image_and_the_daemon() {
    let body = body(&ContainerSpec::default());
    assert_eq!(
        (body.user, body.cmd, body.entrypoint, body.healthcheck),
        (None, None, None, None)
    );
    let host = body.host_config.expect("a host config");
    assert_eq!(
        (host.memory, host.nano_cpus, host.pids_limit),
        (None, None, None)
    );
    assert_eq!(
        (host.privileged, host.readonly_rootfs, host.init),
        (None, None, None)
    );
    assert_eq!(
        host.restart_policy.and_then(|policy| policy.name),
        Some(RestartPolicyNameEnum::UNLESS_STOPPED)
    );
}

#[test]
fn every_field_reaches_the_daemon() {
    let text = |text: &str| Some(text.to_owned());
    let list = |text: &str| vec![text.to_owned()];
    let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let spec = ContainerSpec {
        user: text("1:2"),
        command: Some(list("serve")),
        entrypoint: Some(list("/app")),
        working_dir: text("/srv"),
        env: map("A", "b=c"),
        labels: map("own", "1"),
        memory: Some(ByteSize::mib(1)),
        cpus: Cpus::new(0.5).ok(),
        pids_limit: Some(9),
        read_only_root: true,
        tmpfs: map("/tmp", "size=1m"),
        no_new_privileges: true,
        security_options: list("seccomp=unconfined"),
        cap_drop: list("ALL"),
        cap_add: list("NET_ADMIN"),
        privileged: true,
        devices: vec![Device {
            host_path: "/dev/a".into(),
            container_path: "/dev/b".into(),
            permissions: "r".into(),
        }],
        mounts: vec![
            Mount {
                source: MountSource::Bind("/h".into()),
                target: "/c".into(),
                read_only: true,
                options: MountOptions::default(),
            },
            Mount {
                source: MountSource::Anonymous,
                target: "/d".into(),
                read_only: false,
                options: MountOptions::default(),
            },
        ],
        network_mode: text("host"),
        pid_mode: text("host"),
        ipc_mode: text("private"),
        ports: vec![PortMapping {
            container_port: 80,
            protocol: Protocol::Tcp,
            host_port: Some(8080),
            host_port_last: None,
            host_address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            app_protocol: None,
        }],
        restart: RestartPolicy::OnFailure(3),
        health: Some(HealthCheck::new(Probe::Shell("true".to_owned()))),
        stop_signal: text("SIGINT"),
        stop_timeout: Some(Duration::from_millis(1500)),
        init: true,
        hostname: text("h"),
        ..ContainerSpec::default()
    };
    let network = Joined {
        name: "n".to_owned(),
        aliases: list("web"),
        attachment: Attachment::default(),
    };
    let body = create_body("sha256:1", &spec, &map("extra", "2"), Some(&network));
    // By way of a value, which sorts what the client keeps in hash maps.
    let body = serde_json::to_value(body).expect("JSON");
    insta::assert_snapshot!(format!("{body:#}"));
}

#[test]
fn a_network_is_joined_under_its_aliases() {
    let network = Joined {
        name: "n".to_owned(),
        aliases: vec!["web".to_owned()],
        attachment: Attachment::default(),
    };
    let body = create_body(
        "sha256:1",
        &ContainerSpec::default(),
        &BTreeMap::new(),
        Some(&network),
    );
    assert_eq!(
        body.host_config
            .and_then(|host| host.network_mode)
            .as_deref(),
        Some("n")
    );
    let endpoints = body
        .networking_config
        .and_then(|config| config.endpoints_config)
        .expect("endpoints");
    assert_eq!(
        endpoints["n"].aliases.as_deref(),
        Some(&["web".to_owned()][..])
    );
}

#[test]
fn the_daemon_probes_with_commands_only() {
    let test = |probe| {
        let spec = ContainerSpec {
            health: Some(HealthCheck::new(probe)),
            ..ContainerSpec::default()
        };
        body(&spec).healthcheck.and_then(|check| check.test)
    };
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        test(Probe::Shell("curl x".into())),
        Some(words(&["CMD-SHELL", "curl x"]))
    );
    assert_eq!(
        test(Probe::Exec(words(&["curl", "x"]))),
        Some(words(&["CMD", "curl", "x"]))
    );
    assert_eq!(
        test(Probe::Exec(words(&["/healthz"]))),
        Some(words(&["CMD", "/healthz"]))
    );
    assert_eq!(test(Probe::Tcp(80)), Some(words(&["NONE"])));
}

#[test]
fn volumes_of_others_links_and_sctp() {
    let spec = ContainerSpec {
        volumes_from: vec![
            VolumesFrom {
                owner: VolumesOwner::Container("0a1b".into()),
                read_only: true,
            },
            VolumesFrom {
                owner: VolumesOwner::Container("other".into()),
                read_only: false,
            },
        ],
        ports: vec![PortMapping {
            container_port: 90,
            protocol: Protocol::Sctp,
            host_port: Some(9000),
            ..PortMapping::default()
        }],
        ..ContainerSpec::default()
    };
    let network = Joined {
        name: "shop".into(),
        attachment: Attachment {
            links: vec!["other:friend".into()],
            ..Attachment::default()
        },
        ..Joined::default()
    };
    let body = create_body("i", &spec, &BTreeMap::new(), Some(&network));
    let host = body.host_config.expect("a host config");
    assert_eq!(
        host.volumes_from.as_deref(),
        Some(&["0a1b:ro".to_owned(), "other:rw".to_owned()][..])
    );
    let ports = host.port_bindings.expect("ports");
    assert_eq!(ports.keys().collect::<Vec<_>>(), ["90/sctp"]);
    let networks = body.networking_config.and_then(|one| one.endpoints_config);
    let links = networks.expect("networks")["shop"].links.clone();
    assert_eq!(links.as_deref(), Some(&["other:friend".to_owned()][..]));
}

#[test]
fn files_have_a_volume_where_nothing_can_be_put_before_the_start() {
    let file = ContainerFile {
        contents: Vec::new(),
        mode: 0o444,
        uid: 0,
        gid: 0,
        secret: false,
    };
    let files = ["/etc/c", "/run/secrets/s", "/run/secrets/t", "/run/kept/x"];
    let files = files.map(|path| (path.to_owned(), file.clone()));
    let mount = |target: &str| Mount {
        source: MountSource::Anonymous,
        target: target.into(),
        read_only: false,
        options: MountOptions::default(),
    };
    let volumes = |read_only_root: bool| {
        let spec = ContainerSpec {
            read_only_root,
            files: files.clone().into(),
            tmpfs: BTreeMap::from([("/run".to_owned(), String::new())]),
            mounts: vec![mount("/run/kept")],
            ..ContainerSpec::default()
        };
        let mounts = body(&spec).host_config.and_then(|host| host.mounts);
        let targets = mounts.into_iter().flatten().filter_map(|one| one.target);
        targets.collect::<Vec<_>>()
    };
    assert_eq!(volumes(false), ["/run/kept", "/run/secrets"]);
    assert_eq!(volumes(true), ["/run/kept", "/etc", "/run/secrets"]);
}

#[test]
fn a_folder_that_is_made_has_no_colon() {
    let bind = |source: &str| Mount {
        source: MountSource::Bind(source.into()),
        target: "/x".into(),
        read_only: false,
        options: MountOptions {
            create_host_path: true,
            ..MountOptions::default()
        },
    };
    let spec = ContainerSpec {
        mounts: vec![bind("/a"), bind("/a:b")],
        ..ContainerSpec::default()
    };
    let host = body(&spec).host_config.expect("a host config");
    assert_eq!(host.binds.as_deref(), Some(&["/a:/x:rw".to_owned()][..]));
    let mounts = host.mounts.expect("a mount");
    assert_eq!(mounts[0].source.as_deref(), Some("/a:b"));
}
