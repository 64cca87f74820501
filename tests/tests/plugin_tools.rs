//! The tools for authors of plugins, from a new project to one that is tested and measured. None of
//! them needs a daemon.

use std::path::{Path, PathBuf};

use rengine_tests::{Outcome, Project, plugin};

/// Every hook, in order.
const HOOKS: [&str; 8] = [
    "configure",
    "pre-build",
    "pre-run",
    "post-build",
    "health",
    "post-run",
    "pre-stop",
    "post-deploy",
];

/// A folder with `rengine plugin` in it, and no daemon.
struct Author(Project);

impl Author {
    fn new(name: &str) -> Self {
        Self(Project::new(name, "", ""))
    }

    fn run(&self, args: &[&str]) -> Outcome {
        self.run_with(args, &[])
    }

    fn run_with(&self, args: &[&str], env: &[(&str, &Path)]) -> Outcome {
        let args = [&["-H", "unix:///no/such.sock", "plugin"], args].concat();
        let mut command = self.0.command(&args);
        command.envs(env.iter().copied());
        Outcome::from(command.output().expect("rengine runs"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A new project that is built, checked and tested as it is; what has to be there comes from
    /// `env`.
    fn first_try(&self, language: &str, hooks: &[&str], env: &[(&str, &Path)]) {
        let name = format!("{language}-{}", hooks[0]);
        let list = hooks.join(",");
        done(&self.run(&["new", &name, "--lang", language, "--hooks", &list]));
        let built = done(&self.run_with(&["build", &name], env));
        for text in ["✔ component", &hooks.join(", ")] {
            assert!(built.stdout.contains(text), "{text}: {built:#?}");
        }
        assert!(self.path(&name).join("plugin.wasm").is_file());
        let tested = done(&self.run(&["test", &name]));
        for hook in hooks {
            let passed = tested.stdout.contains(&format!("✔ {hook}"));
            assert!(passed, "{hook}: {tested:#?}");
        }
    }
}

fn done(outcome: &Outcome) -> Outcome {
    assert_eq!(outcome.code, 0, "{outcome:#?}");
    Outcome {
        code: outcome.code,
        stdout: outcome.stdout.clone(),
        stderr: outcome.stderr.clone(),
    }
}

fn says(outcome: &Outcome, code: i32, parts: &[&str]) {
    assert_eq!(outcome.code, code, "{outcome:#?}");
    for part in parts {
        let said = outcome.stdout.contains(part) || outcome.stderr.contains(part);
        assert!(said, "{part}: {outcome:#?}");
    }
}

#[test]
fn new_projects_in_rust_build_at_the_first_try() {
    let author = Author::new("rust");
    // Shared by all projects, so that what they need is compiled once.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects");
    let env = [("CARGO_TARGET_DIR", target.as_path())];
    author.first_try("rust", &HOOKS, &env);
    author.first_try("rust", &["pre-build", "health"], &env);
}

#[test]
fn new_projects_in_c_build_at_the_first_try() {
    let author = Author::new("c");
    author.first_try("c", &HOOKS, &[]);
    for hook in &HOOKS[1..] {
        author.first_try("c", &[hook], &[]);
    }
}

#[test]
fn new_projects_in_go_build_at_the_first_try() {
    let author = Author::new("go");
    author.first_try("go", &HOOKS, &[]);
    for hook in &HOOKS[1..] {
        author.first_try("go", &[hook], &[]);
    }
}

#[test]
fn new_projects_in_python_build_at_the_first_try() {
    let author = Author::new("python");
    let mut path = toolchain(".dev/python/bin").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    author.first_try("python", &HOOKS, &[("PATH", Path::new(&path))]);
}

#[test]
fn new_projects_in_javascript_and_typescript_build_at_the_first_try() {
    let author = Author::new("js");
    // Found as npm finds what is installed: in a folder above.
    let modules = toolchain("examples/plugins/smoke-test/node_modules");
    std::os::unix::fs::symlink(modules, author.path("node_modules")).expect("a link");
    for language in ["js", "ts"] {
        author.first_try(language, &HOOKS, &[]);
    }
}

/// What `./dev plugins` installs.
fn toolchain(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let path = path.canonicalize();
    path.expect("the toolchains of the examples: run ./dev plugins")
}

#[test]
fn a_new_project_is_never_mixed_with_what_is_there() {
    let author = Author::new("mixed");
    let new = ["new", "team", "--lang", "c", "--hooks", "health"];
    done(&author.run(&new));
    says(&author.run(&new), 2, &["team is not empty", "--path"]);
    let args = ["new", "9team", "--lang", "c", "--hooks", "health"];
    says(&author.run(&args), 2, &["start with a letter"]);
    let args = ["new", "x", "--lang", "cobol", "--hooks", "health"];
    says(&author.run(&args), 2, &["rust, python, js, ts, go, c"]);
    let args = ["new", "x", "--lang", "c", "--hooks", "helth"];
    says(&author.run(&args), 2, &["health"]);
}

#[test]
fn a_build_says_what_to_install() {
    let author = Author::new("missing");
    let tools = [
        ("rust", "cargo", "rustup"),
        (
            "c",
            "clang for wasm32-wasi",
            "apt install clang lld wasi-libc",
        ),
        ("go", "Go 1.24", "https://go.dev/dl"),
        ("python", "componentize-py", "pip install componentize-py"),
        ("js", "Node.js", "apt install nodejs npm"),
        ("ts", "Node.js", "apt install nodejs npm"),
    ];
    for (language, tool, install) in tools {
        let args = ["new", language, "--lang", language, "--hooks", "health"];
        done(&author.run(&args));
        let env = [("PATH", Path::new("/no/such/folder"))];
        let built = author.run_with(&["build", language], &env);
        says(&built, 1, &[tool, "is missing", install]);
        assert!(!author.path(language).join("plugin.wasm").exists());
    }
    // A compiler that is there, and can't do it.
    let bin = author.path("bin");
    std::fs::create_dir(&bin).expect("a folder");
    let clang = bin.join("clang");
    std::fs::write(&clang, "#!/bin/sh\necho 'unknown target' >&2\nexit 1\n").expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&clang, mode).expect("a program");
    let built = author.run_with(&["build", "c"], &[("PATH", &bin)]);
    says(&built, 1, &["is missing", "unknown target", "apt install"]);
    says(&author.run(&["build", "bin"]), 2, &["holds no plugin"]);
}

#[test]
fn an_error_in_the_code_is_the_compilers() {
    let author = Author::new("broken");
    let args = ["new", "broken", "--lang", "c", "--hooks", "health"];
    done(&author.run(&args));
    std::fs::write(author.path("broken/health.c"), "int x = y;\n").expect("a file");
    let built = author.run(&["build", "broken"]);
    says(&built, 1, &["health.c:1:9", "failed with exit code 1"]);
    std::fs::write(author.path("broken/health.c"), "int x;\n").expect("a file");
    let built = author.run(&["build", "broken"]);
    says(&built, 1, &["exports_rengine_plugin_health_check"]);
}

#[test]
fn a_check_tells_what_a_component_is_and_needs() {
    let author = Author::new("check");
    let harden = plugin("harden.wasm");
    let name = harden.display().to_string();
    let checked = author.run(&["check", &name]);
    says(
        &checked,
        0,
        &["rengine:plugin@0.1.0", "✔ hooks     pre-run"],
    );
    let json = done(&author.run(&["check", &name, "--json"]));
    for line in json.stdout.lines() {
        let finding: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(finding["what"].is_string() && finding["verdict"].is_string());
    }

    author.0.write("text.wasm", "hello");
    says(
        &author.run(&["check", "text.wasm"]),
        2,
        &["it is not WebAssembly"],
    );
    says(
        &author.run(&["check", "none.wasm"]),
        2,
        &["there is no such file"],
    );
    let missing = author.run(&["check"]);
    says(&missing, 2, &["plugin.wasm", "rengine plugin build"]);

    // The same, as if it were built against the next minor version.
    let bytes = std::fs::read(&harden).expect("the component");
    let newer = replaced(&bytes, b"@0.1.0", b"@0.2.0");
    assert_ne!(newer, bytes);
    std::fs::write(author.path("newer.wasm"), newer).expect("a file");
    let newer = author.run(&["check", "newer.wasm"]);
    says(
        &newer,
        2,
        &["version 0.2.0", "newer than this rengine's 0.1.0"],
    );
}

/// Each text in the place of another that is as long.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + from.len()].copy_from_slice(to);
        }
        at += 1;
    }
    bytes
}

