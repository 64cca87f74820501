//! Plugins that one team publishes in a registry, and another runs.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rengine_tests::authority::Authority;
use rengine_tests::dockerd::SmallDisk;
use rengine_tests::faulty::{Fate, Faulty};
use rengine_tests::registry::{Access, PASSWORD, Registry, USER};
use rengine_tests::team::{Team, keys, publish};
use rengine_tests::tokens::{Tokens, Ways};
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
    let warned = added.stderr.replace("\n  │ ", " ");
    assert!(
        warned.contains("nobody's signature is asked for"),
        "{added:#?}"
    );

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
    user.fails(
        &["plan", "--locked"],
        &["plugins.lock has plugin `gone`", "plugin fetch"],
    );
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
    assert!(outcome.stderr.contains("it answered 502"), "{outcome:#?}");
    assert_eq!(requests.len(), 5, "{requests:#?}");
    // It says itself when it wants to be asked again. Nobody waits for an hour.
    let busy = "429 Too Many Requests\r\nRetry-After: 3600";
    let (outcome, requests) = fetch(Box::new(move |_| Fate::Status(busy)));
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    let said = outcome.stderr.replace("\n  │ ", " ");
    assert!(said.contains("left alone for 1h"), "{outcome:#?}");
    assert_eq!(requests.len(), 1, "{requests:#?}");
    let count = AtomicUsize::new(0);
    let soon = "503 Service Unavailable\r\nRetry-After: 1";
    let (outcome, _) = fetch(Box::new(move |_| {
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => Fate::Status(soon),
            _ => Fate::Pass,
        }
    }));
    assert_eq!(outcome.code, 0, "{outcome:#?}");
    // A manifest without an end is not read to it.
    let (outcome, requests) = fetch(Box::new(|_| Fate::Flood));
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    let said = "the manifest is larger than 4MiB";
    assert!(outcome.stderr.contains(said), "{outcome:#?}");
    assert_eq!(requests.len(), 1, "{requests:#?}");
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
            Some(1) => Fate::Stall(0),
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
fn a_registry_that_stalls_is_given_up_and_the_download_goes_on() {
    let registry = Registry::start_with(Access::Open);
    publish(&registry, "harden.wasm", "team/harden:1.0.0");
    let stalls = Arc::new(AtomicUsize::new(usize::MAX));
    let left = stalls.clone();
    let faulty = Faulty::before(&registry.host, move |line| {
        let stall = |left: usize| left.checked_sub(1);
        let blob = line.contains("/blobs/");
        match blob
            && left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, stall)
                .is_ok()
        {
            true => Fate::Stall(30_000),
            false => Fate::Pass,
        }
    });
    let host = &faulty.host;
    let user = Team::new();
    user.write(
        "plugins.toml",
        &format!(
            "[plugins.harden]\nsource = \"oci://{host}/team/harden:1.0.0\"\n\
             [registries.\"{host}\"]\ntimeout = \"3s\"\n"
        ),
    );
    // Each try brings a part; then it is given up.
    stalls.store(2, Ordering::SeqCst);
    let blobs = || {
        let requests = faulty.requests().into_iter();
        let blobs = requests.filter(|line| line.contains("/blobs/"));
        blobs.collect::<Vec<_>>()
    };
    user.done(&["plugin", "fetch"]);
    let asked = blobs();
    assert_eq!(asked.len(), 3, "{asked:#?}");
    assert!(asked[1].contains("bytes=") && asked[2].contains("bytes="));
    assert_ne!(asked[1], asked[2], "each goes on where the last was");
    // One that sends nothing any more.
    let silent = Faulty::before(&registry.host, |line| match line.contains("/blobs/") {
        true => Fate::Stall(0),
        false => Fate::Pass,
    });
    let other = Team::new();
    let toml = user.read("plugins.toml").replace(host, &silent.host);
    let toml = toml.replace("\"3s\"", "\"300ms\"");
    other.write("plugins.toml", &toml);
    other.fails(
        &["plugin", "fetch"],
        &["does not answer: it said nothing for 300ms", "--offline"],
    );
    assert!(!other.path().join("plugins.lock").exists());
}

