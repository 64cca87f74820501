//! rengine killed after every single call that changes something on the daemon: what ran or what
//! is new serves, and the next deploy puts all in order.
//!
//! A call that only asks leaves the daemon as the one before did, so nothing is left out.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rengine_tests::proxy::Proxy;
use rengine_tests::{Outcome, Project, docker, until};

/// Without a check a container has to run for a second, which is long for so many.
const HEALTH: &str = "    healthcheck: { test: [\"CMD\", \"true\"], interval: 50ms }\n";

/// A Compose app with a network of its own and no port of the host that it has to have, so the
/// old container and the new one can run side by side.
fn project(name: &str, keep: u32) -> Project {
    let project = Project::new(name, "one", "");
    let app = &project.app;
    let compose = format!(
        "name: {app}\nservices:\n  web:\n    build: .\n    ports: [\"8080\"]\n    \
         stop_signal: KILL\n{HEALTH}"
    );
    project.write("compose.yaml", &compose);
    project.write("plugins.toml", &format!("[deploy]\nkeep = {keep}\n"));
    project.write(".dockerignore", "*\n!index.html\n");
    project
}

fn done(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome
}

/// Runs `rengine` and kills it right after the daemon has done the call of this number, before
/// it hears of that. Gives the call; `None` if it ended before there was such a call.
fn killed_after(project: &Project, number: usize, args: &[&str]) -> Option<String> {
    let pid = Arc::new(AtomicU32::new(0));
    let victim = pid.clone();
    let proxy = Proxy::start(move |done, _| {
        if done == number {
            while victim.load(Ordering::SeqCst) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            let pid = victim.load(Ordering::SeqCst).to_string();
            let killed = Command::new("kill").args(["-KILL", &pid]).status();
            assert!(killed.expect("kill runs").success());
        }
    });
    let mut child = project
        .command(&[&["--host", &proxy.url()], args].concat())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("rengine runs");
    pid.store(child.id(), Ordering::SeqCst);
    let status = child.wait().expect("its end");
    let call = proxy.calls().get(number - 1).cloned();
    assert_eq!(
        call.is_none(),
        status.success(),
        "{status}: {:?}",
        proxy.calls()
    );
    call
}

/// The names of the app's containers that run and are proven.
fn running(project: &Project) -> Vec<String> {
    let filter = format!("label=dev.rengine.app={}", project.app);
    let names = docker(&["ps", "--format", "{{.Names}}", "--filter", &filter]);
    let proven = names.lines().filter(|name| !name.ends_with(".candidate"));
    proven.map(str::to_owned).collect()
}

fn page(container: &str) -> String {
    let mut page = String::new();
    until(&format!("{container} answers"), || {
        page = served(container).unwrap_or_default();
        !page.is_empty()
    });
    page.trim().to_owned()
}

/// What a container answers at its own address.
fn served(container: &str) -> std::io::Result<String> {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let address = docker(&["inspect", "-f", format, container]);
    let mut stream = TcpStream::connect((address.trim(), 8080))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let page = answer.split_once("\r\n\r\n").map(|(_, page)| page);
    Ok(page.unwrap_or_default().to_owned())
}

/// The ids of what the daemon has of this kind for the app, or beside it.
fn all(project: &Project, kind: &[&str]) -> BTreeSet<String> {
    let filter = format!("label=dev.rengine.app={}", project.app);
    let ids = docker(&[kind, &["--filter", &filter]].concat());
    ids.lines().map(str::to_owned).collect()
}

const CONTAINERS: [&str; 3] = ["ps", "-aq", "--no-trunc"];
const NETWORKS: [&str; 3] = ["network", "ls", "-q"];
const VOLUMES: [&str; 3] = ["volume", "ls", "-q"];
const IMAGES: [&str; 4] = ["images", "-aq", "--no-trunc", "--format={{.ID}}"];
const TAGS: [&str; 3] = ["images", "-a", "--format={{.Repository}}:{{.Tag}}"];

/// What an app has beside its container and its releases.
#[derive(Default)]
struct Beside {
    edges: usize,
    volumes: usize,
}