const CASE: &str = r#"
[[case]]
name = "drops what is not needed"
hook = "pre-run"
snapshot = true

[case.build]
dockerfile = "FROM debian\nUSER 10001\n"

[case.container]
env = { PORT = 8080 }
"#;

#[test]
fn cases_pass_fail_and_are_written_anew() {
    let author = Author::new("cases");
    let harden = plugin("harden.wasm").display().to_string();
    let test =
        |more: &[&str]| author.run(&[&["test", &harden, "--cases", "cases.toml"], more].concat());
    author.0.write("cases.toml", CASE);
    let missing = test(&[]);
    says(
        &missing,
        1,
        &["--update", "+change  ", "1 of 1 cases failed"],
    );
    says(&test(&["--update"]), 0, &["snapshot written"]);
    let snapshot = author.path("cases.snap/drops-what-is-not-needed.txt");
    let text = std::fs::read_to_string(&snapshot).expect("the snapshot");
    assert!(
        text.contains("change  no-new-privileges (none) → \"true\""),
        "{text}"
    );
    says(&test(&[]), 0, &["✔ drops what is not needed"]);

    // What differs is told, and only `--update` changes what is kept.
    let other = text.replace("no-new-privileges", "some-privileges");
    std::fs::write(&snapshot, &other).expect("the snapshot");
    let differs = test(&[]);
    says(
        &differs,
        1,
        &[
            "✗ drops what",
            "-change  some-privileges",
            "+change  no-new-privileges",
        ],
    );
    assert_eq!(std::fs::read_to_string(&snapshot).expect("it"), other);
    says(&test(&["--update"]), 0, &["snapshot written"]);
    assert_eq!(std::fs::read_to_string(&snapshot).expect("it"), text);

    let expected =
        "\n[case.expect]\nchanges = [\"user (none) → \\\"1\\\"\"]\nlog = [\"no such\"]\n";
    author.0.write("cases.toml", &format!("{CASE}{expected}"));
    let failed = test(&[]);
    says(
        &failed,
        1,
        &[
            "other changes than expected",
            "-user (none)",
            "a message is missing",
        ],
    );
    author.0.write(
        "cases.toml",
        &format!("{CASE}\n[case.expect]\nrefusal = \"no\"\n"),
    );
    says(&test(&[]), 1, &["it did not refuse"]);
}

