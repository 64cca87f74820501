//! Files, names, variables, profiles, `extends` and `include`.

use serde_json::json;

use super::super::{Options, load};
use super::{Folder, strings, told, web};

#[test]
fn files_are_found_in_order_and_a_second_one_is_told() {
    let names = [
        "docker-compose.yaml",
        "docker-compose.yml",
        "compose.yml",
        "compose.yaml",
    ];
    let folder = Folder::new(&[]);
    for (index, name) in names.iter().enumerate() {
        folder.write(name, format!("services: {{s{index}: {{image: i}}}}"));
        let project = folder.load().expect("a project");
        assert_eq!(
            project.services.keys().collect::<Vec<_>>(),
            [&format!("s{index}")]
        );
        assert_eq!(project.warnings.len(), usize::from(index > 0), "{name}");
    }
    let project = folder.load().expect("a project");
    assert_eq!(
        project.warnings[0].message,
        "`compose.yaml` is read, and `compose.yml` and `docker-compose.yml` and \
         `docker-compose.yaml` beside it is not"
    );
    folder.write("compose.override.yaml", "services: {s3: {image: j}}");
    assert_eq!(folder.json()["services"]["s3"]["image"], "j");
    // A file that is named has no override.
    let files = vec!["compose.yaml".into()];
    let project = load(&Options {
        files,
        ..folder.options()
    })
    .expect("a project");
    assert_eq!(project.services["s3"].container.image.as_deref(), Some("i"));
}

#[test]
fn compose_file_names_files_from_the_environment_and_from_dotenv() {
    let folder = Folder::new(&[
        ("a.yaml", "services: {a: {image: i}}"),
        ("sub/b.yaml", "services: {b: {image: i, volumes: [./x:/x]}}"),
        (".env", "COMPOSE_FILE=a.yaml:sub/b.yaml\n"),
    ]);
    let json = folder.json();
    // Paths of all files are below the first one's folder.
    assert_eq!(json["services"]["b"]["volumes"][0]["source"], "/shop/x");
    let mut options = folder.options();
    options
        .env
        .insert("COMPOSE_FILE".into(), "sub/b.yaml".into());
    let project = load(&options).expect("a project");
    assert_eq!(project.name, "sub");
    assert!(project.to_yaml().contains("/shop/sub/x"));
}

#[test]
fn the_project_has_a_name() {
    let text = "services: {a: {image: i}}";
    let folder = Folder::new(&[("compose.yaml", text)]);
    assert_eq!(folder.load().expect("a project").name, "shop");
    folder.write("compose.yaml", format!("name: ${{SET}}-1\n{text}"));
    assert_eq!(folder.load().expect("a project").name, "value-1");
    folder.write("compose.yaml", format!("name: My Shop!\n{text}"));
    let project = folder.load().expect("a project");
    assert_eq!(
        (project.name.as_str(), project.warnings.len()),
        ("myshop", 1)
    );
    folder.write(".env", "COMPOSE_PROJECT_NAME=from-env\n");
    assert_eq!(folder.load().expect("a project").name, "from-env");
    let mut options = folder.options();
    options.name = Some("asked".into());
    assert_eq!(load(&options).expect("a project").name, "asked");
    options.name = Some("Asked".into());
    let error = load(&options).expect_err("upper case");
    assert!(
        told(&error).ends_with("such as `asked`)"),
        "{}",
        told(&error)
    );
}

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
        "A": "mine", "B": "b", "C": "$A", "SET": "value", "D": " x", "E": "\"$A\"",
        "EMPTY": "", "NONE": null,
    });
    assert_eq!(service["environment"], wanted);
    assert_eq!(
        service["labels"],
        json!(strings(&[("one", "1"), ("two", "mine")]))
    );
}

#[test]
fn yaml_scalars_keep_what_was_written() {
    let service = web(
        "environment: {A: yes, B: 0644, C: 1.10, D: true, E: 1e3, F: 22:22, G: 0x1F, H: ~, I: ''}\n\
         labels: [a=1, b]\n\
         ports: [22:22]",
    );
    let wanted = json!({
        "A": "yes", "B": "0644", "C": "1.10", "D": "true", "E": "1e3", "F": "22:22", "G": "0x1F",
        "H": null, "I": "",
    });
    assert_eq!(service["environment"], wanted);
    assert_eq!(service["labels"], json!({"a": "1", "b": ""}));
    assert_eq!(service["ports"][0]["published"], "22");
}

