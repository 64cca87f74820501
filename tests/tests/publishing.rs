//! What one publishes and looks at by hand, what plugins.lock may say, and the ways to registries.

use rengine_tests::authority::Authority;
use rengine_tests::registry::{Access, Registry};
use rengine_tests::team::{Team, keys, publish};
use rengine_tests::tunnel::Tunnel;
use rengine_tests::{Outcome, plugin};

#[test]
fn what_can_not_be_signed_is_not_published() {
    let registry = Registry::start_with(Access::Open);
    let team = Team::new();
    let file = plugin("harden.wasm").display().to_string();
    let place = format!("{}/team/harden:1.0.0", registry.host);
    let push = ["plugin", "push", &file, &place, "--sign"];
    for (key, said) in [("none.key", "none.key"), ("-", "RENGINE_SIGNING_KEY")] {
        let failed = team.fails(&[&push[..], &[key]].concat(), &["the key", said]);
        assert_eq!(failed.code, 2, "{failed:#?}");
    }
    team.fails(&["plugin", "info", &place], &["does not have it"]);
    let (key, public) = keys(&team, "team");
    team.fails(
        &["plugin", "keygen", "team"],
        &["team.key is there already", "no key is written over"],
    );
    assert_eq!(team.read("team.pub"), public);
    team.done(&[&push[..], &[&key]].concat());
    // Which one is signed has to be said.
    let whole = format!("{}/team/harden", registry.host);
    team.fails(
        &["plugin", "sign", &whole, "--key", &key],
        &["is no place of one artifact", "HOST/PATH:1.2.3"],
    );
}

