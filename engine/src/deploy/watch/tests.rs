//! What a watcher decides, with a clock of the tests' own.

use std::time::Duration;

use super::core::{Act, Core, Failure, Running, Seen};
use super::slot::{Facts, Verdict};
use crate::manifest::{OnBad, WatchSection};

const RETRIES: u32 = 3;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn facts(service: &str, replica: u32) -> Facts {
    Facts {
        id: format!("{service}{replica}"),
        name: format!("shop-{service}-{replica}"),
        service: service.to_owned(),
        replica,
        release: "r2".to_owned(),
        target: Some(format!("{service}-{replica}-r2")),
        running: true,
        retries: RETRIES,
        lasts: true,
    }
}

fn ended(id: &str, why: &str) -> Seen {
    Seen::Ended {
        id: id.to_owned(),
        why: why.to_owned(),
        fine: false,
    }
}

fn running(age: u64) -> Option<Running> {
    Some(Running {
        release: "r2".to_owned(),
        age: seconds(age),
        back: Ok("r1".to_owned()),
    })
}

/// A watcher with its time, and what it did, a line for each.
struct Story {
    core: Core,
    now: Duration,
}

impl Story {
    fn new(settings: WatchSection, containers: &[Facts]) -> Self {
        let mut story = Self {
            core: Core::new(settings, 1),
            now: seconds(100),
        };
        story.see(Seen::Roster(containers.to_vec(), running(5)));
        story
    }

    fn lines(acts: Vec<Act>) -> Vec<String> {
        let line = |act: Act| match act {
            Act::Tell(service, container, news) => {
                let who = container.or(service).unwrap_or_else(|| "app".to_owned());
                format!("{who}: {news}")
            }
            Act::KeepOut(out) => format!("KEEP OUT {out:?}"),
            Act::Restart(facts) => format!("RESTART {}", facts.name),
            Act::Replace(facts) => format!("REPLACE {}", facts.name),
            Act::RollBack { to, .. } => format!("ROLL BACK {to}"),
        };
        acts.into_iter().map(line).collect()
    }

    fn see(&mut self, seen: Seen) -> Vec<String> {
        Self::lines(self.core.see(seen, self.now))
    }

    /// Lets time go by.
    fn wait(&mut self, count: u64) -> Vec<String> {
        self.now += seconds(count);
        Self::lines(self.core.tick(self.now))
    }

    fn fails(&mut self, id: &str) -> Vec<String> {
        let failing = || Verdict::Failing {
            why: "GET / answers 500".to_owned(),
            certain: false,
        };
        let mut lines = Vec::new();
        for _ in 0..RETRIES {
            lines.extend(self.see(Seen::Checked(id.to_owned(), failing())));
        }
        lines
    }

    fn passes(&mut self, id: &str) -> Vec<String> {
        self.see(Seen::Checked(id.to_owned(), Verdict::Healthy))
    }

    fn done(&mut self) -> Vec<String> {
        self.see(Seen::Done(Ok(())))
    }
}

fn settings() -> WatchSection {
    WatchSection {
        restarts: 2,
        ..WatchSection::default()
    }
}

fn on_probation() -> WatchSection {
    WatchSection {
        probation: Some(seconds(600)),
        ..settings()
    }
}

#[test]
fn one_of_two_is_taken_out_restarted_and_put_back() {
    let mut story = Story::new(settings(), &[facts("web", 1), facts("web", 2)]);
    assert!(story.passes("web1").is_empty());
    // A slip is none.
    let slip = Verdict::Failing {
        why: "slow".to_owned(),
        certain: false,
    };
    assert!(story.see(Seen::Checked("web1".to_owned(), slip)).is_empty());
    assert!(story.passes("web1").is_empty());
    assert_eq!(
        story.fails("web1"),
        [
            "shop-web-1: unhealthy: GET / answers 500",
            "KEEP OUT {\"web-1-r2\"}",
            "shop-web-1: taken out of the edge",
        ]
    );
    assert!(story.core.next(story.now).is_some());
    assert_eq!(
        story.wait(2),
        ["shop-web-1: restarting, try 1", "RESTART shop-web-1"]
    );
    assert!(story.core.next(story.now).is_none(), "one thing at a time");
    // What it stops by itself is no crash.
    assert!(story.see(ended("web1", "exit status 0")).is_empty());
    assert!(story.see(Seen::Stopped("web1".to_owned())).is_empty());
    assert_eq!(story.done(), ["shop-web-1: restarted"]);
    assert_eq!(
        story.passes("web1"),
        [
            "shop-web-1: healthy again",
            "KEEP OUT {}",
            "shop-web-1: back in the edge"
        ]
    );
    assert!(story.wait(3600).is_empty());
}

