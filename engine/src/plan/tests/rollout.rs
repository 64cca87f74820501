//! Plans of services whose new containers get some of the requests before all of them.

use super::edge::{after, app, behind, changed, edge, fronted, planned};
use super::*;
use crate::app::{Amount, Batches, Canary, Strategy};
use crate::plan::observed::ObservedEdge;
use crate::plan::{EdgeRoutes, Plan};

fn tried(mut service: WantedService) -> WantedService {
    service.strategy = Some(Strategy::Canary(Canary::default()));
    service
}

/// Five containers behind an edge, replaced so many more and so many less at a time.
fn five(service: WantedService, surge: u32, unavailable: u32) -> WantedService {
    WantedService {
        replicas: 5,
        batches: Some(Batches {
            max_surge: Amount::Count(surge),
            max_unavailable: Amount::Count(unavailable),
            ..Batches::default()
        }),
        ..service
    }
}

/// What the daemon has after five containers were deployed.
fn five_behind() -> Observed {
    let mut observed = behind(&fronted());
    let one = observed.containers.remove(0);
    let targets: Vec<String> = (1..=5).map(|replica| format!("web-{replica}-r1")).collect();
    for (replica, target) in (1..).zip(&targets) {
        observed.containers.push(ObservedContainer {
            id: format!("c{replica}"),
            name: format!("shop-web-r1-{replica}"),
            replica,
            edge_target: Some(target.clone()),
            ..one.clone()
        });
    }
    let names: Vec<&str> = targets.iter().map(String::as_str).collect();
    observed.edges = vec![edge(&names)];
    observed
}

/// What edges are told, one after the other: who gets requests, with those that get a share in
/// brackets, and who ends what it does.
fn told(plan: &Plan) -> String {
    let targets = |edge: &EdgeRoutes| {
        let service = &edge.routes.services["web:80"];
        let target = |target: &crate::edge::Target| {
            let host = target.address.host();
            match (target.state, service.is_on_trial(target)) {
                (crate::edge::TargetState::Draining, _) => format!("-{host}"),
                (_, true) => format!("[{host}]"),
                (_, false) => host.to_owned(),
            }
        };
        let all: Vec<String> = service.targets.iter().map(target).collect();
        all.join(" ")
    };
    let told = plan.operations.iter().filter_map(|one| match &one.kind {
        OperationKind::Shift { edges, back } => {
            let back = back.iter().map(|edge| format!(" | back {}", targets(edge)));
            let back: String = back.collect();
            let edges = edges.iter().map(targets).collect::<String>();
            Some(format!("shift {edges}{back}\n"))
        }
        OperationKind::Route { edges } => {
            let edges = edges.iter().map(targets).collect::<String>();
            Some(format!("route {edges}\n"))
        }
        _ => None,
    });
    told.collect()
}

/// How many containers run, and how many of them get requests, at worst, if each operation is done
/// when it is its turn.
fn extremes(plan: &Plan, replicas: usize) -> (usize, usize) {
    let (mut running, mut most, mut least) = (replicas, replicas, replicas);
    for operation in &plan.operations {
        match &operation.kind {
            OperationKind::Start { .. } => running += 1,
            OperationKind::Stop { .. } => running -= 1,
            OperationKind::Shift { edges, .. } | OperationKind::Route { edges } => {
                let targets = edges[0].routes.services["web:80"].targets.iter();
                let active = targets.filter(|one| one.state == crate::edge::TargetState::Active);
                least = least.min(active.count());
            }
            _ => {}
        }
        most = most.max(running);
    }
    (most, least)
}

