//! Plugins that one team publishes in a registry, and another runs.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use rengine_tests::authority::Authority;
use rengine_tests::faulty::{Fate, Faulty};
use rengine_tests::registry::{Access, PASSWORD, Registry, USER};
use rengine_tests::team::{Team, keys, publish};
use rengine_tests::{Outcome, Project, plugin};

/// The largest file that the registry has: the component.
fn largest(registry: &Registry) -> std::path::PathBuf {
    fn walk(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path().is_dir() {
                true => walk(&entry.path(), found),
                false => found.push(entry.path()),
            }
        }
    }
    let mut found = Vec::new();
    walk(&registry.data(), &mut found);
    let size = |path: &std::path::PathBuf| std::fs::metadata(path).expect("there").len();
    found.into_iter().max_by_key(size).expect("a file")
}

#[test]
fn a_plugin_is_published_with_one_command_and_runs_elsewhere_by_its_name() {
    let mut registry = Registry::start_with(Access::Open);
    let author = Team::new();
    author.write(
        "plugin.toml",
        "description = \"Takes rights away.\"\nlicense = \"Apache-2.0\"\n\
         source = \"https://example.com/harden\"\nreadme = \"WORDS.md\"\n\
         [grants]\nhttp = \"tells nobody, for it needs none\"\n",
    );
    author.write("WORDS.md", "# Harden\n\nMore words.\n");
    let path = plugin("harden.wasm").display().to_string();
    let reference = format!("{}/platform/harden", registry.host);
    let pushed = author.done(&["plugin", "push", &path, &format!("{reference}:1.2.0")]);
    assert!(pushed.stdout.contains("@sha256:"), "{pushed:#?}");
    // The same again is no trouble, and another under the same version is.
    author.done(&["plugin", "push", &path, &format!("{reference}:1.2.0")]);
    let other = plugin("go_static.wasm").display().to_string();
    let taken = format!("{reference}:1.2.0");
    author.fails(
        &["plugin", "push", &other, &taken],
        &["is there already", "--force"],
    );

    let user = Team::new();
    let info = user.done(&["plugin", "info", &reference]).stdout;
    for said in [
        "Takes rights away.",
        "Apache-2.0",
        "https://example.com/harden",
        "pre-run",
        "rengine:plugin@0.1.0",
        "tells nobody",
        "More words.",
        "1.2.0",
    ] {
        assert!(info.contains(said), "{said}: {info}");
    }
    assert!(user.stored().is_empty(), "nothing was downloaded for it");
    let found = user
        .done(&["plugin", "search", &registry.host, "rights"])
        .stdout;
    assert!(found.contains("platform/harden"), "{found}");

    let project = Project::new("sharing", "shared", "");
    let home = user.path().to_owned();
    let at_home = |mut command: Command| {
        command
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("DOCKER_CONFIG", home.join("docker"));
        Outcome::from(command.output().expect("rengine runs"))
    };
    let asked = at_home(project.command(&["plugin", "add", &reference]));
    assert_eq!(asked.code, 2, "it asks, and nobody answers: {asked:#?}");
    assert!(asked.stderr.contains("--yes"), "{asked:#?}");
    assert!(!project.path().join("plugins.lock").exists());
    let added = at_home(project.command(&["plugin", "add", &reference, "--yes"]));
    assert_eq!(added.code, 0, "{added:#?}");
    let text = std::fs::read_to_string(project.path().join("plugins.toml")).expect("a file");
    let line = format!("[plugins.harden]\nsource = \"oci://{reference}:^1.2.0\"\n");
    assert!(text.contains(&line), "{text}");
    let lock = std::fs::read_to_string(project.path().join("plugins.lock")).expect("a file");
    assert!(lock.contains("version = \"1.2.0\""), "{lock}");

    // The registry goes away, and nobody needs it.
    registry.stop();
    let deployed = at_home(project.command(&["deploy", "--locked"]));
    assert_eq!(deployed.code, 0, "{deployed:#?}");
    assert!(deployed.stderr.contains("plugins harden"), "{deployed:#?}");
    let inspected = project.inspect();
    let host = &inspected["HostConfig"];
    assert_eq!(host["ReadonlyRootfs"], true, "harden was here: {host:#}");
    let again = at_home(project.command(&["deploy", "--locked", "--offline"]));
    assert!(again.stderr.contains("nothing to do"), "{again:#?}");
    let listed = at_home(project.command(&["plugin", "list", "--json"]));
    assert!(listed.stdout.contains("\"harden\""), "{listed:#?}");
    let tree = at_home(project.command(&["plugin", "tree"]));
    assert!(tree.stdout.contains("1.2.0"), "{tree:#?}");

    // With the project itself, for a machine that has neither registry nor store.
    let vendored = at_home(project.command(&["plugin", "vendor"]));
    assert_eq!(vendored.code, 0, "{vendored:#?}");
    let elsewhere = Team::new();
    let mut command = project.command(&["plan", "--locked", "--offline"]);
    elsewhere.at_home(command.current_dir(project.path()));
    command.current_dir(project.path());
    let planned = Outcome::from(command.output().expect("rengine runs"));
    assert_eq!(planned.code, 0, "{planned:#?}");
    let removed = at_home(project.command(&["plugin", "remove", "harden"]));
    assert_eq!(removed.code, 0, "{removed:#?}");
    assert!(
        !project.path().join("plugins.lock").exists(),
        "nothing is locked"
    );
    assert_eq!(at_home(project.command(&["down"])).code, 0);
}

