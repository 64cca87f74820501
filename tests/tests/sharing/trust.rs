//! Whose plugins are run, and what was changed on the way.

use std::process::Command;

use rengine_tests::faulty::{Fate, Faulty};
use rengine_tests::plugin;
use rengine_tests::registry::{Access, Registry};
use rengine_tests::team::{Team, keys, publish};

use super::largest;

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
