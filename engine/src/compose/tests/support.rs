//! Each key that is told to be supported is read and kept; each other one is told of.

use serde_json::{Map, Value, json};

use super::super::shape::{Kind, Object, PROJECT, Support};
use super::sample::sample;
use super::{Folder, told};

/// One step from a value to one inside it.
#[derive(Debug, Clone)]
enum Step {
    /// A key, of this kind of mapping.
    Key(&'static Object, &'static str),
    /// A name of the author's.
    Name,
    /// An item of a list.
    Item,
}

#[derive(Debug)]
struct Case {
    path: String,
    steps: Vec<Step>,
    kind: &'static Kind,
    support: Support,
}

fn cases() -> Vec<Case> {
    static TOP: Kind = Kind::Object(&PROJECT);
    let mut cases = Vec::new();
    collect(&TOP, &mut Vec::new(), Support::Yes, &mut cases);
    cases
}

fn collect(kind: &'static Kind, steps: &mut Vec<Step>, above: Support, cases: &mut Vec<Case>) {
    let mut down = |step: Step, kind: &'static Kind, support| {
        steps.push(step);
        collect(kind, steps, support, cases);
        steps.pop();
    };
    match kind {
        Kind::List(inner) => down(Step::Item, inner, above),
        Kind::Map(inner) => down(Step::Name, inner, above),
        Kind::Nullable(inner) => collect(inner, steps, above, cases),
        Kind::Form(form) => collect(&form.long, steps, above, cases),
        Kind::Object(object) => {
            for key in object.keys() {
                let support = match above {
                    Support::Yes => key.support,
                    above => above,
                };
                steps.push(Step::Key(object, key.name));
                cases.push(Case {
                    path: path(steps),
                    steps: steps.clone(),
                    kind: &key.kind,
                    support,
                });
                collect(&key.kind, steps, support, cases);
                steps.pop();
            }
        }
        _ => {}
    }
}

fn path(steps: &[Step]) -> String {
    let text: String = steps
        .iter()
        .map(|step| match step {
            Step::Key(_, name) => format!(".{name}"),
            Step::Name => ".*".into(),
            Step::Item => "[]".into(),
        })
        .collect();
    text.trim_start_matches('.').to_owned()
}

/// What has to be there for a key to make sense. Its values give way to those of the case.
fn surroundings(path: &str) -> Value {
    let mut files = json!({"services": {"name": {"image": "i"}, "other": {"image": "i"}}});
    let at = |prefix: &str| path.starts_with(prefix);
    if at("services.*.build") {
        files["services"]["name"]["build"] = json!({"context": "."});
        files["services"]["name"]["platform"] = json!("linux/arm64");
    }
    if at("services.*.depends_on") {
        files["services"]["name"]["depends_on"] =
            json!({"name2": {"condition": "service_started"}});
        files["services"]["name2"] = json!({"image": "i"});
    }
    if path.contains("secrets") {
        files["secrets"] = json!({"sample": {"file": "f"}});
    }
    if path.contains("configs") {
        files["configs"] = json!({"sample": {"file": "f"}});
    }
    if at("services.*.networks") || at("services.*.pre_start[].networks") || at("networks") {
        files["networks"] = json!({"name": {}});
    }
    if at("networks") {
        files["services"]["name"]["networks"] = json!({"name": {}});
    }
    if path.contains("volumes[]") {
        files["volumes"] = json!({"sample": {}});
    }
    if path.contains(".models") {
        files["models"] = json!({"name": {"model": "m"}});
    }
    files
}

/// Puts a value at the end of a path, with what its mappings need beside it.
fn nest(steps: &[Step], value: Value, at: &mut Vec<Step>) -> Value {
    let Some((step, rest)) = steps.split_first() else {
        return value;
    };
    at.push(step.clone());
    let inner = nest(rest, value, at);
    at.pop();
    match step {
        Step::Item => json!([inner]),
        Step::Name => json!({"name": inner}),
        Step::Key(object, name) => {
            let mut map = Map::new();
            for key in object.keys().filter(|key| key.required) {
                at.push(Step::Key(object, key.name));
                map.insert(key.name.to_owned(), sample(&key.kind, &path(at)));
                at.pop();
            }
            map.insert((*name).to_owned(), inner);
            Value::Object(map)
        }
    }
}

