//! Whether a deploy is to stop, and how far it has come by then.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::Execution;
use crate::deploy::DeployError;

/// How far a deploy has come, and whether it is to stop.
pub(super) struct Course {
    cancel: CancellationToken,
    /// Ends long steps when another failed.
    halt: CancellationToken,
    /// True once requests go to the new containers: from then on nothing is taken back.
    switched: AtomicBool,
    /// True once a new container has its name, which it gets when all that is new is well.
    committed: AtomicBool,
}

impl Course {
    pub fn new(cancel: &CancellationToken) -> Self {
        Self {
            cancel: cancel.clone(),
            halt: cancel.child_token(),
            switched: AtomicBool::new(false),
            committed: AtomicBool::new(false),
        }
    }

    /// Notes that a new container has its name.
    pub fn committed(&self) {
        self.committed.store(true, Ordering::SeqCst);
    }

    /// True once the new release has taken over: then it is brought to its end, which takes moments.
    fn has_taken_over(&self) -> bool {
        self.switched.load(Ordering::SeqCst) || self.committed.load(Ordering::SeqCst)
    }

    /// Ends steps that take long, since another failed.
    pub fn halt(&self) {
        self.halt.cancel();
    }

    /// Why no further step is to be begun.
    pub fn interrupted(&self) -> Option<DeployError> {
        let interrupted = self.cancel.is_cancelled() && !self.has_taken_over();
        interrupted.then_some(DeployError::Interrupted)
    }

    /// Does work that ends early if the deploy is to stop, unless the new release has taken over by
    /// then.
    pub async fn interruptible<T>(&self, work: impl Future<Output = T>) -> Result<T, DeployError> {
        let mut work = pin!(work);
        tokio::select! {
            // What is done is done, though it is to stop at the same time.
            biased;
            done = &mut work => return Ok(done),
            () = self.halt.cancelled() => {}
        }
        match self.has_taken_over() {
            true => Ok(work.await),
            false => Err(DeployError::Interrupted),
        }
    }

    /// Waits for work without which all can go on once the new release has taken over: whoever stops the deploy then
    /// wants it over. `None` if it was not waited for.
    pub async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, DeployError> {
        let mut work = pin!(self.interruptible(work));
        tokio::select! {
            biased;
            done = &mut work => return done.map(Some),
            () = self.cancel.cancelled() => {}
        }
        match self.has_taken_over() {
            true => Ok(None),
            false => work.await.map(Some),
        }
    }

    /// Does work, and lets know if somebody stops it when the new release has taken over.
    pub async fn telling<T>(&self, work: impl Future<Output = T>, too_late: impl Fn()) -> T {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = self.cancel.cancelled() => {}
        }
        let told = self.has_taken_over();
        if told {
            too_late();
        }
        let done = work.await;
        // It took over in the very step that went on then.
        if !told && self.has_taken_over() {
            too_late();
        }
        done
    }
}

impl Execution<'_> {
    /// Notes that requests go to the new containers.
    pub(in crate::deploy) fn switched(&self) {
        self.course.switched.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_switched(&self) -> bool {
        self.course.switched.load(Ordering::SeqCst)
    }

    /// Ends when the deploy is to.
    pub(in crate::deploy) async fn halted(&self) {
        self.course.halt.cancelled().await;
    }

    /// Does work that ends early if the deploy is to stop, unless the new release has taken over.
    pub(in crate::deploy) async fn interruptible<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, DeployError> {
        self.course.interruptible(work).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};

    use tokio::task::yield_now;

    use super::*;

    fn interrupted<T>(result: Result<T, DeployError>) -> bool {
        matches!(result, Err(DeployError::Interrupted))
    }

    #[tokio::test]
    async fn before_the_new_release_has_taken_over_work_ends_early() {
        let cancel = CancellationToken::new();
        let course = Course::new(&cancel);
        assert!(course.interrupted().is_none());
        cancel.cancel();
        assert!(course.interrupted().is_some());
        assert!(interrupted(course.interruptible(pending::<()>()).await));
        let other_failed = Course::new(&CancellationToken::new());
        other_failed.halt();
        assert!(other_failed.interrupted().is_none(), "nobody stopped it");
        let work = other_failed.interruptible(pending::<()>());
        assert!(interrupted(work.await));
    }

    #[tokio::test]
    async fn what_is_no_work_of_its_own_is_not_waited_for_then() {
        let cancel = CancellationToken::new();
        let course = Course::new(&cancel);
        assert_eq!(course.unless_stopped(ready(5)).await.ok(), Some(Some(5)));
        cancel.cancel();
        assert!(interrupted(course.unless_stopped(pending::<()>()).await));
        course.committed();
        assert!(matches!(
            course.unless_stopped(pending::<()>()).await,
            Ok(None)
        ));
        assert_eq!(course.unless_stopped(ready(5)).await.ok(), Some(Some(5)));
        // That another step failed is no reason.
        let failed = Course::new(&CancellationToken::new());
        failed.committed();
        failed.halt();
        let work = async {
            yield_now().await;
            5
        };
        assert_eq!(failed.unless_stopped(work).await.ok(), Some(Some(5)));
    }

    #[tokio::test]
    async fn what_has_taken_over_is_brought_to_its_end() {
        let switch = |course: &Course| course.switched.store(true, Ordering::SeqCst);
        for take_over in [switch, Course::committed] {
            let cancel = CancellationToken::new();
            let course = Course::new(&cancel);
            take_over(&course);
            cancel.cancel();
            assert!(course.interrupted().is_none());
            let slow = async {
                yield_now().await;
                7
            };
            assert_eq!(course.interruptible(slow).await.ok(), Some(7));
        }
        // Also if that happens while the work goes on.
        let cancel = CancellationToken::new();
        let course = Course::new(&cancel);
        let slow = async {
            course.committed();
            cancel.cancel();
            yield_now().await;
            7
        };
        assert_eq!(course.interruptible(slow).await.ok(), Some(7));
    }

    #[tokio::test]
    async fn work_that_has_nothing_to_do_is_never_interrupted() {
        let cancel = CancellationToken::new();
        let course = Course::new(&cancel);
        cancel.cancel();
        for _ in 0..64 {
            assert_eq!(course.interruptible(ready(7)).await.ok(), Some(7));
        }
    }

    #[tokio::test]
    async fn who_stops_it_too_late_is_told_so_once() {
        let told = Cell::new(0);
        let tell = || told.set(told.get() + 1);
        let cancel = CancellationToken::new();
        let course = Course::new(&cancel);
        let stopped = |then: fn(&Course)| {
            let (cancel, course) = (&cancel, &course);
            async move {
                cancel.cancel();
                yield_now().await;
                then(course);
            }
        };
        course.telling(stopped(|_| {}), tell).await;
        assert_eq!(told.get(), 0, "what was begun is taken back");
        course.telling(stopped(Course::committed), tell).await;
        assert_eq!(told.get(), 1, "it took over in the step that went on");
        course.telling(stopped(|_| {}), tell).await;
        assert_eq!(told.get(), 2, "it had taken over before");
    }
}
