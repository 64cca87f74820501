//! The threads that proxy. Each has its own events and timers, its own connections of clients and
//! those to targets, so that nothing of a request is handed from one thread to another.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The most lanes that there are.
pub const MOST: usize = 16;

thread_local! {
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// The number of the lane that this thread is, from 0; other threads are as good as the first.
pub fn here() -> usize {
    HERE.get()
}

/// Threads that proxy. They end when this is dropped, with all that goes on there.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Lane {
    handle: Handle,
    busy: Arc<AtomicUsize>,
}

/// One connection of a lane, until this is dropped.
#[derive(Debug)]
pub struct Place {
    /// Where to spawn what serves it.
    pub lane: Handle,
    busy: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// As many as there are processors for this process.
    pub fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let count = count.min(MOST);
        let stop = CancellationToken::new();
        let lanes = (0..count).map(|number| Lane::start(number, stop.clone()));
        Ok(Self {
            lanes: lanes.collect::<io::Result<_>>()?,
            _stop: stop.drop_guard(),
        })
    }

    /// A place in the lane that has the fewest connections; `None` if there is no lane.
    pub fn place(&self) -> Option<Place> {
        let busy = |lane: &&Lane| lane.busy.load(Ordering::Relaxed);
        let lane = self.lanes.iter().min_by_key(busy)?;
        lane.busy.fetch_add(1, Ordering::Relaxed);
        Some(Place {
            lane: lane.handle.clone(),
            busy: lane.busy.clone(),
        })
    }
}

impl Lane {
    fn start(number: usize, stop: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name(format!("lane-{number}"))
            .spawn(move || {
                HERE.set(number);
                runtime.block_on(stop.cancelled());
            })?;
        Ok(Self {
            handle,
            busy: Arc::default(),
        })
    }
}