#[test]
fn an_update_tells_what_it_asks_for() {
    let registry = Registry::start_with(Access::Open);
    publish(&registry, "harden.wasm", "team/tool:1.0.0");
    let user = Team::new();
    let source = format!("oci://{}/team/tool:^1", registry.host);
    user.write(
        "plugins.toml",
        &format!("[plugins.tool]\nsource = \"{source}\"\n"),
    );
    user.fails(
        &["plan", "--locked"],
        &["is not in plugins.lock", "--locked", "plugin update tool"],
    );
    user.done(&["plugin", "fetch"]);
    let before = user.read("plugins.lock");
    assert!(before.contains("1.0.0"), "{before}");
    assert!(
        user.done(&["plugin", "update"])
            .stdout
            .contains("up to date")
    );
    assert!(
        user.done(&["plugin", "outdated"])
            .stdout
            .contains("up to date")
    );

    publish(&registry, "probe.wasm", "team/tool:1.1.0");
    publish(&registry, "harden.wasm", "team/tool:2.0.0");
    let outdated = user.done(&["plugin", "outdated"]).stdout;
    for said in ["1.0.0", "1.1.0", "2.0.0"] {
        assert!(outdated.contains(said), "{said}: {outdated}");
    }
    // What is locked stays, whatever there is.
    user.done(&["plugin", "fetch"]);
    assert_eq!(user.read("plugins.lock"), before);
    let dry = user.done(&["plugin", "update", "--dry-run"]).stderr;
    assert!(dry.contains("1.0.0 → 1.1.0"), "{dry}");
    let more = [
        "1.0.0 → 1.1.0",
        "wasi:http/outgoing-handler",
        "needs grants",
        "--yes",
    ];
    let refused = user.fails(&["plugin", "update"], &more);
    assert_eq!(refused.code, 2, "{refused:#?}");
    assert_eq!(user.read("plugins.lock"), before, "nothing was changed");
    let json = user
        .rengine(&["plugin", "update", "--dry-run", "--json"])
        .stdout;
    assert!(json.contains("\"new-imports\":["), "{json}");
    user.fails(&["plugin", "update", "tol"], &["no plugin `tol`", "tool"]);
    user.done(&["plugin", "update", "tool", "--yes"]);
    assert!(user.read("plugins.lock").contains("1.1.0"));
}

