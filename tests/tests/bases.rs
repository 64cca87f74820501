//! Bases: what one team says of plugins for many projects, and what those can change of it.

use rengine_tests::registry::{Access, Registry};
use rengine_tests::team::{Team, keys, publish};
use rengine_tests::{Outcome, Project, plugin};

/// A base that requires a plugin, and leaves one key of it open.
fn base(host: &str, more: &str) -> String {
    format!(
        "[plugins.harden]\nsource = \"oci://{host}/platform/harden:^1\"\nrequired = true\n\
         config = {{ read-only-root = true, memory = \"64MiB\" }}\nopen = [\"memory\"]\n{more}\n\
         [plugins.static]\nsource = \"oci://{host}/platform/static:1.0.0\"\n"
    )
}

/// The fields of a JSON text's only line.
fn json(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:#?}"))
}

#[test]
fn a_base_is_published_signed_and_extended_and_what_it_requires_takes_part() {
    let mut registry = Registry::start_with(Access::Open);
    let host = registry.host.clone();
    let platform = Team::new();
    let (key, public) = keys(&platform, "platform");
    for (file, place) in [("harden.wasm", "harden"), ("go_static.wasm", "static")] {
        let path = plugin(file).display().to_string();
        let place = format!("{host}/platform/{place}:1.0.0");
        platform.done(&["plugin", "push", &path, &place, "--sign", &key]);
    }
    platform.write("base.toml", &base(&host, "grants = { state = true }"));
    let place = format!("{host}/platform/base:3.0.0");
    let pushed = platform.done(&["plugin", "push", "base.toml", &place, "--sign", &key]);
    assert!(pushed.stderr.contains("extends = ["), "{pushed:#?}");
    let info = platform.done(&["plugin", "info", &place]).stdout;
    assert!(info.contains("requires    harden"), "{info}");
    // What is no base is told to its author, with its place.
    platform.write("wrong.toml", "[plugins.x]\npath = \"x.wasm\"\n");
    let wrong = ["plugin", "push", "wrong.toml", &place];
    platform.fails(&wrong, &["wrong.toml:2:8", "brings no files"]);
    let escapes = "[plugins.x]\nsource = \"oci://r.example/x:1\"\n\
                   timeout = \"\\u001b]0;pwn\\u0007\\u001b[2Jx\"\n";
    platform.write("wrong.toml", escapes);
    let refused = platform.fails(&wrong, &["wrong.toml:3:11", "]0;pwn"]);
    let bad = refused
        .stderr
        .chars()
        .find(|c| c.is_control() && *c != '\n');
    assert_eq!(bad, None, "{refused:#?}");
    platform.write("wrong.toml", &"#".repeat((1 << 20) + 1));
    platform.fails(&wrong, &["is no base", "1MiB is the limit"]);

    let user = Team::new();
    let project = Project::new("bases", "based", "");
    let configure = |text: &str| {
        let (app, port) = (&project.app, project.port);
        let text = format!(
            "extends = [\"oci://{host}/platform/base:^3\"]\n[app]\nname = \"{app}\"\n\
             ports = [\"{port}:8080\"]\n[trust]\nkeys = [\"platform.pub\"]\n{text}\n"
        );
        project.write("plugins.toml", &text);
    };
    project.write("platform.pub", &public);
    let at = |team: &Team, args: &[&str]| {
        let mut command = project.command(args);
        team.at_home(&mut command);
        command.current_dir(project.path());
        Outcome::from(command.output().expect("rengine runs"))
    };
    let run = |args: &[&str]| at(&user, args);
    let fails = |args: &[&str], texts: &[&str]| {
        run(args).failed_with(texts);
    };
    let own = "[plugins.harden]\nconfig = { memory = \"32MiB\", pids = 100 }\n\
               [plugins.static]\nenabled = false\n";
    configure(own);
    fails(
        &["plan", "--locked"],
        &["plugins.toml:1:12: base `oci://", "is not in plugins.lock"],
    );
    let planned = run(&["plan"]);
    assert_eq!(planned.code, 0, "{planned:#?}");
    for said in [
        "base oci://",
        "3.0.0",
        "signed by platform.pub",
        "requires harden",
        "harden config.memory \"64MiB\" → \"32MiB\" (plugins.toml:8:12, of oci://",
        "static enabled (none) → \"false\"",
    ] {
        assert!(planned.stderr.contains(said), "{said}: {planned:#?}");
    }
    let lock = std::fs::read_to_string(project.path().join("plugins.lock")).expect("a file");
    assert!(
        lock.contains("[[base]]") && !lock.contains("static"),
        "{lock}"
    );

    // What is required can't be got round, by hand or by a command.
    for (text, said) in [
        ("[plugins.harden]\nenabled = false", "`enabled` can't"),
        ("[plugins.harden]\npath = \"x.wasm\"", "`path` can't"),
        (
            "[plugins.harden]\ngrants = { exec = true }",
            "`grants` can't",
        ),
        (
            "[plugins.harden]\nconfig = { read-only-root = false }",
            "and does not list it under `open`",
        ),
    ] {
        configure(text);
        fails(
            &["plan"],
            &[said, "plugins.toml:8:", "is required by the base"],
        );
    }
    configure(own);
    let required = "plugin `harden` is required by the base oci://";
    fails(
        &["plugin", "remove", "harden"],
        &[required, "plugins.toml:1:12"],
    );
    let other = format!("{host}/platform/harden");
    fails(&["plugin", "add", &other, "--yes"], &[required]);
    fails(
        &["plugin", "remove", "static"],
        &["comes from the base", "enabled = false"],
    );

    // Who runs the deploys can ask for a base.
    let asked = |base: &str| {
        let mut command = project.command(&["plan"]);
        user.at_home(command.env("RENGINE_REQUIRED_BASES", base));
        command.current_dir(project.path());
        Outcome::from(command.output().expect("rengine runs"))
    };
    assert_eq!(asked(&format!("{host}/platform/base")).code, 0);
    let refused = asked(&format!("oci://{host}/platform/base, {host}/security/base"));
    assert_eq!(refused.code, 2, "{refused:#?}");
    let said = format!("does not extend the base {host}/security/base");
    assert!(refused.stderr.contains(&said), "{refused:#?}");
    // What runs can be stopped all the same.
    let mut command = project.command(&["down"]);
    user.at_home(command.env("RENGINE_REQUIRED_BASES", format!("{host}/security/base")));
    command.current_dir(project.path());
    let down = Outcome::from(command.output().expect("rengine runs"));
    assert_eq!(down.code, 0, "{down:#?}");

    // The registry goes away, and nobody needs it.
    registry.stop();
    let deployed = run(&["deploy", "--locked"]);
    assert_eq!(deployed.code, 0, "{deployed:#?}");
    let limits = &project.inspect()["HostConfig"];
    assert_eq!(limits["ReadonlyRootfs"], true, "{limits:#}");
    assert_eq!(limits["Memory"], 32 << 20, "{limits:#}");
    let shown = run(&["show"]).stdout;
    for said in [
        "base      oci://",
        "required  harden by oci://",
        "override  harden config.pids",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let record = json(&run(&["show", "--json"]));
    let policy = &record["policy"];
    assert_eq!(policy["required"][0]["plugin"], "harden", "{policy:#}");
    assert_eq!(policy["bases"][0]["version"], "3.0.0", "{policy:#}");
    let signer = &policy["bases"][0]["signers"][0];
    assert_eq!(signer["key"], "platform.pub", "{policy:#}");
    let fingerprint = signer["fingerprint"].as_str().expect("text");
    assert_eq!(fingerprint.len(), 64, "{policy:#}");
    let statement = json(&run(&["provenance", "--json"]));
    let definition = &statement["predicate"]["buildDefinition"];
    let materials = definition["resolvedDependencies"]
        .as_array()
        .expect("a list");
    let base = materials
        .iter()
        .find(|one| one["name"] == "base")
        .expect("the base");
    let digest = policy["bases"][0]["digest"]
        .as_str()
        .expect("text")
        .replace("sha256:", "");
    assert_eq!(base["digest"]["sha256"], digest.as_str());
    assert_eq!(base["annotations"]["signers"][0]["sha256"], fingerprint);
    // What it comes to, for whoever reviews it, as a comment and as data.
    let config = run(&["config", "--with-plugins", "--locked"]).stdout;
    for said in [
        "# base oci://",
        "requires harden\n",
        "# override harden config.memory \"64MiB\" → \"32MiB\" (plugins.toml:8:12, of oci://",
        "\nname: ",
    ] {
        assert!(config.contains(said), "{said}: {config}");
    }
    let config = json(&run(&["config", "--with-plugins", "--format", "json"]));
    assert_eq!(config["x-rengine-policy"], *policy, "{config:#}");
    // Two releases differ in it, too.
    configure(&own.replace("32MiB", "48MiB"));
    assert_eq!(run(&["deploy", "--locked"]).code, 0);
    let differs = run(&["diff"]).stdout;
    let line = "override.harden.config.memory \"32MiB\" → \"48MiB\"";
    assert!(differs.contains(line), "{differs}");
    assert!(!differs.contains("base.oci"), "{differs}");
    configure(own);
    let tree = run(&["plugin", "tree"]).stdout;
    for said in [
        "brings harden, static",
        "required by the base oci://",
        "override config.memory",
        "static left out",
    ] {
        assert!(tree.contains(said), "{said}: {tree}");
    }

    // On a machine that has nothing: with the project itself, or without its bases.
    let elsewhere = Team::new();
    let status = at(&elsewhere, &["status"]);
    assert_eq!(status.code, 0, "{status:#?}");
    assert!(
        status
            .stderr
            .contains("going on without bases: they are not on this machine"),
        "{status:#?}"
    );
    let vendored = run(&["plugin", "vendor"]);
    assert!(
        vendored.stdout.contains("1 plugin and 1 base"),
        "{vendored:#?}"
    );
    let planned = at(&elsewhere, &["plan", "--locked", "--offline"]);
    assert_eq!(planned.code, 0, "{planned:#?}");
    assert!(planned.stderr.contains("requires harden"), "{planned:#?}");
}

#[test]
fn another_version_of_a_base_is_told_and_what_it_grants_needs_a_yes() {
    let registry = Registry::start_with(Access::Open);
    let host = registry.host.clone();
    publish(&registry, "harden.wasm", "platform/harden:1.0.0");
    publish(&registry, "go_static.wasm", "platform/static:1.0.0");
    let team = Team::new();
    let (key, _) = keys(&team, "platform");
    let (harden, fixed) = (
        format!("{host}/platform/harden:1.0.0"),
        format!("{host}/platform/static:1.0.0"),
    );
    for place in [&harden, &fixed] {
        team.done(&["plugin", "sign", place, "--key", &key]);
    }
    let push = |version: &str, more: &str| {
        team.write("base.toml", &base(&host, more));
        let place = format!("{host}/platform/base:{version}");
        team.done(&["plugin", "push", "base.toml", &place, "--sign", &key]);
    };
    push("3.0.0", "");
    let source = format!("oci://{host}/platform/base:^3");
    let text = format!("extends = [\"{source}\"]\n[trust]\nkeys = [\"platform.pub\"]\n");
    team.write("plugins.toml", &text);
    // What is new is locked first, and shown as it is locked.
    let tree = team.done(&["plugin", "tree"]).stdout;
    assert!(tree.contains("harden 1.0.0 oci://"), "{tree}");
    let fetched = team.done(&["plugin", "fetch"]).stdout;
    assert!(fetched.contains("2 plugins and 1 base"), "{fetched}");
    let before = team.read("plugins.lock");
    assert!(
        team.done(&["plugin", "update"])
            .stdout
            .contains("up to date")
    );

    push("3.1.0", "grants = { state = true }");
    team.done(&["plan"]);
    assert_eq!(team.read("plugins.lock"), before, "what is locked stays");
    let outdated = team.done(&["plugin", "outdated"]).stdout;
    assert!(
        outdated.contains("3.1.0") && outdated.contains("platform/base"),
        "{outdated}"
    );
    let refused = team.fails(
        &["plugin", "update"],
        &["3.0.0 → 3.1.0", "plugin harden is granted state", "--yes"],
    );
    assert_eq!(refused.code, 2, "{refused:#?}");
    assert_eq!(team.read("plugins.lock"), before, "nothing was changed");
    team.fails(
        &["plugin", "update", "nothing"],
        &["no plugin `nothing`", &source],
    );
    let place = format!("{host}/platform/base");
    team.done(&["plugin", "update", &place, "--yes"]);
    assert!(team.read("plugins.lock").contains("3.1.0"));
    // What has less checked needs one, too.
    let text = base(
        &host,
        "grants = { state = true }\non-error = \"warn\"\ntimeout = \"1s\"",
    );
    let without = text.replace("required = true\n", "");
    let without = without.replace("open = [\"memory\"]\n", "");
    team.write("base.toml", &without);
    let newest = format!("{place}:3.2.0");
    team.done(&["plugin", "push", "base.toml", &newest, "--sign", &key]);
    let refused = team.fails(
        &["plugin", "update"],
        &[
            "! plugin harden only warns where it refuses or fails",
            "! plugin harden has the timeout 1s",
            "! no longer: plugin harden is required by oci://",
            "- no longer: plugin harden ends the deploy",
            "--yes",
        ],
    );
    assert!(!refused.stderr.contains("static"), "{refused:#?}");

    let text = format!("extends = [\"{source}\"]\n[trust]\nkeys = [\"platform.pub\"]\n");
    // Left in plugins.lock, it is not what is wanted.
    let old = team.read("plugins.lock");
    team.write("plugins.toml", &text.replace(&format!("\"{source}\""), ""));
    team.fails(&["plan", "--locked"], &["plugins.lock has plugin `harden`"]);
    team.done(&["plugin", "fetch"]);
    assert!(!team.path().join("plugins.lock").exists(), "{old}");
}

#[test]
fn what_nobody_vouches_for_or_somebody_changed_is_refused() {
    let registry = Registry::start_with(Access::Open);
    let host = registry.host.clone();
    publish(&registry, "harden.wasm", "platform/harden:1.0.0");
    let team = Team::new();
    let (key, _) = keys(&team, "platform");
    let (stranger, _) = keys(&team, "stranger");
    let push = |tag: &str, text: &str, more: &[&str]| {
        team.write("base.toml", text);
        let place = format!("{host}/platform/base:{tag}");
        let args = [
            &["plugin", "push", "base.toml", place.as_str(), "--json"],
            more,
        ]
        .concat();
        let pushed = json(&team.done(&args));
        pushed["digest"].as_str().expect("a digest").to_owned()
    };
    let harden = format!("[plugins.harden]\nsource = \"oci://{host}/platform/harden:1.0.0\"\n");
    let granting = format!("{harden}grants = {{ state = true }}\n");
    let extends = |which: &str, more: &str| {
        let text = format!("extends = [\"oci://{host}/platform/base{which}\"]\n{more}");
        team.write("plugins.toml", &text);
    };
    let trust = "[trust]\nkeys = [\"platform.pub\"]\n";
    let unsigned = push("1.0.0", &granting, &[]);
    extends(":1.0.0", trust);
    team.fails(
        &["plan"],
        &[
            "plugins.toml:1:12: base `oci://",
            "is not trusted",
            "not signed",
        ],
    );
    push("1.0.1", &format!("{granting}\n"), &["--sign", &stranger]);
    extends(":1.0.1", trust);
    team.fails(
        &["plan"],
        &["base `oci://", "by a key that is trusted here"],
    );
    // Without `[trust]` it may say which plugins run, and let none of them out.
    extends(":1.0.0", "");
    team.fails(
        &["plan"],
        &[
            "platform/base:1.0.0:3:10",
            "nobody vouches for it",
            &unsigned,
        ],
    );
    extends(&format!("@{unsigned}"), "");
    team.done(&["plan"]);
    push("2.0.0", &harden, &[]);
    extends(":2.0.0", "");
    team.done(&["plan"]);
    // A key that a base trusts counts for what it brings, and for nothing else.
    team.done(&[
        "plugin",
        "sign",
        &format!("{host}/platform/harden:1.0.0"),
        "--key",
        &stranger,
    ]);
    let pem = team.read("stranger.pub");
    let trusting = format!("{harden}[trust]\nkeys = [\"\"\"{pem}\"\"\"]\n");
    push("3.0.0", &trusting, &["--sign", &key]);
    extends(":3.0.0", trust);
    team.done(&["plan"]);
    let own = harden.replace("harden]", "own]");
    extends(":3.0.0", &format!("{trust}{own}"));
    team.fails(&["plan"], &["plugin `own` is not trusted"]);

    // In plugins.lock, in the store, and in the registry.
    extends(":2.0.0", "");
    team.done(&["plan"]);
    let lock = team.read("plugins.lock");
    let part = lock.split("[[plugin]]").next().expect("a part").to_owned();
    let field = |name: &str| {
        let line = part
            .lines()
            .find(|line| line.starts_with(name))
            .expect(name);
        line.split('"').nth(1).expect("quoted").to_owned()
    };
    let content = field("content");
    let zeros = format!("sha256:{}", "0".repeat(64));
    team.write("plugins.lock", &lock.replace(&content, &zeros));
    team.fails(
        &["plan"],
        &[
            "plugins.lock says of base `oci://",
            "its text is sha256:0000",
        ],
    );
    team.write("plugins.lock", &lock);
    let kept = team.stored();
    let name = content.replace("sha256:", "");
    let path = kept
        .iter()
        .find(|path| path.ends_with(&name))
        .expect("stored");
    std::fs::remove_file(path).expect("there");
    std::fs::write(path, harden.replace("harden:", "other:")).expect("written");
    team.fails(
        &["plan", "--offline"],
        &["base `oci://", "neither in the store nor vendored"],
    );
    std::fs::write(path, harden.replace("harden:", "other:")).expect("written");
    team.done(&["plan"]);
    assert_eq!(std::fs::read_to_string(path).expect("readable"), harden);
    let blob = registry.data().join("docker/registry/v2/blobs/sha256");
    let blob = blob.join(&name[..2]).join(&name).join("data");
    std::fs::write(&blob, harden.replace("harden:", "hurden:")).expect("written");
    std::fs::remove_file(path).expect("there");
    team.fails(&["plan"], &["is not what its digest says"]);
}

#[test]
fn bases_extend_bases_in_files_and_registries_but_not_themselves() {
    let registry = Registry::start_with(Access::Open);
    let host = registry.host.clone();
    let path = plugin("harden.wasm").display().to_string();
    let team = Team::new();
    std::fs::create_dir_all(team.path().join("team/inner")).expect("folders");
    team.write(
        "team/inner/base.toml",
        &format!("[plugins.inner]\npath = \"{path}\"\n"),
    );
    team.write(
        "team/base.toml",
        &format!("extends = [\"inner/base.toml\"]\n[plugins.outer]\npath = \"{path}\"\norder = \"last\"\n"),
    );
    let own = format!("[plugins.own]\npath = \"{path}\"\n");
    team.write(
        "plugins.toml",
        &format!("extends = [\"team/base.toml\"]\n{own}"),
    );
    let listed = team.done(&["plugin", "list", "--json"]).stdout;
    let names: Vec<_> = listed
        .lines()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
            row["name"].as_str().expect("text").to_owned()
        })
        .collect();
    assert_eq!(names, ["inner", "own", "outer"]);
    assert!(
        !team.path().join("plugins.lock").exists(),
        "files are not locked"
    );
    team.write("team/inner/base.toml", "extends = [\"../base.toml\"]\n");
    team.fails(&["plan"], &["team/inner/base.toml:1:12", "extends itself"]);
    team.write("team/inner/base.toml", "[plugins.inner]\nmemroy = 1\n");
    team.fails(
        &["plan"],
        &["team/inner/base.toml:2:1", "did you mean `memory`?"],
    );
    std::fs::remove_file(team.path().join("team/inner/base.toml")).expect("there");
    team.fails(
        &["plan"],
        &["team/base.toml:1:12", "inner/base.toml can't be read"],
    );
    // As deep as it may be, and deeper.
    for depth in 0..10 {
        let next = format!("extends = [\"deep-{}.toml\"]\n", depth + 1);
        team.write(&format!("deep-{depth}.toml"), &next);
    }
    team.write("deep-8.toml", "");
    team.write("plugins.toml", "extends = [\"deep-1.toml\"]\n");
    team.done(&["plan"]);
    team.write("plugins.toml", "extends = [\"deep-0.toml\"]\n");
    team.fails(&["plan"], &["deep-7.toml:1:12", "more than 8 deep"]);

    // One that names its own tag, and one that names its own artifact by another.
    let itself = format!("extends = [\"oci://{host}/team/base:1\"]\n");
    team.write("base.toml", &itself);
    for tag in ["1", "2"] {
        team.done(&[
            "plugin",
            "push",
            "base.toml",
            &format!("{host}/team/base:{tag}"),
            "--force",
        ]);
        team.write(
            "plugins.toml",
            &itself.replace("base:1", &format!("base:{tag}")),
        );
        let _ = std::fs::remove_file(team.path().join("plugins.lock"));
        team.fails(&["plan"], &["team/base:1:1:12", "extends itself"]);
    }
    team.write(
        "plugins.toml",
        &format!("extends = [\"oci://{host}/team/none:1\"]\n"),
    );
    team.fails(
        &["plan"],
        &["plugins.toml:1:12: can't get", "does not have it"],
    );
    publish(&registry, "harden.wasm", "team/harden:1.0.0");
    team.write(
        "plugins.toml",
        &format!("extends = [\"oci://{host}/team/harden:1.0.0\"]\n"),
    );
    team.fails(&["plan"], &["is no base: it is a plugin"]);
    team.write(
        "plugins.toml",
        &itself.replace("base:1", "base:1\", \"https://x"),
    );
    team.fails(
        &["plan"],
        &["`https://` is not `oci://`", "plugins.toml:1:"],
    );
}