#[test]
fn a_canary_is_judged_before_it_gets_all_requests() {
    let plan = planned(tried(changed()), &behind(&fronted()));
    assert_snapshot!(plan, @r"
    create web shop-web-r2 (changed: env.A)
    start web
    health web
    shift web shop-edge (10% of the requests for 2m)
    judge web (10% of the requests for 2m)
    route web:80
    drain shop-edge
    commit web shop-web-r2
    stop web shop-web-r1 (replaced)
    remove web shop-web-r1 (replaced)
    ");
    assert_snapshot!(told(&plan), @r"
    shift web-1-r1 [web-1-r2] | back web-1-r1 -web-1-r2
    route web-1-r2 -web-1-r1
    ");
    assert_eq!(after(&plan, "shift"), ["health web"]);
    assert!(after(&plan, "route").contains(&"judge web (10% of the requests for 2m)".to_owned()));
    let json = serde_json::to_value(&plan).expect("JSON");
    let judge = &json["operations"][4];
    assert_eq!(judge["canary"]["share"], "10%");
    assert_eq!(judge["canary"]["for"], "2m");
    assert_eq!(judge["new"], serde_json::json!(["web-1-r2"]));
    assert_eq!(judge["old"], serde_json::json!(["web-1-r1"]));
    assert_eq!(judge["cause"]["why"], "canary");
}

#[test]
fn what_has_nothing_to_be_compared_with_is_no_canary() {
    let first = planned(tried(fronted()), &Observed::default()).to_string();
    assert!(!first.contains("judge"), "{first}");
    let same = planned(tried(fronted()), &behind(&fronted()));
    assert!(same.is_empty(), "{same}");
    let mut stopped = behind(&fronted());
    stopped.containers[0].state = ContainerState::Exited;
    let stopped = planned(tried(changed()), &stopped).to_string();
    assert!(!stopped.contains("judge"), "{stopped}");
    // Another port of the container is nothing that the old one has.
    let mut other = tried(changed());
    if let Some(edge) = &mut other.edge {
        edge.ports[0].container_port = 81;
    }
    let other = planned(other, &behind(&fronted())).to_string();
    assert!(!other.contains("judge"), "{other}");
    assert!(other.contains("route web:81"), "{other}");
}

/// As a deploy leaves it that was killed while it tried out `new`.
fn killed(new: &WantedService) -> Observed {
    let mut observed = behind(&fronted());
    let mut candidate = container(new);
    candidate.id = "c9".into();
    candidate.name = "shop-web-r9.candidate".into();
    candidate.release = "r9".into();
    candidate.edge_target = Some("web-1-r9".into());
    candidate.created = 9;
    observed.containers.push(candidate);
    let ObservedEdge { routes, .. } = &mut observed.edges[0];
    let service = routes
        .as_mut()
        .and_then(|all| all.services.get_mut("web:80"));
    let service = service.expect("a service");
    service.shares.insert("canary".into(), 1_000);
    service.targets.push(crate::edge::Target {
        address: "web-1-r9:80".parse().expect("an address"),
        state: crate::edge::TargetState::Active,
        group: Some("canary".into()),
    });
    assert!(observed.edges[0].ports_of("web-1-r9").is_empty());
    assert!(!observed.edges[0].ports_of("web-1-r1").is_empty());
    observed
}

#[test]
fn who_was_tried_out_by_a_deploy_that_was_killed_is_not_proven() {
    let again = planned(tried(changed()), &killed(&changed()));
    assert_snapshot!(again, @r"
    shift shop-edge (left by an unfinished deploy)
    drain shop-edge
    create web shop-web-r2 (changed: env.A)
    remove web shop-web-r9.candidate (left by an unfinished deploy)
    start web
    health web
    shift web shop-edge (10% of the requests for 2m)
    judge web (10% of the requests for 2m)
    route web:80
    drain shop-edge
    commit web shop-web-r2
    stop web shop-web-r1 (replaced)
    remove web shop-web-r1 (replaced)
    ");
    assert_snapshot!(told(&again), @r"
    shift web-1-r1 -web-1-r9
    shift web-1-r1 [web-1-r2] | back web-1-r1 -web-1-r2
    route web-1-r2 -web-1-r1
    ");
    // Back to what ran before: that one stays as it is.
    let back = planned(tried(fronted()), &killed(&changed()));
    assert_snapshot!(back, @r"
    shift shop-edge (left by an unfinished deploy)
    drain shop-edge
    remove web shop-web-r9.candidate (left by an unfinished deploy)
    ");
    assert_eq!(after(&back, "remove web"), ["drain shop-edge"]);
}

#[test]
fn one_more_at_a_time() {
    let plan = planned(five(changed(), 1, 0), &five_behind());
    assert_snapshot!(plan, @r"
    create web shop-web-r2-1 (changed: env.A)
    start web
    health web
    shift web shop-edge (a few at a time)
    drain shop-edge
    stop web shop-web-r1-1 (a few at a time)
    create web #2 shop-web-r2-2 (changed: env.A)
    start web #2
    health web #2
    shift web shop-edge (a few at a time)
    drain shop-edge
    stop web #2 shop-web-r1-2 (a few at a time)
    create web #3 shop-web-r2-3 (changed: env.A)
    start web #3
    health web #3
    shift web shop-edge (a few at a time)
    drain shop-edge
    stop web #3 shop-web-r1-3 (a few at a time)
    create web #4 shop-web-r2-4 (changed: env.A)
    start web #4
    health web #4
    shift web shop-edge (a few at a time)
    drain shop-edge
    stop web #4 shop-web-r1-4 (a few at a time)
    create web #5 shop-web-r2-5 (changed: env.A)
    start web #5
    health web #5
    route web:80
    drain shop-edge
    commit web shop-web-r2-1
    remove web shop-web-r1-1 (replaced)
    commit web #2 shop-web-r2-2
    remove web #2 shop-web-r1-2 (replaced)
    commit web #3 shop-web-r2-3
    remove web #3 shop-web-r1-3 (replaced)
    commit web #4 shop-web-r2-4
    remove web #4 shop-web-r1-4 (replaced)
    commit web #5 shop-web-r2-5
    stop web #5 shop-web-r1-5 (replaced)
    remove web #5 shop-web-r1-5 (replaced)
    ");
    assert_snapshot!(told(&plan), @r"
    shift -web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 web-1-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2
    shift -web-2-r1 web-3-r1 web-4-r1 web-5-r1 web-1-r2 web-2-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2 -web-2-r2
    shift -web-3-r1 web-4-r1 web-5-r1 web-1-r2 web-2-r2 web-3-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2 -web-2-r2 -web-3-r2
    shift -web-4-r1 web-5-r1 web-1-r2 web-2-r2 web-3-r2 web-4-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2 -web-2-r2 -web-3-r2 -web-4-r2
    route web-1-r2 web-2-r2 web-3-r2 web-4-r2 web-5-r2 -web-5-r1
    ");
    assert_eq!(extremes(&plan, 5), (6, 5));
}

#[test]
fn what_was_replaced_before_a_kill_stays() {
    let mut observed = five_behind();
    observed.containers[0].state = ContainerState::Exited;
    let new = container_inputs(&changed().container, &Redactor::default());
    let candidate = ObservedContainer {
        id: "c9".into(),
        name: "shop-web-r9-1.candidate".into(),
        release: "r9".into(),
        edge_target: Some("web-1-r9".into()),
        fingerprint: new.fingerprint(),
        inputs: new,
        state: ContainerState::Running,
        created: 9,
        ..observed.containers[0].clone()
    };
    observed.containers.push(candidate);
    observed.containers[0].routed = false;
    let targets = ["web-1-r9", "web-2-r1", "web-3-r1", "web-4-r1", "web-5-r1"];
    observed.edges = vec![edge(&targets)];
    let on = planned(five(changed(), 2, 0), &observed);
    assert_snapshot!(told(&on), @r"
    shift web-1-r9 -web-2-r1 -web-3-r1 web-4-r1 web-5-r1 web-2-r2 web-3-r2 | back web-1-r9 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-2-r2 -web-3-r2
    route web-1-r9 web-2-r2 web-3-r2 web-4-r2 web-5-r2 -web-4-r1 -web-5-r1
    ");
    let text = on.to_string();
    assert!(
        text.contains("rename web shop-web-r9-1.candidate"),
        "{text}"
    );
    assert!(text.contains("remove web shop-web-r1-1"), "{text}");
    // Back again: that one is replaced as any other.
    let back = planned(five(fronted(), 2, 0), &observed);
    assert_snapshot!(told(&back), @r"
    route web-1-r2 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r9
    ");
}

#[test]
fn one_less_at_a_time() {
    let plan = planned(five(changed(), 0, 1), &five_behind());
    assert_snapshot!(told(&plan), @r"
    shift -web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1
    shift web-2-r1 web-3-r1 web-4-r1 web-5-r1 web-1-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2
    shift -web-2-r1 web-3-r1 web-4-r1 web-5-r1 web-1-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2
    shift web-3-r1 web-4-r1 web-5-r1 web-1-r2 web-2-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2 -web-2-r2
    shift -web-3-r1 web-4-r1 web-5-r1 web-1-r2 web-2-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2 -web-2-r2
    shift web-4-r1 web-5-r1 web-1-r2 web-2-r2 web-3-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2 -web-2-r2 -web-3-r2
    shift -web-4-r1 web-5-r1 web-1-r2 web-2-r2 web-3-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2 -web-2-r2 -web-3-r2
    shift web-5-r1 web-1-r2 web-2-r2 web-3-r2 web-4-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2 -web-2-r2 -web-3-r2 -web-4-r2
    shift -web-5-r1 web-1-r2 web-2-r2 web-3-r2 web-4-r2 | back web-1-r1 web-2-r1 web-3-r1 web-4-r1 web-5-r1 -web-1-r2 -web-2-r2 -web-3-r2 -web-4-r2
    route web-1-r2 web-2-r2 web-3-r2 web-4-r2 web-5-r2
    ");
    assert_eq!(extremes(&plan, 5), (5, 4));
}

#[test]
fn so_many_more_and_less_at_a_time() {
    for (surge, unavailable) in [(2, 0), (2, 1), (0, 2), (1, 3), (3, 3), (9, 0), (0, 9)] {
        let plan = planned(five(changed(), surge, unavailable), &five_behind());
        let (most, least) = extremes(&plan, 5);
        assert!(
            most <= 5 + (surge as usize).min(5),
            "{surge} {unavailable}: {most}\n{plan}"
        );
        assert!(
            least + unavailable as usize >= 5,
            "{surge} {unavailable}: {least}\n{plan}"
        );
        let text = plan.to_string();
        assert_eq!(text.matches("commit web").count(), 5, "{text}");
        assert_eq!(text.matches("remove web").count(), 5, "{text}");
        assert_eq!(text.matches("stop web").count(), 5, "{text}");
    }
}

#[test]
fn without_an_edge_they_go_a_few_at_a_time_too() {
    let mut service = web();
    service.container.ports.clear();
    let mut observed = deployed(&service);
    let one = observed.containers.remove(0);
    for replica in 1..=3 {
        observed.containers.push(ObservedContainer {
            id: format!("c{replica}"),
            name: format!("shop-web-r1-{replica}"),
            replica,
            ..one.clone()
        });
    }
    service.replicas = 3;
    service.batches = Some(Batches {
        max_surge: Amount::Count(2),
        min_ready: std::time::Duration::from_secs(5),
        ..Batches::default()
    });
    service.container.hostname = Some("other".into());
    assert_snapshot!(plan(&wanted(service), &observed), @r"
    create web shop-web-r2-1 (changed: hostname)
    start web
    health web
    create web #2 shop-web-r2-2 (changed: hostname)
    start web #2
    health web #2
    settle web (a few at a time)
    stop web shop-web-r1-1 (a few at a time)
    stop web #2 shop-web-r1-2 (a few at a time)
    create web #3 shop-web-r2-3 (changed: hostname)
    start web #3
    health web #3
    settle web (a few at a time)
    commit web shop-web-r2-1
    remove web shop-web-r1-1 (replaced)
    commit web #2 shop-web-r2-2
    remove web #2 shop-web-r1-2 (replaced)
    commit web #3 shop-web-r2-3
    stop web #3 shop-web-r1-3 (replaced)
    remove web #3 shop-web-r1-3 (replaced)
    ");
}

#[test]
fn places_that_are_new_wait_for_nothing() {
    let mut observed = five_behind();
    observed.containers.truncate(2);
    observed.edges = vec![edge(&["web-1-r1", "web-2-r1"])];
    let plan = planned(five(changed(), 1, 0), &observed);
    assert_snapshot!(told(&plan), @r"
    shift -web-1-r1 web-2-r1 web-1-r2 web-3-r2 web-4-r2 web-5-r2 | back web-1-r1 web-2-r1 -web-1-r2 -web-3-r2 -web-4-r2 -web-5-r2
    route web-1-r2 web-2-r2 web-3-r2 web-4-r2 web-5-r2 -web-2-r1
    ");
    // Nothing but more containers: those that are there stay.
    let more = planned(five(fronted(), 1, 0), &observed).to_string();
    assert!(!more.contains("shift"), "{more}");
    assert!(!more.contains("stop"), "{more}");
    assert!(!app(fronted()).services.is_empty());
}
