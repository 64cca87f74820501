//! rengine killed after every single call to the daemon, those that only ask among them: what ran or what
//! is new serves, and the next deploy puts all in order.
//!
//! A run that is left alone tells which calls there are. Each of them is then the last one of a run of its
//! own, and several apps have a part of them each.

use std::sync::Mutex;

use rengine_tests::Project;
use rengine_tests::killing::{Point, in_lanes, killed_after, points};
use rengine_tests::tidy::{Beside, done, tidy};
use rengine_tests::world::{World, page};

/// Without a check a container has to run for a second, which is long for so many.
const HEALTH: &str = "    healthcheck: { test: [\"CMD\", \"true\"], interval: 50ms }\n";

/// A Compose app with a network of its own and no port of the host that it has to have, so the
/// old container and the new one can run side by side.
fn project(name: &str, keep: usize) -> Project {
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

/// There is one of each of these.
#[track_caller]
fn has(points: &[Point], expected: &[&str]) {
    for expected in expected {
        let there = points.iter().any(|point| point.what.contains(expected));
        assert!(there, "no {expected} among {points:?}");
    }
}

/// What whoever uses the app sees: on its own port, or else at a container.
fn seen(project: &Project, edges: usize, after: &Point) -> String {
    if edges == 0 {
        return page(project, &format!("{after:?}"));
    }
    let answer = project.get();
    let answer = answer.unwrap_or_else(|error| panic!("after {after:?}: {error}"));
    let page = answer.split_once("\r\n\r\n").map(|(_, page)| page.trim());
    page.unwrap_or_default().to_owned()
}

/// Deploys, killed after each of their calls.
fn deploys(what: &str, make: impl Fn(usize) -> Project + Sync, edges: usize) -> Vec<Point> {
    const KEEP: usize = 2;
    let made = |lane| {
        let project = make(lane);
        done(project.rengine(&["deploy"]));
        project
    };
    let first = made(0);
    // So many that old ones go with each further one.
    for page in ["b", "c"] {
        first.write("index.html", page);
        done(first.rengine(&["deploy"]));
    }
    first.write("index.html", "one");
    let points = points(&first, &["deploy"]);
    let beside = Beside {
        edges,
        ..Beside::default()
    };
    in_lanes(what, first, &points, made, |project, queue| {
        let mut old = "one".to_owned();
        while let Some((number, point)) = queue.next() {
            let new = format!("page {number}");
            project.write("index.html", &new);
            let before = World::of(&project);
            let killed = killed_after(&project, point, &["deploy"]);
            let served = seen(&project, edges, point);
            assert!(
                served == old || served == new,
                "after {point:?}: {served}, and neither {old} nor {new}"
            );
            if !killed {
                assert_eq!(served, new, "after {point:?}");
                queue.missed(point);
            } else if World::of(&project) == before {
                // It came to nothing: the next one finds what this one found.
                assert_eq!(served, old, "after {point:?}");
                continue;
            }
            done(project.rengine(&["deploy"]));
            assert_eq!(seen(&project, edges, point), new, "after {point:?}");
            tidy(&project, KEEP, beside, &format!("{point:?}"));
            old = new;
        }
    });
    points
}

#[test]
fn a_deploy_killed_after_any_call() {
    let make = |lane| project(&format!("kdeploy{lane}"), 2);
    let points = deploys("deploy", make, 0);
    has(
        &points,
        &[
            "containers/create",
            "/start",
            "/rename",
            "/build",
            "volumes/create",
            "DELETE /images",
            "GET /containers/json",
        ],
    );
}

/// The same with a port of the host that it has to have, and so behind an edge; and these lines more.
fn behind_an_edge(name: &str, more: &str) -> Project {
    let project = project(name, 2);
    let compose = std::fs::read_to_string(project.path().join("compose.yaml")).expect("a file");
    let fixed = format!("\"{}:8080\"", project.port);
    let compose = compose.replace("\"8080\"", &fixed);
    project.write("compose.yaml", &format!("{compose}{more}"));
    project
}

#[test]
fn a_deploy_behind_an_edge_killed_after_any_call() {
    let make = |lane| behind_an_edge(&format!("kedge{lane}"), "");
    let points = deploys("deploy behind an edge", make, 1);
    has(&points, &["/exec/ID/start", "DELETE /images"]);
}

#[test]
fn a_canary_killed_after_any_call() {
    // Long enough to be asked for twice.
    let canary = "    x-rengine: { strategy: canary, canary: { share: 50%, for: 100ms } }\n";
    let make = |lane| behind_an_edge(&format!("kcanary{lane}"), canary);
    let points = deploys("canary", make, 1);
    has(&points, &["/exec/ID/start"]);
}

/// A project of two releases, of which the second runs; and their ids with their pages.
struct Two {
    project: Project,
    releases: [(String, &'static str); 2],
}

impl Two {
    fn of(project: Project) -> Self {
        let release = |page: &'static str| {
            project.write("index.html", page);
            done(project.rengine(&["deploy"]));
            let shown = done(project.rengine(&["show", "--json"])).stdout;
            let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
            (shown["release"].as_str().expect("an id").to_owned(), page)
        };
        let releases = ["one", "two"].map(release);
        Self { project, releases }
    }

    /// The one that does not run.
    fn other(&self, current: &str) -> (&str, &'static str) {
        let mut others = self.releases.iter().filter(|(_, page)| *page != current);
        let (release, page) = others.next().expect("the other");
        (release, page)
    }
}

#[test]
fn a_rollback_killed_after_any_call() {
    const KEEP: usize = 50;
    let make = |lane| project(&format!("kback{lane}"), KEEP);
    let first = Two::of(make(0));
    let points = points(&first.project, &["rollback", first.other("two").0]);
    done(first.project.rengine(&["deploy"]));
    has(
        &points,
        &["containers/create", "/start", "/rename", "volumes/create"],
    );
    assert!(
        !points.iter().any(|point| point.what.contains("/build")),
        "{points:?}"
    );
    let Two { project, releases } = first;
    let known = Mutex::new(Some(releases));
    in_lanes("rollback", project, &points, make, |project, queue| {
        // The first one has its releases, and each other one makes its own.
        let of_first = project.app.ends_with("kback0");
        let releases = of_first.then(|| known.lock().expect("no panic").take());
        let two = match releases.flatten() {
            Some(releases) => Two { project, releases },
            None => Two::of(project),
        };
        let project = &two.project;
        let mut current = "two";
        while let Some((number, point)) = queue.next() {
            let (target, goal) = two.other(current);
            let before = World::of(project);
            let killed = killed_after(project, point, &["rollback", target]);
            let served = seen(project, 0, point);
            assert!(
                served == current || served == goal,
                "after {point:?}: {served}"
            );
            if !killed {
                assert_eq!(served, goal, "after {point:?}");
                queue.missed(point);
            } else if World::of(project) == before {
                assert_eq!(served, current, "after {point:?}");
                continue;
            }
            // Every other time what the sources are, and not the same again.
            let (again, page): (&[&str], _) = match number % 2 {
                0 => (&["deploy"], "two"),
                _ => (&["rollback", target], goal),
            };
            done(project.rengine(again));
            current = page;
            assert_eq!(seen(project, 0, point), current, "after {point:?}");
            tidy(project, KEEP, Beside::default(), &format!("{point:?}"));
        }
    });
}

#[test]
fn a_first_deploy_killed_after_any_call() {
    let make = |lane| {
        let project = project(&format!("kfirst{lane}"), 2);
        // Without a build, which the others have, and with a volume.
        let app = &project.app;
        let compose = format!(
            "name: {app}\nservices:\n  web:\n    image: rengine/busybox:local\n    ports: [\"8080\"]\n    \
             stop_signal: KILL\n{HEALTH}    volumes: [\"data:/www\"]\n    \
             command: [\"sh\", \"-c\", \"echo one > /www/index.html; exec httpd -f -p 8080 -h /www\"]\n\
             volumes:\n  data: {{}}\n"
        );
        project.write("compose.yaml", &compose);
        project
    };
    let down = |project: &Project, after: &str| {
        done(project.rengine(&["down", "--history", "--volume", "data"]));
        let world = World::of(project);
        assert!(world.is_empty(), "after {after}: {world:#?}");
    };
    let first = make(0);
    let points = points(&first, &["deploy"]);
    down(&first, "the first");
    has(&points, &["networks/create", "volumes/create"]);
    let beside = Beside {
        volumes: 1,
        ..Beside::default()
    };
    in_lanes("first deploy", first, &points, make, |project, queue| {
        while let Some((_, point)) = queue.next() {
            let killed = killed_after(&project, point, &["deploy"]);
            if !killed {
                queue.missed(point);
            } else if World::of(&project).is_empty() {
                continue;
            }
            done(project.rengine(&["deploy"]));
            assert_eq!(seen(&project, 0, point), "one", "after {point:?}");
            tidy(&project, 2, beside, &format!("{point:?}"));
            down(&project, &format!("{point:?}"));
        }
    });
}