#[test]
fn restarts_come_later_each_time_and_then_a_new_container_and_then_nothing() {
    let mut story = Story::new(settings(), &[facts("web", 1), facts("web", 2)]);
    story.fails("web1");
    assert!(story.wait(0).is_empty());
    assert_eq!(story.wait(2).last().expect("an act"), "RESTART shop-web-1");
    story.done();
    story.fails("web1");
    assert!(story.wait(1).is_empty(), "twice as long");
    assert_eq!(story.wait(2).last().expect("an act"), "RESTART shop-web-1");
    story.done();
    story.fails("web1");
    assert_eq!(
        story.wait(5),
        [
            "shop-web-1: replacing by a new container: GET / answers 500",
            "REPLACE shop-web-1"
        ]
    );
    story.done();
    let new = Facts {
        id: "new".to_owned(),
        ..facts("web", 1)
    };
    story.see(Seen::Roster(vec![new, facts("web", 2)], running(30)));
    let given_up = story.fails("new");
    assert!(
        given_up
            .iter()
            .any(|line| line.contains("GIVEN UP: 2 restarts and a new container")),
        "{given_up:?}"
    );
    assert!(story.wait(3600).is_empty());
    // It may get well by itself, and all begins anew when it does not stay so.
    assert!(
        story
            .passes("new")
            .contains(&"shop-web-1: healthy again".to_owned())
    );
    story.fails("new");
    assert_eq!(story.wait(2).last().expect("an act"), "RESTART shop-web-1");
}

#[test]
fn the_last_one_is_never_taken_out() {
    let mut story = Story::new(
        settings(),
        &[facts("web", 1), facts("web", 2), facts("db", 1)],
    );
    story.fails("web1");
    assert_eq!(
        story.fails("web2"),
        [
            "shop-web-2: unhealthy: GET / answers 500",
            "KEEP OUT {}",
            "shop-web-1: back in the edge",
            "web: all containers are unhealthy: none is taken out of the edge, for that would help nobody",
        ]
    );
    assert_eq!(
        story.passes("web2"),
        [
            "shop-web-2: healthy again",
            "KEEP OUT {\"web-1-r2\"}",
            "shop-web-1: taken out of the edge"
        ]
    );
    let alone = story.fails("db1");
    assert!(
        !alone.iter().any(|line| line.contains("KEEP OUT")),
        "{alone:?}"
    );
}

#[test]
fn of_several_that_fail_one_is_restarted_at_a_time() {
    let mut story = Story::new(settings(), &[facts("web", 1), facts("web", 2)]);
    story.fails("web1");
    story.fails("web2");
    let acts = |lines: Vec<String>| {
        lines
            .into_iter()
            .filter(|line| line.starts_with("RE"))
            .count()
    };
    assert_eq!(acts(story.wait(10)), 1);
    assert_eq!(acts(story.wait(10)), 0);
    assert_eq!(acts(story.done()), 1);
}

#[test]
fn it_looks_on_while_another_has_the_lock() {
    let mut story = Story::new(on_probation(), &[facts("web", 1), facts("web", 2)]);
    assert_eq!(
        story.see(Seen::Locked("by ann".to_owned())),
        ["app: looking on while the app is locked by ann"]
    );
    story.see(Seen::Locked("by ann".to_owned()));
    assert_eq!(
        story.fails("web1"),
        ["shop-web-1: unhealthy: GET / answers 500"]
    );
    story.fails("web2");
    assert!(story.wait(600).is_empty());
    assert!(story.core.next(story.now).is_none());
    // A deploy replaces what it will.
    story.see(ended("web1", "exit status 0"));
    story.see(Seen::Removed("web1".to_owned()));
    let new = |n: u32| Facts {
        id: format!("new{n}"),
        ..facts("web", n)
    };
    assert_eq!(
        story.see(Seen::Unlocked)[0],
        "app: the lock was given back: going on"
    );
    let seen = story.see(Seen::Roster(vec![new(1)], running(1)));
    assert!(seen.iter().all(|line| !line.starts_with("RE")), "{seen:?}");
    assert!(story.wait(600).is_empty());
}