#[test]
fn nothing_that_was_changed_on_the_way_is_used() {
    let registry = Registry::start_with(Access::Open);
    let reference = publish(&registry, "harden.wasm", "team/harden:1.0.0");
    let toml =
        |host: &str| format!("[plugins.harden]\nsource = \"oci://{host}/team/harden:1.0.0\"\n");
    let user = Team::new();
    user.write("plugins.toml", &toml(&registry.host));
    user.done(&["plugin", "fetch"]);
    let lock = user.read("plugins.lock");

    // In the lock file: other digests, and a merge that went wrong.
    let digest = |key: &str| {
        let line = lock.lines().find(|line| line.starts_with(key)).expect(key);
        line.split('"').nth(1).expect("quoted").to_owned()
    };
    let zeros = format!("sha256:{}", "0".repeat(64));
    user.write("plugins.lock", &lock.replace(&digest("component"), &zeros));
    user.fails(
        &["plugin", "fetch"],
        &["plugins.lock says of plugin `harden`", "its component is"],
    );
    user.write("plugins.lock", &lock.replace(&digest("digest"), &zeros));
    user.fails(&["plugin", "fetch"], &["does not have it"]);
    // What an update would be compared with.
    for (from, to, what) in [
        ("hooks = [\"pre-run\"]", "hooks = []", "hooks"),
        (
            "imports = [",
            "imports = [\"wasi:http/types@0.2.0\", ",
            "imports",
        ),
    ] {
        assert!(lock.contains(from), "{lock}");
        user.write("plugins.lock", &lock.replace(from, to));
        user.fails(&["plan", "--offline"], &[&format!("its {what} are others")]);
    }
    user.write(
        "plugins.lock",
        &lock.replace("name = \"harden\"", "name = \"gone\""),
    );
    user.fails(&["plan", "--locked"], &["says of plugin `gone`"]);
    user.write("plugins.lock", &format!("<<<<<<< HEAD\n{lock}"));
    user.fails(&["plugin", "fetch"], &["line 1", "merge"]);
    user.write("plugins.lock", &lock);

    // In the store of this machine: found, and fetched again.
    let component = digest("component").replace("sha256:", "");
    let stored = user.stored();
    let path = stored
        .iter()
        .find(|path| path.ends_with(&component))
        .expect("stored");
    let whole = std::fs::read(path).expect("readable");
    let mut changed = whole.clone();
    *changed.last_mut().expect("a byte") ^= 1;
    std::fs::remove_file(path).expect("there");
    std::fs::write(path, &changed).expect("written");
    user.fails(
        &["plan", "--offline"],
        &["neither in the store nor vendored", "plugin fetch"],
    );
    std::fs::write(path, &changed).expect("written");
    user.done(&["plugin", "fetch"]);
    assert_eq!(std::fs::read(path).expect("readable"), whole);

    // In the registry itself.
    let blob = largest(&registry);
    let original = std::fs::read(&blob).expect("readable");
    let mut bytes = original.clone();
    *bytes.last_mut().expect("a byte") ^= 1;
    std::fs::write(&blob, &bytes).expect("written");
    let other = Team::new();
    other.write("plugins.toml", &toml(&registry.host));
    other.fails(
        &["plan"],
        &["is not what its digest says", "nothing of it was used"],
    );
    assert!(!other.path().join("plugins.lock").exists());
    let kept = other.stored().iter().any(|path| path.ends_with(&component));
    assert!(!kept, "nothing wrong is kept");
    std::fs::write(&blob, &original).expect("written");

    // On the way: the bytes of the component, and those of the manifest.
    for (path, from, to) in [
        ("/blobs/", &b"rengine:plugin"[..], &b"rengine:Plugin"[..]),
        ("/manifests/", b"application/wasm", b"application/WASM"),
    ] {
        let faulty = Faulty::before(&registry.host, move |line| match line.contains(path) {
            true => Fate::Change(from, to),
            false => Fate::Pass,
        });
        let other = Team::new();
        other.write("plugins.toml", &toml(&faulty.host));
        // Of a tag nobody knows the digest but the registry's own header; of a digest everybody.
        let locked = lock.replace(&registry.host, &faulty.host);
        other.write("plugins.lock", &locked);
        other.fails(
            &["plugin", "fetch", "--json"],
            &["is not what its digest says"],
        );
    }
    drop(reference);
}

