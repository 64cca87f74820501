//! The daemon restarted after every call of a deploy that changes something: the old release or the
//! new one serves once it is back, and the next deploy puts all in order.

use std::io::Write;
use std::sync::{Arc, Mutex};

use rengine_tests::dockerd::Dockerd;
use rengine_tests::proxy::{Line, Proxy};
use rengine_tests::tidy::{Beside, done, tidy};
use rengine_tests::{Outcome, Project};

/// How a daemon ends and comes back.
#[derive(Debug, Clone, Copy)]
struct Restart {
    /// Whether containers go on without it.
    live: bool,
    /// Whether it is asked to end, and has time to, or is killed.
    asked: bool,
}

impl Restart {
    /// One that was killed stops what it finds when it starts again, and takes that for the wish of
    /// a person: what is to run unless it was stopped stays so.
    fn leaves_stopped(self) -> bool {
        !self.live && !self.asked
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
    // What the proxy has stays for as long as the process.
    let ending = Arc::downgrade(daemon);
    let proxy = Proxy::before(&socket, move |call| {
        if call.done && call.changes && call.changed == number {
            let daemon = ending.upgrade().expect("it is there");
            let mut daemon = daemon.lock().expect("no panic");
            match how.asked {
                true => daemon.stop(),
                false => daemon.kill(),
            }
            // What the daemon has said arrives in one of two cases.
            if number % 4 > 1 {
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

/// After every other call of a deploy, from the first or the second.
fn restarted(live: bool, first: usize) {
    let mut daemon = Dockerd::elsewhere(None);
    daemon.stop();
    daemon.live_restore(live);
    daemon.begin();
    let project = Project::on(Some(&daemon), &format!("restart{first}"), "one", "");
    let daemon = Arc::new(Mutex::new(daemon));
    project.configure("stop-signal = \"KILL\"\nhealth = { http = \"/\" }\n[deploy]\nkeep = 2");
    project.write(".dockerignore", "*\n!index.html\n");
    for page in ["a", "b", "one"] {
        project.write("index.html", page);
        done(project.rengine(&["deploy"]));
    }
    let mut old = "one".to_owned();
    let (mut calls, mut unclear) = (Vec::new(), Vec::new());
    for number in (first..).step_by(2) {
        let new = format!("page {number}");
        project.write("index.html", &new);
        let asked = number % 4 < 2;
        let how = Restart { live, asked };
        let (outcome, call) = interrupted(&project, &daemon, number, how);
        let Some(call) = call else {
            done(outcome);
            break;
        };
        let after = format!("{call}, {how:?}");
        // After the last call of all it may have all that it needs.
        if outcome.code != 0 {
            let said = &outcome.stderr;
            let helped = ["rengine d", "systemctl"]
                .iter()
                .any(|word| said.contains(word));
            if outcome.code != 4 || !said.contains("daemon") || !helped {
                unclear.push(format!("{after}: {outcome:#?}"));
            }
        }
        daemon.lock().expect("no panic").begin();
        let serves = |page: &str| page == old || page == new;
        let begun = std::time::Instant::now();
        while !how.leaves_stopped() && !serves(&page(&project)) {
            if begun.elapsed().as_secs() > 30 {
                let edge = project.edges().remove(0);
                let state = project.docker(&["exec", &edge, "/rengine", "edge", "ctl", "state"]);
                let log = project.docker(&["logs", "--tail", "5", &edge]);
                let got = project.get();
                let there = project.docker(&["ps", "-a"]);
                panic!(
                    "none serves after {after}: {there}{state}{log}{got:?} where {old} or {new} is wanted"
                );
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
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
        "daemon restarted{} after each of {} calls of a deploy: {}\n",
        if live {
            ", with containers that go on,"
        } else {
            ""
        },
        calls.len(),
        calls.join(", ")
    );
    let _ = std::io::stderr().write_all(told.as_bytes());
    // One run tells of all of them.
    assert!(unclear.is_empty(), "{}", unclear.join("\n"));
    assert!(calls.len() > 7, "{calls:?}");
    done(project.rengine(&["down", "--history"]));
}

#[test]
fn a_daemon_that_is_restarted_after_any_odd_call() {
    restarted(true, 1);
}

#[test]
fn a_daemon_that_is_restarted_with_all_containers_after_any_even_call() {
    restarted(false, 2);
}