#[test]
fn a_lock_that_another_got_first_is_waited_for() {
    let mut story = Story::new(settings(), &[facts("web", 1), facts("web", 2)]);
    story.fails("web1");
    story.wait(2);
    let locked = Failure::Locked("by ann".to_owned());
    assert_eq!(
        story.see(Seen::Done(Err(locked))),
        ["app: looking on while the app is locked by ann"]
    );
    assert!(story.wait(60).is_empty());
    assert_eq!(
        story.see(Seen::Unlocked),
        ["app: the lock was given back: going on"]
    );
    assert!(story.wait(60).is_empty(), "what is known is old");
    let lines = story.see(Seen::Roster(
        vec![facts("web", 1), facts("web", 2)],
        running(99),
    ));
    assert_eq!(lines.last().expect("an act"), "RESTART shop-web-1");
    // It was no try.
    assert!(
        lines.iter().any(|line| line.ends_with("try 1")),
        "{lines:?}"
    );
}

#[test]
fn a_release_that_turns_bad_is_taken_back_once() {
    let mut story = Story::new(on_probation(), &[facts("web", 1), facts("web", 2)]);
    story.fails("web1");
    let half = story.wait(11);
    assert!(!half.iter().any(|line| line.contains("ROLL")), "{half:?}");
    story.done();
    story.fails("web2");
    story.passes("web1");
    story.fails("web1");
    let bad = story.wait(10);
    assert_eq!(
        bad,
        [
            "app: the release turned bad: 2 of 2 containers of web are unhealthy: GET / answers 500; rolling back to r1",
            "ROLL BACK r1"
        ]
    );
    assert_eq!(story.done()[0], "app: rolled back to release r1");
    // What is back is a rollback: from there it goes back no further.
    let back = Running {
        release: "r3".to_owned(),
        age: seconds(0),
        back: Err("it is a rollback".to_owned()),
    };
    let old = |n: u32| Facts {
        id: format!("old{n}"),
        release: "r3".to_owned(),
        ..facts("web", n)
    };
    let lines = story.see(Seen::Roster(vec![old(1), old(2)], Some(back)));
    assert_eq!(lines, ["app: watching release r3, 2 containers"]);
    story.fails("old1");
    story.fails("old2");
    let lines = story.wait(30);
    assert!(
        lines.iter().any(|line| line.ends_with("it is a rollback")),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.starts_with("ROLL")),
        "{lines:?}"
    );
}

#[test]
fn probation_ends() {
    let mut story = Story::new(on_probation(), &[facts("web", 1)]);
    assert_eq!(story.core.probation(story.now), Some(seconds(595)));
    story.wait(596);
    assert_eq!(story.core.probation(story.now), None);
    story.fails("web1");
    let lines = story.wait(60);
    assert_eq!(lines.last().expect("an act"), "RESTART shop-web-1");
}

#[test]
fn on_bad_may_be_a_warning() {
    let settings = WatchSection {
        on_bad: OnBad::Warn,
        ..on_probation()
    };
    let mut story = Story::new(settings, &[facts("web", 1)]);
    story.fails("web1");
    let lines = story.wait(11);
    assert!(lines[0].contains("the release is bad"), "{lines:?}");
    assert_eq!(lines.last().expect("an act"), "RESTART shop-web-1");
}

#[test]
fn a_service_that_the_release_did_not_touch_is_no_reason_to_take_it_back() {
    let old = Facts {
        release: "r1".to_owned(),
        ..facts("db", 1)
    };
    let mut story = Story::new(on_probation(), &[facts("web", 1), old]);
    story.fails("db1");
    let lines = story.wait(30);
    assert_eq!(lines.last().expect("an act"), "RESTART shop-db-1");
}

#[test]
fn a_crash_loop_is_bad_at_once() {
    let mut story = Story::new(on_probation(), &[facts("web", 1)]);
    let end = || ended("web1", "exit status 3");
    assert_eq!(story.see(end()), ["shop-web-1: ended: exit status 3"]);
    story.passes("web1");
    story.wait(5);
    story.see(end());
    story.wait(5);
    let lines = story.see(end());
    assert_eq!(
        lines[1],
        "shop-web-1: ends again and again: 3 times of late"
    );
    assert_eq!(lines.last().expect("an act"), "ROLL BACK r1");
}

