//! What happens to the edge, to the line to the daemon, and to those that are replaced, in the middle
//! of a deploy.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rengine_tests::dockerd::{Dockerd, SmallDisk};
use rengine_tests::load::Load;
use rengine_tests::proxy::{Call, Line, Proxy};
use rengine_tests::tidy::{Beside, done, tidy};
use rengine_tests::{Outcome, Project, docker, plugin, until};

const FAST: &str = "stop-signal = \"KILL\"\nhealth = { http = \"/\", interval = \"50ms\" }";

/// An app behind an edge whose releases differ in a variable.
fn project(name: &str) -> Project {
    let project = Project::new(name, "hello", "");
    project.write(".dockerignore", "plugins.toml\n");
    release(&project, 0, FAST);
    done(project.rengine(&["deploy"]));
    project
}

fn release(project: &Project, number: usize, extra: &str) {
    project.configure(&format!("env = {{ NUMBER = {number} }}\n{extra}"));
}

/// The number of the release that runs, of which there is one.
fn number(project: &Project) -> usize {
    let env = project.inspect()["Config"]["Env"].to_string();
    let number = env.split("NUMBER=").nth(1).expect("it");
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

fn answers(project: &Project) -> bool {
    project.get().is_ok_and(|text| text.contains("hello"))
}

const WITH_EDGE: Beside = Beside {
    edges: 1,
    volumes: 0,
};

/// Deploys through a proxy that is told of each call.
fn deploy(project: &Project, judge: impl Fn(&Call) -> Line + Send + Sync + 'static) -> Outcome {
    let proxy = Proxy::before_shared(judge);
    project.rengine(&["--host", &proxy.url(), "deploy"])
}

/// A way to do it, by the edge's id.
type Way = fn(&str);

#[test]
fn an_edge_that_is_killed_while_a_release_is_made() {
    let project = project("edge-killed");
    let edge = project.edges().remove(0);
    // As a person kills it, who wants it to stay so, and as the lack of memory does.
    let kill = |edge: &str| drop(docker(&["kill", edge]));
    let crash = |edge: &str| {
        let pid = docker(&["inspect", "-f", "{{.State.Pid}}", edge]);
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status();
        assert!(killed.expect("kill runs").success());
    };
    // Its worker alone: the keeper starts another one.
    let worker = |edge: &str| {
        let listed = docker(&["top", edge, "-o", "pid,args"]);
        let mut lines = listed.lines().filter(|line| line.contains(" worker "));
        let pid = lines.next().and_then(|line| line.split_whitespace().next());
        let pid = pid.expect("a worker");
        let killed = Command::new("kill").args(["-KILL", pid]).status();
        assert!(killed.expect("kill runs").success());
    };
    let ways: [(&str, Way); 3] = [("kill", kill), ("crash", crash), ("worker", worker)];
    let mut release_number = 0;
    for (how, way) in ways {
        // When the new container has started, when the edge is to be told, and when it was.
        for (call, done_by_then) in [
            ("/start", true),
            ("/exec/ID/start", false),
            ("/exec/ID/start", true),
        ] {
            release_number += 1;
            release(&project, release_number, FAST);
            let once = AtomicBool::new(false);
            let id = edge.clone();
            let deployed = deploy(&project, move |now| {
                let exec = now.what.contains("/exec/") == call.contains("/exec/");
                let here = now.what.ends_with(call) && exec && now.done == done_by_then;
                if here && !once.swap(true, Ordering::SeqCst) {
                    way(&id);
                }
                Line::Good
            });
            let when = format!("{how} at {call}, {done_by_then}");
            assert_eq!(deployed.code, 0, "{when}: {deployed:#?}");
            // It comes back by itself, but for one that was told to go after the last word to it.
            if !answers(&project) && how == "kill" {
                done(project.rengine(&["deploy"]));
            }
            until(&format!("it answers after {when}"), || answers(&project));
            assert_eq!(number(&project), release_number, "{when}");
            tidy(&project, 5, WITH_EDGE, &when);
        }
    }
    assert_eq!(project.edges(), [edge]);
}

#[test]
fn an_edge_that_can_not_be_told_that_a_canary_is_taken_back() {
    let project = project("untold");
    let canary =
        format!("{FAST}\nstrategy = \"canary\"\ncanary = {{ share = \"50%\", for = \"10m\" }}");
    release(&project, 1, &canary);
    let load = Load::http(project.port, 2);
    let shifted = AtomicBool::new(false);
    let app = project.app.clone();
    let deployed = deploy(&project, move |call| {
        if !call.what.contains("/exec/ID/start") {
            return Line::Good;
        }
        if call.done && !shifted.swap(true, Ordering::SeqCst) {
            // The new container is not well from here on, and the edge hears of nothing any more.
            let label = format!("label=dev.rengine.app={app}");
            let new = ["ps", "-q", "--filter", &label, "--filter", "name=candidate"];
            docker(&["kill", docker(&new).trim()]);
            return Line::Good;
        }
        match shifted.load(Ordering::SeqCst) {
            true => Line::Lost,
            false => Line::Good,
        }
    });
    assert_ne!(deployed.code, 0, "{deployed:#?}");
    let text = "requests could not be given back, so the new containers stay";
    assert!(deployed.stderr.contains(text), "{deployed:#?}");
    let new = project.containers();
    assert_eq!(new.len(), 2, "nobody is taken away: {deployed:#?}");
    drop(load.stop());
    release(&project, 1, FAST);
    done(project.rengine(&["deploy"]));
    assert!(answers(&project));
    assert_eq!(number(&project), 1);
    tidy(&project, 5, WITH_EDGE, "all");
}

#[test]
fn a_line_to_the_daemon_that_is_cut_at_any_call() {
    let project = project("cut");
    let mut calls = Vec::new();
    for at in 1.. {
        release(&project, at, FAST);
        // In the middle of a call, and after one of which nothing is heard, in turn. Of two that are begun
        // at once, neither may be the one that is counted.
        let deployed = deploy(&project, move |call| {
            let begun = at % 2 == 0 && !call.done && call.changes && call.changed + 1 >= at;
            let heard = at % 2 == 1 && call.done && call.changes && call.changed == at;
            match begun || heard {
                true => Line::Cut,
                false => Line::Good,
            }
        });
        if deployed.code == 0 {
            break;
        }
        let when = format!("at call {at}");
        assert_eq!(deployed.code, 4, "{when}: {deployed:#?}");
        for text in ["the daemon", "rengine d"] {
            assert!(deployed.stderr.contains(text), "{when}: {deployed:#?}");
        }
        assert!(answers(&project), "{when}: {deployed:#?}");
        done(project.rengine(&["deploy"]));
        assert_eq!(number(&project), at, "{when}");
        tidy(&project, 5, WITH_EDGE, &when);
        calls.push(at);
    }
    let told = format!("line cut at each of {} calls of a deploy\n", calls.len());
    let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
    assert!(calls.len() > 8, "{calls:?}");
}

#[test]
fn an_answer_that_gets_lost_after_requests_go_to_the_new_container() {
    let project = project("lost");
    let load = Load::http(project.port, 4);
    release(&project, 1, FAST);
    let once = AtomicBool::new(false);
    let deployed = deploy(&project, move |call| {
        let applied = call.done && call.what.contains("/exec/ID/start");
        match applied && !once.swap(true, Ordering::SeqCst) {
            true => Line::Lost,
            false => Line::Good,
        }
    });
    assert_eq!(deployed.code, 4, "{deployed:#?}");
    assert!(deployed.stderr.contains("rolled back"), "{deployed:#?}");
    assert_eq!(number(&project), 0);
    done(project.rengine(&["deploy"]));
    let counts = load.stop();
    assert!(counts.failed.is_empty() && counts.fine > 0, "{counts:?}");
    assert_eq!(number(&project), 1);
    tidy(&project, 5, WITH_EDGE, "all");
}

#[test]
fn a_line_through_which_nothing_comes_any_more() {
    let project = project("silent");
    for (at, what) in ["/build", "/start", "/exec/ID/start"].iter().enumerate() {
        let page = format!("hello {at}");
        project.write("index.html", &page);
        let silent = Arc::new(AtomicBool::new(false));
        let told = silent.clone();
        let proxy = Proxy::before_shared(move |call| {
            if !call.done && call.what.ends_with(what) {
                told.store(true, Ordering::SeqCst);
                return Line::Silent;
            }
            Line::Good
        });
        let deploy = project.start(&["--host", &proxy.url(), "deploy"]);
        until("nothing comes through", || silent.load(Ordering::SeqCst));
        deploy.signal("INT");
        until("it says so", || deploy.output().contains("once more"));
        deploy.signal("INT");
        let ended = deploy.finish();
        assert_eq!(ended.code, 130, "{what}: {ended:#?}");
        assert!(answers(&project), "{what}");
        done(project.rengine(&["deploy"]));
        assert!(project.get().is_ok_and(|text| text.contains(&page)));
        tidy(&project, 5, WITH_EDGE, what);
    }
}

#[test]
fn those_that_are_replaced_do_as_they_like() {
    let project = project("stubborn");
    project.write(
        "serve.sh",
        "#!/bin/sh\ntrap '' TERM\nhttpd -f -p 8080 -h /www &\nwhile :; do wait; done\n",
    );
    project.write(
        "Dockerfile",
        "FROM rengine/busybox:local\nCOPY index.html /www/\nCOPY --chmod=755 serve.sh /\nCMD [\"/serve.sh\"]\n",
    );
    const DEAF: &str = "stop-timeout = \"1s\"\nhealth = { http = \"/\", interval = \"50ms\" }";
    release(&project, 1, DEAF);
    done(project.rengine(&["deploy"]));
    let load = Load::http(project.port, 4);
    // One that does not end when it is asked to is ended.
    release(&project, 2, DEAF);
    done(project.rengine(&["deploy"]));
    // One that ends by itself while it is to end what it does is none to wait for.
    release(&project, 3, DEAF);
    let old = project.containers().remove(0);
    let ended = old.clone();
    let deployed = deploy(&project, move |call| {
        // Told of the new ones, and now asked whether the old one has nothing to do any more.
        if call.done && call.what.ends_with("/rename") {
            docker(&["kill", &ended]);
        }
        Line::Good
    });
    assert_eq!(deployed.code, 0, "{deployed:#?}");
    let counts = load.stop();
    // What it was about to answer when it was killed is lost, and nothing else: one for each client.
    assert!(counts.failed.len() <= 4, "{counts:?}");
    assert_eq!(number(&project), 3);
    assert!(!project.containers().contains(&old));
    tidy(&project, 5, WITH_EDGE, "all");
}

/// A plugin whose `pre-stop` does not come back.
fn hangs(timeout: &str) -> String {
    let path = plugin("every_hook.wasm");
    format!(
        "{FAST}\n[plugins.all]\npath = \"{}\"\ntimeout = \"{timeout}\"\n\
         config = {{ hang-in = \"pre-stop\" }}",
        path.display()
    )
}

#[test]
fn a_plugin_that_hangs_before_a_container_stops() {
    let project = project("hangs");
    let load = Load::http(project.port, 2);
    release(&project, 1, &hangs("1s"));
    let deployed = done(project.rengine(&["deploy"]));
    assert!(deployed.stderr.contains("pre-stop"), "{deployed:#?}");
    assert!(deployed.stderr.contains("1s"), "{deployed:#?}");
    assert_eq!(number(&project), 1);
    // Who does not want to wait for it does not have to.
    release(&project, 2, &hangs("10m"));
    let mut deploy = project.start(&["deploy", "-v"]);
    deploy.wait_for("✔ drain");
    deploy.signal("INT");
    let ended = deploy.finish();
    // It has taken over, and so it comes to its end.
    assert_eq!(ended.code, 0, "{ended:#?}");
    let told = "`pre-stop` for service `web` was not waited for";
    assert!(ended.stderr.contains(told), "{ended:#?}");
    let counts = load.stop();
    assert!(counts.failed.is_empty(), "{counts:?}");
    release(&project, 2, FAST);
    done(project.rengine(&["deploy"]));
    assert_eq!(number(&project), 2);
    tidy(&project, 5, WITH_EDGE, "all");
}

#[test]
fn a_disk_that_is_full_behind_an_edge() {
    let disk = SmallDisk::new(640);
    let daemon = Dockerd::elsewhere(Some(&disk.path()));
    let project = Project::on(Some(&daemon), "edge-full", "hello", FAST);
    let size = |mib: u32| {
        project.write(
            "Dockerfile",
            &format!(
                "FROM rengine/busybox:local\nCOPY index.html /www/\n\
                 RUN dd if=/dev/zero of=/data bs=1M count={mib}\n\
                 CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n"
            ),
        );
    };
    size(1);
    // As another release of rengine leaves it, and one that a container has.
    for name in ["rengine-edge:another", "not-rengine-edge:another"] {
        daemon.docker(&["tag", "rengine/busybox:local", name]);
    }
    daemon.docker(&["create", "--name", "user", "rengine/busybox:local"]);
    daemon.docker(&["commit", "user", "rengine-edge:used"]);
    daemon.docker(&["rm", "user"]);
    daemon.docker(&["create", "--name", "user", "rengine-edge:used"]);
    done(project.rengine(&["deploy"]));
    let names = daemon.docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    for (name, stays) in [
        ("rengine-edge:another", false),
        ("rengine-edge:used", true),
        ("not-rengine-edge:another", true),
    ] {
        assert_eq!(
            names.lines().any(|one| one == name),
            stays,
            "{name}: {names}"
        );
    }
    daemon.docker(&["rm", "user"]);
    let before = project.containers();
    let at = format!("{}:{}", project.address, project.port);
    let load = Load::http(at.parse::<std::net::SocketAddr>().expect("an address"), 2);
    size(900);
    let full = project.rengine(&["deploy"]);
    assert_eq!(full.code, 1, "{full:#?}");
    assert!(full.stderr.contains("docker system prune"), "{full:#?}");
    assert_eq!(project.containers(), before);
    size(2);
    done(project.rengine(&["deploy"]));
    assert_ne!(project.containers(), before);
    let counts = load.stop();
    assert!(counts.failed.is_empty(), "{counts:?}");
    tidy(&project, 5, WITH_EDGE, "a full disk");
    done(project.rengine(&["down", "--history"]));
}
