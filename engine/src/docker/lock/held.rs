//! A lock that is held, and work that is done only as long as it is.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::LockHolder;
use crate::app::Name;
use crate::docker::{Docker, DockerError};

/// A lock that is held. It stays until it is released: not on drop, which can't wait for the
/// daemon; the lock of a process that is no more is taken over by the next deploy.
#[derive(Debug)]
#[must_use = "a lock stays until it is released"]
pub struct Lock {
    docker: Docker,
    app: Name,
    id: String,
    ends: Ends,
    seen: Seen,
    beats: Option<JoinHandle<()>>,
    /// Before this time there was no sign of life.
    interval: Duration,
    since: Instant,
}

/// How signs of life end.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends {
    /// Asks for it.
    pub stop: CancellationToken,
    /// Says that the lock is gone.
    pub lost: CancellationToken,
}

/// When the lock was last seen to be there, by a clock that goes on while the machine sleeps.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    at: Arc<Mutex<Duration>>,
    lease: Duration,
}

impl Seen {
    fn new(lease: Duration) -> Self {
        let at = Arc::new(Mutex::new(clock()));
        Self { at, lease }
    }

    /// Notes that it is there.
    pub fn note(&self) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = clock();
    }

    /// True if another may have taken it over since.
    fn is_old(&self) -> bool {
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        clock().saturating_sub(at) > self.lease
    }
}

/// The clock that goes on while the machine sleeps, as that of others does that is not Linux.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Time since the machine was started, with that in which it slept.
fn clock() -> Duration {
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

impl Lock {
    /// Does work that is to be done only while the lock is held: should somebody have taken it
    /// over, the work ends where it is, as if the process had been killed. That is looked at before anything
    /// more is done, too, if the lock was not seen for so long that somebody may have, as when the machine slept.
    pub async fn guard<T, E: From<DockerError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let look = || async {
            let there = timeout(self.interval, self.docker.inspect(&self.id)).await;
            // A daemon that does not answer gives the lock to nobody either: signs of life go on.
            self.seen.note();
            !matches!(there, Ok(Ok(None)))
        };
        let work = while_there(work, || self.seen.is_old(), look);
        let done = tokio::select! {
            done = work => done,
            () = self.ends.lost.cancelled() => None,
        };
        done.unwrap_or_else(|| {
            let app = self.app.to_string();
            Err(DockerError::LockLost { app }.into())
        })
    }

    /// Gives the lock back.
    pub async fn release(self) -> Result<(), DockerError> {
        self.ends.stop.cancel();
        if let Some(beats) = self.beats {
            // It ends by itself, and takes its last volume away.
            let _ = beats.await;
        }
        match self.since.elapsed() < self.interval {
            true => self.docker.remove(&self.id, true).await,
            // One that could not be taken away then may be left.
            false => self.docker.remove_lock(&self.app, &self.id).await,
        }
    }

    /// Leaves the lock held, for a person who gives it back later.
    pub fn keep(self) {
        self.ends.stop.cancel();
    }
}

impl Docker {
    /// A lock that was just made: from now on it has signs of life.
    pub(super) fn held(&self, app: &Name, id: String, holder: &LockHolder) -> Lock {
        let ends = Ends::default();
        let seen = Seen::new(holder.lease().unwrap_or(Duration::MAX));
        let beats = holder.interval().map(|interval| {
            let (docker, app, id) = (self.clone(), app.clone(), id.clone());
            tokio::spawn(docker.beat(app, id, interval, ends.clone(), seen.clone()))
        });
        Lock {
            docker: self.clone(),
            app: app.clone(),
            id,
            ends,
            seen,
            beats,
            interval: holder.interval().unwrap_or(Duration::MAX),
            since: Instant::now(),
        }
    }
}

/// Does work, and before each of its parts looks whether the lock is there, if that is `old` news; `None` once
/// it is not.
async fn while_there<T, F: Future<Output = bool>>(
    work: impl Future<Output = T>,
    old: impl Fn() -> bool,
    look: impl Fn() -> F,
) -> Option<T> {
    let mut work = pin!(work);
    loop {
        let part = poll_fn(|context| match old() {
            true => Poll::Ready(None),
            false => work.as_mut().poll(context).map(Some),
        });
        if let Some(done) = part.await {
            return Some(done);
        }
        if !look().await {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn nothing_more_is_done_before_a_lock_that_was_not_seen_for_long_is_looked_at() {
        let (slept, parts, looks) = (Cell::new(false), Cell::new(0), Cell::new(0));
        let work = || async {
            for part in 1..=3 {
                parts.set(part);
                // The machine sleeps before the third.
                slept.set(part == 2);
                yield_now().await;
            }
            "done"
        };
        let look = |there: bool| {
            let (looks, slept) = (&looks, &slept);
            move || async move {
                looks.set(looks.get() + 1);
                slept.set(false);
                there
            }
        };
        let done = while_there(work(), || slept.get(), look(true)).await;
        assert_eq!(done, Some("done"));
        assert_eq!((parts.get(), looks.get()), (3, 1));
        let done = while_there(work(), || slept.get(), look(false)).await;
        assert_eq!(done, None);
        assert_eq!((parts.get(), looks.get()), (2, 2));
    }

    #[test]
    fn a_lock_is_old_news_after_its_lease() {
        let seen = Seen::new(Duration::from_secs(3600));
        assert!(!seen.is_old());
        *seen.at.lock().expect("no panic") = Duration::ZERO;
        let lately = Seen {
            lease: Duration::ZERO,
            ..seen.clone()
        };
        assert!(lately.is_old());
        lately.note();
        assert!(!seen.is_old(), "both know it");
        let person = Seen::new(Duration::MAX);
        *person.at.lock().expect("no panic") = Duration::ZERO;
        assert!(!person.is_old());
    }
}
