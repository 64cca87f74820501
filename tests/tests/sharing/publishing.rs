//! A plugin that one team publishes and another runs, changes to it, and the same by wkg.

use std::process::Command;

use rengine_tests::registry::{Access, Registry};
use rengine_tests::team::{Team, publish};
use rengine_tests::{Outcome, Project, plugin};

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