/// There is what the app needs, what its releases need, and nothing else.
fn tidy(project: &Project, keep: usize, beside: Beside, after: &str) {
    let containers = all(project, &CONTAINERS);
    let wanted = 1 + beside.edges;
    assert_eq!(
        containers.len(),
        wanted,
        "after {after}: the one, and no lock"
    );
    assert_eq!(all(project, &NETWORKS).len(), 1, "after {after}");
    let history = done(project.rengine(&["history", "--json"])).stdout;
    let releases: Vec<serde_json::Value> = history
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for release in &releases {
        assert_ne!(release["outcome"], "running", "after {after}");
    }
    let volumes = all(project, &VOLUMES);
    let wanted = releases.len() + beside.volumes;
    assert_eq!(volumes.len(), wanted, "after {after}: {volumes:?}");
    let needed: BTreeSet<_> = releases
        .iter()
        .filter_map(|release| release["services"]["web"]["image"]["id"].as_str())
        .collect();
    let images = all(project, &IMAGES);
    assert!(
        images.iter().all(|image| needed.contains(image.as_str())),
        "after {after}: {images:?} where {needed:?} are needed"
    );
    assert!(images.len() <= 2 * keep, "after {after}");
    // A name by its fingerprint for each, and `latest`.
    let tags = all(project, &TAGS);
    let named = tags.iter().filter(|tag| !tag.contains("<none>")).count();
    assert!(named <= images.len() + 1, "after {after}: {tags:?}");
}

/// Tells of it, even where output of tests is kept back.
fn tell(what: &str, calls: &[String]) {
    let mut list: Vec<(String, usize)> = Vec::new();
    for call in calls {
        match list.last_mut() {
            Some((last, count)) if last == call => *count += 1,
            _ => list.push((call.clone(), 1)),
        }
    }
    let list: Vec<_> = list
        .into_iter()
        .map(|(call, count)| match count {
            1 => call,
            _ => format!("{call} ×{count}"),
        })
        .collect();
    let told = format!(
        "{what}: killed after each of {} calls: {}\n",
        calls.len(),
        list.join(", ")
    );
    let _ = std::io::stderr().write_all(told.as_bytes());
}

#[test]
fn a_deploy_killed_after_any_call() {
    let keep = 2;
    let project = project("kdeploy", keep as u32);
    // So many that old ones go with each further one.
    for page in ["a", "b", "one"] {
        project.write("index.html", page);
        done(project.rengine(&["deploy"]));
    }
    let mut old = "one".to_owned();
    let mut calls = Vec::new();
    for number in 1.. {
        let new = format!("page {number}");
        project.write("index.html", &new);
        let call = killed_after(&project, number, &["deploy"]);
        let after = call.clone().unwrap_or_default();
        let serving = running(&project);
        let served = serving.first().map(|name| page(name));
        assert!(
            served == Some(old.clone()) || served == Some(new.clone()),
            "after {after}: {served:?}"
        );
        done(project.rengine(&["deploy"]));
        assert_eq!(running(&project).len(), 1, "after {after}");
        assert_eq!(page(&running(&project)[0]), new, "after {after}");
        tidy(&project, keep, Beside::default(), &after);
        old = new;
        match call {
            Some(call) => calls.push(call),
            None => break,
        }
    }
    tell("deploy", &calls);
    for expected in [
        "containers/create",
        "/start",
        "/rename",
        "/build",
        "volumes/create",
        "DELETE /images",
    ] {
        let there = calls.iter().any(|call| call.contains(expected));
        assert!(there, "no {expected} among {calls:?}");
    }
}

#[test]
fn a_rollback_killed_after_any_call() {
    let keep = 50;
    let project = project("krollback", keep as u32);
    let release = |page: &str| {
        project.write("index.html", page);
        done(project.rengine(&["deploy"]));
        let shown = done(project.rengine(&["show", "--json"])).stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        shown["release"].as_str().expect("an id").to_owned()
    };
    let releases = ["one", "two"].map(|page| (release(page), page));
    let mut calls = Vec::new();
    let mut current = "two";
    for number in 1.. {
        let others = releases.iter().find(|(_, page)| *page != current);
        let (target, goal) = others.expect("the other");
        let call = killed_after(&project, number, &["rollback", target]);
        let after = call.clone().unwrap_or_default();
        let serving = running(&project);
        let served = serving.first().map(|name| page(name));
        let served = served.expect("one serves");
        assert!(
            served == current || served == *goal,
            "after {after}: {served}"
        );
        if call.is_none() {
            assert_eq!(served, *goal);
        }
        // Every other time what the sources are, and not the same again.
        let again: (&[&str], &str) = match number % 2 {
            0 => (&["deploy"], "two"),
            _ => (&["rollback", target], goal),
        };
        done(project.rengine(again.0));
        current = again.1;
        assert_eq!(running(&project).len(), 1, "after {after}");
        assert_eq!(page(&running(&project)[0]), current, "after {after}");
        tidy(&project, keep, Beside::default(), &after);
        match call {
            Some(call) => calls.push(call),
            None => break,
        }
    }
    tell("rollback", &calls);
    for expected in ["containers/create", "/start", "/rename", "volumes/create"] {
        let there = calls.iter().any(|call| call.contains(expected));
        assert!(there, "no {expected} among {calls:?}");
    }
    assert!(
        !calls.iter().any(|call| call.contains("/build")),
        "{calls:?}"
    );
}