#[test]
fn a_full_disk_is_told_and_nothing_half_is_used() {
    let registry = Registry::start_with(Access::Open);
    publish(&registry, "harden.wasm", "team/harden:1.0.0");
    let disk = SmallDisk::new(4);
    let user = Team::new();
    let host = &registry.host;
    let source = format!("[plugins.harden]\nsource = \"oci://{host}/team/harden:1.0.0\"\n");
    user.write("plugins.toml", &source);
    let fetch = || {
        let mut command = user.command(&["plugin", "fetch"]);
        command.env("XDG_CACHE_HOME", disk.path());
        Outcome::from(command.output().expect("rengine runs"))
    };
    // Room for the folders, and not for the component.
    let filler = disk.path().join("filler");
    let mut file = std::fs::File::create(&filler).expect("a file");
    let full = loop {
        if let Err(error) = file.write_all(&[7; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let written = file.metadata().expect("a file").len();
    file.set_len(written - (96 << 10)).expect("shorter");
    file.sync_all().expect("on disk");
    let failed = fetch();
    assert_eq!(failed.code, 1, "{failed:#?}");
    let said = failed.stderr.replace("\n  │ ", " ");
    for text in [
        "No space left on device",
        "plugin cache --prune",
        "XDG_CACHE_HOME",
    ] {
        assert!(said.contains(text), "{text}: {failed:#?}");
    }
    assert!(!user.path().join("plugins.lock").exists());
    let component = std::fs::metadata(plugin("harden.wasm"))
        .expect("there")
        .len();
    let blobs = disk.path().join("rengine/store/blobs/sha256");
    for entry in std::fs::read_dir(blobs).expect("a folder").flatten() {
        assert_ne!(entry.metadata().expect("there").len(), component);
    }
    // Its room is free once nobody has it open.
    drop(file);
    std::fs::remove_file(&filler).expect("removed");
    let fetched = fetch();
    assert_eq!(fetched.code, 0, "{fetched:#?}");
}

#[test]
fn a_deploy_that_is_killed_while_it_writes_plugins_lock_changes_nothing() {
    let registry = Registry::start_with(Access::Open);
    publish(&registry, "harden.wasm", "team/harden:1.0.0");
    publish(&registry, "harden.wasm", "team/harden:1.1.0");
    let team = Team::new();
    let project = Project::new("killed-lock", "kept", "");
    let source = |version: &str| {
        let host = &registry.host;
        format!("[plugins.harden]\nsource = \"oci://{host}/team/harden:{version}\"\n")
    };
    let run = |mut command: Command| {
        team.at_home(&mut command);
        let output = command.current_dir(project.path()).output();
        output.expect("it runs")
    };
    let lock = || std::fs::read_to_string(project.path().join("plugins.lock")).expect("locked");
    // The store has both, so that plugins.lock is the first larger file that is written.
    for version in ["1.1.0", "1.0.0"] {
        project.configure(&source(version));
        let fetched = run(project.command(&["plugin", "fetch"]));
        assert!(fetched.status.success(), "{fetched:?}");
    }
    let before = lock();
    assert!(before.len() > 512, "{before}");
    project.configure(&source("1.1.0"));
    // The kernel kills who writes more than 512 bytes to a file (SIGXFSZ).
    let rengine = rengine_tests::rengine();
    let script = "ulimit -c 0; ulimit -f 1; exec \"$0\" deploy";
    let mut command = project.program("sh");
    command.args(["-c", script]).arg(rengine);
    let killed = run(command);
    assert_eq!(killed.status.signal(), Some(25), "{killed:?}");
    assert_eq!(lock(), before, "plugins.lock is as it was");
    assert!(project.containers().is_empty(), "nothing was deployed");
    // The next one finds what the other left, and goes on.
    let deployed = run(project.command(&["deploy"]));
    assert!(deployed.status.success(), "{deployed:?}");
    assert!(lock().contains("version = \"1.1.0\""), "{}", lock());
    let left = std::fs::read_dir(project.path())
        .expect("a folder")
        .flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    let of_lock = |name: &&std::ffi::OsString| name.to_string_lossy().contains("lock");
    assert_eq!(left.iter().filter(of_lock).count(), 1, "{left:?}");
    assert!(run(project.command(&["down"])).status.success());
}

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
    let info = user.done(&["plugin", "info", &at("1.0.0")]).stdout;
    assert!(
        !info.contains("sha256-"),
        "signatures are no versions: {info}"
    );
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
    // With what a new project has beside its code.
    team.done(&["plugin", "new", "fresh", "--lang", "c", "--hooks", "health"]);
    let metadata = ["--metadata", "fresh/plugin.toml"];
    team.done(&[&["plugin", "push", &path, &ours][..], &metadata].concat());
    let info = team.done(&["plugin", "info", &ours]).stdout;
    assert!(info.contains("fresh"), "its name: {info}");
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
    let info = team.done(&["plugin", "info", &theirs]).stdout;
    assert!(info.contains("pre-run"), "from its configuration: {info}");
    team.write(
        "plugins.toml",
        &format!("[plugins.theirs]\nsource = \"oci://{theirs}\"\n"),
    );
    team.done(&["plan"]);
}

#[test]
fn a_release_says_how_it_came_to_be() {
    let registry = Registry::start_with(Access::Open);
    let host = &registry.host;
    let team = Team::new();
    let (key, public) = keys(&team, "release");
    let (strange, _) = keys(&team, "strange");
    let file = plugin("harden.wasm").display().to_string();
    let place = format!("{host}/platform/harden");
    let reference = format!("{place}:1.0.0");
    team.done(&["plugin", "push", &file, &reference, "--sign", &key]);
    let project = Project::new("provenance", "made", "");
    let app = &project.app;
    project.write("release.pub", &public);
    let image = format!("{host}/team/{app}");
    project.write(
        "compose.yaml",
        &format!("name: {app}\nservices: {{ web: {{ build: ., image: \"{image}:1\" }} }}\n"),
    );
    project.write(
        "plugins.toml",
        &format!(
            "[plugins.harden]\nsource = \"oci://{reference}\"\n[trust]\nkeys = [\"release.pub\"]\n"
        ),
    );
    let run = |args: &[&str]| {
        let mut command = project.command(args);
        team.at_home(&mut command);
        command.current_dir(project.path());
        Outcome::from(command.output().expect("rengine runs"))
    };
    let done = |args: &[&str]| {
        let outcome = run(args);
        assert_eq!(outcome.code, 0, "{args:?}: {outcome:#?}");
        outcome
    };
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&done(args).stdout).expect("JSON")
    };
    let deployed = done(&["deploy"]);
    let quiet = !deployed.stderr.contains("nobody's signature");
    assert!(quiet, "there is a [trust]: {deployed:#?}");

    // The record has what took part, by whose word.
    let record = json(&["show", "--json"]);
    let artifact = &record["plugins"][0]["artifact"];
    assert_eq!(artifact["repository"], place.as_str());
    assert_eq!(artifact["version"], "1.0.0");
    let info = team.done(&["plugin", "info", &reference, "--json"]);
    let info: serde_json::Value = serde_json::from_str(&info.stdout).expect("JSON");
    assert_eq!(artifact["digest"], info["digest"]);
    let signer = &artifact["signers"][0];
    assert_eq!(signer["key"], "release.pub");
    let fingerprint = signer["fingerprint"].as_str().expect("text");
    assert_eq!(fingerprint.len(), 64);
    let shown = done(&["show"]).stdout;
    let digest = artifact["digest"].as_str().expect("text");
    for said in [
        &format!("from {reference}@{digest}"),
        fingerprint,
        "release.pub",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }

    // In no registry, the image is what the daemon calls it.
    let statement = json(&["provenance", "--json"]);
    let id = project.inspect()["Image"]
        .as_str()
        .expect("an id")
        .to_owned();
    let subject = &statement["subject"][0]["digest"]["sha256"];
    assert_eq!(format!("sha256:{}", subject.as_str().expect("text")), id);
    let definition = &statement["predicate"]["buildDefinition"];
    let material = &definition["resolvedDependencies"][0];
    assert_eq!(material["uri"], format!("oci://{reference}@{digest}"));
    assert_eq!(material["annotations"]["signers"][0]["sha256"], fingerprint);
    let component = record["plugins"][0]["digest"].as_str().expect("text");
    assert_eq!(material["annotations"]["component"]["sha256"], component);
    let changes = definition["internalParameters"]["changes"].as_array();
    let changes = changes.expect("a list");
    assert!(changes.iter().all(|change| change["plugin"] == "harden") && !changes.is_empty());
    let envelope = json(&["provenance", "--sign", &key]);
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    let fails = |args: &[&str], texts: &[&str]| {
        let outcome = run(args);
        assert_ne!(outcome.code, 0, "{outcome:#?}");
        let said = outcome.stderr.replace("\n  │ ", " ");
        for text in texts {
            assert!(said.contains(text), "{text}: {outcome:#?}");
        }
    };
    fails(&["provenance", "--sign", "none.key"], &["none.key"]);
    let attach = ["provenance", "--sign", &key, "--attach"];
    fails(&attach, &["no image that release", "rengine push"]);

    // Pushed, it is what the registry calls it, and the statement lies beside it.
    done(&["push"]);
    let one = format!("{image}:1");
    let verify = ["provenance", "--verify", &one, "--key", "release.pub"];
    fails(
        &verify,
        &["no provenance of", "there is none beside it", "--attach"],
    );
    let strangers = ["provenance", "--sign", &strange, "--attach"];
    done(&strangers);
    fails(
        &verify,
        &["none of the 1 beside it is by a key that counts"],
    );
    let attached = done(&attach);
    assert!(
        attached.stdout.contains(&format!("{image}@sha256:")),
        "{attached:#?}"
    );
    let again = done(&attach);
    assert!(again.stdout.contains("was there already"), "{again:#?}");
    let verified = done(&verify);
    assert!(verified.stderr.contains("release.pub"), "{verified:#?}");
    let statement: serde_json::Value = serde_json::from_str(&verified.stdout).expect("one");
    let pushed = project.docker(&["inspect", "--format", "{{json .RepoDigests}}", &one]);
    let subject = &statement["subject"][0];
    assert_eq!(subject["name"], image.as_str());
    let sha256 = subject["digest"]["sha256"].as_str().expect("text");
    assert!(
        pushed.contains(&format!("{image}@sha256:{sha256}")),
        "{pushed}"
    );
    let parameters = &statement["predicate"]["buildDefinition"]["externalParameters"];
    assert_eq!(parameters["release"], record["release"]);

    // Under the digest of another image, as only a registry can put it there.
    project.write("index.html", "another page");
    done(&["deploy"]);
    done(&["push"]);
    fails(&verify, &["there is none beside it"]);
    done(&strangers);
    let tags = registry.data().join("docker/registry/v2/repositories/team");
    let tags = tags.join(app).join("_manifests/tags");
    let link = |digest: &str| tags.join(format!("sha256-{digest}.att/current/link"));
    let other = std::fs::read_to_string(tags.join("1/current/link")).expect("a link");
    let other = other.trim_start_matches("sha256:");
    std::fs::copy(link(sha256), link(other)).expect("copied");
    fails(&verify, &["what release.pub signed is about other images"]);
    done(&["down"]);
    project.docker(&["rmi", "-f", &one]);
}
