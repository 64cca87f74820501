//! A target as it is now: its health, what it has to do, its connections.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::health::{Health, Seen};
use super::pool::Pool;
use super::routes::{Address, Check, Protocol};

/// One that answers, with what goes on there. It lives as long as anybody uses it, and through all
/// tables that name it.
#[derive(Debug)]
pub struct Target {
    /// Where it is.
    pub address: Address,
    /// Its connections.
    pub pool: Arc<Pool>,
    /// What it is asked, to see whether it is well.
    pub check: Option<Check>,
    /// What it did so far.
    pub counts: Counts,
    /// Cancelled when no table names it any more.
    pub gone: CancellationToken,
    outstanding: AtomicUsize,
    health: Mutex<Health>,
}

/// What a target did, from when it was first named.
#[derive(Debug, Default)]
pub struct Counts {
    /// Answers by the first digit of their status, from 1.
    pub answers: [AtomicU64; 5],
    /// Requests without an answer: it broke off, or took too long.
    pub failures: AtomicU64,
    /// Connections that it did not take.
    pub refused: AtomicU64,
    /// Microseconds until answers began, summed up.
    pub waited_us: AtomicU64,
}

impl Counts {
    /// Takes down an answer.
    pub fn answered(&self, status: http::StatusCode, waited: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.answers[class].fetch_add(1, Ordering::Relaxed);
        let waited = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited_us.fetch_add(waited, Ordering::Relaxed);
    }
}

impl Target {
    /// One that nothing is known of.
    pub fn new(address: Address, protocol: Protocol, check: Option<Check>) -> Arc<Self> {
        Arc::new(Self {
            pool: Pool::new(address.clone(), protocol),
            address,
            check,
            counts: Counts::default(),
            gone: CancellationToken::new(),
            outstanding: AtomicUsize::new(0),
            health: Mutex::default(),
        })
    }

    /// Requests and connections that it has not ended yet.
    pub fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// Whether it is well.
    pub fn health(&self) -> Health {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down what was seen, and gives the health before and after it.
    pub fn saw(&self, seen: Seen) -> (Health, Health) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *health;
        *health = before.after(seen);
        (before, *health)
    }
}

/// A target that has something to do; it counts until this is dropped.
#[derive(Debug)]
pub struct Lease {
    target: Arc<Target>,
}

impl Lease {
    /// Takes one down.
    pub fn new(target: Arc<Target>) -> Self {
        target.outstanding.fetch_add(1, Ordering::Relaxed);
        Self { target }
    }

    /// The target.
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.target.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}