#[test]
fn a_registry_that_fails_is_asked_again_and_a_download_goes_on() {
    let registry = Registry::start_with(Access::Open);
    publish(&registry, "harden.wasm", "team/harden:1.0.0");
    let toml =
        |host: &str| format!("[plugins.harden]\nsource = \"oci://{host}/team/harden:1.0.0\"\n");
    let fetch = |judge: Box<dyn Fn(&str) -> Fate + Send + Sync>| {
        let faulty = Faulty::before(&registry.host, judge);
        let user = Team::new();
        user.write("plugins.toml", &toml(&faulty.host));
        let outcome = user.rengine(&["plugin", "fetch"]);
        (outcome, faulty.requests())
    };
    for status in [
        "429 Too Many Requests",
        "500 Internal Server Error",
        "503 Service Unavailable",
    ] {
        let count = AtomicUsize::new(0);
        let (outcome, _) = fetch(Box::new(move |_| {
            match count.fetch_add(1, Ordering::SeqCst) {
                0 | 2 => Fate::Status(status),
                _ => Fate::Pass,
            }
        }));
        assert_eq!(outcome.code, 0, "{status}: {outcome:#?}");
    }
    // Cut twice, half way: the rest is asked for.
    let count = AtomicUsize::new(0);
    let (outcome, requests) = fetch(Box::new(move |line| match line.contains("/blobs/") {
        true if count.fetch_add(1, Ordering::SeqCst) < 2 => Fate::Cut(20_000),
        _ => Fate::Pass,
    }));
    assert_eq!(outcome.code, 0, "{outcome:#?}\n{requests:#?}");
    let ranges: Vec<_> = requests
        .iter()
        .filter(|line| line.contains("bytes="))
        .collect();
    assert_eq!(ranges.len(), 2, "{requests:#?}");
    // One that does not come back is told, and how often it was asked.
    let (outcome, requests) = fetch(Box::new(|_| Fate::Status("502 Bad Gateway")));
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    assert!(outcome.stderr.contains("502"), "{outcome:#?}");
    let asked = requests.iter().filter(|line| line.contains("/v2/ "));
    assert_eq!(asked.count(), 5, "{requests:#?}");
    // None at all.
    let user = Team::new();
    user.write("plugins.toml", &toml("127.0.0.1:1"));
    user.fails(
        &["plugin", "fetch"],
        &["127.0.0.1:1 does not answer", "--offline"],
    );
    // What is not there, and what is no plugin.
    user.write(
        "plugins.toml",
        &toml(&registry.host).replace("1.0.0", "3.0.0"),
    );
    user.fails(&["plugin", "fetch"], &["does not have it", "plugin info"]);
    user.write(
        "plugins.toml",
        &toml(&registry.host).replace(":1.0.0", ":^7"),
    );
    user.fails(
        &["plugin", "fetch"],
        &["no version of", "fits `^7`", "1.0.0"],
    );
}

#[test]
fn fifty_processes_fill_one_empty_store() {
    let registry = Registry::start_with(Access::Open);
    publish(&registry, "harden.wasm", "team/harden:1.0.0");
    let faulty = Faulty::before(&registry.host, |_| Fate::Pass);
    let user = Team::new();
    let source = format!("oci://{}/team/harden:1.0.0", faulty.host);
    user.write(
        "plugins.toml",
        &format!("[plugins.harden]\nsource = \"{source}\"\n"),
    );
    let running: Vec<_> = (0..50)
        .map(|_| {
            let mut command = user.command(&["plugin", "fetch"]);
            command
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::piped());
            command.spawn().expect("rengine runs")
        })
        .collect();
    for child in running {
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    let requests = faulty.requests();
    let blobs = requests
        .iter()
        .filter(|line| line.starts_with("GET") && line.contains("/blobs/"));
    assert_eq!(blobs.count(), 1, "one downloads: {requests:#?}");
    user.done(&["plugin", "fetch"]);
}

