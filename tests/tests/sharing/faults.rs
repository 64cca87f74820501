//! Registries that fail, processes that are killed, and disks that are full.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rengine_tests::dockerd::SmallDisk;
use rengine_tests::faulty::{Fate, Faulty};
use rengine_tests::registry::{Access, Registry};
use rengine_tests::team::{Team, publish};
use rengine_tests::{Outcome, Project, plugin};

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
    let script = "ulimit -c 0; ulimit -f 1; exec env --default-signal=XFSZ \"$0\" deploy";
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
