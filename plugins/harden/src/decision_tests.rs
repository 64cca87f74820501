//! What is changed, what is left alone, and what is refused.

use rengine_plugin::config::Toggle;

use super::*;

fn changes(facts: Facts) -> Vec<Change> {
    harden(&Config::default(), &facts).unwrap()
}

fn configured(config: Config) -> Vec<Change> {
    harden(&config, &Facts::default()).unwrap()
}

fn refusal(facts: Facts) -> String {
    harden(&Config::default(), &facts).unwrap_err().reason
}

fn tmpfs_at(path: &str) -> Change {
    Change::Tmpfs {
        path: path.to_owned(),
        options: TMPFS_OPTIONS.to_owned(),
    }
}

fn bind(source: &str) -> Facts {
    Facts {
        mounts: vec![Mount {
            kind: MountKind::Bind,
            source: Some(source.to_owned()),
            target: "/data".to_owned(),
            read_only: true,
        }],
        ..Facts::default()
    }
}

#[test]
fn a_plain_container_gets_everything() {
    assert_eq!(
        changes(Facts::default()),
        [
            Change::User("65532:65532".to_owned()),
            Change::ReadOnlyRoot,
            tmpfs_at("/tmp"),
            tmpfs_at("/run"),
            Change::NoNewPrivileges,
            Change::CapDrop(vec!["ALL".to_owned()]),
            Change::Memory(256 << 20),
            Change::Cpus(1.0),
            Change::PidsLimit(256),
        ]
    );
}

#[test]
fn what_is_hardened_already_stays_as_it_is() {
    let facts = Facts {
        user: Some("root".to_owned()),
        read_only_root: true,
        tmpfs: vec!["/tmp".to_owned(), "/run".to_owned()],
        no_new_privileges: true,
        cap_drop: vec!["ALL".to_owned()],
        memory: Some(64 << 20),
        cpus: Some(0.5),
        pids_limit: Some(10),
        ..Facts::default()
    };
    assert_eq!(changes(facts), []);
}

#[test]
fn everything_can_be_turned_off() {
    let config = Config {
        user: Toggle::Off,
        read_only_root: false,
        tmpfs: Vec::new(),
        no_new_privileges: false,
        drop_capabilities: false,
        keep_caps: Vec::new(),
        memory: Toggle::Off,
        cpus: Toggle::Off,
        pids: Toggle::Off,
        refuse_privileged: false,
    };
    assert_eq!(configured(config), []);
}

#[test]
fn settings_are_read_as_plugins_toml_hands_them_over() {
    let config: Config = rengine_plugin::config::from_pairs([
        ("user", "10001"),
        ("read-only-root", "false"),
        ("tmpfs", r#"["/cache:size=1m"]"#),
        ("keep-caps", r#"["CHOWN"]"#),
        ("memory", "1g"),
        ("cpus", "0.5"),
        ("pids", "false"),
    ])
    .unwrap();
    let expected = Config {
        user: Toggle::On("10001".to_owned()),
        read_only_root: false,
        tmpfs: vec!["/cache:size=1m".to_owned()],
        keep_caps: vec!["CHOWN".to_owned()],
        memory: Toggle::On(ByteSize(1 << 30)),
        cpus: Toggle::On(Cpus(0.5)),
        pids: Toggle::Off,
        ..Config::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn the_user_is_set_only_where_nobody_has_chosen_one() {
    let is_set = |user: Option<&str>, dockerfile: Option<&str>| {
        let facts = Facts {
            user: user.map(str::to_owned),
            dockerfile: dockerfile.map(str::to_owned),
            ..Facts::default()
        };
        matches!(changes(facts).first(), Some(Change::User(_)))
    };
    assert!(is_set(None, None));
    assert!(is_set(None, Some("FROM a")));
    for root in ["root", "0", "0:0", "root:root"] {
        assert!(
            is_set(None, Some(&format!("FROM a\nUSER {root}"))),
            "{root}"
        );
    }
    for chosen in ["app", "1000", "1000:0", "$UID"] {
        assert!(
            !is_set(None, Some(&format!("FROM a\nUSER {chosen}"))),
            "{chosen}"
        );
    }
    assert!(!is_set(Some("app"), None));
    assert!(!is_set(Some("0"), Some("FROM a\nUSER app")));
}

#[test]
fn memory_is_mounted_where_the_root_is_read_only_and_nothing_else_is_mounted() {
    let config = Config {
        tmpfs: vec![
            "/tmp".to_owned(),
            "/data".to_owned(),
            "/x:size=1m".to_owned(),
        ],
        ..Config::default()
    };
    let of = |config: &Config, facts: &Facts| -> Vec<Change> {
        let changes = harden(config, facts).unwrap();
        let tmpfs = |change: &Change| matches!(change, Change::Tmpfs { .. });
        changes.into_iter().filter(tmpfs).collect()
    };
    let x = Change::Tmpfs {
        path: "/x".to_owned(),
        options: "size=1m".to_owned(),
    };
    assert_eq!(of(&config, &bind("/srv")), [tmpfs_at("/tmp"), x]);
    let writable = Config {
        read_only_root: false,
        ..config
    };
    assert_eq!(of(&writable, &Facts::default()), []);
}

#[test]
fn capabilities_are_kept_without_a_grant() {
    let drop = |keep: &[&str], dropped: &[&str]| {
        let texts = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        cap_drop(&texts(keep), &texts(dropped)).unwrap()
    };
    let kept = drop(&["chown", "CAP_KILL"], &["NET_RAW"]).unwrap();
    assert_eq!(kept.len(), DEFAULT_CAPS.len() - 2);
    assert!(!kept.iter().any(|name| name == "CHOWN" || name == "KILL"));
    assert_eq!(kept[0], "NET_RAW");
    assert_eq!(drop(&["CHOWN"], &["ALL"]), None);
    assert_eq!(drop(&DEFAULT_CAPS, &[]), None);
    assert_eq!(drop(&[], &["KILL"]), Some(vec!["ALL".to_owned()]));
    let refusal = cap_drop(&["SYS_ADMIN".to_owned()], &[]).unwrap_err();
    assert!(refusal.reason.contains("`SYS_ADMIN`") && refusal.hint.is_some());
}

#[test]
fn containers_that_could_take_over_the_host_are_refused() {
    let privileged = Facts {
        privileged: true,
        ..Facts::default()
    };
    assert!(refusal(privileged.clone()).contains("privileged"));
    let host = || Some("host".to_owned());
    let network = Facts {
        network_mode: host(),
        ..Facts::default()
    };
    assert!(refusal(network).contains("network namespace"));
    let processes = Facts {
        pid_mode: host(),
        ..Facts::default()
    };
    assert!(refusal(processes).contains("process namespace"));
    let ipc = Facts {
        ipc_mode: host(),
        ..Facts::default()
    };
    assert!(refusal(ipc).contains("IPC namespace"));
    let allowed = Config {
        refuse_privileged: false,
        ..Config::default()
    };
    assert!(harden(&allowed, &privileged).is_ok());
}

#[test]
fn the_daemons_socket_is_found_in_the_folders_that_hold_it() {
    for path in [
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run//podman/./podman.sock",
        "/srv/../run",
        "/var/run/",
        "/var",
        "/",
    ] {
        assert!(refusal(bind(path)).contains("/data"), "{path}");
    }
    for path in ["/var/lib", "/run/docker.sock.d", "/srv/run", "/runner"] {
        assert!(harden(&Config::default(), &bind(path)).is_ok(), "{path}");
    }
}
