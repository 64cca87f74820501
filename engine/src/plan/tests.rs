//! The planner, by what its plans print.

mod images;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use insta::assert_snapshot;

mod edge;
mod rollout;

use super::observed::{
    ContainerState, ImageFacts, Observed, ObservedContainer, ObservedImage, ObservedNetwork,
    ObservedVolume, PublishedPort, TakenPort,
};
use super::{Conflict, OperationKind, Wanted, WantedService, container_inputs, plan};
use crate::app::{
    Attachment, ByteSize, Condition, ContainerSpec, Dependency, Fields, ImageBuild, ImageSource,
    Mount, MountOptions, MountSource, Name, Network, PortMapping, Protocol, PullPolicy, Volume,
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
        pull: false,
        inline_cache: false,
        run: crate::app::BuildRun::default(),
        tags: Vec::new(),
        contexts: BTreeMap::new(),
        generated: BTreeMap::new(),
    };
    WantedService {
        image_id: None,
        name: name("web"),
        build_inputs: super::build_inputs(&build, "c1", &Redactor::default()),
        image: ImageSource::Build(Box::new(build)),
        bases: vec!["base".into()],
        container: ContainerSpec {
            ports: vec![PortMapping {
                container_port: 80,
                host_port: Some(8080),
                ..PortMapping::default()
            }],
            ..Default::default()
        },
        replicas: 1,
        container_name: None,
        pull: PullPolicy::default(),
        edge: None,
        strategy: None,
        batches: None,
        depends_on: IndexMap::new(),
        shares_with: Vec::new(),
        builds_on: Vec::new(),
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
        unwell: Default::default(),
        services: vec![service],
        networks: IndexMap::new(),
        volumes: IndexMap::new(),
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
        replica: 1,
        exit_code: None,
        release: "r1".into(),
        fingerprint: inputs.fingerprint(),
        inputs,
        image_id: "sha256:1".into(),
        state: ContainerState::Running,
        ports: Vec::new(),
        edge_target: None,
        routed: false,
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
        options: MountOptions::default(),
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
    // The daemon may be stopping the old one still, though it says that it runs.
    assert_snapshot!(planned(web(), &observed), @r"
    create web shop-web-r2 (left by an unfinished deploy)
    remove web shop-web-r9.candidate (left by an unfinished deploy)
    stop web shop-web-r1 (replaced)
    start web
    health web
    commit web shop-web-r2
    remove web shop-web-r1 (replaced)
    ");
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
            .map(|conflict| match conflict {
                Conflict::Port { port, holder, .. } => format!("{port} {holder}"),
                other => other.to_string(),
            })
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

/// A service that is there by an image, and publishes nothing.
fn plain(text: &str) -> WantedService {
    WantedService {
        name: name(text),
        image: ImageSource::Image("app:1".into()),
        build_inputs: Fields::default(),
        bases: Vec::new(),
        container: ContainerSpec::default(),
        ..web()
    }
}

fn waits(service: &mut WantedService, on: &str, condition: Condition) {
    let dependency = Dependency {
        condition,
        restart: false,
        required: true,
    };
    service.depends_on.insert(name(on), dependency);
}

fn app(services: Vec<WantedService>) -> Wanted {
    Wanted {
        services,
        ..wanted(web())
    }
}

/// What the daemon has after these services were deployed.
fn there(services: &[&WantedService]) -> Observed {
    let containers = services.iter().flat_map(|service| {
        (1..=service.replicas).map(|replica| ObservedContainer {
            id: format!("{}{replica}", service.name),
            name: format!("shop-{}-r1", service.name),
            replica,
            ..container(service)
        })
    });
    let facts = ImageFacts {
        id: "sha256:1".into(),
        ..Default::default()
    };
    Observed {
        containers: containers.collect(),
        references: [("app:1".to_owned(), facts)].into(),
        ..Default::default()
    }
}

/// Each operation with those that it waits for.
fn with_order(wanted: &Wanted, observed: &Observed) -> String {
    let plan = plan(wanted, observed);
    let lines = plan.operations.iter().enumerate();
    lines
        .map(|(step, operation)| format!("{step} {operation} <- {:?}\n", operation.after))
        .collect()
}

#[test]
fn services_wait_for_those_that_they_depend_on() {
    let (mut api, mut front, job) = (plain("api"), plain("front"), plain("job"));
    waits(&mut api, "db", Condition::Healthy);
    waits(&mut api, "job", Condition::Completed);
    waits(&mut front, "api", Condition::Started);
    let mut wanted = app(vec![front, api, plain("db"), job]);
    wanted.services[0].container.networks = [("back".to_owned(), Attachment::default())].into();
    wanted.networks.insert(
        "back".into(),
        Network {
            name: "shop_back".into(),
            ..Network::default()
        },
    );
    assert_snapshot!(with_order(&wanted, &there(&[])), @r"
    0 network shop_back (not there yet) <- []
    1 create db shop-db-r2 (no container yet) <- []
    2 start db <- [1]
    3 health db <- [2]
    4 create job shop-job-r2 (no container yet) <- []
    5 start job <- [4]
    6 complete job <- [5]
    7 create api shop-api-r2 (no container yet) <- []
    8 start api <- [3, 6, 7]
    9 health api <- [8]
    10 create front shop-front-r2 (no container yet) <- [0]
    11 start front <- [8, 10]
    12 health front <- [11]
    13 commit db shop-db-r2 <- [3, 6, 9, 12]
    14 commit job shop-job-r2 <- [3, 6, 9, 12]
    15 commit api shop-api-r2 <- [3, 6, 9, 12]
    16 commit front shop-front-r2 <- [3, 6, 9, 12]
    ");
}

#[test]
fn new_containers_take_over_only_when_all_are_well() {
    let services = [plain("api"), plain("front")];
    let observed = there(&[&services[0], &services[1]]);
    let mut wanted = app(services.to_vec());
    for service in &mut wanted.services {
        service.container.hostname = Some("other".into());
    }
    assert_snapshot!(with_order(&wanted, &observed), @r"
    0 create api shop-api-r2 (changed: hostname) <- []
    1 start api <- [0]
    2 health api <- [1]
    3 create front shop-front-r2 (changed: hostname) <- []
    4 start front <- [3]
    5 health front <- [4]
    6 commit api shop-api-r2 <- [2, 5]
    7 stop api shop-api-r1 (replaced) <- [6]
    8 remove api shop-api-r1 (replaced) <- [7]
    9 commit front shop-front-r2 <- [2, 5]
    10 stop front shop-front-r1 (replaced) <- [9]
    11 remove front shop-front-r1 (replaced) <- [10]
    ");
}

#[test]
fn replicas_are_added_taken_away_and_replaced_one_after_the_other() {
    let mut service = plain("api");
    service.replicas = 2;
    let two = there(&[&service]);
    service.replicas = 3;
    assert_snapshot!(plan(&app(vec![service.clone()]), &two), @r"
    create api #3 shop-api-r2-3 (no container yet)
    start api #3
    health api #3
    commit api #3 shop-api-r2-3
    ");
    service.replicas = 1;
    assert_snapshot!(plan(&app(vec![service.clone()]), &two), @r"
    stop api #2 shop-api-r1 (fewer containers)
    remove api #2 shop-api-r1 (fewer containers)
    ");
    // What can't run beside the old ones stops them by and by.
    service.replicas = 2;
    service.container.mounts.push(Mount {
        source: MountSource::Volume("shop_data".into()),
        target: "/data".into(),
        read_only: false,
        options: MountOptions::default(),
    });
    assert_snapshot!(with_order(&app(vec![service]), &two), @r"
    0 create api shop-api-r2-1 (changed: mounts) <- []
    1 stop api shop-api-r1 (replaced) <- [0]
    2 start api <- [0, 1]
    3 health api <- [2]
    4 create api #2 shop-api-r2-2 (changed: mounts) <- []
    5 stop api #2 shop-api-r1 (replaced) <- [3, 4]
    6 start api #2 <- [4, 5]
    7 health api #2 <- [6]
    8 commit api shop-api-r2-1 <- [3, 7]
    9 remove api shop-api-r1 (replaced) <- [8]
    10 commit api #2 shop-api-r2-2 <- [3, 7]
    11 remove api #2 shop-api-r1 (replaced) <- [10]
    ");
}

#[test]
fn a_network_that_changed_is_made_anew_with_all_that_is_in_it() {
    let mut service = plain("api");
    service.container.networks = [("back".to_owned(), Attachment::default())].into();
    let mut observed = there(&[&service]);
    let network = Network {
        name: "shop_back".into(),
        ..Network::default()
    };
    let there = ObservedNetwork {
        id: "n1".into(),
        name: "shop_back".into(),
        app: Some(name("shop")),
        inputs: super::network_inputs(&network),
    };
    observed.networks.push(there);
    let mut wanted = app(vec![service]);
    wanted.networks.insert("back".into(), network.clone());
    assert_snapshot!(plan(&wanted, &observed), @"");
    wanted.networks["back"].internal = true;
    assert_snapshot!(with_order(&wanted, &observed), @r"
    0 stop api shop-api-r1 (replaced) <- []
    1 remove network shop_back (changed: internal) <- [0]
    2 network shop_back (changed: internal) <- [1]
    3 create api shop-api-r2 (network back changed) <- [2]
    4 start api <- [0, 3]
    5 health api <- [4]
    6 commit api shop-api-r2 <- [5]
    7 remove api shop-api-r1 (replaced) <- [6]
    ");
    // Another's, and one that is not there.
    observed.networks[0].app = None;
    wanted.networks.insert("back".into(), network);
    let conflict = |wanted: &Wanted| plan(wanted, &observed).conflicts[0].to_string();
    assert_eq!(
        conflict(&wanted),
        "there is a network shop_back that is not this app's"
    );
    let outside = &mut wanted.networks["back"];
    outside.external = true;
    outside.name = "outside".into();
    assert_eq!(conflict(&wanted), "there is no network outside");
}

#[test]
fn a_volume_is_made_once_and_never_made_anew() {
    let mut service = plain("db");
    service.container.mounts.push(Mount {
        source: MountSource::Volume("shop_data".into()),
        target: "/data".into(),
        read_only: false,
        options: MountOptions::default(),
    });
    let volume = Volume {
        name: "shop_data".into(),
        ..Volume::default()
    };
    let mut observed = there(&[&service]);
    let mut wanted = app(vec![service]);
    wanted.volumes.insert("data".into(), volume.clone());
    assert_snapshot!(plan(&wanted, &observed), @"volume shop_data (not there yet)");
    observed.volumes.push(ObservedVolume {
        name: "shop_data".into(),
        app: Some(name("shop")),
        inputs: super::volume_inputs(&volume),
    });
    assert_snapshot!(plan(&wanted, &observed), @"");
    wanted.volumes["data"].driver = Some("other".into());
    let plan = plan(&wanted, &observed);
    assert!(plan.is_empty(), "{plan}");
    assert!(plan.warnings[0].contains("is kept as it is"), "{plan:?}");
}

#[test]
fn what_shares_a_namespace_or_asks_for_it_follows_what_is_replaced() {
    let (mut side, mut asks) = (plain("side"), plain("asks"));
    side.shares_with = vec![name("api")];
    waits(&mut asks, "api", Condition::Started);
    asks.depends_on[&name("api")].restart = true;
    let api = plain("api");
    let observed = there(&[&api, &side, &asks]);
    let mut wanted = app(vec![side, asks, api]);
    assert!(plan(&wanted, &observed).is_empty());
    wanted.services[2].container.hostname = Some("other".into());
    let plan = plan(&wanted, &observed);
    // Podman removes nothing that others share.
    let removed = |service: &str| {
        let mut steps = (0..).zip(&plan.operations);
        let is = |kind: &OperationKind| matches!(kind, OperationKind::Remove { .. });
        steps.find(|(_, step)| is(&step.kind) && step.service == Some(name(service)))
    };
    let (side, api) = (removed("side"), removed("api"));
    let (side, api) = (side.expect("a step").0, api.expect("a step").1);
    assert!(api.after.contains(&side), "{api:?}");
    assert_snapshot!(plan, @r"
    create api shop-api-r2 (changed: hostname)
    start api
    health api
    create side shop-side-r2 (api is replaced)
    start side
    health side
    commit side shop-side-r2
    stop side shop-side-r1 (replaced)
    remove side shop-side-r1 (replaced)
    commit api shop-api-r2
    stop api shop-api-r1 (replaced)
    remove api shop-api-r1 (replaced)
    restart asks shop-asks-r1 (api is replaced)
    await asks shop-asks-r1
    ");
}

#[test]
fn a_job_that_ended_well_is_not_done_again() {
    let (job, mut api) = (plain("job"), plain("api"));
    waits(&mut api, "job", Condition::Completed);
    let mut observed = there(&[&job, &api]);
    observed.containers[0].state = ContainerState::Exited;
    observed.containers[0].exit_code = Some(0);
    let wanted = app(vec![api, job]);
    assert_snapshot!(plan(&wanted, &observed), @"");
    observed.containers[0].exit_code = Some(1);
    assert_snapshot!(plan(&wanted, &observed), @r"
    start job shop-job-r1 (not running)
    complete job
    ");
}

#[test]
fn a_fixed_name_goes_from_the_old_container_to_the_new_one() {
    let mut service = plain("api");
    service.container_name = Some("the-api".into());
    let mut observed = there(&[&service]);
    observed.containers[0].name = "the-api".into();
    assert_snapshot!(plan(&app(vec![service.clone()]), &observed), @"");
    service.container.hostname = Some("other".into());
    assert_snapshot!(plan(&app(vec![service.clone()]), &observed), @r"
    create api the-api (changed: hostname)
    start api
    health api
    rename api the-api (replaced)
    commit api the-api
    stop api the-api (replaced)
    remove api the-api (replaced)
    ");
    // Killed between the two: the name is given back.
    service.container.hostname = None;
    observed.containers[0].name = "the-api.old".into();
    assert_snapshot!(plan(&app(vec![service]), &observed), @"rename api the-api.old (left by an unfinished deploy)");
}