#[test]
fn a_download_that_was_killed_is_gone_on_with() {
    let registry = Registry::start_with(Access::Open);
    publish(&registry, "harden.wasm", "team/harden:1.0.0");
    let count = AtomicUsize::new(0);
    let faulty = Faulty::before(&registry.host, move |line| {
        // The first answer is cut, and the second never comes: then it is killed.
        match line
            .contains("/blobs/")
            .then(|| count.fetch_add(1, Ordering::SeqCst))
        {
            Some(0) => Fate::Cut(20_000),
            Some(1) => Fate::Hang,
            _ => Fate::Pass,
        }
    });
    let user = Team::new();
    let source = format!("oci://{}/team/harden:1.0.0", faulty.host);
    user.write(
        "plugins.toml",
        &format!("[plugins.harden]\nsource = \"{source}\"\n"),
    );
    let mut child = user
        .command(&["plugin", "fetch"])
        .spawn()
        .expect("rengine runs");
    rengine_tests::until("the second is asked for", || {
        faulty
            .requests()
            .iter()
            .filter(|line| line.contains("/blobs/"))
            .count()
            == 2
    });
    child.kill().expect("killed");
    child.wait().expect("it ends");
    assert!(!user.path().join("plugins.lock").exists());
    user.done(&["plugin", "fetch"]);
    let requests = faulty.requests();
    let last = requests
        .iter()
        .rfind(|line| line.contains("/blobs/"))
        .expect("asked");
    assert!(last.contains("bytes="), "{requests:#?}");
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
    team.fails(&["plugin", "push", &path, &reference], &["ertificate"]);
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
fn only_what_a_trusted_team_signed_is_run() {
    let registry = Registry::start_with(Access::Open);
    let host = registry.host.clone();
    let platform = Team::new();
    let (key, public) = keys(&platform, "platform");
    let file = plugin("harden.wasm").display().to_string();
    let at = |tag: &str| format!("{host}/platform/harden:{tag}");
    let push = |tag: &str, more: &[&str]| {
        let place = at(tag);
        let args = [&["plugin", "push", file.as_str(), place.as_str()], more].concat();
        platform.done(&args)
    };
    push("1.0.0", &["--sign", &key]);
    let toml = |tag: &str| {
        format!(
            "[plugins.harden]\nsource = \"oci://{}\"\n[trust]\nkeys = [\"team.pub\"]\n",
            at(tag)
        )
    };
    let user = Team::new();
    user.write("team.pub", &public);
    user.write("plugins.toml", &toml("1.0.0"));
    user.done(&["plugin", "fetch"]);
    // With nobody to ask.
    user.done(&["plan", "--offline", "--locked"]);
    let verified = user
        .done(&["plugin", "verify", &at("1.0.0"), "--key", "team.pub"])
        .stdout;
    assert!(verified.contains("is signed by team.pub"), "{verified}");

    // Each way to be wrong is told from the others, and nothing of it is kept.
    let refused = |tag: &str, texts: &[&str]| {
        let other = Team::new();
        other.write("team.pub", &public);
        other.write("plugins.toml", &toml(tag));
        let outcome = other.fails(&["plan"], texts);
        assert_eq!(outcome.code, 2, "{outcome:#?}");
        assert!(
            outcome.stderr.contains("nothing of it was run"),
            "{outcome:#?}"
        );
        let component = std::fs::metadata(&file).expect("there").len();
        let stored = other.stored();
        let has =
            |path: &std::path::PathBuf| std::fs::metadata(path).expect("there").len() == component;
        assert!(!stored.iter().any(has), "not a byte of it came");
    };
    // Another file's time makes another artifact of the same component.
    let copy = platform.path().join("copy.wasm");
    let fresh = |tag: &str, more: &[&str]| {
        std::fs::copy(&file, &copy).expect("a copy");
        let time = std::time::SystemTime::UNIX_EPOCH
            + std::time::Duration::from_secs(tag.len() as u64 * 1000 + 7);
        std::fs::File::options()
            .write(true)
            .open(&copy)
            .expect("a file")
            .set_modified(time)
            .expect("set");
        let place = at(tag);
        let path = copy.display().to_string();
        let args = [&["plugin", "push", path.as_str(), place.as_str()], more].concat();
        platform.done(&args)
    };
    fresh("1.0.1", &[]);
    refused(
        "1.0.1",
        &[
            "plugin `harden` is not trusted",
            "it is not signed",
            "--sign",
        ],
    );
    let (stranger, _) = keys(&platform, "stranger");
    fresh("1.0.22", &["--sign", &stranger]);
    refused(
        "1.0.22",
        &["none of its 1 signatures is by a key that is trusted here"],
    );
    fresh("1.0.333", &["--sign", &key, "--expires", "1s"]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    refused("1.0.333", &["the signature by team.pub has ended at"]);
    // The signatures of one under the tag of another: a replay, as only a registry can do it.
    let digest = |tag: &str| {
        let json = platform
            .done(&["plugin", "info", &at(tag), "--json"])
            .stdout;
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        value["digest"]
            .as_str()
            .expect("text")
            .replace("sha256:", "")
    };
    let tags = registry
        .data()
        .join("docker/registry/v2/repositories/platform/harden/_manifests/tags");
    let link = |digest: &str| tags.join(format!("sha256-{digest}.sig"));
    fresh("1.0.4444", &["--sign", &stranger]);
    let (good, bad) = (digest("1.0.0"), digest("1.0.4444"));
    let current = |digest: &str| link(digest).join("current/link");
    std::fs::copy(current(&good), current(&bad)).expect("copied");
    refused(
        "1.0.4444",
        &["the signature by team.pub is for another artifact", &good],
    );
    // No key for the place.
    let other = Team::new();
    other.write("team.pub", &public);
    other.write(
        "plugins.toml",
        &format!("{}paths = {{ \"{host}/platform\" = [] }}\n", toml("1.0.0")),
    );
    other.fails(
        &["plan"],
        &["by a key that is trusted here", "has no key for it"],
    );
    // Signed later, it is trusted.
    let signed = platform.done(&["plugin", "sign", &at("1.0.1"), "--key", &key]);
    assert!(signed.stdout.contains("signed"), "{signed:#?}");
    let other = Team::new();
    other.write("team.pub", &public);
    other.write("plugins.toml", &toml("1.0.1"));
    other.done(&["plan"]);
    // Not trusted without `[trust]`, but not asked for either.
    other.write(
        "plugins.toml",
        toml("1.0.22").split("[trust]").next().expect("a part"),
    );
    other.done(&["plan"]);
    // A key that is none.
    other.write("plugins.toml", &toml("1.0.0"));
    other.write("team.pub", "no key");
    other.fails(
        &["plan"],
        &["plugins.toml:4", "team.pub", "BEGIN PUBLIC KEY"],
    );
}

#[test]
fn others_can_verify_what_was_signed_and_their_signatures_count() {
    let registry = Registry::start_with(Access::Open);
    let platform = Team::new();
    let (key, public) = keys(&platform, "platform");
    let file = plugin("harden.wasm").display().to_string();
    let reference = format!("{}/team/harden:1.0.0", registry.host);
    platform.done(&["plugin", "push", &file, &reference, "--sign", &key]);
    // The store of whoever verified has what was signed, and the signature.
    let toml = format!(
        "[plugins.harden]\nsource = \"oci://{reference}\"\n[trust]\nkeys = [\"platform.pub\"]\n"
    );
    platform.write("plugins.toml", &toml);
    platform.done(&["plugin", "fetch"]);
    let folder = platform.path().join("cache/rengine/store/signatures");
    let kept = std::fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .next()
        .expect("one");
    let text = std::fs::read_to_string(kept.path()).expect("readable");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let openssl = |args: &[&str], input: &str| {
        use std::io::Write;
        let mut child = Command::new("openssl")
            .args(args)
            .current_dir(platform.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("openssl runs: run ./dev test, or install it");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("written");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        (output.status.success(), output.stdout)
    };
    for (field, name) in [("payload", "payload"), ("bytes", "signature")] {
        let text = value[0][field].as_str().expect("text");
        let (_, bytes) = openssl(&["base64", "-d", "-A"], text);
        std::fs::write(platform.path().join(name), bytes).expect("written");
    }
    let verify = [
        "dgst",
        "-sha256",
        "-verify",
        "platform.pub",
        "-signature",
        "signature",
        "payload",
    ];
    assert!(openssl(&verify, "").0, "openssl verifies it");
    let payload = platform.read("payload");
    assert!(
        payload.contains("cosign container image signature"),
        "{payload}"
    );
    // A pair that openssl made.
    let made = openssl(
        &[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            "other.key",
        ],
        "",
    );
    assert!(made.0);
    assert!(
        openssl(
            &["pkey", "-in", "other.key", "-pubout", "-out", "other.pub"],
            ""
        )
        .0
    );
    platform.done(&["plugin", "sign", &reference, "--key", "other.key"]);
    platform.done(&["plugin", "verify", &reference, "--key", "other.pub"]);
    platform.done(&["plugin", "verify", &reference, "--key", "platform.pub"]);
    drop(public);
}

#[test]
fn wkg_reads_what_is_pushed_and_what_it_pushes_runs() {
    let wkg = rengine_tests::tool("wkg");
    let registry = Registry::start_with(Access::Open);
    let team = Team::new();
    let file = plugin("harden.wasm");
    let run = |args: &[&str]| {
        let mut command = Command::new(&wkg);
        team.at_home(command.args(args).env("HOME", team.path()));
        let output = command.output().expect("wkg runs");
        assert!(output.status.success(), "wkg {args:?}: {output:?}");
    };
    let ours = format!("{}/team/ours:1.0.0", registry.host);
    let path = file.display().to_string();
    team.done(&["plugin", "push", &path, &ours]);
    let insecure = registry.host.as_str();
    run(&[
        "oci",
        "pull",
        &ours,
        "--insecure",
        insecure,
        "--output",
        "pulled.wasm",
    ]);
    let same = |name: &str| {
        let pulled = std::fs::read(team.path().join(name)).expect("written");
        assert!(
            pulled == std::fs::read(&file).expect("readable"),
            "{name} is another"
        );
    };
    same("pulled.wasm");
    let theirs = format!("{}/team/theirs:1.0.0", registry.host);
    run(&["oci", "push", &theirs, &path, "--insecure", insecure]);
    team.done(&["plugin", "pull", &theirs, "-o", "theirs.wasm"]);
    same("theirs.wasm");
    team.done(&["plugin", "info", &theirs]);
    team.write(
        "plugins.toml",
        &format!("[plugins.theirs]\nsource = \"oci://{theirs}\"\n"),
    );
    team.done(&["plan"]);
}

#[test]
fn a_release_says_how_it_came_to_be() {
    let team = Team::new();
    let (key, _) = keys(&team, "release");
    let project = Project::new("provenance", "made", "");
    let file = plugin("harden.wasm").display().to_string();
    project.configure(&format!("[plugins.harden]\npath = \"{file}\"\n"));
    assert_eq!(project.rengine(&["deploy"]).code, 0);
    let said = project.rengine(&["provenance", "--json"]);
    let statement: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    let image = project.inspect()["Image"]
        .as_str()
        .expect("an id")
        .replace("sha256:", "");
    assert_eq!(
        statement["subject"][0]["digest"]["sha256"],
        image.as_str(),
        "{statement:#}"
    );
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["resolvedDependencies"][0]["name"], "harden");
    let changes = definition["internalParameters"]["changes"]
        .as_array()
        .expect("a list");
    assert!(changes.iter().all(|change| change["plugin"] == "harden") && !changes.is_empty());
    let signed = project.rengine(&["provenance", "--sign", &key]);
    let envelope: serde_json::Value = serde_json::from_str(&signed.stdout).expect("JSON");
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    let missing = project.rengine(&["provenance", "--sign", "none.key"]);
    assert!(missing.stderr.contains("none.key"), "{missing:#?}");
    assert_eq!(project.rengine(&["down"]).code, 0);
}
