//! A target as it is now: its health, what it has to do, its connections.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::health::{Health, Seen};
use super::histogram::Histogram;
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
    /// Shared with those that follow it at the same address.
    outstanding: Arc<AtomicUsize>,
    health: Mutex<Health>,
    /// Until when it is taken out, in milliseconds since [`EPOCH`]; 0 if it is not.
    out_until: AtomicU64,
}

/// From where times that end in milliseconds count: this program's first look at the clock.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Never 0, which stands for no time.
fn since_epoch() -> u64 {
    let millis = u64::try_from(EPOCH.elapsed().as_millis());
    millis.unwrap_or(u64::MAX).saturating_add(1)
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
    /// Connections that were proxied as such, from the start.
    pub connections: AtomicU64,
    /// How long it took until answers began, from when the request was sent.
    pub times: Histogram,
}

impl Counts {
    /// Takes down an answer.
    pub fn answered(&self, status: http::StatusCode, waited: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.answers[class].fetch_add(1, Ordering::Relaxed);
        self.times.add(waited);
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
            outstanding: Arc::default(),
            health: Mutex::default(),
            out_until: AtomicU64::new(0),
        })
    }

    /// One at the same address that is spoken with in another way, or asked something else: what this one has not
    /// ended yet is still to be ended there, and who is taken out stays so.
    pub fn successor(&self, protocol: Protocol, check: Option<Check>) -> Arc<Self> {
        Arc::new(Self {
            pool: Pool::new(self.address.clone(), protocol),
            address: self.address.clone(),
            check,
            counts: Counts::default(),
            gone: CancellationToken::new(),
            outstanding: self.outstanding.clone(),
            health: Mutex::default(),
            out_until: AtomicU64::new(self.out_until.load(Ordering::Relaxed)),
        })
    }

    /// Takes it out for so long, or puts it back. Whoever asked for it asks again and again while
    /// that is to last, so that nothing stays out when they are gone.
    pub fn take_out(&self, time: Option<Duration>) {
        let until = time.map_or(0, |time| {
            let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            since_epoch().saturating_add(time)
        });
        self.out_until.store(until, Ordering::Relaxed);
    }

    /// True if it is taken out: it gets something new only if nobody else can.
    pub fn is_out(&self) -> bool {
        // The clock is looked at only for those who may be.
        match self.out_until.load(Ordering::Relaxed) {
            0 => false,
            until => since_epoch() < until,
        }
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
