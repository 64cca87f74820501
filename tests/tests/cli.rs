//! What the command line prints, kept as snapshots: `INSTA_UPDATE=always` writes them anew.

use rengine_tests::{Outcome, Project, docker, plugin};

/// Everything that a command left, with what differs from run to run taken out.
fn snapshot(name: &str, project: &Project, outcome: &Outcome) {
    let folder = project.path().canonicalize().expect("the folder");
    let target = plugin("harden.wasm");
    let target = target.parent().expect("its folder").to_owned();
    let text = format!(
        "exit code {}\n--- stdout\n{}--- stderr\n{}",
        outcome.code, outcome.stdout, outcome.stderr
    );
    let text = text
        .replace(&folder.display().to_string(), "[folder]")
        .replace(&target.display().to_string(), "[plugins]")
        .replace(&project.app, "[app]")
        .replace(&format!("localhost:{}", project.port), "localhost:[port]")
        .replace(&project.port.to_string(), "[port]");
    let filters = [
        (r"\b1[0-9a-z]{8}\b", "[release]"),
        (r"sha256:[0-9a-f]{12,64}", "[digest]"),
        (r"\b[0-9a-f]{64}\b", "[digest]"),
        (r"\b[0-9a-f]{12}\b", "[digest]"),
        (r"\b\d+(\.\d+)?(ms|s)\b", "[time]"),
        (r#""ms":\d+"#, r#""ms":[ms]"#),
        (r"\b\d+(\.\d+)?(KiB|MiB|GiB)", "[size]"),
        (r#""compiled":(true|false)"#, r#""compiled":[bool]"#),
        (r" \(compiled\)", ""),
        (r"Up [^\x22\n]*?(seconds?|minutes?)", "Up [time]"),
        // Columns are as wide as what stands in them.
        (r"(SIZE|STATUS|\]) {2,}", "$1  "),
        (r"(?m) +$", ""),
    ];
    insta::with_settings!({ filters => filters, omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn help_of_every_command() {
    let project = Project::new("help", "hello", "");
    let commands: [&[&str]; 35] = [
        &["rollback"],
        &["history"],
        &["show"],
        &["diff"],
        &["lock"],
        &["lock", "hold"],
        &["lock", "release"],
        &["push"],
        &[],
        &["deploy"],
        &["plan"],
        &["status"],
        &["logs"],
        &["exec"],
        &["run"],
        &["start"],
        &["stop"],
        &["restart"],
        &["top"],
        &["stats"],
        &["events"],
        &["watch"],
        &["down"],
        &["config"],
        &["init"],
        &["plugin"],
        &["plugin", "inspect"],
        &["plugin", "new"],
        &["plugin", "build"],
        &["plugin", "bindings"],
        &["plugin", "check"],
        &["plugin", "test"],
        &["plugin", "bench"],
        &["doctor"],
        &["completions"],
    ];
    for command in commands {
        let args = [command, &["--help"]].concat();
        let name = ["help", &command.join("-")].join("-");
        snapshot(
            name.trim_end_matches('-'),
            &project,
            &project.rengine(&args),
        );
    }
}

#[test]
fn a_release_through_a_plugin() {
    let table = format!(
        "[plugins.harden]\npath = \"{}\"",
        plugin("harden.wasm").display()
    );
    let project = Project::new(
        "release",
        "hello",
        &format!("stop-timeout = \"1s\"\n{table}"),
    );
    snapshot("plan", &project, &project.rengine(&["plan"]));
    snapshot("plan-json", &project, &project.rengine(&["plan", "--json"]));
    snapshot("status-none", &project, &project.rengine(&["status"]));
    let deployed = project.rengine(&["deploy", "--quiet"]);
    snapshot("deploy-quiet", &project, &deployed);
    snapshot("deploy-again", &project, &project.rengine(&["deploy"]));
    snapshot("status", &project, &project.rengine(&["status"]));
    snapshot(
        "status-json",
        &project,
        &project.rengine(&["status", "--json"]),
    );
    snapshot(
        "plugin-list",
        &project,
        &project.rengine(&["plugin", "list"]),
    );
    project.configure(&format!(
        "memory = \"32MiB\"\nstop-timeout = \"1s\"\n{table}"
    ));
    snapshot("plan-change", &project, &project.rengine(&["plan"]));
    snapshot("down", &project, &project.rengine(&["down"]));
    snapshot("down-again", &project, &project.rengine(&["down"]));
    let left = docker(&["ps", "-aq", "--filter", &format!("name={}", project.app)]);
    assert_eq!(left, "");
}

#[test]
fn a_plugin_is_inspected_without_a_daemon() {
    let project = Project::new("inspect", "hello", "");
    let file = plugin("http_check.wasm").display().to_string();
    let inspected = project.rengine(&["-H", "unix:///no/such.sock", "plugin", "inspect", &file]);
    assert_eq!(inspected.code, 0, "{inspected:?}");
    for text in [
        "post-run",
        "health",
        "running-container.http",
        "grants  none",
    ] {
        assert!(inspected.stdout.contains(text), "{text}: {inspected:?}");
    }
}

#[test]
fn errors_say_what_and_where_and_what_to_do() {
    let project = Project::new("errors", "hello", "memroy = \"1m\"");
    snapshot("error-typo", &project, &project.rengine(&["plan"]));
    project.configure("memory = 5");
    snapshot("error-type", &project, &project.rengine(&["plan"]));
    project.configure("[plugins.x]\npath = \"none.wasm\"");
    snapshot("error-no-plugin", &project, &project.rengine(&["plan"]));
    project.write("none.wasm", "garbage");
    snapshot("error-garbage", &project, &project.rengine(&["plan"]));
    project.configure("");
    let args = ["-H", "unix:///no/such.sock", "deploy"];
    snapshot("error-no-daemon", &project, &project.rengine(&args));
    let args = ["-H", "unix:///no/such.sock", "doctor"];
    let doctor = project.rengine(&args);
    assert_eq!(doctor.code, 4, "{doctor:?}");
    assert!(doctor.stdout.contains("✗ daemon"), "{doctor:?}");
    snapshot("error-command", &project, &project.rengine(&["depoly"]));
    let args = ["logs", "no-such-service"];
    snapshot("error-service", &project, &project.rengine(&args));
    project.write(
        "Dockerfile",
        "FROM rengine/busybox:local\nCOPPY index.html /www/\n",
    );
    let broken = project.rengine(&["deploy"]);
    assert_ne!(broken.code, 0, "{broken:?}");
    for text in ["Dockerfile", "COPPY"] {
        assert!(broken.stderr.contains(text), "{text}: {broken:?}");
    }
}

#[test]
fn init_writes_a_file_that_deploys_and_is_not_written_over() {
    let project = Project::new("init", "hello", "");
    std::fs::remove_file(project.path().join("plugins.toml")).expect("it is there");
    project.write("Dockerfile", "FROM rengine/busybox:local\nEXPOSE 8080\n");
    let written = project.rengine(&["init"]);
    assert_eq!(written.code, 0, "{written:?}");
    let text = std::fs::read_to_string(project.path().join("plugins.toml")).expect("the file");
    assert!(text.contains("ports = [\"8080:8080\"]"), "{text}");
    assert_eq!(project.rengine(&["plan"]).code, 0);
    let again = project.rengine(&["init"]);
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.stderr.contains("--force"), "{again:?}");
}

#[test]
fn completions_know_the_commands() {
    let project = Project::new("completions", "hello", "");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = project.rengine(&["completions", shell]);
        assert_eq!(script.code, 0, "{script:?}");
        assert!(script.stdout.contains("doctor"), "{shell}");
    }
    assert_eq!(project.rengine(&["completions", "dosh"]).code, 2);

    // Nobody reads them, and nowhere is room for them.
    let write_to = |out: std::process::Stdio| {
        let mut command = project.command(&["completions", "bash"]);
        let child = command
            .stdout(out)
            .stderr(std::process::Stdio::piped())
            .spawn();
        Outcome::from(
            child
                .expect("rengine runs")
                .wait_with_output()
                .expect("it ends"),
        )
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let closed = write_to(writer.into());
    assert_eq!((closed.code, closed.stderr.as_str()), (0, ""), "{closed:?}");
    let full = std::fs::File::options().write(true).open("/dev/full");
    let full = write_to(full.expect("a device").into());
    assert_eq!(full.code, 1, "{full:?}");
    assert!(
        full.stderr
            .contains("writing standard output failed: No space left"),
        "{full:?}"
    );
}

#[test]
fn colour_is_for_terminals_and_can_be_had_without() {
    let project = Project::new("colour", "hello", "");
    // `script` gives it a terminal.
    let plan = |no_colour: &str| {
        let rengine = project.command(&[]);
        let line = format!("{} plan", rengine.get_program().display());
        let output = std::process::Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .current_dir(project.path())
            .env("TERM", "xterm")
            .env("NO_COLOR", no_colour)
            .output()
            .expect("script runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let green = "\u{1b}[32m+";
    assert!(plan("").contains(green));
    let plain = plan("1");
    assert!(
        plain.contains("+ build") && !plain.contains(green),
        "{plain}"
    );
    let piped = project.rengine(&["plan"]);
    assert!(!piped.stdout.contains('\u{1b}'), "{piped:?}");
}

#[test]
fn the_readme_has_the_exit_codes_of_the_help() {
    let project = Project::new("codes", "hello", "");
    let help = project.rengine(&["--help"]).stdout;
    let (_, codes) = help.split_once("Exit codes:\n").expect("the codes");
    let told: Vec<_> = codes
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(code, meaning)| format!("| {code} | {} |", meaning.trim()))
        .collect();
    let readme = include_str!("../../README.md");
    let rows: Vec<_> = readme
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(char::is_numeric))
        .collect();
    assert_eq!(rows, told);
}
