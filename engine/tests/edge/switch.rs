//! Switches, drains and hand-overs, with clients that never stop asking.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rengine::edge::{Routes, ask_for_upgrade};

use crate::support::{Client, Edge, Load, Target, free_port, read_head, until};

#[tokio::test(flavor = "multi_thread")]
async fn requests_wait_for_a_target_and_not_for_ever() {
    let edge = Edge::start().await;
    edge.route("http", "300ms", &[]).await;
    let begun = Instant::now();
    let (status, body) = Client::new(edge.port).get("/").expect("an answer");
    assert_eq!(status, 503, "{body}");
    assert!(begun.elapsed() >= Duration::from_millis(300));

    // Nobody listens there yet.
    let later = free_port();
    edge.route("http", "60s", &[(later, "active")]).await;
    let port = edge.port;
    let asking = std::thread::spawn(move || Client::new(port).get("/"));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(
        edge.client.state().await.expect("a state").services["web"].held,
        1
    );
    let socket = TcpListener::bind(("127.0.0.1", later)).expect("a port");
    let _target = Target::on(socket, "late");
    let (status, body) = asking.join().expect("a thread").expect("an answer");
    assert_eq!(status, 200, "{body}");
    assert!(body.starts_with("late"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_request_is_sent_again() {
    let edge = Edge::start().await;
    let target = Target::start("one");
    edge.route("http", "1s", &[(target.port, "active")]).await;
    let (status, _) = Client::new(edge.port).get("/drop").expect("an answer");
    assert_eq!((status, target.requests.load(Ordering::SeqCst)), (200, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_out_gets_nothing_while_there_is_another() {
    let edge = Edge::start().await;
    // Told apart by their hosts.
    let (one, two) = (Target::start("one"), Target::start("two"));
    let json = format!(
        r#"{{"listeners": [{{"port": {}, "mode": "http", "service": "web"}}],
            "services": {{"web": {{"hold": "60s", "targets": [
                {{"address": "127.0.0.1:{}"}}, {{"address": "localhost:{}"}}]}}}}}}"#,
        edge.port, one.port, two.port
    );
    let routes = Routes::parse(json.as_bytes()).expect("routes");
    edge.client.apply(&routes, None).await.expect("applied");
    let load = Load::start(edge.port, 4);
    let minute = Duration::from_secs(60);
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let wanted = names(&["127.0.0.1", "nobody"]);
    let out = edge.client.take_out(&wanted, minute).await.expect("out");
    assert_eq!(out.out.into_iter().collect::<Vec<_>>(), ["127.0.0.1"]);
    let state = edge.client.state().await.expect("a state");
    assert_eq!(state.generation, 1, "it is no change of the routes");
    let web = &state.services["web"].targets;
    assert_eq!((web[0].out, web[1].out), (true, false));
    // What it had to do by then is done.
    until(async || {
        let state = edge.client.state().await.expect("a state");
        state.services["web"].targets[0].outstanding == 0
    })
    .await;
    let asked = |target: &Target| target.requests.load(Ordering::SeqCst);
    let (before, other) = (asked(&one), asked(&two));
    until(async || asked(&two) > other + 100).await;
    assert_eq!(asked(&one), before);
    // Routes that follow leave that as it is.
    edge.client.apply(&routes, None).await.expect("applied");
    assert!(edge.client.state().await.expect("a state").services["web"].targets[0].out);
    // Where all are out, nobody is.
    let all = names(&["127.0.0.1", "localhost"]);
    edge.client.take_out(&all, minute).await.expect("out");
    until(async || asked(&one) > before + 100).await;
    // And back in.
    edge.client.take_out(&[], minute).await.expect("in");
    let state = edge.client.state().await.expect("a state");
    assert!(
        state.services["web"]
            .targets
            .iter()
            .all(|target| !target.out)
    );
    let (fine, failed) = load.stop();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(fine > 200, "{fine}");
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_lose_nothing_and_old_targets_drain() {
    let edge = Edge::start().await;
    let targets: Vec<_> = (0..6).map(|_| Target::start("t")).collect();
    edge.route("http", "60s", &[(targets[0].port, "active")])
        .await;
    let load = Load::start(edge.port, 8);
    for pair in targets.windows(2) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        edge.route(
            "http",
            "60s",
            &[(pair[1].port, "active"), (pair[0].port, "draining")],
        )
        .await;
        let drained = edge
            .client
            .drain(Some("web"), Duration::from_secs(5))
            .await
            .expect("drained");
        assert!(drained.drained, "{drained:?}");
        let asked = pair[0].requests.load(Ordering::SeqCst);
        edge.route("http", "60s", &[(pair[1].port, "active")]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(
            pair[0].requests.load(Ordering::SeqCst),
            asked,
            "it was done"
        );
    }
    let (fine, failed) = load.stop();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(fine > 500, "{fine}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_of_the_edge_loses_nothing() {
    let edge = Edge::start().await;
    let target = Target::start("one");
    edge.route("http", "60s", &[(target.port, "active")]).await;
    let load = Load::start(edge.port, 8);
    // The first time from the same program, then from other words, which the keeper becomes.
    let program = env!("CARGO_BIN_EXE_rengine").to_owned();
    let linked = edge.folder.path().join("other");
    std::os::unix::fs::symlink(program, &linked).expect("a link");
    let linked = linked.to_string_lossy().into_owned();
    for program in [None, Some(vec![linked.clone()]), None] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        ask_for_upgrade(edge.folder.path(), program)
            .await
            .expect("upgraded");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (fine, failed) = load.stop();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(fine > 500, "{fine}");
    let state = edge.client.state().await.expect("a state");
    assert_eq!(state.generation, 1, "the routes came along");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stays_with_a_worker_that_was_replaced_goes_where_all_go() {
    let edge = Edge::start().await;
    let (one, two) = (Target::start("one"), Target::start("two"));
    edge.route("http", "60s", &[(one.port, "active")]).await;
    let mut staying = Client::new(edge.port);
    staying.get("/").expect("an answer");
    let mut tunnel = edge.connect();
    let asked = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    tunnel.write_all(asked).expect("sent");
    let mut reader = BufReader::new(tunnel.try_clone().expect("a clone"));
    let head = read_head(&mut reader).expect("a head");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");

    ask_for_upgrade(edge.folder.path(), None)
        .await
        .expect("upgraded");
    let switched = [(two.port, "active"), (one.port, "draining")];
    edge.route("http", "60s", &switched).await;
    // The worker that leaves has the tunnel, and is waited for.
    let drain = |time| edge.client.drain(None, time);
    let drained = drain(Duration::from_millis(100)).await.expect("asked");
    assert!(!drained.drained, "{drained:?}");
    let outstanding: usize = drained.outstanding.values().sum();
    assert_eq!(outstanding, 1, "{drained:?}");
    // On a slow machine it was idle for so long that it was closed.
    let answer = staying.get("/").or_else(|_| staying.get("/"));
    let (status, body) = answer.expect("an answer");
    assert!(status == 200 && body.starts_with("two"), "{body}");
    let echoed = b"still here\n";
    tunnel.write_all(echoed).expect("sent");
    let mut line = String::new();
    reader.read_line(&mut line).expect("an echo");
    assert_eq!(line.as_bytes(), echoed);
    drop((tunnel, reader));
    let drained = drain(Duration::from_secs(20)).await.expect("asked");
    assert!(drained.drained, "{drained:?}");
    // One that has ended is not asked any more.
    until(async || {
        let entries = std::fs::read_dir(edge.folder.path()).expect("a folder");
        let mut names = entries.flatten().map(|entry| entry.file_name());
        !names.any(|name| name.to_string_lossy().starts_with("leaving-"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_something_else_still_ends_what_it_began() {
    let edge = Edge::start().await;
    let (one, two) = (Target::start("one"), Target::start("two"));
    edge.route("http", "60s", &[(one.port, "active")]).await;
    let mut tunnel = edge.connect();
    let asked = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    tunnel.write_all(asked).expect("sent");
    let mut reader = BufReader::new(tunnel.try_clone().expect("a clone"));
    read_head(&mut reader).expect("a head");
    // The new release has another check, and speaks another protocol.
    let json = format!(
        r#"{{"listeners": [{{"port": {}, "mode": "http", "service": "web"}}],
            "services": {{"web": {{"protocol": "h2c", "check": {{"path": "/well"}}, "targets": [
                {{"address": "127.0.0.1:{}"}}, {{"address": "127.0.0.1:{}", "state": "draining"}}]}}}}}}"#,
        edge.port, two.port, one.port
    );
    let routes = Routes::parse(json.as_bytes()).expect("routes");
    edge.client.apply(&routes, None).await.expect("applied");
    let drain = |time| edge.client.drain(None, time);
    let drained = drain(Duration::from_millis(100)).await.expect("asked");
    assert!(!drained.drained, "{drained:?}");
    drop((tunnel, reader));
    let drained = drain(Duration::from_secs(20)).await.expect("asked");
    assert!(drained.drained, "{drained:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_comes_back_with_its_routes() {
    let edge = Edge::start().await;
    let target = Target::start("one");
    edge.route("http", "1s", &[(target.port, "active")]).await;
    let pid = edge.client.version().await.expect("a version").pid;
    let killed = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status();
    assert!(killed.expect("kill").success());
    let begun = Instant::now();
    while !Client::new(edge.port)
        .get("/")
        .is_ok_and(|(status, _)| status == 200)
    {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "it does not come back"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_ne!(edge.client.version().await.expect("a version").pid, pid);
}
