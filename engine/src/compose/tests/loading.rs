//! Files, names, variables, profiles, `extends` and `include`.

use serde_json::json;

use super::super::{Options, load};
use super::{Folder, told, web};

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