const WORLD: &str = r#"
[[case]]
name = "what grants reach is the case's own"
hook = "post-run"
snapshot = true
grants = { http = ["hooks.example.com"], secrets = ["TOKEN", "NONE"], state = true, exec = true, env = ["REGION"] }
env = { REGION = "eu", HIDDEN = "x" }
secrets = { TOKEN = "s3cret-value", OTHER = "x" }
state = { seen = "1" }
http = [
  { url = "https://hooks.example.com/a", method = "POST", status = 201, body = "first" },
  { url = "https://hooks.example.com/a", method = "POST", status = 429 },
  { url = "https://hooks.example.com/down", error = "connection reset" },
]
running = { exec = [{ command = ["id", "-u"], exit-code = 3, output = "10001\n" }] }

[case.config]
steps = [
  ["fetch", "POST", "https://hooks.example.com/a", "hello"],
  ["fetch", "POST", "https://hooks.example.com/a", "again"],
  ["fetch", "POST", "https://hooks.example.com/a", "more"],
  ["fetch", "GET", "https://hooks.example.com/down"],
  ["fetch", "GET", "https://hooks.example.com/none"],
  ["fetch", "GET", "https://elsewhere.example.com/"],
  ["secret", "TOKEN"], ["secret", "OTHER"], ["secret", "NONE"],
  ["env", "REGION"], ["env", "HIDDEN"],
  ["get", "seen"], ["set", "seen", "2"],
  ["exec", "id", "-u"], ["exec", "ls"],
]

[case.expect]
requests = [
  "POST https://hooks.example.com/a", "POST https://hooks.example.com/a", "POST https://hooks.example.com/a",
  "GET https://hooks.example.com/down", "GET https://hooks.example.com/none",
]
state = { seen = "2" }
log = [
  "ok: 201 first", "ok: 429", "ok: 429",
  "connection reset",
  "the case gives no answer to GET https://hooks.example.com/none",
  "elsewhere.example.com",
  "ok: ***", "`OTHER` is not granted", "the secret `NONE` has no value",
  "ok: eu", "error: ",
  "ok: 1", "ok: done",
  "ok: 3 10001", "the case says nothing of the command [\"ls\"]",
]
"#;

