//! What a watcher decides, with a clock of the tests' own.

mod another;
mod release;

use std::time::Duration;

use super::core::{Act, Core, Failure, Holder, Running, Seen};
use super::slot::{Facts, Verdict};
use crate::manifest::WatchSection;

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

/// A person who has the lock.
fn ann() -> Holder {
    Holder {
        who: "by ann".to_owned(),
        watch: false,
    }
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

#[test]
fn while_the_project_can_not_be_read_nothing_counts_as_tried() {
    let mut story = Story::new(settings(), &[facts("web", 1), facts("web", 2)]);
    story.see(Seen::Removed("web1".to_owned()));
    let lines = story.wait(2);
    assert_eq!(lines.last().expect("an act"), "REPLACE shop-web-1");
    for _ in 0..3 {
        let unread = Failure::Unread("the project can't be used".to_owned());
        assert_eq!(
            story.see(Seen::Done(Err(unread))),
            ["shop-web-1: that did not succeed: the project can't be used"]
        );
        story.see(Seen::Roster(vec![facts("web", 2)], running(99)));
        assert!(story.wait(59).is_empty());
        let lines = story.wait(1);
        assert_eq!(lines.last().expect("an act"), "REPLACE shop-web-1");
    }
    assert_eq!(story.done(), ["shop-web-1: replaced"]);
}
