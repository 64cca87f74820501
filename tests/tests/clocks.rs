//! Clocks that are wrong, and one that jumps in the middle of a deploy: nothing but what people are
//! told of times depends on the clock of whoever deploys.

use std::path::PathBuf;

use rengine_tests::proxy::{Line, Proxy};
use rengine_tests::tidy::{Beside, done, tidy};
use rengine_tests::{Outcome, Project, docker};

const FAST: &str = "stop-signal = \"KILL\"\nhealth = { http = \"/\", interval = \"50ms\" }";

/// `rengine` with a clock that is what a file says, such as `+5h`, as soon as it says so.
fn with_clock(project: &Project, file: &PathBuf, args: &[&str]) -> Outcome {
    let preload = faketime();
    let output = project
        .command(args)
        .env("LD_PRELOAD", preload)
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1")
        // No clock that counts the time since the machine started can be set.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .output();
    Outcome::from(output.expect("rengine runs"))
}

/// The library that tells programs another time.
fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a folder").flatten();
    let mut paths = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    paths
        .find(|path| path.is_file())
        .expect("libfaketime is there: run ./dev test, or install it")
}

fn at(project: &Project, clock: &str, args: &[&str]) -> Outcome {
    let file = project.path().join("clock");
    std::fs::write(&file, clock).expect("a file");
    with_clock(project, &file, args)
}

fn release(project: &Project, page: &str) {
    project.write("index.html", page);
}

/// The clock of whoever runs this is what it is to be, and not that of the machine.
fn year(project: &Project, clock: &str) -> String {
    release(project, &format!("at {clock}"));
    done(at(project, clock, &["deploy"]));
    let shown = done(project.rengine(&["show", "--json"])).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    shown["started"].as_str().expect("a time")[..4].to_owned()
}

#[test]
fn releases_whose_clocks_are_years_apart_come_one_after_the_other() {
    let project = Project::new("clocks", "zero", FAST);
    project.write(".dockerignore", "*\n!index.html\n");
    done(project.rengine(&["deploy"]));
    let now = year(&project, "+0");
    let [past, future] = ["-3y", "+3y"].map(|clock| year(&project, clock));
    assert!(past < now && now < future, "{past} {now} {future}");
    let answers = |page: &str| assert!(project.get().expect("an answer").contains(page), "{page}");
    answers("at +3y");
    release(&project, "one");
    done(at(&project, "-5h", &["deploy"]));
    answers("one");
    let again = done(at(&project, "+1h", &["deploy"]));
    assert!(again.stderr.contains("nothing to do"), "{again:#?}");
    done(project.rengine(&["rollback"]));
    answers("at +3y");
    done(at(&project, "-3y", &["rollback"]));
    answers("at -3y");
    let beside = Beside {
        edges: 1,
        volumes: 0,
    };
    tidy(&project, 5, beside, "all");
}

#[test]
fn a_clock_that_jumps_in_the_middle_of_a_deploy() {
    let project = Project::new("jumps", "zero", FAST);
    project.write(".dockerignore", "*\n!index.html\n");
    done(project.rengine(&["deploy"]));
    for (number, (clock, call)) in [
        ("+5h", "/build"),
        ("-5h", "/build"),
        ("-3y", "/start"),
        ("+3y", "/exec/ID/start"),
    ]
    .into_iter()
    .enumerate()
    {
        let page = format!("page {number}");
        release(&project, &page);
        let file = project.path().join("clock");
        std::fs::write(&file, "+0").expect("a file");
        let jump = file.clone();
        let proxy = Proxy::before_shared(move |now| {
            if !now.done && now.what.ends_with(call) {
                std::fs::write(&jump, clock).expect("a file");
            }
            Line::Good
        });
        let deployed = with_clock(&project, &file, &["--host", &proxy.url(), "deploy"]);
        assert_eq!(deployed.code, 0, "{clock} at {call}: {deployed:#?}");
        assert!(project.get().expect("an answer").contains(&page));
        let beside = Beside {
            edges: 1,
            volumes: 0,
        };
        tidy(&project, 5, beside, clock);
    }
}

/// The lock of somebody on another machine, who has a sign of life to give only after so long.
fn foreign_lock(project: &Project, lease: u64) -> String {
    let holder = format!(
        "{{\"user\":\"alice\",\"host\":\"elsewhere\",\"pid\":7,\"boot-id\":\"b\",\"pid-start\":1,\
         \"since\":\"2026-01-01T00:00:00Z\",\"command\":\"rengine deploy\",\"lease-ms\":{lease}}}"
    );
    let name = format!("rengine-lock-{}", project.app);
    let lock = format!("dev.rengine.lock={holder}");
    let app = format!("dev.rengine.app={}", project.app);
    let create = ["create", "--name", &name, "--label", &lock, "--label", &app];
    docker(&[&create[..], &["rengine/busybox:local", "lock"]].concat())
}

#[test]
fn a_lock_is_as_old_as_the_daemon_says() {
    let project = Project::new("clocklock", "hello", FAST);
    for clock in ["+5h", "-5h"] {
        let id = foreign_lock(&project, 3_600_000);
        let locked = at(&project, clock, &["deploy"]);
        assert_eq!(locked.code, 5, "{clock}: {locked:#?}");
        docker(&["rm", id.trim()]);
        foreign_lock(&project, 300);
        release(&project, clock);
        let taken = at(&project, clock, &["deploy", "--wait=1m"]);
        assert_eq!(taken.code, 0, "{clock}: {taken:#?}");
    }
}