#[test]
fn what_is_there_is_looked_at_before_it_is_taken() {
    let registry = Registry::start_with(Access::Open);
    let host = &registry.host;
    let team = Team::new();
    team.write(
        "plugin.toml",
        "[grants]\nhttp = \"asks whether it is up\"\n",
    );
    let probe = plugin("probe.wasm").display().to_string();
    let place = format!("{host}/team/probe");
    let push = |tag: &str| {
        let pushed = team.done(&["plugin", "push", &probe, &format!("{place}:{tag}")]);
        pushed.stderr
    };
    // Nobody gets one before a version who does not name it.
    let said = push("0.1.0-rc.1");
    assert!(said.contains(&format!("add {place}:0.1.0-rc.1`")), "{said}");
    let early = Team::new();
    early.done(&["plugin", "pull", &place]);
    early.done(&["plugin", "add", &place, "--yes"]);
    let text = early.read("plugins.toml");
    assert!(text.contains("probe:0.1.0-rc.1\""), "{text}");
    let said = push("1.0.0");
    assert!(said.contains(&format!("add {place}`")), "{said}");

    // What it needs, and what for, as far as its author says it.
    let user = Team::new();
    let info = user.done(&["plugin", "info", &place]).stdout;
    for said in [
        "1.0.0",
        "http = [\"HOST\"]  asks whether it is up",
        "exec = true  (not a word on what for)",
    ] {
        assert!(info.contains(said), "{said}: {info}");
    }
    assert!(user.stored().is_empty(), "nothing was downloaded for it");
    user.done(&["plugin", "pull", &place]);
    let same = std::fs::read(user.path().join("probe.wasm")).expect("written");
    assert!(same == std::fs::read(&probe).expect("readable"));

    // A base, too.
    let base = format!("[plugins.probe]\nsource = \"oci://{place}:^1\"\nrequired = true\n");
    team.write("base.toml", &base);
    let at = format!("{host}/team/base");
    team.done(&["plugin", "push", "base.toml", &format!("{at}:3.0.0")]);
    let info = user.done(&["plugin", "info", &at]).stdout;
    for said in ["base        base", "requires    probe", "3.0.0", "extends"] {
        assert!(info.contains(said), "{said}: {info}");
    }
    let json = user.done(&["plugin", "info", &at, "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["kind"], "base");
    assert_eq!(json["required"][0], "probe");
    let found = user.done(&["plugin", "search", host]).stdout;
    let kinds: Vec<_> = found
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(kinds, ["KIND", "base", "plugin"], "{found}");
    user.done(&["plugin", "pull", &at]);
    assert_eq!(user.read("base.toml"), base);
    user.done(&["plugin", "pull", &at, "-o", "other.toml"]);
    assert_eq!(user.read("other.toml"), base);
}

#[test]
fn what_is_pulled_where_signatures_are_asked_for_has_one() {
    let registry = Registry::start_with(Access::Open);
    let place = publish(&registry, "harden.wasm", "team/harden:1.0.0");
    let team = Team::new();
    let (key, _) = keys(&team, "team");
    team.write("plugins.toml", "[trust]\nkeys = [\"team.pub\"]\n");
    let refused = team.fails(
        &["plugin", "pull", &place],
        &["plugin `harden` is not trusted", "it is not signed"],
    );
    assert_eq!(refused.code, 2, "{refused:#?}");
    assert!(!team.path().join("harden.wasm").exists());
    assert!(team.stored().is_empty(), "not a byte of it came");
    team.done(&["plugin", "sign", &place, "--key", &key]);
    team.done(&["plugin", "pull", &place]);
}

#[test]
fn what_is_locked_is_what_its_source_names() {
    let registry = Registry::start_with(Access::Open);
    let host = &registry.host;
    publish(&registry, "harden.wasm", "team/harden:1.0.0");
    publish(&registry, "harden.wasm", "team/harden:2.0.0");
    let user = Team::new();
    let digest = |tag: &str| {
        let place = format!("{host}/team/harden:{tag}");
        let info = user.done(&["plugin", "info", &place, "--json"]).stdout;
        let info: serde_json::Value = serde_json::from_str(&info).expect("JSON");
        info["digest"].as_str().expect("text").to_owned()
    };
    let (one, two) = (digest("1.0.0"), digest("2.0.0"));
    let base = format!("[plugins.harden]\nsource = \"oci://{host}/team/harden:1.0.0\"\n");
    user.write("base.toml", &base);
    let at = format!("{host}/team/base:3.0.0");
    user.done(&["plugin", "push", "base.toml", &at]);
    let plugin =
        |pick: &str| format!("[plugins.harden]\nsource = \"oci://{host}/team/harden{pick}\"\n");
    let fixed = plugin(&format!("@{one}"));
    let base = format!("extends = [\"oci://{host}/team/base:^3\"]\n");
    let left = |version: &str| format!("version = \"{version}\"");
    for (toml, from, to, said) in [
        (
            plugin(":^1"),
            left("1.0.0"),
            left("2.0.0"),
            "`2.0.0` does not fit `^1`",
        ),
        (
            plugin(":^1"),
            left("1.0.0"),
            left("latest"),
            "`latest` does not fit `^1`",
        ),
        (
            plugin(":1.0.0"),
            left("1.0.0"),
            left("1.0"),
            "`1.0` is not `1.0.0`",
        ),
        (fixed, one.clone(), two, "is not sha256:"),
        (
            base,
            left("3.0.0"),
            left("4.0.0"),
            "`4.0.0` does not fit `^3`",
        ),
    ] {
        user.write("plugins.toml", &toml);
        let _ = std::fs::remove_file(user.path().join("plugins.lock"));
        user.fails(
            &["plugin", "fetch", "--locked"],
            &["is not in plugins.lock"],
        );
        user.done(&["plugin", "fetch"]);
        for args in [
            &["plugin", "fetch", "--locked"][..],
            &["plugin", "tree", "--offline"],
        ] {
            user.done(args);
        }
        let lock = user.read("plugins.lock");
        // The digest of a source is left as it is.
        let changed: Vec<_> = lock
            .lines()
            .map(|line| match line.starts_with("source") {
                true => line.to_owned(),
                false => line.replace(&from, &to),
            })
            .collect();
        user.write("plugins.lock", &changed.join("\n"));
        for args in [
            &["plan"][..],
            &["plan", "--locked"],
            &["plugin", "list", "--offline"],
        ] {
            let texts = ["plugins.lock says of", "what its source does not", said];
            let refused = user.fails(args, &texts);
            assert_eq!(refused.code, 2, "{refused:#?}");
        }
        user.done(&["plugin", "update", "--yes"]);
        assert_eq!(user.read("plugins.lock"), lock, "{said}");
    }
}

#[test]
fn a_proxy_is_asked_for_what_is_not_on_this_machine() {
    let authority = Authority::new();
    let folder = authority.sign("registry", "DNS:registry.test", "2");
    let far = Registry::start_with(Access::Tls(&folder));
    let tunnel = Tunnel::to(&far.host);
    let team = Team::new();
    let file = plugin("harden.wasm").display().to_string();
    let place = "registry.test:5000/team/harden:1.0.0";
    let ca = authority.file("ca.pem").display().to_string();
    team.write(
        "plugins.toml",
        &format!("[registries.\"registry.test:5000\"]\nca = \"{ca}\"\n"),
    );
    let run = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = team.command(args);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.envs(variables.iter().copied());
        Outcome::from(command.output().expect("rengine runs"))
    };
    let proxy = format!("http://{}", tunnel.host);
    let through = [("HTTPS_PROXY", proxy.as_str())];
    let push = ["plugin", "push", &file, place];
    let alone = run(&push, &[]);
    assert_eq!(alone.code, 1, "nobody knows that name: {alone:#?}");
    let pushed = run(&push, &through);
    assert_eq!(pushed.code, 0, "{pushed:#?}");
    let pulled = run(&["plugin", "pull", place], &through);
    assert_eq!(pulled.code, 0, "{pulled:#?}");
    let asked = tunnel.asked();
    let connects = |line: &String| line.starts_with("CONNECT registry.test:5000 ");
    assert!(
        !asked.is_empty() && asked.iter().all(connects),
        "{asked:#?}"
    );
    let left = [through[0], ("NO_PROXY", "registry.test")];
    let outcome = run(&["plugin", "info", place], &left);
    assert_eq!(outcome.code, 1, "NO_PROXY is heeded: {outcome:#?}");
    let dead = run(
        &["plugin", "info", place],
        &[("HTTPS_PROXY", "http://127.0.0.1:1")],
    );
    assert_eq!(dead.code, 1, "{dead:#?}");
    assert!(dead.stderr.contains("HTTPS_PROXY"), "{dead:#?}");
    assert_eq!(tunnel.asked().len(), asked.len(), "neither came here");

    // A registry on this machine is nobody else's, whatever the variables say.
    let near = Registry::start_with(Access::Open);
    let place = format!("{}/team/harden:1.0.0", near.host);
    let all = [
        ("HTTP_PROXY", proxy.as_str()),
        ("ALL_PROXY", &proxy),
        through[0],
    ];
    let pushed = run(&["plugin", "push", &file, &place], &all);
    assert_eq!(pushed.code, 0, "{pushed:#?}");
    assert_eq!(tunnel.asked().len(), asked.len(), "{:#?}", tunnel.asked());
}
