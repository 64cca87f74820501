//! The planner, by what its plans print.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::observed::{
    ContainerState, ImageFacts, Observed, ObservedContainer, ObservedImage, PublishedPort,
    TakenPort,
};
use super::{Wanted, WantedService, container_inputs, plan};
use crate::app::{
    ByteSize, ContainerSpec, Fields, ImageBuild, ImageSource, Mount, MountSource, Name,
    PortMapping, Protocol,
};
use crate::secrets::{Redactor, Secret};

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// A service that is built, and publishes a port.
fn web() -> WantedService {
    let build = ImageBuild {
        context: "/shop".into(),
        dockerfile_path: "Dockerfile".into(),
        dockerfile: Some("FROM base\n".into()),
        args: BTreeMap::new(),
        labels: BTreeMap::new(),
        target: None,
        platform: None,
        cache_from: Vec::new(),
        no_cache: false,
        generated: BTreeMap::new(),
    };
    WantedService {
        name: name("web"),
        build_inputs: super::build_inputs(&build, "c1", &Redactor::default()),
        image: ImageSource::Build(Box::new(build)),
        bases: vec!["base".into()],
        container: ContainerSpec {
            ports: vec![PortMapping {
                container_port: 80,
                protocol: Protocol::Tcp,
                host_port: Some(8080),
                host_address: None,
            }],
            ..Default::default()
        },
        build_plugins: Vec::new(),
        run_plugins: Vec::new(),
        post_build_plugins: Vec::new(),
        health_plugins: Vec::new(),
        post_run_plugins: Vec::new(),
        pre_stop_plugins: Vec::new(),
    }
}

fn wanted(service: WantedService) -> Wanted {
    Wanted {
        redactor: Redactor::default(),
        app: name("shop"),
        release: "r2".into(),
        rebuild: false,
        remove_orphans: false,
        services: vec![service],
    }
}

fn image(service: &WantedService) -> ObservedImage {
    ObservedImage {
        id: "sha256:1".into(),
        service: Some(service.name.clone()),
        fingerprint: service.build_inputs.fingerprint(),
        inputs: service.build_inputs.clone(),
        bases: [("base".to_owned(), "sha256:b".to_owned())].into(),
        tags: Vec::new(),
        created: 1,
        size: 0,
    }
}

fn container(service: &WantedService) -> ObservedContainer {
    let inputs = container_inputs(&service.container, &Redactor::default());
    ObservedContainer {
        id: "c1".into(),
        name: "shop-web-r1".into(),
        service: Some(service.name.clone()),
        release: "r1".into(),
        fingerprint: inputs.fingerprint(),
        inputs,
        image_id: "sha256:1".into(),
        state: ContainerState::Running,
        ports: Vec::new(),
        created: 1,
        status: "Up".into(),
    }
}

/// What the daemon has after `service` was deployed.
fn deployed(service: &WantedService) -> Observed {
    Observed {
        containers: vec![container(service)],
        images: vec![image(service)],
        ..Default::default()
    }
}

fn planned(service: WantedService, observed: &Observed) -> String {
    plan(&wanted(service), observed).to_string()
}

