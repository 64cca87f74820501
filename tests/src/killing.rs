//! Killing rengine after each of the calls that it makes to the daemon.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::Project;
use crate::proxy::{Line, Proxy};
use crate::tidy::done;

/// Apps of one test that are deployed at the same time. Each has a network, and a daemon has room for thirty.
const LANES: usize = 2;

/// A call after which a run is killed: one of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// What it is, as `POST /containers/create`, with `APP` for the app's name.
    pub what: String,
    /// Which of its kind, from 1: two that are made at once come in any order.
    pub nth: usize,
    /// True if it changes something, rather than only ask.
    pub changes: bool,
}

/// The calls of a run that is left alone.
pub fn points(project: &Project, args: &[&str]) -> Vec<Point> {
    let proxy = Proxy::before_shared(|_| Line::Good);
    done(project.rengine(&[&["--host", &proxy.url()], args].concat()));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let points = proxy.all().into_iter().map(|call| {
        let what = call.what.replace(&project.app, "APP");
        let nth = counts.entry(what.clone()).or_default();
        *nth += 1;
        Point {
            nth: *nth,
            changes: call.changes,
            what,
        }
    });
    points.collect()
}

/// Runs `rengine` and kills it right after the daemon has done this call, before it hears of that.
/// False if it ended before there was such a call, as of those that ask until something is so.
pub fn killed_after(project: &Project, point: &Point, args: &[&str]) -> bool {
    let pid = Arc::new(AtomicU32::new(0));
    let killed = Arc::new(AtomicU32::new(0));
    let (victim, note, count) = (pid.clone(), killed.clone(), AtomicUsize::new(0));
    let (wanted, app) = (point.clone(), project.app.clone());
    let proxy = Proxy::before_shared(move |call| {
        let same = call.done && call.what.replace(&app, "APP") == wanted.what;
        if same && count.fetch_add(1, Ordering::SeqCst) + 1 == wanted.nth {
            while victim.load(Ordering::SeqCst) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            note.store(1, Ordering::SeqCst);
            let pid = victim.load(Ordering::SeqCst).to_string();
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
    let killed = killed.load(Ordering::SeqCst) == 1;
    let calls = || format!("{point:?}: {status}: {:?}", proxy.all());
    assert!(killed || status.success(), "{}", calls());
    // Whoever asks for a change waits for the answer.
    assert!(
        !(killed && point.changes && status.success()),
        "{}",
        calls()
    );
    killed
}

/// What is left to be done, for several who each take the next one.
pub struct Queue<'a> {
    points: &'a [Point],
    next: AtomicUsize,
    missed: Mutex<Vec<Point>>,
}

impl<'a> Queue<'a> {
    /// The next one, with its number.
    pub fn next(&self) -> Option<(usize, &'a Point)> {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        Some((number, self.points.get(number)?))
    }

    /// Takes note of one that did not come.
    pub fn missed(&self, point: &Point) {
        self.missed.lock().expect("no panic").push(point.clone());
    }
}

/// Has several apps work on a queue, the first of which found out what is in it. Tells of that in the end,
/// even where output of tests is kept back.
pub fn in_lanes(
    what: &str,
    first: Project,
    points: &[Point],
    make: impl Fn(usize) -> Project + Sync,
    work: impl Fn(Project, &Queue<'_>) + Sync,
) {
    let queue = Queue {
        points,
        next: AtomicUsize::new(0),
        missed: Mutex::default(),
    };
    thread::scope(|scope| {
        let (queue, make, work) = (&queue, &make, &work);
        for lane in 1..LANES {
            scope.spawn(move || work(make(lane), queue));
        }
        work(first, queue);
    });
    let missed = queue.missed.into_inner().expect("no panic");
    // A run that takes long gives signs of life, which are volumes, and another has fewer of them.
    let sign = |point: &Point| point.what.contains("BEAT") || point.what == "POST /volumes/create";
    // What is asked until something is so, an edge by a command in it among that, is asked as often as it
    // takes.
    let asks = |point: &Point| !point.changes || point.what.contains("/exec");
    let fine = |point: &Point| point.nth > 1 && asks(point);
    assert!(
        missed.iter().all(|point| fine(point) || sign(point)),
        "of each kind the first comes, and each that changes something: {missed:#?}"
    );
    let changes = points.iter().filter(|point| point.changes).count();
    let mut list: Vec<(&str, usize)> = Vec::new();
    for point in points {
        match list.last_mut() {
            Some((last, count)) if *last == point.what => *count += 1,
            _ => list.push((&point.what, 1)),
        }
    }
    let list = list.into_iter().map(|(call, count)| match count {
        1 => call.to_owned(),
        _ => format!("{call} ×{count}"),
    });
    let told = format!(
        "{what}: killed after each of {} calls, of which {changes} change something, but for {} that did not \
         come again: {}\n",
        points.len(),
        missed.len(),
        list.collect::<Vec<_>>().join(", ")
    );
    let _ = std::io::stderr().write_all(told.as_bytes());
}
