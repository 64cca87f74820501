//! What becomes of a release that turns bad, and of what others do who have the lock.

use super::*;
use crate::manifest::OnBad;

#[test]
fn it_looks_on_while_another_has_the_lock() {
    let mut story = Story::new(on_probation(), &[facts("web", 1), facts("web", 2)]);
    assert_eq!(
        story.see(Seen::Locked(ann())),
        ["app: looking on while the app is locked by ann"]
    );
    story.see(Seen::Locked(ann()));
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
    let locked = Failure::Locked(ann());
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
fn what_goes_with_down_stays_away() {
    let mut story = Story::new(settings(), &[facts("web", 1)]);
    story.see(Seen::Locked(ann()));
    story.see(Seen::Removed("web1".to_owned()));
    story.see(Seen::Unlocked);
    let lines = story.see(Seen::Roster(Vec::new(), None));
    assert_eq!(lines, ["app: not deployed: waiting for a release"]);
    assert!(story.wait(600).is_empty());
}
