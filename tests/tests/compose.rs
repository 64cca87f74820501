//! Compose projects of many shapes: what `rengine config` makes of them, that docker-compose 1.29
//! makes the same of them where it understands them, and that each key of the specification's
//! JSON schema has a row in engine/COMPOSE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("the workspace").to_owned()
}

/// The projects, by name.
fn projects() -> BTreeMap<String, PathBuf> {
    let folder = root().join("tests/compose");
    let entries = std::fs::read_dir(folder).expect("the projects");
    let paths = entries.map(|entry| entry.expect("a project").path());
    let name = |path: &Path| {
        path.file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    paths.map(|path| (name(&path), path)).collect()
}

/// Runs a program in a project, with an environment that is the same everywhere.
fn run(program: &Path, folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.current_dir(folder).args(args).env_clear();
    let output = command.env("PATH", path).env("HOME", "/home/me").output();
    output
        .unwrap_or_else(|error| panic!("{} can't run: {error}; run ./dev setup", program.display()))
}

fn rengine(folder: &Path, args: &[&str]) -> Output {
    run(&rengine_tests::rengine(), folder, args)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn canonical_form_of_every_project() {
    let projects = projects();
    assert!(projects.len() >= 30, "{}", projects.len());
    let root = root().display().to_string();
    for (name, folder) in projects {
        let output = rengine(&folder, &["config"]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let mut shown = text(&output.stdout);
        let warnings = text(&output.stderr);
        if !warnings.is_empty() {
            shown = format!("{shown}--- stderr\n{warnings}");
        }
        let shown = shown.replace(&root, "[root]");
        insta::with_settings!({
            snapshot_path => folder.clone(),
            omit_expression => true,
            prepend_module_to_snapshot => false,
        }, {
            insta::assert_snapshot!("config", shown);
        });
        // What it prints says the same; it has only the services of active profiles.
        let printed = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(printed.path(), &output.stdout).expect("written");
        let printed = printed.path().display().to_string();
        let again = rengine(&folder, &["-f", &printed, "--profile", "*", "config"]);
        assert_eq!(
            text(&again.stdout),
            text(&output.stdout),
            "{name}: {}",
            text(&again.stderr)
        );
    }
}

/// Runs `rengine` with this as its input.
fn piped(folder: &Path, input: &str, args: &[&str]) -> Output {
    let mut command = Command::new(rengine_tests::rengine());
    command.current_dir(folder).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
    let mut given = child.stdin.take().expect("its input");
    given.write_all(input.as_bytes()).expect("written");
    drop(given);
    child.wait_with_output().expect("its output")
}

#[test]
fn a_project_may_come_from_a_pipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("more.env"), "WORD=from a file\n").expect("written");
    let file = "name: piped\nservices: { web: { image: web, env_file: more.env } }\n";
    std::fs::write(folder.join("compose.yaml"), file).expect("written");
    let read = rengine(folder, &["config"]);
    let given = piped(folder, file, &["-f", "-", "config"]);
    assert_eq!(text(&given.stdout), text(&read.stdout), "{given:?}");
    assert!(text(&given.stdout).contains("from a file"), "{given:?}");
    // It may come after others, and errors say where in it they are.
    let over = "services:\n  web:\n    imagee: other\n";
    let wrong = piped(folder, over, &["-f", "compose.yaml", "-f", "-", "config"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(text(&wrong.stderr).contains("<stdin>:3:5"), "{wrong:?}");
    let over = "services: { web: { image: other } }\n";
    let merged = piped(folder, over, &["-f", "compose.yaml", "-f", "-", "config"]);
    assert!(text(&merged.stdout).contains("image: other"), "{merged:?}");
    let nothing = piped(folder, "", &["-f", "-", "config"]);
    assert_eq!(nothing.status.code(), Some(2), "{nothing:?}");
    assert!(text(&nothing.stderr).contains("<stdin>"), "{nothing:?}");
}

/// What docker-compose 1.29 does not understand: a part of its error, and what it does not know.
const NOT_UNDERSTOOD: &[(&str, &str)] = &[
    ("build-modern", "additional_contexts"),
    ("configs-inline", "'content'"),
    ("develop", "'develop'"),
    ("documents", "expected a single document"),
    ("env-long", "'label_file'"),
    ("extensions", "'name'"),
    ("gpus", "'gpus'"),
    ("hooks", "'post_start'"),
    ("hosts-modern", "extra_hosts"),
    ("include", "'include'"),
    ("interpolation-nested", "Invalid interpolation format"),
    ("models-provider", "'models'"),
    ("override-reset", "!reset"),
];

/// Where docker-compose 1.29 understands a project otherwise: the value, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("anchors", "/x-", "it drops extensions"),
    ("ten-services", "/x-", "it drops extensions"),
    (
        "build-long",
        "/services/app/build/args/DEBUG",
        "an argument that the environment does not have is empty for it; Docker leaves it out",
    ),
    (
        "env-quoting",
        "/services/app/environment/ESCAPES",
        "the specification has `\\$` as a dollar sign in double quotes",
    ),
    (
        "env-quoting",
        "/services/app/environment/REFERENCE",
        "the specification replaces variables that the same file has set",
    ),
    (
        "healthchecks",
        "/services/disabled/healthcheck",
        "it writes `disable: true` as `test: [NONE]`, which is the same",
    ),
    (
        "override",
        "/services/web/volumes",
        "it sorts volumes by their target; here they stay in the order of the files",
    ),
    (
        "ports",
        "/services/web/ports/6",
        "`22:22` is a number in base 60 for it, as YAML 1.1 has it",
    ),
    (
        "volumes-from",
        "",
        "it writes `service:data`, which the specification does not have",
    ),
];

/// Values that are not the same, by the path to them.
fn differences(ours: &Value, theirs: &Value, path: &str, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let (a, b) = (a.get(key), b.get(key));
                let path = format!("{path}/{key}");
                differences(
                    a.unwrap_or(&Value::Null),
                    b.unwrap_or(&Value::Null),
                    &path,
                    found,
                );
                if a.is_some() != b.is_some() && found.last() != Some(&path) {
                    found.push(path);
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{path}/{index}"), found);
            }
        }
        (a, b) if a == b => {}
        _ => found.push(path.to_owned()),
    }
}