#[test]
fn anchors_merge_keys_and_extensions() {
    let text = "x-env: &env {A: '1', B: '1'}\nx-more: &more {B: '2', C: '2'}\n\
                services:\n  web: &web\n    image: i\n    x-note: [n]\n    environment:\n      <<: [*env, *more]\n      A: '3'\n\
                \x20 web2:\n    <<: *web\n    image: j\n";
    let json = Folder::new(&[("compose.yaml", text)]).json();
    let wanted = json!({"A": "3", "B": "1", "C": "2"});
    assert_eq!(json["services"]["web"]["environment"], wanted);
    assert_eq!(json["services"]["web2"]["environment"], wanted);
    assert_eq!(json["services"]["web2"]["image"], "j");
    assert_eq!(json["services"]["web2"]["x-note"], json!(["n"]));
    assert_eq!(json["x-env"], json!({"A": "1", "B": "1"}));
}

#[test]
fn profiles_choose_services() {
    let folder = Folder::new(&[(
        "compose.yaml",
        "services:\n  web: {image: i, depends_on: {db: {condition: service_started, required: false}}}\n  \
         db: {image: i, profiles: [data, all]}\n  tool: {image: i, profiles: [tools]}\n",
    )]);
    let services = |profiles: &[&str]| {
        let profiles = profiles.iter().map(|&name| name.to_owned()).collect();
        let project = load(&Options {
            profiles,
            ..folder.options()
        })
        .expect("a project");
        let needs = project.services["web"].depends_on.len();
        (
            project
                .services
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(" "),
            needs,
        )
    };
    assert_eq!(services(&[]), ("web".into(), 0));
    assert_eq!(services(&["data"]), ("web db".into(), 1));
    assert_eq!(services(&["tools", "all"]), ("web db tool".into(), 1));
    assert_eq!(services(&["*"]), ("web db tool".into(), 1));
    let mut options = folder.options();
    options
        .env
        .insert("COMPOSE_PROFILES".into(), "tools, data".into());
    let project = load(&options).expect("a project");
    assert_eq!(project.services.len(), 3);
    assert_eq!(
        project.profiles.into_iter().collect::<Vec<_>>().join(" "),
        "all data tools"
    );
}

#[test]
fn a_needed_service_that_no_profile_has_is_an_error() {
    let text =
        "services:\n  web: {image: i, depends_on: [db]}\n  db: {image: i, profiles: [data]}\n";
    let error = Folder::new(&[("compose.yaml", text)])
        .load()
        .expect_err("no db");
    assert_eq!(
        told(&error),
        "compose.yaml:2:32: service `web` needs `db`, which no active profile has (activate a \
         profile of `db` with `--profile`, or write `required: false`)"
    );
}

#[test]
fn a_service_extends_another_of_its_file_and_of_another() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "services:\n  web:\n    extends: {service: base, file: common/base.yaml}\n    \
             command: mine\n    environment: [B=2]\n    volumes: [other:/data]\n  \
             twin: {extends: web, image: twin}\nvolumes: {other: }\n",
        ),
        (
            "common/base.yaml",
            "services:\n  base:\n    extends: {service: root, file: ../root.yaml}\n    command: theirs\n    \
             build: ./src\n    environment: {A: '1', B: '1'}\n    volumes: [data:/data, ./conf:/conf]\n    \
             env_file: base.env\n",
        ),
        ("common/base.env", "FROM_FILE=x\n"),
        (
            "root.yaml",
            "services: {root: {image: root, cap_add: [NET_ADMIN], ports: [80]}}",
        ),
    ]);
    let json = folder.json();
    let web = &json["services"]["web"];
    assert_eq!(web["image"], "root");
    assert_eq!(web["build"]["context"], "/shop/common/src");
    assert_eq!(web["command"], json!(["mine"]));
    assert_eq!(
        web["environment"],
        json!({"A": "1", "B": "2", "FROM_FILE": "x"})
    );
    assert_eq!(web["volumes"][0]["source"], "other");
    assert_eq!(web["volumes"][1]["source"], "/shop/common/conf");
    assert_eq!(web["ports"][0]["target"], 80);
    let mut twin = json["services"]["twin"].clone();
    assert_eq!(twin["image"], "twin");
    twin["image"] = json!("root");
    assert_eq!(&twin, web);
}