#[test]
fn cases_give_what_grants_reach() {
    let author = Author::new("world");
    let probe = plugin("probe.wasm").display().to_string();
    let test =
        |more: &[&str]| author.run(&[&["test", &probe, "--cases", "cases.toml"], more].concat());
    author.0.write("cases.toml", WORLD);
    done(&test(&["--update"]));
    let snapshot = author.path("cases.snap/what-grants-reach-is-the-case-s-own.txt");
    let text = std::fs::read_to_string(&snapshot).expect("the snapshot");
    for line in [
        "request POST https://hooks.example.com/a\n      | hello\n",
        "state   seen = \"2\"\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
    done(&test(&[]));

    author
        .0
        .write("cases.toml", &WORLD.replace("seen = \"2\"", "seen = \"3\""));
    says(
        &test(&[]),
        1,
        &[
            "other state than expected",
            "-seen = \"3\"",
            "+seen = \"2\"",
        ],
    );

    author
        .0
        .write("cases.toml", &WORLD.replace("state = true, ", ""));
    says(
        &test(&[]),
        2,
        &[
            "imports wasi:keyvalue/store@0.2.0-draft, which the case",
            "add `grants = { state = true }` to the case",
        ],
    );
}

#[test]
fn a_bad_file_of_cases_is_told_with_its_place() {
    let author = Author::new("bad");
    let harden = plugin("harden.wasm").display().to_string();
    let test = |text: &str| {
        author.0.write("tests.toml", text);
        author.run(&["test", &harden, "--cases", "tests.toml"])
    };
    let start = "[[case]]\nname = \"a\"\n";
    let cases: [(String, &[&str]); 9] = [
        (String::new(), &["has no cases"]),
        (
            format!("{start}hook = \"pre-rnu\""),
            &["tests.toml:3:8", "there is no hook", "pre-run"],
        ),
        (
            format!("{start}hook = \"pre-run\""),
            &["handed `container`", "add [case.container]"],
        ),
        (
            format!("{start}hok = \"pre-run\""),
            &["tests.toml:3:1", "did you mean `hook`"],
        ),
        (
            format!("{start}hook = \"pre-run\"\n[case.container]\nmemory = \"x\""),
            &["tests.toml:5:10", "is not a size"],
        ),
        (
            format!("{start}hook = \"pre-run\"\nrunning = {{}}\ncontainer = {{}}"),
            &["tests.toml:4:11", "pre-run is not handed a `running`"],
        ),
        (
            format!(
                "{start}hook = \"pre-run\"\ncontainer = {{}}\n{start}hook = \"pre-run\"\ncontainer = {{}}"
            ),
            &["tests.toml:6:8", "there is another case `a`"],
        ),
        (
            format!(
                "{start}hook = \"pre-run\"\ncontainer = {{}}\nexpect = {{ status = \"healthy\" }}"
            ),
            &["pre-run has no `status` to expect"],
        ),
        (
            format!("{start}hook = \"health\"\nrunning = {{}}"),
            &["which the component does not export", "it exports pre-run"],
        ),
    ];
    for (text, parts) in cases {
        says(&test(&text), 2, parts);
    }
    let none = author.run(&["test", &harden, "--cases", "none.toml"]);
    says(&none, 2, &["none.toml"]);
}

#[test]
fn a_benchmark_tells_of_loading_and_of_each_hook() {
    let author = Author::new("bench");
    let hooks = plugin("every_hook.wasm").display().to_string();
    let json = done(&author.run(&["bench", &hooks, "--json"]));
    let measured: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    let told = measured["hooks"].as_array().expect("hooks");
    let told: Vec<_> = told.iter().map(|hook| hook["hook"].as_str()).collect();
    assert_eq!(told, HOOKS.map(Some));
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    // An instance has a page of memory at least, and compiling takes a while anywhere.
    assert!(number(&measured["memory"]) >= 1 << 16, "{measured}");
    assert!(number(&measured["compile-us"]) > 0, "{measured}");
    assert_eq!(number(&measured["load"]["n"]), 10, "{measured}");
    let table = author.run(&["bench", &hooks]);
    says(
        &table,
        0,
        &["WHAT", "compile", "load", "start", "post-deploy"],
    );
}