/// What docker-compose prints of each project. Most of the second that it takes is spent on
/// starting, so one process starts, and runs its command in a child for each project.
const CONFIG_OF_EACH: &str = r#"
import os, sys
from compose.cli.main import main
out, folders = sys.argv[1], sys.argv[2:]
for folder in folders:
    if os.fork() == 0:
        name = os.path.join(out, os.path.basename(folder))
        os.chdir(folder)
        os.environ["PWD"] = folder
        for number, stream in (1, "stdout"), (2, "stderr"):
            os.dup2(os.open(f"{name}.{stream}", os.O_WRONLY | os.O_CREAT), number)
        sys.argv = ["docker-compose", "config"]
        main()
        sys.exit(0)
    _, status = os.wait()
    with open(os.path.join(out, os.path.basename(folder) + ".code"), "w") as file:
        file.write(str(os.waitstatus_to_exitcode(status)))
"#;

/// What docker-compose says of a project: its output, or its error.
fn docker_compose_config() -> Vec<(String, PathBuf, Result<String, String>)> {
    let out = tempfile::tempdir().expect("a folder");
    let projects = projects();
    let mut args = vec!["-c".to_owned(), CONFIG_OF_EACH.to_owned()];
    args.push(out.path().display().to_string());
    args.extend(projects.values().map(|folder| folder.display().to_string()));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    // Debian's own, which its docker-compose is for.
    let ran = run(Path::new("/usr/bin/python3"), out.path(), &args);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let read = |name: String| {
        let path = out.path().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let told = |(name, folder): (String, PathBuf)| {
        let result = match read(format!("{name}.code")).as_str() {
            "0" => Ok(read(format!("{name}.stdout"))),
            _ => Err(read(format!("{name}.stderr"))),
        };
        (name, folder, result)
    };
    projects.into_iter().map(told).collect()
}

/// What docker-compose prints is read back by rengine, which brings its short forms into the
/// long ones, so that only what differs in meaning differs.
#[test]
fn docker_compose_makes_the_same_of_them() {
    let mut wrong = Vec::new();
    let mut same = 0;
    for (name, folder, theirs) in docker_compose_config() {
        let unknown = NOT_UNDERSTOOD.iter().find(|(project, _)| *project == name);
        if let Some((_, part)) = unknown {
            if !theirs.as_ref().is_err_and(|error| error.contains(part)) {
                wrong.push(format!(
                    "{name}: docker-compose does not say {part}: {theirs:?}"
                ));
            }
            continue;
        }
        let theirs = match theirs {
            Ok(theirs) => theirs,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let printed = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(printed.path(), &theirs).expect("written");
        let printed = printed.path().display().to_string();
        let json = |args: &[&str]| {
            let output = rengine(&folder, &[args, &["config", "--format", "json"]].concat());
            serde_json::from_slice::<Value>(&output.stdout).map_err(|_| text(&output.stderr))
        };
        let ours = json(&[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let project = ours["name"].as_str().expect("a name").to_owned();
        let mut args = vec!["-f", &printed, "-p", &project];
        if folder.join(".env").is_file() {
            args.extend(["--env-file", ".env"]);
        }
        let mut found = Vec::new();
        match json(&args) {
            Ok(theirs) => differences(&ours, &theirs, "", &mut found),
            Err(_) => found.push(String::new()),
        }
        let known: Vec<_> = DIFFERENCES
            .iter()
            .filter(|(project, ..)| *project == name)
            .collect();
        let is_known = |path: &String| known.iter().any(|(_, start, _)| path.starts_with(start));
        for (_, start, why) in &known {
            if !found.iter().any(|path| path.starts_with(start)) {
                wrong.push(format!("{name}{start} does not differ any more: {why}"));
            }
        }
        for path in found.iter().filter(|path| !is_known(path)) {
            wrong.push(format!("{name}{path} differs"));
        }
        same += usize::from(found.is_empty());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(same >= 25, "only {same} are the same");
}

/// The keys of the schema, as engine/COMPOSE.md writes them.
struct Keys<'a> {
    definitions: &'a Value,
    found: BTreeSet<String>,
}

impl<'a> Keys<'a> {
    fn walk(&mut self, node: &'a Value, path: &str, open: &[&str]) {
        if let Some(reference) = node["$ref"].as_str() {
            let name = reference.rsplit('/').next().expect("a name");
            if !open.contains(&name) {
                let open = [open, &[name]].concat();
                self.walk(&self.definitions[name], path, &open);
            }
        }
        for kind in ["oneOf", "anyOf", "allOf"] {
            for choice in node[kind].as_array().into_iter().flatten() {
                self.walk(choice, path, open);
            }
        }
        for (key, inner) in node["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            let path = path.trim_start_matches('.');
            self.found.insert(path.to_owned());
            self.walk(inner, path, open);
        }
        let patterns = node["patternProperties"].as_object().into_iter().flatten();
        for (_, inner) in patterns.filter(|(pattern, _)| *pattern != "^x-") {
            self.walk(inner, &format!("{path}.*"), open);
        }
        if node["additionalProperties"].is_object() {
            self.walk(&node["additionalProperties"], &format!("{path}.*"), open);
        }
        if node["items"].is_object() {
            self.walk(&node["items"], &format!("{path}[]"), open);
        }
    }
}

fn keys_of(file: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("{}: {error}; run ./dev test", file.display()));
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let definitions = match &schema["$defs"] {
        Value::Null => &schema["definitions"],
        definitions => definitions,
    };
    let mut keys = Keys {
        definitions,
        found: BTreeSet::new(),
    };
    keys.walk(&schema, "", &[]);
    keys.found
}

/// The keys that have a row, with what the row says.
fn rows() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("engine/COMPOSE.md")).expect("COMPOSE.md");
    let row = |line: &str| {
        let (key, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((key.to_owned(), rest.split(" |").next()?.trim().to_owned()))
    };
    text.lines().filter_map(row).collect()
}

fn without_a_row(keys: &BTreeSet<String>) -> Vec<String> {
    let rows = rows();
    let has_row = |key: &str| {
        // The older `external: {name: …}` is read as `external: true` and `name: …`.
        let key = key
            .strip_suffix(".external.name")
            .map(|start| format!("{start}.name"))
            .unwrap_or_else(|| key.to_owned());
        // The steps before a start have the keys of a service's container, told once.
        let told = match key.strip_prefix("services.*.pre_start[].") {
            Some(inner) if inner != "per_replica" => format!("services.*.{inner}"),
            _ => key.clone(),
        };
        // What is in a key that is refused as a whole is refused with it.
        let mut above = told.match_indices(['.', '[']).map(|(at, _)| &told[..at]);
        rows.contains_key(&told) || above.any(|key| rows.get(key).is_some_and(|told| told == "no"))
    };
    keys.iter().filter(|key| !has_row(key)).cloned().collect()
}

#[test]
fn each_key_of_the_specification_has_a_row() {
    let dev = root().join(".dev");
    let folders = std::fs::read_dir(&dev).expect(".dev: run ./dev test");
    let schema = folders
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("schema-"))
        })
        .max()
        .expect("the schema: run ./dev test");
    let schema = schema.join("check_jsonschema/builtin_schemas/vendor/compose-spec.json");
    let keys = keys_of(&schema);
    assert!(keys.len() > 500, "{}", keys.len());
    assert_eq!(without_a_row(&keys), Vec::<String>::new());
    // And no row is about a key that the specification does not have.
    let made_up: Vec<_> = rows()
        .into_keys()
        .filter(|key| !keys.contains(key) && !key.contains(": "))
        .collect();
    assert_eq!(made_up, Vec::<String>::new());
}
