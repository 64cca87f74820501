//! What one service uses of another, and of what is not the app's: images, files, volumes, names.

use rengine_tests::compose::App;
use rengine_tests::docker;

const CONTEXTS: &str = r#"
services:
  base:
    build: ./base
    command: sleep 100000
    stop_grace_period: 0s
  web:
    build:
      context: .
      additional_contexts:
        shared: ./shared
        base: service:base
        unused: service:base
        docker.io/library/tools: docker-image://rengine/busybox:local
      dockerfile_inline: |
        ARG ON=base
        FROM tools AS made
        RUN --mount=from=shared,target=/s cat /s/page.html > /made
        FROM $$ON
        COPY --from=shared . /shared/
        COPY --from=made \
          /made /www/index.html
        CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
    ports: ["PORT:8080"]
    stop_grace_period: 0s
"#;

fn with_contexts(name: &str, compose: &str) -> App {
    let app = App::new(name, compose);
    for folder in ["base", "shared/sub"] {
        std::fs::create_dir_all(app.0.path().join(folder)).expect("a folder");
    }
    app.0.write(
        "base/Dockerfile",
        "FROM rengine/busybox:local\nCOPY word /word\n",
    );
    app.0.write("base/word", "first");
    // What is in them is in no context but their own.
    app.0.write(".dockerignore", "base\nshared\n");
    app.0.write("shared/page.html", "one page");
    app.0.write("shared/sub/more", "");
    app.0.write("shared/key", "hidden");
    app.0.write("shared/.dockerignore", "key\n.dockerignore\n");
    app
}

#[test]
fn folders_images_and_services_are_contexts_of_builds() {
    let app = with_contexts("contexts", CONTEXTS);
    app.deployed();
    let page = || app.0.get().expect("an answer");
    let inside = |path: &str| app.done(&["exec", "-T", "web", "cat", path]).stdout;
    assert!(page().contains("one page"));
    assert_eq!(inside("/word"), "first");
    // As in any context, what is ignored is not there.
    let listed = app.done(&["exec", "-T", "web", "find", "/shared"]).stdout;
    let mut listed: Vec<_> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(
        listed,
        [
            "/shared",
            "/shared/page.html",
            "/shared/sub",
            "/shared/sub/more"
        ]
    );
    assert!(app.deployed().stderr.contains("nothing to do"));

    // What is ignored changes nothing; another file is another image, of this service alone.
    app.0.write("shared/key", "another");
    assert!(app.deployed().stderr.contains("nothing to do"));
    app.0.write("shared/page.html", "two pages");
    let plan = app.done(&["plan"]).stdout;
    assert!(plan.contains("contexts.shared"), "{plan}");
    app.deployed();
    assert!(page().contains("two pages"));

    // Another image of the other service is another one of this, built after it.
    let before = app.inspect("web")["Image"].clone();
    app.0.write("base/word", "second");
    app.deployed();
    assert_eq!(inside("/word"), "second");
    assert_ne!(app.inspect("web")["Image"], before);
    assert!(app.deployed().stderr.contains("nothing to do"));

    // The folders' images go with the others.
    let filter = format!("label=dev.rengine.app={}", app.0.app);
    app.done(&["down", "--images"]);
    assert_eq!(docker(&["images", "-q", "--filter", &filter]), "");
}

#[test]
fn the_classic_builder_has_contexts_too() {
    let plain = CONTEXTS.replace(
        "RUN --mount=from=shared,target=/s cat /s/page.html > /made",
        "COPY --from=shared page.html /made",
    );
    let app = with_contexts("classiccontexts", &plain);
    let deployed = app.deploy_classic();
    assert_eq!(deployed.code, 0, "{deployed:#?}");
    assert!(app.0.get().expect("an answer").contains("one page"));
}