#[test]
fn who_runs_the_deploys_gets_the_base_that_is_published() {
    let mut registry = Registry::start_with(Access::Open);
    let forger = Registry::start_with(Access::Open);
    let host = registry.host.clone();
    let platform = Team::new();
    let (key, public) = keys(&platform, "platform");
    let path = plugin("harden.wasm").display().to_string();
    let harden = format!("{host}/platform/harden:1.0.0");
    platform.done(&["plugin", "push", &path, &harden, "--sign", &key]);
    let push = |text: &str, place: &str, more: &[&str]| {
        platform.write("base.toml", text);
        platform.done(&[&["plugin", "push", "base.toml", place], more].concat());
    };
    let text = format!("[plugins.harden]\nsource = \"oci://{harden}\"\nrequired = true\n");
    push(
        &text,
        &format!("{host}/platform/base:3.0.0"),
        &["--sign", &key],
    );

    let user = Team::new();
    user.write(
        "plugins.toml",
        &format!("extends = [\"oci://{host}/platform/base:^3\"]\n"),
    );
    user.done(&["plugin", "fetch"]);
    let old = user.read("plugins.lock");
    push(
        &format!("# More.\n{text}"),
        &format!("{host}/platform/base:3.1.0"),
        &["--sign", &key],
    );
    user.done(&["plugin", "update", "--yes"]);
    let place = format!("{host}/platform/base");
    user.write("platform.pub", &public);
    let keyed = format!("{place}={}", user.path().join("platform.pub").display());
    let asked = |team: &Team, bases: &str, args: &[&str]| {
        let mut command = team.command(&[&["plugin", "list"], args].concat());
        command.env("RENGINE_REQUIRED_BASES", bases);
        Outcome::from(command.output().expect("rengine runs"))
    };
    for bases in [&place, &keyed] {
        let listed = asked(&user, bases, &["--locked"]);
        assert_eq!(listed.code, 0, "{listed:#?}");
    }
    // An old one under the version of a new one, signed as it was.
    let new = user.read("plugins.lock");
    assert!(
        new.contains("3.1.0") && old.contains("version = \"3.0.0\""),
        "{old}"
    );
    user.write(
        "plugins.lock",
        &old.replace("version = \"3.0.0\"", "version = \"3.1.0\""),
    );
    user.fails(
        &["plugin", "list"],
        &[
            "plugins.lock says of base",
            "it is the version 3.0.0, not `3.1.0`",
        ],
    );
    user.write("plugins.lock", &new);

    // One that its project made, and says that it came from there.
    let forged = Team::new();
    push(
        &text.replace("required = true", ""),
        &format!("{}/platform/base:3.1.0", forger.host),
        &[],
    );
    let extends = format!("extends = [\"oci://{}/platform/base:^3\"]\n", forger.host);
    forged.write("plugins.toml", &extends);
    forged.done(&["plugin", "vendor"]);
    for file in ["plugins.toml", "plugins.lock"] {
        forged.write(file, &forged.read(file).replace(&forger.host, &host));
    }
    forged.done(&["plugin", "list", "--locked", "--offline"]);
    let offline = ["--locked", "--offline"];
    for (bases, args, said) in [
        (
            &place,
            &offline[..],
            "--offline was given, and no key for it",
        ),
        (&place, &offline[..1], "nobody says that the base"),
        (&keyed, &offline[..], "it is not signed"),
        (&keyed, &offline[..1], "it is not signed"),
    ] {
        let refused = asked(&forged, bases, args).failed_with(&[said, "plugins.toml:1:12"]);
        assert_eq!(refused.code, 2, "{refused:#?}");
    }

    // What it requires is not for a base of the project's own to say first.
    let own = "[plugins.harden]\nsource = \"oci://HARDEN\"\nservices = []\n";
    user.write("own.toml", &own.replace("HARDEN", &harden));
    let both = format!("extends = [\"own.toml\", \"oci://{place}:^3\"]\n");
    let one = user.read("plugins.toml");
    user.write("plugins.toml", &both);
    asked(&user, &keyed, &[]).failed_with(&[
        "base:3.1.0:",
        "the base own.toml says something of it before",
    ]);
    user.write("plugins.toml", &one);

    // What an artifact is called is no reason to write over a file of that name.
    let named = format!("{host}/platform/plugins:1.0.0");
    push(&text, &named, &["--sign", &key]);
    let own = user.read("plugins.toml");
    user.fails(
        &["plugin", "pull", &named],
        &["plugins.toml is there already", "--force"],
    );
    assert_eq!(user.read("plugins.toml"), own);
    user.done(&["plugin", "pull", &named, "-o", "pulled.toml"]);
    assert_eq!(user.read("pulled.toml"), text);
    user.done(&["plugin", "pull", &format!("{host}/platform/base:3.0.0")]);
    user.done(&[
        "plugin",
        "pull",
        &format!("{host}/platform/base:3.1.0"),
        "--force",
    ]);
    assert!(user.read("base.toml").starts_with("# More."));

    // The key does without the registry.
    registry.stop();
    assert_eq!(asked(&user, &keyed, &offline).code, 0);
    asked(&user, &place, &offline).failed_with(&["HOST/PATH=/etc/rengine/platform.pub"]);
}
