//! Requests that last as long as the work does.
//!
//! Nothing comes meanwhile, so a connection that broke without a word would never be noticed: neither that of a host
//! whose network is gone, nor one that ends at the moment in which the request is handed to it, which hyper's client
//! then keeps for ever (its queue is one of tokio's, and what is put into that while it is being emptied stays in it).

use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;

use super::Docker;

/// How long is waited until the daemon is asked whether it is still there.
const INTERVAL: Duration = Duration::from_secs(15);
/// The questions in a row without an answer after which it is not.
const MISSED: u32 = 3;

impl Docker {
    /// Waits for what a daemon does, however long it takes, while it answers others.
    ///
    /// # Errors
    ///
    /// If it does not any more.
    pub(super) async fn attended<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, bollard::errors::Error> {
        attended(work, INTERVAL, || self.client().ping()).await
    }
}

async fn attended<T, A, E, Answer>(
    work: impl Future<Output = T>,
    interval: Duration,
    ask: impl Fn() -> Answer,
) -> Result<T, E>
where
    Answer: Future<Output = Result<A, E>>,
{
    let mut work = pin!(work);
    let mut missed = 0;
    loop {
        let asked = async {
            sleep(interval).await;
            ask().await
        };
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            answer = asked => match answer {
                Ok(_) => missed = 0,
                Err(error) => {
                    missed += 1;
                    if missed == MISSED {
                        return Err(error);
                    }
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_daemon_that_is_gone_is_waited_for_no_longer() {
        let asked = Cell::new(0);
        let gone = attended(pending::<()>(), SOON, || {
            asked.set(asked.get() + 1);
            async { Err::<(), _>("refused") }
        });
        assert_eq!((gone.await, asked.get()), (Err("refused"), MISSED));
    }

    #[tokio::test]
    async fn one_that_answers_may_take_its_time() {
        let asked = Cell::new(0);
        let work = std::future::poll_fn(|context| match asked.get() {
            20.. => std::task::Poll::Ready(5),
            _ => {
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            }
        });
        let done = attended(work, SOON, || {
            asked.set(asked.get() + 1);
            // Two of three are not answered.
            let answer = if asked.get() % 3 == 0 {
                Ok(())
            } else {
                Err(())
            };
            async move { answer }
        });
        assert_eq!(done.await, Ok(5));
    }
}
