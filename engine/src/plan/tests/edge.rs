//! Plans of services whose ports the edge has.

use super::*;
use crate::edge::{Program, Routes};
use crate::plan::edge::{EdgePort, EdgeService, EdgeSlot};
use crate::plan::observed::ObservedEdge;
use crate::plan::{OperationKind, Plan};

/// The web service with its port at the edge.
pub(super) fn fronted() -> WantedService {
    let mut service = web();
    service.container.ports.clear();
    let network = ("default".to_owned(), Attachment::default());
    service.container.networks = [network].into();
    service.edge = Some(EdgeService {
        network: "default".into(),
        ports: vec![EdgePort {
            host_address: None,
            host_port: 8080,
            container_port: 80,
            protocol: None,
        }],
        check: None,
        certificates: BTreeMap::new(),
        hold: crate::edge::HOLD,
        trust: Vec::new(),
    });
    service
}

pub(super) fn app(service: WantedService) -> Wanted {
    let network = Network {
        name: "shop_default".into(),
        ..Network::default()
    };
    Wanted {
        networks: [("default".to_owned(), network)].into(),
        ..wanted(service)
    }
}

pub(super) fn planned(service: WantedService, observed: &Observed) -> Plan {
    plan(&app(service), observed)
}

pub(super) fn program(version: &str) -> Program {
    Program {
        version: version.into(),
        program: vec!["/rengine".into()],
    }
}

/// An edge that sends requests to these.
pub(super) fn edge(active: &[&str]) -> ObservedEdge {
    let targets = active.iter();
    let targets = targets.map(|host| serde_json::json!({"address": format!("{host}:80")}));
    let targets: Vec<_> = targets.collect();
    let routes = serde_json::json!({
        "listeners": [{"port": 8080, "mode": "auto", "service": "web:80"}],
        "services": {"web:80": {"targets": targets}},
    });
    ObservedEdge {
        id: "e1".into(),
        name: "shop-edge".into(),
        state: ContainerState::Running,
        program: program(crate::edge::VERSION),
        slots: vec![EdgeSlot {
            host_address: None,
            host_port: 8080,
            listen: 8080,
        }],
        networks: vec!["shop_default".into()],
        routes: Some(Routes::parse(routes.to_string().as_bytes()).expect("routes")),
    }
}

/// What the daemon has after the service was deployed behind an edge.
pub(super) fn behind(service: &WantedService) -> Observed {
    let mut observed = deployed(service);
    observed.containers[0].edge_target = Some("web-1-r1".into());
    observed.containers[0].routed = true;
    observed.edges.push(edge(&["web-1-r1"]));
    observed.networks.push(ObservedNetwork {
        id: "n1".into(),
        name: "shop_default".into(),
        app: Some(name("shop")),
        inputs: crate::plan::network_inputs(&app(service.clone()).networks["default"]),
    });
    observed
}

pub(super) fn changed() -> WantedService {
    let mut service = fronted();
    service.container.env.insert("A".into(), "1".into());
    service
}

/// Where the plan sends requests: those who get new ones, and those who end what they have.
fn routes(plan: &Plan) -> serde_json::Value {
    let mut operations = plan.operations.iter();
    let edges = operations.find_map(|operation| match &operation.kind {
        OperationKind::Route { edges } => Some(edges),
        _ => None,
    });
    let routes = &edges.expect("a route")[0].routes;
    serde_json::to_value(&routes.services["web:80"].targets).expect("JSON")
}

/// What an operation waits for, by names.
pub(super) fn after(plan: &Plan, operation: &str) -> Vec<String> {
    let mut operations = plan.operations.iter();
    let operation = operations.find(|one| one.to_string().starts_with(operation));
    let after = operation.expect("an operation").after.iter();
    after
        .map(|step| plan.operations[*step].to_string())
        .collect()
}