#[test]
fn a_first_deploy_builds_and_starts() {
    assert_snapshot!(planned(web(), &Observed::default()), @r"
    build web (no image yet)
    create web shop-web-r2 (no container yet)
    start web
    health web
    commit web shop-web-r2
    ");
}

#[test]
fn what_did_not_change_is_left_alone() {
    assert_snapshot!(planned(web(), &deployed(&web())), @"");
}

#[test]
fn a_changed_limit_replaces_the_container_alone() {
    let mut service = web();
    service.container.memory = Some(ByteSize::mib(64));
    assert_snapshot!(planned(service, &deployed(&web())), @r"
    create web shop-web-r2 (changed: memory)
    stop web shop-web-r1 (replaced)
    start web
    health web
    commit web shop-web-r2
    remove web shop-web-r1 (replaced)
    ");
}

#[test]
fn a_changed_context_builds_and_replaces() {
    let mut service = web();
    service.build_inputs.set("context", "c2".into());
    assert_snapshot!(planned(service, &deployed(&web())), @r"
    build web (changed: context)
    create web shop-web-r2 (new image)
    stop web shop-web-r1 (replaced)
    start web
    health web
    commit web shop-web-r2
    remove web shop-web-r1 (replaced)
    ");
}

#[test]
fn an_image_that_was_built_before_is_taken_again() {
    // Back to what ran before the last deploy.
    let mut observed = deployed(&web());
    observed.containers[0].image_id = "sha256:2".into();
    assert_snapshot!(planned(web(), &observed), @r"
    create web shop-web-r2 (new image)
    stop web shop-web-r1 (replaced)
    start web
    health web
    commit web shop-web-r2
    remove web shop-web-r1 (replaced)
    ");
}

#[test]
fn a_changed_base_image_builds() {
    let mut observed = deployed(&web());
    let facts = |id: &str| ImageFacts {
        id: id.into(),
        ..Default::default()
    };
    observed.references.insert("base".into(), facts("sha256:b"));
    assert_snapshot!(planned(web(), &observed), @"");
    observed
        .references
        .insert("base".into(), facts("sha256:other"));
    let plan = planned(web(), &observed);
    assert_eq!(
        plan.lines().next(),
        Some("build web (base image base changed)")
    );
}

#[test]
fn asking_for_it_builds_and_replaces() {
    let mut wanted = wanted(web());
    wanted.rebuild = true;
    assert_snapshot!(plan(&wanted, &deployed(&web())), @r"
    build web (asked for)
    create web shop-web-r2 (asked for)
    stop web shop-web-r1 (replaced)
    start web
    health web
    commit web shop-web-r2
    remove web shop-web-r1 (replaced)
    ");
}

#[test]
fn without_a_port_or_volume_of_its_own_the_new_one_starts_first() {
    let mut service = web();
    service.container.ports.clear();
    let observed = deployed(&service);
    service.container.hostname = Some("other".into());
    assert_snapshot!(planned(service.clone(), &observed), @r"
    create web shop-web-r2 (changed: hostname)
    start web
    health web
    commit web shop-web-r2
    stop web shop-web-r1 (replaced)
    remove web shop-web-r1 (replaced)
    ");
    service.container.mounts.push(Mount {
        source: MountSource::Volume("data".into()),
        target: "/data".into(),
        read_only: false,
    });
    let plan = planned(service, &observed);
    let position = |what: &str| plan.lines().position(|line| line.starts_with(what));
    assert!(position("stop") < position("start"), "{plan}");
}

#[test]
fn a_stopped_container_is_started() {
    let mut observed = deployed(&web());
    observed.containers[0].state = ContainerState::Exited;
    assert_snapshot!(planned(web(), &observed), @r"
    start web shop-web-r1 (not running)
    health web
    ");
}

#[test]
fn what_an_unfinished_deploy_left_is_cleared() {
    let mut observed = deployed(&web());
    let candidate = ObservedContainer {
        id: "c2".into(),
        name: "shop-web-r9.candidate".into(),
        created: 2,
        ..container(&web())
    };
    observed.containers.push(candidate);
    assert_snapshot!(planned(web(), &observed), @"remove web shop-web-r9.candidate (left by an unfinished deploy)");
    // Killed after the old one was stopped: the candidate goes before the old one starts.
    observed.containers[0].state = ContainerState::Exited;
    assert_snapshot!(planned(web(), &observed), @r"
    remove web shop-web-r9.candidate (left by an unfinished deploy)
    start web shop-web-r1 (not running)
    health web
    ");
}

#[test]
fn a_candidate_is_never_taken_for_proven() {
    let mut observed = deployed(&web());
    observed.containers[0].name = "shop-web-r1.candidate".into();
    assert_snapshot!(planned(web(), &observed), @r"
    create web shop-web-r2 (no container yet)
    remove web shop-web-r1.candidate (left by an unfinished deploy)
    start web
    health web
    commit web shop-web-r2
    ");
}

#[test]
fn containers_of_services_that_are_gone_are_told_or_removed() {
    let mut observed = deployed(&web());
    let orphan = ObservedContainer {
        id: "c3".into(),
        name: "shop-old-r1".into(),
        service: Some(name("old")),
        ..container(&web())
    };
    observed.containers.push(orphan);
    let mut wanted = wanted(web());
    let told = plan(&wanted, &observed);
    assert!(told.is_empty());
    assert_eq!(told.orphans, ["shop-old-r1"]);
    wanted.remove_orphans = true;
    assert_snapshot!(plan(&wanted, &observed), @"remove shop-old-r1 (its service is not in the app any more)");
}

#[test]
fn an_image_by_name_is_pulled_once() {
    let mut service = web();
    service.image = ImageSource::Image("nginx:1".into());
    service.build_inputs = Fields::default();
    assert_snapshot!(planned(service.clone(), &Observed::default()), @r"
    pull web nginx:1 (no image yet)
    create web shop-web-r2 (no container yet)
    start web
    health web
    commit web shop-web-r2
    ");
    let mut observed = deployed(&service);
    let facts = ImageFacts {
        id: "sha256:1".into(),
        ..Default::default()
    };
    observed.references.insert("nginx:1".into(), facts);
    assert_snapshot!(planned(service, &observed), @"");
}

#[test]
fn plugins_are_named_with_what_they_changed() {
    let mut service = web();
    service.build_plugins = vec!["go-static".into()];
    service.run_plugins = vec!["harden".into(), "labels".into()];
    service.health_plugins = vec!["http-check".into()];
    service.post_build_plugins = vec!["policy".into()];
    service.post_run_plugins = vec!["http-check".into()];
    assert_snapshot!(planned(service, &Observed::default()), @r"
    build web (no image yet) by go-static
    post-build web by policy
    create web shop-web-r2 (no container yet) by harden, labels
    start web
    health web by http-check
    post-run web by http-check
    commit web shop-web-r2
    ");
}

#[test]
fn secrets_are_sealed_in_what_goes_into_labels() {
    let redactor = |value: &str| Redactor::new(&[Secret::new(value.to_owned())]);
    let inputs = |token: &str| {
        let spec = ContainerSpec {
            env: [("TOKEN".to_owned(), format!("Bearer {token}"))].into(),
            ..Default::default()
        };
        container_inputs(&spec, &redactor(token))
    };
    let (old, same, new) = (inputs("hunter2"), inputs("hunter2"), inputs("hunter3"));
    assert_eq!(old, same, "the same secret is no change");
    let changed: Vec<_> = old.differences(&new).collect();
    let [("env.TOKEN", Some(before), Some(after))] = changed[..] else {
        panic!("{changed:?}");
    };
    for sealed in [before, after] {
        assert!(sealed.starts_with("Bearer *** (sha256:"), "{sealed}");
        assert!(!sealed.contains("hunter"), "{sealed}");
    }
    assert_ne!(old.fingerprint(), new.fingerprint());
}

#[test]
fn an_image_that_is_there_is_judged_before_a_container_is_made_from_it() {
    let mut service = web();
    service.post_build_plugins = vec!["policy".into()];
    service.pre_stop_plugins = vec!["drain".into()];
    let mut observed = deployed(&service);
    assert_snapshot!(planned(service.clone(), &observed), @"");
    observed.containers.clear();
    assert_snapshot!(planned(service.clone(), &observed), @r"
    post-build web by policy
    create web shop-web-r2 (no container yet)
    start web
    health web
    commit web shop-web-r2
    ");
    let observed = deployed(&service);
    service.container.hostname = Some("other".into());
    assert_snapshot!(planned(service, &observed), @r"
    post-build web by policy
    create web shop-web-r2 (changed: hostname)
    stop web shop-web-r1 (replaced) by drain
    start web
    health web
    commit web shop-web-r2
    remove web shop-web-r1 (replaced)
    ");
}

#[test]
fn a_port_that_another_app_holds_is_told_before_anything_is_done() {
    let service = web();
    let taken = |address: &str, protocol| Observed {
        taken_ports: vec![TakenPort {
            port: PublishedPort {
                container_port: 80,
                protocol,
                host_address: address.into(),
                host_port: 8080,
            },
            holder: "other-web".into(),
        }],
        ..Default::default()
    };
    let conflicts = |service: &WantedService, observed: &Observed| {
        let plan = plan(&wanted(service.clone()), observed);
        plan.conflicts
            .iter()
            .map(|conflict| format!("{} {}", conflict.port, conflict.holder))
            .collect::<Vec<_>>()
    };
    let everywhere = taken("0.0.0.0", Protocol::Tcp);
    assert_eq!(conflicts(&service, &everywhere), ["8080 other-web"]);
    let one = taken("127.0.0.1", Protocol::Tcp);
    assert_eq!(conflicts(&service, &one), ["8080 other-web"]);
    assert!(conflicts(&service, &taken("0.0.0.0", Protocol::Udp)).is_empty());

    let mut local = service.clone();
    local.container.ports[0].host_address = Some("127.0.0.2".parse().expect("an address"));
    assert_eq!(conflicts(&local, &everywhere), ["8080 other-web"]);
    assert!(conflicts(&local, &one).is_empty());

    // What runs already has its port.
    let mut running = deployed(&service);
    running.taken_ports = everywhere.taken_ports;
    assert!(conflicts(&service, &running).is_empty());
}
