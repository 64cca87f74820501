//! What a service uses of others: contexts of builds, volumes, links; and how old an image may be.

use std::time::Duration;

use super::{Folder, told};
use crate::app::{App, NamedContext, Protocol, PullPolicy, VolumesOwner};

fn converted(text: &str) -> Result<App, String> {
    let folder = Folder::new(&[("compose.yaml", text), ("Dockerfile", "FROM b\n")]);
    let app = folder.load().and_then(|project| project.to_app());
    app.map_err(|error| told(&error))
}

fn app(text: &str) -> App {
    converted(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn contexts_are_folders_images_and_services() {
    let app = app(
        "services:\n  web:\n    build:\n      context: .\n      additional_contexts:\n        \
                   - files=./x\n        - b=docker-image://busybox:1\n        - lib=service:lib\n  \
                   lib: {build: .}\n",
    );
    let build = app.services["web"].image.build().expect("a build");
    let shown: Vec<_> = build
        .contexts
        .iter()
        .map(|(name, context)| match context {
            NamedContext::Folder(path) => {
                format!(
                    "{name} folder {}",
                    path.file_name().expect("a name").display()
                )
            }
            other => format!("{name} {other}"),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "b docker-image://busybox:1",
            "files folder x",
            "lib service:lib"
        ]
    );
}

#[test]
fn what_can_not_be_a_context_is_told_with_its_place() {
    let cases = [
        (
            "services:\n  a: {build: {context: ., additional_contexts: {x: 'https://example.com/x.git'}}}",
            "compose.yaml:2:52: service `a` names files that are fetched from elsewhere (",
        ),
        (
            "services:\n  a: {build: {context: ., additional_contexts: {x: 'oci-layout://x'}}}",
            "compose.yaml:2:52: service `a` names files that are fetched from elsewhere (",
        ),
        (
            "services:\n  a: {build: {context: ., pull: true, additional_contexts: {x: ./x}}}",
            "compose.yaml:2:33: service `a` fetches each image that it builds on",
        ),
        (
            "services:\n  a: {build: {context: ., additional_contexts: {x: 'service:b'}}}\n  b: {image: i}",
            "compose.yaml:2:52: service `a` builds on `b`, which is not built",
        ),
        (
            "services:\n  a: {build: {context: ., additional_contexts: {x: 'service:b'}}}\n  \
             b: {build: {context: ., additional_contexts: {y: 'service:a'}}}",
            "compose.yaml:3:52: images are built from each other in a circle (a → b → a)",
        ),
        (
            "services:\n  a: {image: i, volumes_from: ['b:rx']}\n  b: {image: i}",
            "compose.yaml:2:32: ",
        ),
        (
            "services:\n  a: {image: i, volumes_from: [c]}",
            "compose.yaml:2:6: service `a` has no service `c` to use",
        ),
        (
            "services:\n  a: {image: i, network_mode: none, external_links: [c]}",
            "compose.yaml:2:53: service `a` is in no network that could have links",
        ),
    ];
    for (text, wanted) in cases {
        let error = converted(text).map(|app| app.name).expect_err(text);
        assert!(
            error.starts_with(wanted),
            "{text}\n  wanted {wanted}\n  got    {error}"
        );
    }
}

#[test]
fn volumes_and_links_of_other_containers() {
    let app = app(
        "services:\n  web: {image: i, volumes_from: ['db:ro', 'container:other'], \
                   external_links: [cache, 'x_1:x'], networks: [a, b]}\n  db: {image: i}\n\
                   networks: {a: {}, b: {}}\n",
    );
    let web = &app.services["web"];
    let shown: Vec<_> = web
        .container
        .volumes_from
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shown, ["db:ro", "container:other"]);
    assert_eq!(web.shares_with().collect::<Vec<_>>(), ["db"]);
    assert!(web.depends_on.contains_key("db"));
    assert_eq!(
        web.container.volumes_from[1].owner,
        VolumesOwner::Container("other".into())
    );
    for network in ["a", "b"] {
        let links = &web.container.networks[network].links;
        assert_eq!(*links, ["cache:cache", "x_1:x"]);
    }
}

#[test]
fn an_image_may_be_so_old() {
    let policy = |text: &str| {
        let app = app(&format!(
            "services: {{a: {{image: i, pull_policy: {text}}}}}"
        ));
        app.services["a"].pull
    };
    let hours = |hours| PullPolicy::Every(Duration::from_hours(hours));
    assert_eq!(policy("daily"), hours(24));
    assert_eq!(policy("weekly"), hours(24 * 7));
    assert_eq!(policy("every_1d12h"), hours(36));
    assert_eq!(policy("never"), PullPolicy::Never);
}

#[test]
fn ports_may_be_those_of_sctp() {
    let app = app("services: {a: {image: i, ports: ['9000:90/sctp'], expose: ['91/sctp']}}");
    let container = &app.services["a"].container;
    assert_eq!(container.ports[0].protocol, Protocol::Sctp);
    assert_eq!(container.ports[0].to_string(), "9000:90/sctp");
    assert_eq!(container.expose, [(91, Protocol::Sctp)]);
}

#[test]
fn a_service_may_run_what_another_builds() {
    let app = app("services:\n  a: {image: 'docker.io/library/shop'}\n  \
                   b: {image: 'shop:latest', build: .}\n  c: {image: 'shop:2'}\n");
    let builder = |service: &str| {
        let reference = app.services[service].image.reference()?;
        app.builder_of(reference).map(|name| name.as_str())
    };
    assert_eq!(builder("a"), Some("b"));
    assert_eq!(builder("b"), None);
    assert_eq!(builder("c"), None);
}
