//! What is wrong with a file is told with its place and what to do.

use super::{Folder, told};

/// Each file's only error, as `file:line:col: message (help)`.
#[test]
fn every_error_has_its_place() {
    let cases: &[(&str, &str)] = &[
        // YAML
        (
            "services:\n\tweb: {}",
            "compose.yaml:2:2: this is no YAML: tabs disallowed within this context (block indentation) (YAML is indented with spaces",
        ),
        (
            "services: {web: {image: i}",
            "compose.yaml:1:27: this is no YAML",
        ),
        (
            "a: 1\nservices:\n  web: {image: i}\n  web: {image: j}",
            "compose.yaml:4:3: `web` is there twice (the first one is at compose.yaml:3:3: remove one of them)",
        ),
        (
            "services:\n  web: {image: i, <<: 1}",
            "compose.yaml:2:23: `<<` takes a mapping",
        ),
        (
            "services:\n  web: &w {image: i, labels: *w}",
            "compose.yaml:2:30: ",
        ),
        (
            "services:\n  web: {image: !secret i}",
            "compose.yaml:2:16: the tag `!secret` is not known",
        ),
        (
            "services:\n  web: {image: *none}",
            "compose.yaml:2:16: this is no YAML",
        ),
        (
            "services:\n  ? [a]\n  : {image: i}",
            "compose.yaml:2:5: a key must be a text",
        ),
        // Keys
        (
            "service:\n  web: {image: i}",
            "compose.yaml:1:1: a Compose file has no key `service` (did you mean `services`?)",
        ),
        (
            "services:\n  web:\n    image: i\n    volume: [a]",
            "compose.yaml:4:5: a service has no key `volume` (did you mean `volumes`?)",
        ),
        (
            "services:\n  web:\n    build: {context: ., arg: {A: 1}}",
            "compose.yaml:3:25: a `build` has no key `arg` (did you mean `args`?)",
        ),
        (
            "services:\n  web: {image: i, qqq: 1}",
            "compose.yaml:2:19: a service has no key `qqq` (a key of your own begins with `x-`)",
        ),
        (
            "services:\n  a b: {image: i}",
            "compose.yaml:2:3: `a b` is not a name",
        ),
        (
            "services:\n  web:\n    image: i\n    environment: {\"\": x}",
            "compose.yaml:4:19: `services.web.environment` has an entry without a name",
        ),
        (
            "services:\n  web:\n    image: i\n    depends_on: {dbb: {condition: service_started}}\n  db: {image: i}",
            "compose.yaml:4:18: service `web` has no service `dbb` to use (did you mean `db`?)",
        ),
        (
            "services:\n  web: {image: i, network_mode: 'service:dbb'}",
            "compose.yaml:2:8: service `web` has no service `dbb` to use",
        ),
        // Types
        (
            "services: [web]",
            "compose.yaml:1:11: `services` must be a mapping, and is a list",
        ),
        (
            "services:\n  web: {image: [i]}",
            "compose.yaml:2:16: `services.web.image` must be a text, and is a list",
        ),
        (
            "services:\n  web:\n    image: i\n    ports: 80",
            "compose.yaml:4:12: `services.web.ports` must be a list, and is a number",
        ),
        (
            "services:\n  web: {image: i, tty: maybe}",
            "compose.yaml:2:24: `services.web.tty` must be true or false",
        ),
        (
            "services:\n  web: {image: i, scale: -1}",
            "compose.yaml:2:26: `services.web.scale` must be a whole number from 0 to 4294967295, and is `-1`",
        ),
        (
            "services:\n  web: {image: i, cpus: many}",
            "compose.yaml:2:25: `services.web.cpus` must be a number, and is `many`",
        ),
        (
            "services:\n  web: {image: i, mem_limit: 5 apples}",
            "compose.yaml:2:30: `services.web.mem_limit` must be a size, and is `5 apples`",
        ),
        (
            "services:\n  web: {image: i, stop_grace_period: 10}",
            "compose.yaml:2:38: `services.web.stop_grace_period` must be a duration, and is `10`",
        ),
        (
            "services:\n  web: {image: i, secrets: [{source: s, mode: '999'}]}",
            "compose.yaml:2:47: `services.web.secrets[0].mode` must be permissions, and is `999`",
        ),
        (
            "services:\n  web: {image: i, environment: [A=1, [B]]}",
            "compose.yaml:2:38: `services.web.environment` must be a list of texts such as KEY=VALUE, and is a list",
        ),
        (
            "services:\n  web: {image: i, environment: {A: {B: 1}}}",
            "compose.yaml:2:36: `services.web.environment.A` must be a text, and is a mapping",
        ),
        // Syntaxes
        (
            "services:\n  web:\n    image: i\n    ports: ['80:http']",
            "compose.yaml:4:13: `services.web.ports[0]` is no port: `80:http`",
        ),
        (
            "services:\n  web:\n    image: i\n    ports: [80, '8000-8005:80-81']",
            "compose.yaml:4:17: `services.web.ports[1]` is no port",
        ),
        (
            "services:\n  web: {image: i, ports: [{target: 70000}]}",
            "compose.yaml:2:36: `services.web.ports[0]` has no port `70000`",
        ),
        (
            "services:\n  web: {image: i, volumes: ['a:b']}",
            "compose.yaml:2:29: `services.web.volumes[0]` has `b`, no absolute path, in its container",
        ),
        (
            "services:\n  web: {image: i, volumes: ['./a:/b:rx']}",
            "compose.yaml:2:29: `services.web.volumes[0]` has no option `rx`",
        ),
        (
            "services:\n  web: {image: i, restart: sometimes}",
            "compose.yaml:2:28: `services.web.restart` can't be `sometimes` (one of \"no\", always",
        ),
        (
            "services:\n  web: {image: i, command: \"a 'b\"}",
            "compose.yaml:2:28: `services.web.command` has a quote that is not closed",
        ),
        (
            "services:\n  web: {image: i, healthcheck: {test: [curl, x]}}",
            "compose.yaml:2:39: `services.web.healthcheck.test` is no test",
        ),
        (
            "services:\n  web: {image: i, extra_hosts: [a]}",
            "compose.yaml:2:33: `services.web.extra_hosts` has an entry without an address",
        ),
        (
            "services:\n  web: {image: i, depends_on: {db: {condition: service_heathy}}}",
            "compose.yaml:2:48: `services.web.depends_on.db.condition` can't be `service_heathy` (did you mean `service_healthy`?)",
        ),
        (
            "services:\n  web: {image: i, networks: {default: {ipv4_address: 1.2.3}}}",
            "compose.yaml:2:54: `services.web.networks.default.ipv4_address` can't be `1.2.3`",
        ),
        // Variables
        (
            "services:\n  web: {image: 'a-${B'}",
            "compose.yaml:2:19: `${` is not closed (write `$$` for a dollar sign)",
        ),
        (
            "services:\n  web: {image: \"${SET}${TAG:?say which}\"}",
            "compose.yaml:2:23: the variable `TAG` is needed: say which",
        ),
        (
            "services:\n  web:\n    image: |\n      one $SET\n      two ${TAG?}\n",
            "compose.yaml:5:11: the variable `TAG` is not set",
        ),
        // What only the whole can tell
        ("{}", "compose.yaml:1:1: the project has no services"),
        (
            "services:\n  web: {tty: true}",
            "compose.yaml:2:8: service `web` has neither an `image` nor a `build`",
        ),
        (
            "services:\n  web: {image: i, depends_on: [bd]}\n  db: {image: i}",
            "compose.yaml:2:32: service `web` has no service `bd` to use (declare it under `services:`",
        ),
        (
            "services:\n  web: {image: i, networks: [frnt]}\nnetworks: {front: }",
            "compose.yaml:2:30: service `web` has no network `frnt` to use (did you mean `front`?)",
        ),
        (
            "services:\n  web: {image: i, volumes: ['data:/data']}",
            "compose.yaml:2:29: service `web` has no volume `data` to use (declare it under `volumes:` at the top)",
        ),
        (
            "services:\n  web: {image: i, secrets: [s]}",
            "compose.yaml:2:29: service `web` has no secret `s` to use",
        ),
        (
            "services:\n  web: {image: i, configs: [c]}",
            "compose.yaml:2:29: service `web` has no config `c` to use",
        ),
        (
            "services:\n  web: {image: i, network_mode: host, networks: [a]}\nnetworks: {a: }",
            "compose.yaml:2:33: service `web` has a `network_mode` and `networks`",
        ),
        (
            "services:\n  a: {image: i, depends_on: [b]}\n  b: {image: i, depends_on: [c]}\n  c: {image: i, depends_on: [a]}",
            "compose.yaml:4:30: services need each other in a circle (a → b → c → a)",
        ),
        (
            "services:\n  a: {image: i, depends_on: [a]}",
            "compose.yaml:2:30: services need each other in a circle (a → a)",
        ),
        (
            "services:\n  a: {image: i, mem_limit: 1m, deploy: {resources: {limits: {memory: 2m}}}}",
            "compose.yaml:2:28: service `a` has different values for `mem_limit`",
        ),
        (
            "services:\n  a: {image: i, container_name: x, scale: 2}",
            "compose.yaml:2:33: service `a` has a `container_name`, and more containers than one",
        ),
        (
            "services:\n  a: {image: i, volumes: [/x], tmpfs: [/x]}",
            "compose.yaml:2:27: service `a` mounts something else at /x already, in `tmpfs[0]`",
        ),
        (
            "services: {a: {image: i}}\nsecrets:\n  s: {file: a, environment: B}",
            "compose.yaml:3:6: the secret `s` comes from more than one place",
        ),
        (
            "services: {a: {image: i}}\nsecrets:\n  s: {name: x}",
            "compose.yaml:3:6: the secret `s` comes from nowhere (it has one of `file` or `environment`)",
        ),
        (
            "services: {a: {image: i}}\nvolumes:\n  v: {external: true, driver: local}",
            "compose.yaml:3:6: the volume `v` is external, and has settings",
        ),
        (
            "services:\n  a: {build: {dockerfile: D, dockerfile_inline: FROM x}}",
            "compose.yaml:2:49: service `a` has a `dockerfile` and a `dockerfile_inline`",
        ),
        (
            "services:\n  a: {image: i, depends_on: {b: {required: true}}}\n  b: {image: i}",
            "compose.yaml:2:33: `services.a.depends_on.b` has no `condition`",
        ),
        // Other files
        (
            "services:\n  a: {image: i, env_file: none.env}",
            "compose.yaml:2:27: there is no file [dir]/none.env (make it, or write `required: false`",
        ),
        (
            "services:\n  a: {extends: {service: b, file: none.yaml}}",
            "compose.yaml:2:35: there is no file [dir]/none.yaml",
        ),
        (
            "services:\n  a: {extends: zz}\n  b: {image: i}",
            "compose.yaml:2:16: compose.yaml has no service `zz` (its services: a, b)",
        ),
        (
            "services:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}",
            "compose.yaml:4:16: services extend each other in a circle (a → b → c → a)",
        ),
        (
            "include: [none.yaml]\nservices: {a: {image: i}}",
            "compose.yaml:1:11: there is no file [dir]/none.yaml",
        ),
        (
            "include: [compose.yaml]\nservices: {a: {image: i}}",
            "compose.yaml:1:11: files include each other in a circle ([dir]/compose.yaml → [dir]/compose.yaml)",
        ),
    ];
    let mut wrong = Vec::new();
    for (text, wanted) in cases {
        let folder = Folder::new(&[("compose.yaml", text)]);
        let error = match folder.load() {
            Ok(project) => project.to_yaml(),
            Err(error) => told(&error).replace(&folder.dir().display().to_string(), "[dir]"),
        };
        if !error.starts_with(wanted) {
            wrong.push(format!("{text}\n  wanted {wanted}\n  got    {error}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn errors_in_other_files_name_them() {
    let folder = Folder::new(&[
        (
            "compose.yaml",
            "include: [sub/a.yaml]\nservices: {web: {image: i, env_file: a.env}}",
        ),
        ("a.env", "A=1\nB B=2\n"),
        ("sub/a.yaml", "services:\n  db: {image: i, port: [80]}"),
    ]);
    let error = folder.load().expect_err("port");
    assert!(
        told(&error).starts_with("sub/a.yaml:2:18: a service has no key `port`"),
        "{}",
        told(&error)
    );
    folder.write("sub/a.yaml", "services: {web: {image: j}}");
    let error = folder.load().expect_err("two");
    assert!(
        told(&error).starts_with(
            "compose.yaml:2:12: an included file has a service `web`, too (it is at sub/a.yaml:1:12"
        ),
        "{}",
        told(&error)
    );
    folder.write("sub/a.yaml", "services: {db: {image: j}}");
    let error = folder.load().expect_err("a.env");
    assert!(
        told(&error).starts_with("a.env:2:1: `B B` is no name of a variable"),
        "{}",
        told(&error)
    );
}

#[test]
fn a_folder_without_a_file() {
    let folder = Folder::new(&[("other.yaml", "")]);
    let error = folder.load().expect_err("no file");
    assert!(
        told(&error).starts_with("there is no Compose file in "),
        "{}",
        told(&error)
    );
}

#[test]
fn what_has_no_effect_is_told_with_its_place() {
    let folder = Folder::new(&[(
        "compose.yaml",
        "version: '3.8'\nservices:\n  web:\n    image: i\n    user: web\n    isolation: hyperv\n    \
         tty: yes\n    volumes:\n    - {type: npipe, source: a, target: /a}\n    - /x\n    - y:/x\nvolumes: {y: }\n",
    )]);
    let project = folder
        .load()
        .unwrap_or_else(|error| panic!("{}", told(&error)));
    let told = |problems: &[super::super::Problem]| {
        let lines = problems
            .iter()
            .map(|problem| format!("{} {}", problem.place, problem.message));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(
        told(&project.warnings),
        [
            "compose.yaml:7:10 `yes` is a text in YAML 1.2, and taken for true",
            "compose.yaml:11:7 `services.web.volumes` has this twice, and the last one counts",
            "compose.yaml:1:1 `version` has no effect",
        ]
    );
    assert_eq!(
        told(&project.refused),
        [
            "compose.yaml:6:5 `isolation` is not supported",
            "compose.yaml:9:14 `npipe` is not supported here",
        ]
    );
}