#[test]
fn the_edge_is_made_with_the_first_release() {
    let plan = planned(fronted(), &Observed::default());
    assert_snapshot!(plan, @r"
    network shop_default (not there yet)
    build web (no image yet)
    create web shop-web-r2 (no container yet)
    start web
    health web
    edge shop-edge (not there yet)
    route web:80
    commit web shop-web-r2
    ");
    assert_eq!(
        after(&plan, "edge"),
        ["network shop_default (not there yet)"]
    );
    assert_eq!(
        after(&plan, "route"),
        ["health web", "edge shop-edge (not there yet)"]
    );
    assert!(after(&plan, "commit").contains(&"route web:80".to_owned()));
}

#[test]
fn what_did_not_change_asks_the_edge_nothing() {
    assert_snapshot!(planned(fronted(), &behind(&fronted())), @"");
}

#[test]
fn the_old_one_answers_until_requests_go_to_the_new_one() {
    let plan = planned(changed(), &behind(&fronted()));
    assert_snapshot!(plan, @r"
    create web shop-web-r2 (changed: env.A)
    start web
    health web
    route web:80
    drain shop-edge
    commit web shop-web-r2
    stop web shop-web-r1 (replaced)
    remove web shop-web-r1 (replaced)
    ");
    assert_eq!(
        routes(&plan),
        serde_json::json!([
            {"address": "web-1-r2:80", "state": "active"},
            {"address": "web-1-r1:80", "state": "draining"},
        ])
    );
    assert_eq!(
        after(&plan, "stop"),
        ["drain shop-edge", "commit web shop-web-r2"]
    );
}

#[test]
fn who_answered_on_another_port_ends_what_it_began() {
    let mut service = changed();
    service.edge.as_mut().expect("an edge").ports[0].container_port = 81;
    let plan = planned(service.clone(), &behind(&fronted()));
    assert_snapshot!(plan, @r"
    create web shop-web-r2 (changed: env.A)
    start web
    health web
    route web:81
    drain shop-edge
    commit web shop-web-r2
    stop web shop-web-r1 (replaced)
    remove web shop-web-r1 (replaced)
    ");
    let mut operations = plan.operations.iter();
    let routes = operations.find_map(|operation| match &operation.kind {
        OperationKind::Route { edges } => Some(edges[0].routes.clone()),
        _ => None,
    });
    let routes = routes.expect("a route");
    assert_eq!(
        serde_json::to_value(&routes.services["web:80"].targets).expect("JSON"),
        serde_json::json!([{"address": "web-1-r1:80", "state": "draining"}])
    );
    assert!(routes.check().is_ok());
    assert_eq!(
        after(&plan, "stop"),
        ["drain shop-edge", "commit web shop-web-r2"]
    );
    // Given back, the new one has something to end.
    let before = behind(&fronted()).edges.remove(0).routes.expect("routes");
    let back = crate::plan::edge::returned(&before, &routes);
    assert_eq!(
        serde_json::to_value(&back.services["web:81"].targets).expect("JSON"),
        serde_json::json!([{"address": "web-1-r2:81", "state": "draining"}])
    );
    // Nor is that left to be told again.
    let mut observed = behind(&service);
    observed.containers[0].edge_target = Some("web-1-r2".into());
    observed.edges[0].routes = Some(routes);
    assert_snapshot!(planned(service, &observed), @"");
}

#[test]
fn other_proxies_are_told_to_the_edge() {
    let mut service = fronted();
    let trusted = "10.0.0.0/8".parse().expect("a range");
    service.edge.as_mut().expect("an edge").trust = vec![trusted];
    let plan = planned(service.clone(), &behind(&fronted()));
    assert_snapshot!(plan, @"route web:80");
    let mut observed = behind(&service);
    let listener = |edge: &mut ObservedEdge| {
        let routes = edge.routes.as_mut().expect("routes");
        routes.listeners[0].trust = vec![trusted];
    };
    listener(&mut observed.edges[0]);
    assert_snapshot!(planned(service, &observed), @"");
}

#[test]
fn a_candidate_that_gets_requests_is_kept() {
    let mut observed = behind(&changed());
    let new = &mut observed.containers[0];
    new.name = "shop-web-r9.candidate".into();
    new.id = "c2".into();
    new.edge_target = Some("web-1-r9".into());
    let mut old = container(&fronted());
    old.edge_target = Some("web-1-r1".into());
    observed.containers.push(old);
    observed.edges = vec![edge(&["web-1-r9"])];
    assert_snapshot!(planned(changed(), &observed), @r"
    stop web shop-web-r1 (replaced)
    remove web shop-web-r1 (replaced)
    rename web shop-web-r9.candidate (left by an unfinished deploy)
    ");
    // Back to what was before: that one may be stopping already.
    assert_snapshot!(planned(fronted(), &observed), @r"
    create web shop-web-r2 (changed: env.A)
    start web
    health web
    route web:80
    drain shop-edge
    commit web shop-web-r2
    stop web shop-web-r9.candidate (replaced)
    remove web shop-web-r9.candidate (replaced)
    stop web shop-web-r1 (replaced)
    remove web shop-web-r1 (replaced)
    ");
}

#[test]
fn ports_go_from_containers_to_the_edge_and_back() {
    let mut direct = deployed(&web());
    direct.containers[0].ports = vec![PublishedPort {
        container_port: 80,
        protocol: Protocol::Tcp,
        host_address: "0.0.0.0".into(),
        host_port: 8080,
    }];
    let there = planned(fronted(), &direct);
    assert_snapshot!(there, @r"
    network shop_default (not there yet)
    create web shop-web-r2 (changed: networks.default.priority, ports)
    start web
    health web
    stop web shop-web-r1 (replaced)
    edge shop-edge (not there yet)
    route web:80
    commit web shop-web-r2
    remove web shop-web-r1 (replaced)
    ");
    assert!(after(&there, "stop").contains(&"health web".to_owned()));
    let back = planned(web(), &behind(&fronted()));
    assert_snapshot!(back, @r"
    stop edge shop-edge (replaced)
    create web shop-web-r2 (changed: networks.default.priority, ports)
    stop web shop-web-r1 (replaced)
    start web
    health web
    remove edge shop-edge (its service is not in the app any more)
    commit web shop-web-r2
    remove web shop-web-r1 (replaced)
    ");
    assert!(after(&back, "start web").contains(&"stop edge shop-edge (replaced)".to_owned()));
}

#[test]
fn an_edge_is_started_joined_upgraded_and_told_again() {
    let service = fronted();
    let with = |change: fn(&mut ObservedEdge)| {
        let mut observed = behind(&service);
        change(&mut observed.edges[0]);
        planned(fronted(), &observed).to_string()
    };
    assert_snapshot!(with(|edge| edge.state = ContainerState::Exited), @"start edge shop-edge (not running)");
    assert_snapshot!(with(|edge| edge.networks.clear()), @"join edge shop-edge (not there yet)");
    assert_snapshot!(with(|edge| edge.routes = None), @"route web:80");
    assert_snapshot!(with(|edge| edge.program = program("0.0.9")), @"upgrade edge shop-edge (a newer release of rengine)");
    assert_snapshot!(with(|edge| edge.program = program("99.0.0")), @"");
}

#[test]
fn a_port_more_gets_an_edge_more_and_without_ports_there_is_none() {
    let mut more = fronted();
    let ports = more.edge.as_mut().map(|edge| &mut edge.ports);
    let low = EdgePort {
        host_address: None,
        host_port: 80,
        container_port: 80,
        protocol: None,
    };
    ports.expect("an edge").push(low);
    let plan = planned(more, &behind(&fronted()));
    assert_snapshot!(plan, @r"
    edge shop-edge-2 (not there yet)
    route web:80
    ");
    let OperationKind::CreateEdge { slots, .. } = &plan.operations[0].kind else {
        panic!("{plan}");
    };
    assert_eq!((slots[0].host_port, slots[0].listen), (80, 10_080));

    let mut none = fronted();
    none.edge = None;
    let plan = planned(none, &behind(&fronted())).to_string();
    assert!(plan.contains("remove edge shop-edge"), "{plan}");
}

#[test]
fn a_port_of_another_app_is_a_conflict_before_anything_is_done() {
    let mut observed = Observed::default();
    observed.taken_ports.push(TakenPort {
        port: PublishedPort {
            container_port: 1,
            protocol: Protocol::Tcp,
            host_address: "0.0.0.0".into(),
            host_port: 8080,
        },
        holder: "other".into(),
    });
    let conflicts = planned(fronted(), &observed).conflicts;
    assert!(
        matches!(&conflicts[..], [Conflict::Port { port: 8080, .. }]),
        "{conflicts:?}"
    );
}
