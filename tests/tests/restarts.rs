//! The daemon restarted after every call of a deploy that changes something: the old release or the
//! new one serves once it is back, and the next deploy puts all in order.

use std::io::Write;
use std::sync::{Arc, Mutex};

use rengine_tests::dockerd::Dockerd;
use rengine_tests::proxy::{Line, Proxy};
use rengine_tests::tidy::{Beside, done, tidy};
use rengine_tests::{Outcome, Project, until};

/// How a daemon ends and comes back, in turn.
#[derive(Debug, Clone, Copy)]
struct Restart {
    /// Whether containers go on without it.
    live: bool,
    /// Whether it is asked to end, and has time to, or is killed.
    asked: bool,
}

impl Restart {
    fn of(number: usize) -> Self {
        Self {
            live: number.is_multiple_of(2),
            asked: number % 4 > 1,
        }
    }
}

/// Deploys while the daemon ends right after the call of this number. Gives how the deploy ended,
/// and the call; `None` if there was no such call any more.
fn interrupted(
    project: &Project,
    daemon: &Arc<Mutex<Dockerd>>,
    number: usize,
    how: Restart,
) -> (Outcome, Option<String>) {
    let socket = daemon.lock().expect("no panic").socket();
    let ending = daemon.clone();
    let proxy = Proxy::before(&socket, move |call| {
        if call.done && call.changes && call.changed == number {
            let mut daemon = ending.lock().expect("no panic");
            match how.asked {
                true => daemon.stop(),
                false => daemon.kill(),
            }
            // What the daemon has said arrives in one of two cases.
            if how.live {
                return Line::Cut;
            }
        }
        Line::Good
    });
    let outcome = project.rengine(&["--host", &proxy.url(), "deploy"]);
    let call = proxy.calls().get(number - 1).cloned();
    (outcome, call)
}

fn page(project: &Project) -> String {
    let text = project.get().unwrap_or_default();
    let page = text.split_once("\r\n\r\n").map(|(_, page)| page.trim());
    page.unwrap_or_default().to_owned()
}

#[test]
fn a_daemon_that_is_restarted_after_any_call_of_a_deploy() {
    let daemon = Dockerd::new(None);
    let host = daemon.host.clone();
    let project = Project::on(Some(&host), "restarts", "one", "");
    let daemon = Arc::new(Mutex::new(daemon));
    project.configure("stop-signal = \"KILL\"\nhealth = { http = \"/\" }\n[deploy]\nkeep = 2");
    project.write(".dockerignore", "*\n!index.html\n");
    for page in ["a", "b", "one"] {
        project.write("index.html", page);
        done(project.rengine(&["deploy"]));
    }
    let mut old = "one".to_owned();
    let mut calls = Vec::new();
    for number in 1.. {
        let new = format!("page {number}");
        project.write("index.html", &new);
        let how = Restart::of(number);
        let (outcome, call) = interrupted(&project, &daemon, number, how);
        let Some(call) = call else {
            done(outcome);
            break;
        };
        let after = format!("{call}, {how:?}");
        // After the last call of all it may have all that it needs.
        if outcome.code != 0 {
            assert!(matches!(outcome.code, 1 | 4), "{after}: {outcome:#?}");
            for word in ["daemon", "rengine deploy"] {
                assert!(outcome.stderr.contains(word), "{after}: {outcome:#?}");
            }
        }
        {
            let mut daemon = daemon.lock().expect("no panic");
            daemon.live_restore(how.live);
            daemon.begin();
        }
        let serves = |page: &str| page == old || page == new;
        until(&format!("one serves after {after}"), || {
            serves(&page(&project))
        });
        done(project.rengine(&["deploy"]));
        assert_eq!(page(&project), new, "after {after}");
        let beside = Beside {
            edges: 1,
            ..Beside::default()
        };
        tidy(&project, 2, beside, &after);
        old = new;
        calls.push(call);
    }
    let told = format!(
        "daemon restarted after each of {} calls of a deploy: {}\n",
        calls.len(),
        calls.join(", ")
    );
    let _ = std::io::stderr().write_all(told.as_bytes());
    for expected in ["containers/create", "/start", "/exec/ID/start", "/rename"] {
        let there = calls.iter().any(|call| call.contains(expected));
        assert!(there, "no {expected} among {calls:?}");
    }
    done(project.rengine(&["down", "--history"]));
}
