//! What is left to do when somebody else has done it: a person, or another watch.

use jiff::Timestamp;

use super::*;

/// Another watch that has the lock.
fn another() -> Holder {
    Holder {
        who: "by ann (`rengine watch`)".to_owned(),
        watch: true,
    }
}

fn two() -> [Facts; 2] {
    [facts("web", 1), facts("web", 2)]
}

fn began(at: i64) -> Seen {
    let at = Timestamp::from_second(at).expect("a time");
    Seen::Began("web1".to_owned(), Some(at))
}

fn is_done(lines: &[String]) -> bool {
    let done = ["RESTART", "REPLACE", "ROLL BACK"];
    lines
        .iter()
        .any(|line| done.iter().any(|act| line.starts_with(act)))
}

/// Has the other one do something, and gives what this one does when it is over.
fn meanwhile(story: &mut Story, holder: Holder, seen: Vec<Seen>, after: &[Facts]) -> Vec<String> {
    story.see(Seen::Locked(holder));
    for seen in seen {
        let lines = story.see(seen);
        assert!(!is_done(&lines), "{lines:?}");
    }
    story.see(Seen::Unlocked);
    let mut lines = story.see(Seen::Roster(after.to_vec(), running(50)));
    lines.extend(story.wait(5));
    lines
}

/// What the events of a restart are.
fn restart() -> Vec<Seen> {
    vec![
        ended("web1", "exit status 0"),
        Seen::Began("web1".to_owned(), None),
    ]
}

#[test]
fn what_somebody_restarted_meanwhile_is_not_restarted_again() {
    for holder in [ann(), another()] {
        let mut story = Story::new(settings(), &two());
        story.see(began(10));
        story.fails("web1");
        let lines = meanwhile(&mut story, holder, restart(), &two());
        assert!(!is_done(&lines), "{lines:?}");
        // It is still to be seen whether that helped.
        assert!(story.core.out().contains("web-1-r2"));
        story.see(began(20));
        let lines = story.passes("web1");
        assert_eq!(lines.last().expect("news"), "shop-web-1: back in the edge");
    }
}

#[test]
fn what_was_seen_of_the_process_before_does_not_count_for_the_next() {
    let mut story = Story::new(settings(), &two());
    story.see(began(10));
    story.fails("web1");
    meanwhile(&mut story, another(), restart(), &two());
    // A look that began before the restart ends after it.
    story.fails("web1");
    story.see(began(20));
    let lines = story.wait(5);
    assert!(!is_done(&lines), "{lines:?}");
}

#[test]
fn two_watches_try_as_often_as_one() {
    let mut story = Story::new(settings(), &two());
    story.fails("web1");
    meanwhile(&mut story, another(), restart(), &two());
    story.fails("web1");
    let lines = story.wait(3);
    assert!(
        lines[0].ends_with("restarting, try 2"),
        "that of the other one counts: {lines:?}"
    );
    story.done();
    story.fails("web1");
    let lines = story.wait(10);
    assert_eq!(lines.last().expect("an act"), "REPLACE shop-web-1");
}

#[test]
fn what_another_watch_replaced_is_not_replaced_again() {
    let mut story = Story::new(settings(), &two());
    story.fails("web1");
    story.wait(2);
    story.done();
    story.fails("web1");
    story.wait(3);
    story.done();
    story.fails("web1");
    let new = Facts {
        id: "new".to_owned(),
        ..facts("web", 1)
    };
    let removed = vec![Seen::Removed("web1".to_owned())];
    let lines = meanwhile(&mut story, another(), removed, &[new, facts("web", 2)]);
    assert!(!is_done(&lines), "{lines:?}");
    let lines = story.fails("new");
    assert!(
        lines.iter().any(|line| line.contains("GIVEN UP")),
        "as one that had done it itself: {lines:?}"
    );
}

#[test]
fn what_a_person_replaced_begins_anew() {
    let mut story = Story::new(settings(), &two());
    story.fails("web1");
    let new = Facts {
        id: "new".to_owned(),
        ..facts("web", 1)
    };
    let removed = vec![Seen::Removed("web1".to_owned())];
    meanwhile(&mut story, ann(), removed, &[new, facts("web", 2)]);
    story.fails("new");
    let lines = story.wait(2);
    assert_eq!(lines[0], "shop-web-1: restarting, try 1");
}

#[test]
fn what_is_found_done_under_the_lock_is_left_alone() {
    let mut story = Story::new(on_probation(), &two());
    story.fails("web1");
    story.wait(2);
    let moved = || Seen::Done(Err(Failure::Moved("it was restarted meanwhile".to_owned())));
    assert_eq!(
        story.see(moved()),
        ["shop-web-1: left alone: it was restarted meanwhile"]
    );
    assert!(story.wait(5).is_empty(), "what is known is old");
    story.see(Seen::Roster(two().to_vec(), running(50)));
    // It was no failure, and counts as what it was.
    story.fails("web1");
    let lines = story.wait(4);
    assert_eq!(lines[0], "shop-web-1: restarting, try 2");
    story.done();
    story.fails("web1");
    story.fails("web2");
    let lines = story.wait(11);
    assert_eq!(lines.last().expect("an act"), "ROLL BACK r1");
    assert_eq!(
        story.see(moved()),
        ["app: left alone: it was restarted meanwhile"]
    );
    assert!(story.wait(60).is_empty());
}

#[test]
fn a_process_that_began_by_itself_is_given_its_time() {
    let mut story = Story::new(settings(), &two());
    story.see(began(10));
    story.fails("web1");
    // The daemon's own policy, say.
    story.see(began(20));
    assert!(!is_done(&story.wait(5)));
    story.fails("web1");
    assert!(is_done(&story.wait(2)), "and no more than that");
}
