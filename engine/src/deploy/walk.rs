//! The order of a plan's operations: each as soon as what it waits for is done.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::plan::Operation;

/// How many operations go on at once. Most of them wait for the daemon, and it has limits, too.
const MAX_CONCURRENT: usize = 16;

/// Does each of the operations by `work`, as many at once as can be. After the first that fails
/// no other is begun; those that go on are let end, and `halt` tells them to.
pub async fn walk<E, F>(
    operations: &[Operation],
    work: impl Fn(usize) -> F,
    halted: impl Fn() -> Option<E>,
    halt: impl Fn(),
) -> Result<(), E>
where
    F: Future<Output = Result<(), E>>,
{
    let mut missing: Vec<usize> = operations.iter().map(|one| one.after.len()).collect();
    let starts = missing.iter().enumerate();
    let starts = starts.filter_map(|(step, missing)| (*missing == 0).then_some(step));
    // In the order of the plan, as far as there is a choice.
    let mut ready: BTreeSet<usize> = starts.collect();
    let mut running = FuturesUnordered::new();
    let mut failed = None;
    loop {
        if failed.is_none() {
            failed = halted();
        }
        while failed.is_none() && running.len() < MAX_CONCURRENT {
            let Some(step) = ready.pop_first() else { break };
            let done = work(step);
            running.push(async move { (step, done.await) });
        }
        match running.next().await {
            None => break,
            Some((_, Err(error))) => {
                if failed.is_none() {
                    failed = Some(error);
                    halt();
                }
            }
            Some((done, Ok(()))) => {
                for (step, operation) in operations.iter().enumerate() {
                    if operation.after.contains(&done) {
                        missing[step] -= 1;
                        if missing[step] == 0 {
                            ready.insert(step);
                        }
                    }
                }
            }
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::plan::{Cause, OperationKind};

    fn operation(after: &[usize]) -> Operation {
        Operation {
            service: None,
            replica: 0,
            kind: OperationKind::Health,
            cause: Cause::Next,
            plugins: Vec::new(),
            after: after.to_vec(),
        }
    }

    #[tokio::test]
    async fn each_comes_after_what_it_waits_for() {
        let plan = [&[][..], &[0], &[], &[1, 2], &[3]].map(operation);
        let log = RefCell::new(Vec::new());
        let work = |step: usize| {
            log.borrow_mut().push(format!("begin {step}"));
            let log = &log;
            async move {
                tokio::task::yield_now().await;
                log.borrow_mut().push(format!("end {step}"));
                Ok::<_, ()>(())
            }
        };
        walk(&plan, work, || None, || {}).await.expect("done");
        let log = log.into_inner();
        let at = |text: &str| log.iter().position(|line| line == text).expect("it");
        assert!(at("begin 2") < at("end 0"), "both at once: {log:?}");
        for (before, after) in [(0, 1), (1, 3), (2, 3), (3, 4)] {
            assert!(
                at(&format!("end {before}")) < at(&format!("begin {after}")),
                "{log:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_fails_lets_others_end_and_begins_nothing() {
        let plan = [&[][..], &[], &[1], &[0]].map(operation);
        let ended = RefCell::new(Vec::new());
        let work = |step: usize| {
            let ended = &ended;
            async move {
                if step == 0 {
                    return Err("broken");
                }
                tokio::task::yield_now().await;
                ended.borrow_mut().push(step);
                Ok(())
            }
        };
        let halted = RefCell::new(false);
        let result = walk(&plan, work, || None, || *halted.borrow_mut() = true).await;
        assert_eq!(result, Err("broken"));
        assert_eq!(ended.into_inner(), [1]);
        assert!(halted.into_inner());
    }
}
