//! Groups of targets that get a share of what is new, and what is counted of each target.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rengine::edge::{Routes, State, TargetCounts};

use crate::support::{Client, Edge, Target, echo_target};

/// One service in which the last target is a group that gets a quarter.
async fn route(edge: &Edge, mode: &str, old: u16, new: u16) {
    let routes = serde_json::json!({
        "listeners": [{"port": edge.port, "mode": mode, "service": "web"}],
        "services": {"web": {
            "targets": [
                {"address": format!("127.0.0.1:{old}")},
                {"address": format!("127.0.0.1:{new}"), "group": "new"},
            ],
            "shares": {"new": 2500},
        }},
    });
    let routes = Routes::parse(routes.to_string().as_bytes()).expect("routes");
    edge.client.apply(&routes, None).await.expect("applied");
}

fn counts(state: &State, port: u16) -> &TargetCounts {
    let mut targets = state.services["web"].targets.iter();
    let target = targets.find(|target| target.address.port() == port);
    target.expect("the target")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_gets_its_share_of_requests_and_each_target_has_figures() {
    let edge = Edge::start().await;
    let (old, new) = (Target::start("old"), Target::start("new"));
    route(&edge, "http", old.port, new.port).await;
    let mut client = Client::new(edge.port);
    for _ in 0..200 {
        assert_eq!(client.get("/").expect("an answer").0, 200);
    }
    let asked = [&old, &new].map(|target| target.requests.load(Ordering::SeqCst));
    assert_eq!(asked[0] + asked[1], 200);
    assert!((48..=52).contains(&asked[1]), "{asked:?}");

    let state = edge.client.state().await.expect("a state");
    for (target, asked) in [(&old, asked[0]), (&new, asked[1])] {
        let counts = counts(&state, target.port);
        assert_eq!(counts.answers, [0, asked as u64, 0, 0, 0]);
        let timed: u64 = counts.times.iter().map(|bucket| bucket.count).sum();
        assert_eq!(timed, asked as u64, "{counts:?}");
    }
    let metrics = edge.client.metrics().await.expect("metrics");
    let labels = format!("service=\"web\",target=\"127.0.0.1:{}\"", new.port);
    for line in [
        format!(
            "rengine_edge_target_answers_total{{{labels},code=\"2xx\"}} {}",
            asked[1]
        ),
        format!(
            "rengine_edge_target_answer_seconds_bucket{{{labels},le=\"+Inf\"}} {}",
            asked[1]
        ),
        format!(
            "rengine_edge_target_answer_seconds_count{{{labels}}} {}",
            asked[1]
        ),
        format!("rengine_edge_target_refused_total{{{labels}}} 0"),
    ] {
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_group_can_not_take_others_do() {
    let edge = Edge::start().await;
    let old = Target::start("old");
    // Nobody listens there.
    let new = crate::support::free_port();
    route(&edge, "http", old.port, new).await;
    let mut client = Client::new(edge.port);
    for _ in 0..40 {
        let (status, body) = client.get("/").expect("an answer");
        assert_eq!(status, 200, "{body}");
    }
    let state = edge.client.state().await.expect("a state");
    assert!(counts(&state, new).refused > 0, "{state:?}");
    assert_eq!(counts(&state, old.port).answers[1], 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_shared_out_by_connections() {
    use std::io::{Read, Write};
    let edge = Edge::start().await;
    let (old, new) = (echo_target(), echo_target());
    route(&edge, "tcp", old, new).await;
    for _ in 0..40 {
        let mut stream = edge.connect();
        stream.write_all(b"hello").expect("sent");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).expect("an echo");
        assert_eq!(&answer, b"hello");
    }
    let state = edge.client.state().await.expect("a state");
    let connections = [old, new].map(|port| counts(&state, port).connections);
    assert_eq!(connections[0] + connections[1], 40);
    assert!((9..=11).contains(&connections[1]), "{connections:?}");
    let drained = edge.client.drain(None, Duration::from_secs(5)).await;
    assert!(drained.expect("drained").drained);
}