#[test]
fn included_projects_have_a_folder_and_variables_of_their_own() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "include:\n- db/compose.yaml\n- {path: [cache/a.yaml, cache/b.yaml], project_directory: ., env_file: cache/own.env}\n\
             services:\n  web: {image: i, depends_on: [db, cache]}\n",
        ),
        (
            "db/compose.yaml",
            "services: {db: {build: ., image: \"db:${TAG}-${SET}\"}}\nvolumes: {data: }\n",
        ),
        ("db/.env", "TAG=own\nSET=theirs\n"),
        (
            "cache/a.yaml",
            "services: {cache: {image: \"cache:${TAG}\", volumes: [./x:/x]}}",
        ),
        ("cache/b.yaml", "services: {cache: {command: run}}"),
        ("cache/own.env", "TAG=cached\n"),
        ("compose.override.yaml", "services: {db: {init: true}}"),
    ]);
    let json = folder.json();
    let services = &json["services"];
    assert_eq!(services["db"]["image"], "db:own-value");
    assert_eq!(services["db"]["build"]["context"], "/shop/db");
    // An override may change what was included.
    assert_eq!(services["db"]["init"], true);
    assert_eq!(services["cache"]["image"], "cache:cached");
    assert_eq!(services["cache"]["command"], json!(["run"]));
    assert_eq!(services["cache"]["volumes"][0]["source"], "/shop/x");
    assert_eq!(json["volumes"]["data"]["name"], "shop_data");
}

#[test]
fn what_one_service_uses_of_another_is_a_dependency() {
    let folder = Folder::new(&[(
        "compose.yaml",
        "services:\n  web: {image: i, links: [\"db:database\"], network_mode: \"service:net\", volumes_from: [\"data:ro\"]}\n  \
         db: {image: i}\n  net: {image: i}\n  data: {image: i}\n",
    )]);
    let json = folder.json();
    let needs = json["services"]["web"]["depends_on"]
        .as_object()
        .expect("a map");
    assert_eq!(needs.keys().collect::<Vec<_>>(), ["data", "db", "net"]);
    assert_eq!(json["services"]["web"].get("networks"), None);
}

#[test]
fn canonical_yaml_is_read_as_the_same() {
    let text = "services:\n  web:\n    build: {context: ., args: {A: '${SET}', B: }}\n    command: [sh, -c, 'echo $$HOME \"x\"\\n']\n    \
                ports: [80, '127.0.0.1:8080:80/udp', '[::1]:9000-9001:90-91']\n    environment: {A: 'yes', B: '1', C: \"a\\nb\\n\", D: '$$x', E: ' x', F: '', G: 'null', H: '012', I: 'a: b', J: '#c', K: '1:2', L: \"\\ttab\\u0007\", M: \"a\\n\\n  b\\n\\n\"}\n    \
                healthcheck: {test: 'true', interval: 90s}\n    tmpfs: /run\n    extra_hosts: ['a=1.2.3.4', 'a=::1']\n    \
                secrets: [s]\n    configs: [{source: c, mode: 0440}]\n    ulimits: {nofile: 10}\n    memswap_limit: -1\n    gpus: all\n\
                secrets: {s: {environment: SET}}\nconfigs: {c: {content: \"x\\n\"}}\nx-top: [1, 2.5, true, null, {a: b}]\n";
    let folder = Folder::new(&[("compose.yaml", text)]);
    let project = folder
        .load()
        .unwrap_or_else(|error| panic!("{}", told(&error)));
    let again = Folder::new(&[("compose.yaml", &project.to_yaml())]);
    let again = again
        .load()
        .unwrap_or_else(|error| panic!("{}\n{}", told(&error), project.to_yaml()));
    assert_eq!(again.to_json(), project.to_json());
    assert_eq!(again.to_yaml(), project.to_yaml());
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
            "b.env:2:18 the variable `word` is not set, and taken for empty",
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

#[test]
fn ports_may_be_written_as_docker_takes_them() {
    let service = web(
        "ports: ['53:53/UDP', '0:80', {target: 81, host_ip: '[::1]', published: '0'}]\n\
         expose: ['54/UDP']\ncpu_shares: 0o10",
    );
    let ports = &service["ports"];
    assert_eq!(
        (&ports[0]["protocol"], &ports[0]["published"]),
        (&json!("udp"), &json!("53"))
    );
    assert_eq!(ports[1].get("published"), None);
    assert_eq!(ports[2]["host_ip"], "::1");
    assert_eq!(ports[2].get("published"), None);
    assert_eq!(service["cpu_shares"], 8);
}
