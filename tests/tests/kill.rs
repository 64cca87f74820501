//! rengine killed after every single call to the daemon: what ran or what is new serves, and the next
//! deploy puts all in order.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::iter::StepBy;
use std::net::TcpStream;
use std::ops::RangeFrom;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rengine_tests::proxy::{Line, Proxy};
use rengine_tests::tidy::{Beside, CONTAINERS, NETWORKS, VOLUMES, all, done, tidy};
use rengine_tests::{Project, docker, until};

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

/// Which calls are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Changes,
    Asks,
}

/// Runs `rengine` and kills it right after the daemon has done the call of this number, before
/// it hears of that. Gives the call; `None` if it ended before there was such a call.
fn killed_after(project: &Project, which: Which, number: usize, args: &[&str]) -> Option<String> {
    let pid = Arc::new(AtomicU32::new(0));
    let victim = pid.clone();
    let at = Arc::new(Mutex::new(None));
    let note = at.clone();
    let proxy = Proxy::before_shared(move |call| {
        let count = match which {
            Which::Changes => call.changed,
            Which::Asks => call.number - call.changed,
        };
        if call.done && call.changes == (which == Which::Changes) && count == number {
            while victim.load(Ordering::SeqCst) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            let pid = victim.load(Ordering::SeqCst).to_string();
            *note.lock().expect("no panic") = Some(call.what.clone());
            // One that does not wait for an answer may have ended.
            let killed = Command::new("kill").args(["-KILL", &pid]).output();
            killed.expect("kill runs");
        }
        Line::Good
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
    let call = at.lock().expect("no panic").clone();
    assert!(
        call.is_some() || status.success(),
        "{status}: {:?}",
        proxy.all()
    );
    assert!(
        call.is_none() || which == Which::Asks || !status.success(),
        "{status}: {:?}",
        proxy.all()
    );
    call
}

/// Has several apps do a part each of what are many numbers, and gives their calls in order.
fn in_lanes(work: impl Fn(usize, StepBy<RangeFrom<usize>>) -> Vec<String> + Sync) -> Vec<String> {
    const LANES: usize = 4;
    let lanes: Vec<Vec<String>> = thread::scope(|scope| {
        let work = &work;
        let lane = |lane| scope.spawn(move || work(lane, (lane + 1..).step_by(LANES)));
        let lanes: Vec<_> = (0..LANES).map(lane).collect();
        let lanes = lanes.into_iter().map(|lane| lane.join().expect("no panic"));
        lanes.collect()
    });
    let most = lanes.iter().map(Vec::len).max().unwrap_or(0);
    let by_number = (0..most).flat_map(|at| lanes.iter().filter_map(move |lane| lane.get(at)));
    by_number.cloned().collect()
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
        let call = killed_after(&project, Which::Changes, number, &["deploy"]);
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

/// Rollbacks, killed after each of these calls; gives all that there were.
fn rollbacks(name: &str, which: Which, numbers: impl Iterator<Item = usize>) -> Vec<String> {
    let keep = 50;
    let project = project(name, keep as u32);
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
    for number in numbers {
        let others = releases.iter().find(|(_, page)| *page != current);
        let (target, goal) = others.expect("the other");
        let call = killed_after(&project, which, number, &["rollback", target]);
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
        let again: (&[&str], &str) = match calls.len() % 2 {
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
    calls
}

#[test]
fn a_rollback_killed_after_any_call_that_changes_something() {
    let calls = rollbacks("krollback", Which::Changes, 1..);
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
fn a_rollback_killed_after_any_call_that_only_asks() {
    let calls = in_lanes(|lane, numbers| rollbacks(&format!("kback{lane}"), Which::Asks, numbers));
    tell("rollback, asking", &calls);
    assert!(calls.len() > 10, "{calls:?}");
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
        let call = killed_after(&project, Which::Changes, number, &["deploy"]);
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

/// The same with a port of the host that it has to have, and so behind an edge, with these lines more.
fn behind_an_edge(name: &str, more: &str) -> Project {
    let project = project(name, 2);
    let compose = std::fs::read_to_string(project.path().join("compose.yaml")).expect("a file");
    let fixed = format!("\"{}:8080\"", project.port);
    let compose = compose.replace("\"8080\"", &fixed);
    project.write("compose.yaml", &format!("{compose}{more}"));
    for page in ["a", "b", "one"] {
        project.write("index.html", page);
        done(project.rengine(&["deploy"]));
    }
    project
}

/// What whoever uses the app sees.
fn seen(project: &Project, after: &str) -> String {
    let answer = project.get();
    let answer = answer.unwrap_or_else(|error| panic!("after {after}: {error}"));
    let page = answer
        .split_once("\r\n\r\n")
        .map(|(_, page)| page.trim().to_owned());
    page.unwrap_or_default()
}

/// Deploys behind an edge, killed after each of these calls; gives all that there were.
fn deploys_behind_an_edge(
    name: &str,
    more: &str,
    which: Which,
    numbers: impl Iterator<Item = usize>,
) -> Vec<String> {
    let project = behind_an_edge(name, more);
    let mut old = "one".to_owned();
    let mut calls = Vec::new();
    for number in numbers {
        let new = format!("page {number}");
        project.write("index.html", &new);
        let call = killed_after(&project, which, number, &["deploy"]);
        let after = call.clone().unwrap_or_default();
        let served = seen(&project, &after);
        assert!(served == old || served == new, "after {after}: {served}");
        done(project.rengine(&["deploy"]));
        assert_eq!(seen(&project, &after), new, "after {after}");
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
    calls
}

#[test]
fn a_deploy_behind_an_edge_killed_after_any_call_that_changes_something() {
    let calls = deploys_behind_an_edge("kedge", "", Which::Changes, 1..);
    tell("deploy behind an edge", &calls);
    is_told(&calls);
}

#[test]
fn a_canary_killed_after_any_call_that_changes_something() {
    // Long enough to be asked for twice.
    let canary = "    x-rengine: { strategy: canary, canary: { share: 50%, for: 100ms } }\n";
    let calls = deploys_behind_an_edge("kcanary", canary, Which::Changes, 1..);
    tell("canary", &calls);
    is_told(&calls);
}

fn is_told(calls: &[String]) {
    let told = calls.iter().any(|call| call.contains("/exec/ID/start"));
    assert!(told, "the edge is told nothing: {calls:?}");
}

#[test]
fn a_deploy_behind_an_edge_killed_after_any_call_that_only_asks() {
    let calls = in_lanes(|lane, numbers| {
        deploys_behind_an_edge(&format!("kasks{lane}"), "", Which::Asks, numbers)
    });
    tell("deploy behind an edge, asking", &calls);
    assert!(calls.len() > 20, "{calls:?}");
}
