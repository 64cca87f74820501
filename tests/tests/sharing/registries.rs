//! Registries that want to know who asks, have certificates of their own, or stand for others.

use rengine_tests::authority::Authority;
use rengine_tests::faulty::{Fate, Faulty};
use rengine_tests::plugin;
use rengine_tests::registry::{Access, PASSWORD, Registry, USER};
use rengine_tests::team::{Team, keys, publish};
use rengine_tests::tokens::{Tokens, Ways};

#[test]
fn an_identity_token_is_what_it_takes() {
    let registry = Registry::start_with(Access::Open);
    let team = Team::new();
    std::fs::create_dir(team.path().join("docker")).expect("a folder");
    let path = plugin("harden.wasm").display().to_string();
    // As `docker login` stores what a registry gives it in a password's stead.
    let login = |host: &str, token: &str| {
        let user = "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==";
        let entry = format!(r#"{{"auth": "{user}", "identitytoken": "{token}"}}"#);
        team.write(
            "docker/config.json",
            &format!(r#"{{"auths": {{"{host}": {entry}}}}}"#),
        );
    };
    let tokens = Tokens::before(&registry.host, "id-token", Ways::OAuth);
    let reference = format!("{}/team/harden:1.0.0", tokens.host);
    login(&tokens.host, "id-token");
    let (key, public) = keys(&team, "platform");
    team.done(&["plugin", "push", &path, &reference, "--sign", &key]);
    team.write("team.pub", &public);
    team.write(
        "plugins.toml",
        &format!(
            "[plugins.harden]\nsource = \"oci://{reference}\"\n[trust]\nkeys = [\"team.pub\"]\n"
        ),
    );
    team.done(&["plugin", "fetch"]);
    let asked = tokens.asked();
    assert!(asked.len() > 3, "each is good for a while: {asked:#?}");
    for one in &asked {
        let said = one.starts_with("POST ") && one.contains("grant_type=refresh_token");
        assert!(said && one.contains("client_id=rengine"), "{one}");
    }
    let writes = "scope=repository%3Ateam%2Fharden%3Apull%2Cpush";
    assert!(asked[0].contains("scope=repository"), "{asked:#?}");
    assert!(asked.iter().any(|one| one.contains(writes)), "{asked:#?}");
    login(&tokens.host, "stolen");
    let other = Team::new();
    let config = team.read("docker/config.json");
    std::fs::create_dir(other.path().join("docker")).expect("a folder");
    other.write("docker/config.json", &config);
    let said = ["does not let an identity token do that", "docker login"];
    let refused = other.fails(&["plugin", "info", &reference], &said);
    assert!(!refused.stderr.contains("stolen"), "{refused:#?}");
    // A server that knows passwords alone is shown it as one.
    let tokens = Tokens::before(&registry.host, "id-token", Ways::Passwords);
    login(&tokens.host, "id-token");
    let reference = format!("{}/team/harden:1.0.0", tokens.host);
    team.done(&["plugin", "info", &reference]);
    let asked = tokens.asked();
    assert!(asked[1].starts_with("GET ?"), "{asked:#?}");
}

#[test]
fn a_registry_wants_a_name_or_has_a_certificate_of_its_own() {
    // A name and a password, as `docker login` stores them.
    let registry = Registry::start();
    let team = Team::new();
    let path = plugin("harden.wasm").display().to_string();
    let reference = format!("{}/team/harden:1.0.0", registry.host);
    let said = ["does not let just anybody do that", "docker login"];
    team.fails(&["plugin", "push", &path, &reference], &said);
    std::fs::create_dir(team.path().join("docker")).expect("a folder");
    let auths = |password: &str| {
        let host = &registry.host;
        format!(r#"{{"auths": {{"{host}": {{"username": "{USER}", "password": "{password}"}}}}}}"#)
    };
    team.write("docker/config.json", &auths("wrong"));
    let refused = team.fails(
        &["plugin", "push", &path, &reference],
        &["does not let deployer do"],
    );
    assert!(!refused.stderr.contains("wrong"), "{refused:#?}");
    team.write("docker/config.json", &auths(PASSWORD));
    team.done(&["plugin", "push", &path, &reference]);
    team.done(&["plugin", "pull", &reference, "-o", "here.wasm"]);
    let same = std::fs::read(team.path().join("here.wasm")).expect("written");
    assert!(
        same == std::fs::read(&path).expect("readable"),
        "another file came"
    );

    // A certificate that only `ca` knows.
    let authority = Authority::new();
    let folder = authority.sign("registry", "IP:127.0.0.1", "2");
    let registry = Registry::start_with(Access::Tls(&folder));
    let reference = format!("{}/team/harden:1.0.0", registry.host);
    let ca = authority.file("ca.pem").display().to_string();
    let other = Authority::new();
    let stranger = std::fs::read(other.file("ca.pem")).expect("readable");
    std::fs::write(team.path().join("stranger.pem"), stranger).expect("written");
    let registries = |ca: &str| format!("[registries.\"{}\"]\nca = \"{ca}\"\n", registry.host);
    team.write("plugins.toml", &registries("stranger.pem"));
    team.fails(
        &["plugin", "push", &path, &reference],
        &["the certificate of 127.0.0.1", "does not count", "`ca = "],
    );
    team.write("plugins.toml", &registries(&ca));
    team.done(&["plugin", "push", &path, &reference]);
    team.done(&["plugin", "info", &reference]);
    team.write("plugins.toml", &registries("none.pem"));
    team.fails(
        &["plugin", "info", &reference],
        &["plugins.toml:2", "none.pem"],
    );
}

#[test]
fn a_mirror_is_asked_first_and_believed_nothing() {
    let registry = Registry::start_with(Access::Open);
    publish(&registry, "harden.wasm", "team/harden:1.0.0");
    let mirror = Faulty::before(&registry.host, |_| Fate::Pass);
    let user = Team::new();
    let host = &registry.host;
    let toml = |mirror: &str| {
        format!(
            "[plugins.harden]\nsource = \"oci://{host}/team/harden:1.0.0\"\n\
             [registries.\"{host}\"]\nmirrors = [\"{mirror}\"]\n"
        )
    };
    user.write("plugins.toml", &toml(&mirror.host));
    user.done(&["plugin", "fetch"]);
    assert!(
        mirror
            .requests()
            .iter()
            .any(|line| line.contains("/blobs/"))
    );
    assert!(
        user.read("plugins.lock").contains(host.as_str()),
        "it names the registry"
    );
    let asked = mirror.requests();
    let named = |line: &&String| line.contains("/manifests/1.0.0") || line.contains("/tags/");
    assert!(
        !asked.iter().any(|line| named(&line)),
        "what a tag names, the registry says: {asked:#?}"
    );
    // One that is broken, and those that lie about the manifest or the component: the registry has them.
    let lie = Fate::Change(b"rengine:plugin", b"rengine:Plugin");
    for (path, fate) in [
        ("/", Fate::Status("404 Not Found")),
        ("/blobs/", lie),
        (
            "/manifests/",
            Fate::Change(b"application/wasm", b"application/WASM"),
        ),
    ] {
        let mirror = Faulty::before(host, move |line| match line.contains(path) {
            true => fate,
            false => Fate::Pass,
        });
        let other = Team::new();
        other.write("plugins.toml", &toml(&mirror.host));
        other.write("plugins.lock", &user.read("plugins.lock"));
        other.done(&["plugin", "fetch"]);
        assert!(!mirror.requests().is_empty(), "it was asked first");
        assert_eq!(other.read("plugins.lock"), user.read("plugins.lock"));
    }
}

#[test]
fn a_mirror_with_old_signatures_is_not_the_last_word() {
    let registry = Registry::start_with(Access::Open);
    let mirror = Registry::start_with(Access::Open);
    publish(&mirror, "harden.wasm", "team/harden:1.0.0");
    let platform = Team::new();
    let (key, public) = keys(&platform, "platform");
    let (stranger, _) = keys(&platform, "stranger");
    let copy = format!("{}/team/harden:1.0.0", mirror.host);
    platform.done(&["plugin", "sign", &copy, "--key", &stranger]);
    let reference = publish(&registry, "harden.wasm", "team/harden:1.0.0");
    platform.done(&["plugin", "sign", &reference, "--key", &key]);
    let digest = |reference: &str| {
        let info = platform
            .done(&["plugin", "info", reference, "--json"])
            .stdout;
        let info: serde_json::Value = serde_json::from_str(&info).expect("JSON");
        info["digest"].as_str().expect("text").to_owned()
    };
    assert_eq!(
        digest(&copy),
        digest(&reference),
        "one artifact in two places"
    );

    let user = Team::new();
    user.write("platform.pub", &public);
    let (host, mirrored) = (&registry.host, &mirror.host);
    let toml = |source: &str| {
        format!(
            "[plugins.harden]\nsource = \"oci://{host}/team/harden{source}\"\n\
             [trust]\nkeys = [\"platform.pub\"]\n\
             [registries.\"{host}\"]\nmirrors = [\"{mirrored}\"]\n"
        )
    };
    user.write("plugins.toml", &toml(":1.0.0"));
    user.done(&["plugin", "fetch"]);
    user.done(&["plugin", "verify", &reference, "--key", "platform.pub"]);
    // By its digest it is the newest, too.
    user.write("plugins.toml", &toml(&format!("@{}", digest(&reference))));
    user.done(&["plugin", "fetch"]);
    let outdated = user.done(&["plugin", "outdated"]).stdout;
    assert!(outdated.contains("up to date"), "{outdated}");
}