#[test]
fn ends_that_are_far_apart_are_no_loop() {
    let mut story = Story::new(on_probation(), &[facts("web", 1)]);
    for _ in 0..8 {
        let lines = story.see(ended("web1", "exit status 3"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        story.wait(90);
    }
}

#[test]
fn what_somebody_stops_stays_stopped() {
    let mut story = Story::new(on_probation(), &[facts("web", 1), facts("web", 2)]);
    story.see(ended("web1", "exit status 137"));
    story.see(Seen::Stopped("web1".to_owned()));
    let stopped = Facts {
        running: false,
        ..facts("web", 1)
    };
    story.see(Seen::Roster(
        vec![stopped.clone(), facts("web", 2)],
        running(10),
    ));
    assert!(story.wait(600).is_empty());
    // The same for what was stopped before anybody watched.
    let mut story = Story::new(on_probation(), &[stopped]);
    assert!(story.wait(600).is_empty());
}

#[test]
fn what_ended_and_is_not_started_by_the_daemon_is_started_here() {
    let mut story = Story::new(settings(), &[facts("web", 1), facts("web", 2)]);
    story.see(ended("web1", "exit status 3"));
    let dead = Facts {
        running: false,
        ..facts("web", 1)
    };
    let lines = story.see(Seen::Roster(vec![dead, facts("web", 2)], running(10)));
    assert_eq!(lines[0], "shop-web-1: unhealthy: exit status 3");
    assert_eq!(story.wait(2).last().expect("an act"), "RESTART shop-web-1");
}

#[test]
fn a_job_may_end() {
    let job = Facts {
        lasts: false,
        target: None,
        ..facts("job", 1)
    };
    let mut story = Story::new(on_probation(), std::slice::from_ref(&job));
    assert!(story.see(ended("job1", "exit status 1")).is_empty());
    let ended = Facts {
        running: false,
        ..job
    };
    assert!(story.see(Seen::Roster(vec![ended], running(10))).is_empty());
    assert!(story.wait(600).is_empty());
}

#[test]
fn what_has_done_its_work_is_left_alone() {
    let mut story = Story::new(on_probation(), &[facts("web", 1)]);
    let fine = Seen::Ended {
        id: "web1".to_owned(),
        why: "exit status 0".to_owned(),
        fine: true,
    };
    assert!(story.see(fine).is_empty());
    let ended = Facts {
        running: false,
        ..facts("web", 1)
    };
    assert!(story.see(Seen::Roster(vec![ended], running(10))).is_empty());
    assert!(story.wait(600).is_empty());
}

#[test]
fn one_that_looks_on_does_nothing() {
    let mut story = Story::new(on_probation(), &[]);
    story.core = Core::new(on_probation(), 1).looking_on();
    story.see(Seen::Roster(
        vec![facts("web", 1), facts("web", 2)],
        running(5),
    ));
    let told = story.fails("web1");
    assert_eq!(told, ["shop-web-1: unhealthy: GET / answers 500"]);
    story.fails("web2");
    assert!(story.wait(60).is_empty());
}

#[test]
fn a_container_that_somebody_removed_is_made_again() {
    let mut story = Story::new(settings(), &[facts("web", 1), facts("web", 2)]);
    let lines = story.see(Seen::Removed("web1".to_owned()));
    assert_eq!(
        lines[0],
        "shop-web-1: ended: it was removed, and not by rengine"
    );
    story.see(Seen::Roster(vec![facts("web", 2)], running(10)));
    assert_eq!(story.wait(2).last().expect("an act"), "REPLACE shop-web-1");
    story.done();
    let new = Facts {
        id: "new".to_owned(),
        ..facts("web", 1)
    };
    story.see(Seen::Roster(vec![new, facts("web", 2)], running(20)));
    assert!(story.wait(60).is_empty());
    // The same where the event came too late.
    let lines = story.see(Seen::Roster(vec![facts("web", 2)], running(30)));
    assert!(
        lines[0].ends_with("it was removed, and not by rengine"),
        "{lines:?}"
    );
}

#[test]
fn what_goes_with_down_stays_away() {
    let mut story = Story::new(settings(), &[facts("web", 1)]);
    story.see(Seen::Locked("by ann (`rengine down`)".to_owned()));
    story.see(Seen::Removed("web1".to_owned()));
    story.see(Seen::Unlocked);
    let lines = story.see(Seen::Roster(Vec::new(), None));
    assert_eq!(lines, ["app: not deployed: waiting for a release"]);
    assert!(story.wait(600).is_empty());
}

#[test]
fn a_daemon_that_is_away_is_no_reason_for_anything() {
    let mut story = Story::new(on_probation(), &[facts("web", 1)]);
    story.fails("web1");
    let lost = || Seen::Lost("connection refused".to_owned());
    assert_eq!(
        story.see(lost()),
        ["app: the daemon does not answer: connection refused"]
    );
    assert!(story.see(lost()).is_empty());
    assert!(story.wait(600).is_empty());
    let lines = story.see(Seen::Roster(vec![facts("web", 1)], running(605)));
    assert_eq!(lines[0], "app: the daemon answers again");
}