#[test]
fn a_first_deploy_killed_after_any_call() {
    let project = project("kfirst", 2);
    // Without a build, which the others have, and with a volume.
    let app = &project.app;
    let compose = format!(
        "name: {app}\nservices:\n  web:\n    image: rengine/busybox:local\n    ports: [\"8080\"]\n    \
         stop_signal: KILL\n{HEALTH}    volumes: [\"data:/www\"]\n    \
         command: [\"sh\", \"-c\", \"echo one > /www/index.html; exec httpd -f -p 8080 -h /www\"]\n\
         volumes:\n  data: {{}}\n"
    );
    project.write("compose.yaml", &compose);
    let mut calls = Vec::new();
    for number in 1.. {
        let call = killed_after(&project, number, &["deploy"]);
        let after = call.clone().unwrap_or_default();
        done(project.rengine(&["deploy"]));
        assert_eq!(page(&running(&project)[0]), "one", "after {after}");
        let beside = Beside {
            volumes: 1,
            ..Beside::default()
        };
        tidy(&project, 2, beside, &after);
        done(project.rengine(&["down", "--history", "--volume", "data"]));
        for kind in [&CONTAINERS[..], &NETWORKS, &VOLUMES] {
            assert_eq!(all(&project, kind), BTreeSet::new(), "after {after}");
        }
        match call {
            Some(call) => calls.push(call),
            None => break,
        }
    }
    tell("first deploy", &calls);
    for expected in ["networks/create", "volumes/create"] {
        let there = calls.iter().any(|call| call.contains(expected));
        assert!(there, "no {expected} among {calls:?}");
    }
}

#[test]
fn a_deploy_behind_an_edge_killed_after_any_call() {
    let calls = behind_an_edge("kedge", "");
    tell("deploy behind an edge", &calls);
}

#[test]
fn a_canary_killed_after_any_call() {
    // Long enough to be asked for twice.
    let canary = "    x-rengine: { strategy: canary, canary: { share: 50%, for: 100ms } }\n";
    let calls = behind_an_edge("kcanary", canary);
    tell("canary", &calls);
}

/// Kills deploys of a service behind an edge, which has these lines more.
fn behind_an_edge(name: &str, more: &str) -> Vec<String> {
    let project = project(name, 2);
    let compose = std::fs::read_to_string(project.path().join("compose.yaml")).expect("a file");
    let fixed = format!("\"{}:8080\"", project.port);
    let compose = compose.replace("\"8080\"", &fixed);
    project.write("compose.yaml", &format!("{compose}{more}"));
    for page in ["a", "b", "one"] {
        project.write("index.html", page);
        done(project.rengine(&["deploy"]));
    }
    // What whoever uses the app sees.
    let page = |after: &str| {
        let answer = project.get();
        let answer = answer.unwrap_or_else(|error| panic!("after {after}: {error}"));
        let page = answer
            .split_once("\r\n\r\n")
            .map(|(_, page)| page.trim().to_owned());
        page.unwrap_or_default()
    };
    let mut old = "one".to_owned();
    let mut calls = Vec::new();
    for number in 1.. {
        let new = format!("page {number}");
        project.write("index.html", &new);
        let call = killed_after(&project, number, &["deploy"]);
        let after = call.clone().unwrap_or_default();
        let served = page(&after);
        assert!(served == old || served == new, "after {after}: {served}");
        done(project.rengine(&["deploy"]));
        assert_eq!(page(&after), new, "after {after}");
        let beside = Beside {
            edges: 1,
            ..Beside::default()
        };
        tidy(&project, 2, beside, &after);
        old = new;
        match call {
            Some(call) => calls.push(call),
            None => break,
        }
    }
    let told = calls.iter().any(|call| call.contains("/exec/ID/start"));
    assert!(told, "the edge is told nothing: {calls:?}");
    calls
}