#[test]
fn a_service_runs_the_image_that_another_builds() {
    let compose = r#"
services:
  worker:
    image: APP/api:1
    pull_policy: always
    command: sleep 100000
    stop_grace_period: 0s
  api:
    image: APP/api:1
    build: .
    command: sleep 100000
    stop_grace_period: 0s
"#;
    let app = App::new("oneimage", "services: {}");
    let image = format!("docker.io/{}/api", app.0.app);
    app.write(
        &compose
            .replacen("APP/api", &image, 1)
            .replace("APP", &app.0.app),
    );
    // There is nothing that it could be pulled from.
    let deployed = app.deployed();
    assert!(!deployed.stderr.contains("pull"), "{deployed:#?}");
    let same = || {
        let images = ["api", "worker"].map(|service| app.inspect(service)["Image"].clone());
        assert_eq!(images[0], images[1]);
        images[0].clone()
    };
    let first = same();
    assert!(app.deployed().stderr.contains("nothing to do"));
    app.0.write("index.html", "another");
    app.deployed();
    assert_ne!(same(), first);
    let page = app.done(&["run", "-T", "worker", "cat", "/www/index.html"]);
    assert_eq!(page.stdout, "another");
    // For one command alone it is built, too.
    app.done(&["down", "--images"]);
    let page = app.done(&["run", "-T", "worker", "cat", "/www/index.html"]);
    assert_eq!(page.stdout, "another");
    app.done(&["down", "--images"]);
}

#[test]
fn volumes_and_names_of_other_containers() {
    let app = App::new("others", "services: {}");
    let outside = format!("{}-outside", app.0.app);
    docker(&["network", "create", &outside]);
    let run = [
        "run",
        "-d",
        "--name",
        &outside,
        "--network",
        &outside,
        "-v",
        "/theirs",
        "rengine/busybox:local",
        "sh",
        "-c",
        "echo yours > /theirs/file; sleep 100000",
    ];
    docker(&run);
    app.write(
        &r#"
services:
  web:
    image: rengine/busybox:local
    command: sleep 100000
    stop_grace_period: 0s
    volumes_from: ["db:ro", "container:OUTSIDE"]
    external_links: ["OUTSIDE:friend"]
    networks: [out]
  db:
    image: rengine/busybox:local
    command: ["sh", "-c", "echo mine > /data/file; echo own > /own/file; sleep 100000 & wait"]
    stop_grace_period: 0s
    volumes: ["data:/data", "/own"]
    healthcheck: { test: "test -s /own/file", interval: 200ms, retries: 50 }
volumes: { data: {} }
networks: { out: { external: true, name: OUTSIDE } }
"#
        .replace("OUTSIDE", &outside),
    );
    let deployed = app.0.rengine(&["deploy"]);
    let said = |args: &[&str]| app.0.rengine(&[&["exec", "-T", "web"], args].concat());
    let files = said(&["cat", "/data/file", "/own/file", "/theirs/file"]);
    let written = said(&["sh", "-c", "echo x > /theirs/more && ! touch /data/more"]);
    let name = said(&["ping", "-c", "1", "friend"]);
    let again = app.0.rengine(&["deploy"]);
    // Who has another's volumes gets those of its new container.
    let compose = app.0.path().join("compose.yaml");
    let text = std::fs::read_to_string(&compose).expect("a file");
    std::fs::write(&compose, text.replace("echo own", "echo new")).expect("a file");
    let changed = app.0.rengine(&["deploy"]);
    let new = said(&["cat", "/own/file"]);
    app.0.rengine(&["down"]);
    docker(&["rm", "-f", "-v", &outside]);
    docker(&["network", "rm", &outside]);
    assert_eq!(deployed.code, 0, "{deployed:#?}");
    assert_eq!(files.stdout, "mine\nown\nyours\n", "{files:#?}");
    assert_eq!(written.code, 0, "{written:#?}");
    assert_eq!(name.code, 0, "{name:#?}");
    assert!(again.stderr.contains("nothing to do"), "{again:#?}");
    assert_eq!(changed.code, 0, "{changed:#?}");
    assert_eq!(new.stdout, "new\n", "{new:#?}");
}