/// Puts `over` into `base`.
fn put(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                put(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

fn folder(file: &Value) -> Folder {
    let folder = Folder::new(&[
        ("sample.env", "FROM_FILE='x'\n"),
        (
            "included.yaml",
            "services: {included: {image: \"i:${V:-none}\"}, sample: {init: true, image: j}}",
        ),
        ("included.env", "V=set\n"),
        ("elsewhere/.env", "V=elsewhere\n"),
    ]);
    folder.write("compose.yaml", file.to_string());
    folder
}

/// The case's file, and the same without its key.
fn files(case: &Case) -> (Value, Value) {
    let mut with = surroundings(&case.path);
    let value = sample(case.kind, &case.path);
    put(&mut with, nest(&case.steps, value, &mut Vec::new()));
    settle(&case.path, &mut with);
    let mut without = surroundings(&case.path);
    let mut parent = nest(&case.steps, json!("\u{0}"), &mut Vec::new());
    remove(&mut parent, &case.steps);
    put(&mut without, parent);
    settle(&case.path, &mut without);
    (with, without)
}

fn remove(value: &mut Value, steps: &[Step]) {
    match steps {
        [Step::Key(_, name)] => {
            value.as_object_mut().expect("a map").remove(*name);
        }
        [Step::Key(_, name), rest @ ..] => remove(&mut value[*name], rest),
        [Step::Name, rest @ ..] => remove(&mut value["name"], rest),
        [Step::Item, rest @ ..] => remove(&mut value[0], rest),
        [] => {}
    }
}

/// Mends what the parts of a file say against each other.
fn settle(path: &str, file: &mut Value) {
    let at = |start: &str| path.starts_with(start);
    if at("services.*.extends") {
        file["services"]["sample"] = json!({"image": "other", "tty": true});
    }
    if path.ends_with("env_file[].required") {
        let owner = match at("services.*.pre_start") {
            true => &mut file["services"]["name"]["pre_start"][0],
            false => &mut file["services"]["name"],
        };
        owner["env_file"][0]["path"] = json!("none.env");
    }
    if at("services.*.depends_on") {
        let depends = &mut file["services"]["name"]["depends_on"];
        let value = depends["name"].take();
        *depends = json!({"other": value});
        if depends["other"].get("condition").is_none() {
            depends["other"]["condition"] = json!("service_started");
        }
    }
    if at("services.*.network_mode") {
        file["services"]["name"]
            .as_object_mut()
            .expect("a map")
            .remove("networks");
    }
    for section in ["secrets", "configs"] {
        if at(&format!("{section}.*.")) && !at(&format!("{section}.*.name")) {
            let entry = &mut file[section]["name"];
            let sources = ["file", "environment", "content", "external"];
            if !sources.iter().any(|key| entry.get(key).is_some()) {
                entry["file"] = json!("f");
            }
        } else if at(section) && file[section].get("name").is_some() {
            let entry = &mut file[section]["name"];
            if entry.get("file").is_none() {
                entry["file"] = json!("f");
            }
        }
    }
    if path.contains("volumes[].") {
        let mut owners = vec![&mut file["services"]["name"]];
        if at("services.*.pre_start") {
            owners = file["services"]["name"]["pre_start"]
                .as_array_mut()
                .expect("steps")
                .iter_mut()
                .collect();
        }
        for owner in owners {
            let mount = &mut owner["volumes"][0];
            let kind = ["bind", "tmpfs", "volume", "image"]
                .into_iter()
                .find(|kind| mount.get(kind).is_some());
            if let Some(kind) = kind {
                mount["type"] = json!(kind);
            }
            if mount.get("type").is_none() {
                mount["type"] = json!("volume");
            }
            if mount.get("target").is_none() {
                mount["target"] = json!("/t");
            }
            if path.ends_with("volumes[].source") {
                mount["type"] = json!("volume");
            }
            if mount["type"] == "bind" || mount["type"] == "image" {
                mount["source"] = json!("/s");
            }
        }
    }
}

#[test]
fn what_is_supported_is_read_and_kept() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases() {
        // Without what is required there is nothing to compare with.
        let Some(Step::Key(object, name)) = case.steps.last() else {
            panic!("a case is a key");
        };
        let required = object.key(name).is_some_and(|key| key.required);
        let (with, without) = files(&case);
        count += 1;
        let folder_with = folder(&with);
        let read = match folder_with.load() {
            Ok(read) => read,
            Err(error) => {
                wrong.push(format!(
                    "{} is rejected: {}\n    {with}",
                    case.path,
                    told(&error)
                ));
                continue;
            }
        };
        let noticed = |problems: &[super::super::Problem]| {
            problems
                .iter()
                .any(|problem| problem.message.starts_with('`'))
        };
        match case.support {
            Support::Refused(_) if !noticed(&read.refused) => {
                wrong.push(format!("{} is not refused\n    {with}", case.path));
            }
            Support::Ignored(_) if !noticed(&read.warnings) => {
                wrong.push(format!("{} is dropped in silence\n    {with}", case.path));
            }
            Support::Yes if !read.refused.is_empty() => {
                wrong.push(format!("{} is refused: {}", case.path, read.refused[0]));
            }
            // These are there to be compared with.
            Support::Yes if matches!(case.path.as_str(), "services" | "networks") => {}
            Support::Yes if !required => {
                let without = folder(&without);
                let before = without.load().map(|read| read.to_json().to_string());
                let before = before.unwrap_or_else(|error| told(&error));
                let shown = |text: String, folder: &Folder| {
                    text.replace(&folder.dir().display().to_string(), "")
                };
                let after = shown(read.to_json().to_string(), &folder_with);
                if after == shown(before, &without) {
                    wrong.push(format!("{} changes nothing\n    {with}", case.path));
                }
            }
            _ => {}
        }
    }
    assert!(count > 400, "{count} keys");
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
