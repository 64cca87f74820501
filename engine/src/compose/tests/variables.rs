//! Where variables come from, and which goes first.

use serde_json::json;

use super::super::{Options, load};
use super::{Folder, strings, told};

#[test]
fn variables_come_from_the_environment_before_dotenv() {
    let folder = Folder::new(&[
        (".env", "SET=file\nOWN=file\n"),
        ("other.env", "OWN=other\n"),
        (
            "compose.yaml",
            "services: {a: {image: \"$SET-$OWN-$COMPOSE_PROJECT_NAME-${NONE}\"}}",
        ),
    ]);
    let project = folder.load().expect("a project");
    assert_eq!(
        project.services["a"].container.image.as_deref(),
        Some("value-file-shop-")
    );
    assert_eq!(
        project.warnings[0].message,
        "the variable `NONE` is not set, and taken for empty"
    );
    assert_eq!(project.warnings[0].place.to_string(), "compose.yaml:1:56");
    let env_files = vec!["other.env".into()];
    let project = load(&Options {
        env_files,
        ..folder.options()
    })
    .expect("a project");
    assert_eq!(
        project.services["a"].container.image.as_deref(),
        Some("value-other-shop-")
    );
}

#[test]
fn a_variable_fits_where_a_number_or_a_list_is_meant() {
    let folder = Folder::new(&[
        (".env", "PORT=8080\nREPLICAS=3\nON=true\nMEM=64m\n"),
        (
            "compose.yaml",
            "services:\n  a:\n    image: i\n    init: ${ON}\n    mem_limit: ${MEM}\n    \
             scale: $REPLICAS\n    ports: [\"${PORT}:80\"]\n    command: echo $$PORT\n",
        ),
    ]);
    let json = folder.json();
    let service = &json["services"]["a"];
    assert_eq!(service["init"], true);
    assert_eq!(service["mem_limit"], "67108864");
    assert_eq!(service["scale"], 3);
    assert_eq!(service["ports"][0]["published"], "8080");
    assert_eq!(service["command"], json!(["echo", "$PORT"]));
}

#[test]
fn environment_files_give_way_to_environment() {
    let folder = Folder::new(&[
        ("a.env", "A=a\nB=a\nC='$A'\nSET\n"),
        ("b.env", "B=b\nD=\"$A x\"\n"),
        ("raw.env", "E=\"$A\"\n"),
        ("label.env", "one=1\ntwo=2\n"),
        (
            "compose.yaml",
            "services:\n  web:\n    image: i\n    label_file: label.env\n    labels: [two=mine]\n    \
             env_file:\n    - a.env\n    - {path: b.env}\n    - {path: raw.env, format: raw}\n    \
             - {path: none.env, required: false}\n    environment:\n      A: mine\n      EMPTY:\n      NONE:\n",
        ),
    ]);
    let service = folder.json()["services"]["web"].clone();
    let wanted = json!({
        "A": "mine", "B": "b", "C": "$A", "SET": "value", "D": "mine x", "E": "\"$A\"",
        "EMPTY": "", "NONE": null,
    });
    assert_eq!(service["environment"], wanted);
    assert_eq!(
        service["labels"],
        json!(strings(&[("one", "1"), ("two", "mine")]))
    );
}

#[test]
fn files_of_variables_that_are_asked_for_say_where_the_files_are() {
    let folder = Folder::new(&[
        ("app.yaml", "services: {a: {image: \"$IMG\"}}"),
        ("compose.yaml", "services: {b: {image: i}}"),
        (".env", "COMPOSE_FILE=none.yaml\nIMG=theirs\n"),
        ("prod.env", "COMPOSE_FILE=app.yaml\nIMG=mine\n"),
        ("empty.env", ""),
    ]);
    let image = |options: &Options, service: &str| {
        let project = load(options).unwrap_or_else(|error| panic!("{}", told(&error)));
        project.services[service].container.image.clone()
    };
    let mut options = folder.options();
    options.env_files = vec!["prod.env".into()];
    assert_eq!(image(&options, "a").as_deref(), Some("mine"));
    options.env_files = vec!["empty.env".into()];
    assert_eq!(image(&options, "b").as_deref(), Some("i"));
    options.env_files = vec!["/dev/null".into()];
    assert_eq!(image(&options, "b").as_deref(), Some("i"));
    let mut options = folder.options();
    let variable = ("COMPOSE_ENV_FILES".into(), "empty.env, prod.env".into());
    options.env.extend([variable]);
    assert_eq!(image(&options, "a").as_deref(), Some("mine"));
    let mut options = folder.options();
    let variable = ("COMPOSE_DISABLE_ENV_FILE".into(), "true".into());
    options.env.extend([variable]);
    assert_eq!(image(&options, "b").as_deref(), Some("i"));
}

#[test]
fn the_folder_that_leads_to_another_has_variables_too() {
    let folder = Folder::new(&[
        (".env", "COMPOSE_FILE=sub/app.yaml\nA=here\nB=here\n"),
        ("sub/.env", "A=there\nC=there\nD=$B\n"),
        ("sub/app.yaml", "services: {a: {image: \"$A-$B-$C-$D\"}}"),
    ]);
    let image = |project: crate::compose::Project| project.services["a"].container.image.clone();
    let project = folder.load().expect("a project");
    assert_eq!(image(project).as_deref(), Some("here-here-there-here"));
    // A file that is asked for belongs to its own folder alone.
    let project = load(&Options {
        files: vec!["sub/app.yaml".into()],
        ..folder.options()
    });
    let project = project.expect("a project");
    assert_eq!(image(project).as_deref(), Some("there--there-"));
}

#[test]
fn values_in_environment_files_know_what_is_around_them() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "services:\n  a:\n    image: i\n    env_file: [a.env, b.env, /dev/null]\n    \
             environment: {HOST: db, SET: own}\n  b: {image: i, env_file: b.env}\n",
        ),
        ("a.env", "A=1\nHOST=file\n"),
        ("b.env", "B=$A\nURL=http://$HOST/pa$word\nS=$SET\nHOST\n"),
    ]);
    let project = folder.load().expect("a project");
    let variables = &project.services["a"].container.environment;
    let value = |name: &str| variables[name].as_deref().unwrap_or("none");
    assert_eq!(
        ["A", "B", "URL", "S", "HOST"].map(value),
        // What the project has goes first, then the service, then the files before.
        ["1", "1", "http://db/pa", "value", "db"]
    );
    let warnings: Vec<_> = project
        .warnings
        .iter()
        .map(|warning| format!("{} {}", warning.place, warning.message))
        .collect();
    assert_eq!(
        warnings,
        [
            "b.env:2:20 the variable `word` is not set, and taken for empty",
            "b.env:1:3 the variable `A` is not set, and taken for empty",
            "b.env:2:12 the variable `HOST` is not set, and taken for empty",
        ]
    );
}

#[test]
fn an_included_project_may_have_no_variables_of_its_own() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "include: [{path: sub/x.yaml, env_file: /dev/null}]\nservices: {a: {image: i}}",
        ),
        ("sub/x.yaml", "services: {b: {image: \"i:${TAG:-none}\"}}"),
        ("sub/.env", "TAG=1\n"),
    ]);
    assert_eq!(folder.json()["services"]["b"]["image"], "i:none");
}
