//! What all containers of an app print, as long as they are there.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::picture::{Picture, Row};
use crate::docker::{Docker, LogOptions, LogStream};

/// Lines of each container that were printed before.
const TAIL: u32 = 50;

/// Time before a log that ended is followed again.
const AGAIN: Duration = Duration::from_secs(1);

/// A line that a container printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its service.
    pub service: String,
    /// Its number there.
    pub replica: u32,
    /// The line, as it came.
    pub text: String,
    /// True if it came by standard error.
    pub error: bool,
}

/// Follows the logs of an app's containers until the other end is gone.
pub async fn follow(
    docker: Docker,
    mut pictures: watch::Receiver<Picture>,
    to: mpsc::Sender<LogEntry>,
) {
    let mut followed: HashMap<String, AbortHandle> = HashMap::new();
    // Since when, for those that are followed again.
    let mut since: HashMap<String, Timestamp> = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let rows = pictures.borrow_and_update().rows.clone();
        followed.retain(|id, task| {
            let stays = rows.iter().any(|row| row.id == *id) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for row in rows {
            // The end of a container's process ends its log; when it runs again, so does this.
            if row.is_running() && !followed.contains_key(&row.id) {
                let id = row.id.clone();
                let options = LogOptions {
                    tail: (!since.contains_key(&id)).then_some(TAIL),
                    follow: true,
                    since: since.get(&id).copied(),
                    ..LogOptions::default()
                };
                since.insert(id.clone(), Timestamp::now());
                let task = tasks.spawn(one(docker.clone(), row, options, to.clone()));
                followed.insert(id, task);
            }
        }
        tokio::select! {
            changed = pictures.changed() => if changed.is_err() { return },
            Some(_) = tasks.join_next() => {}
            () = to.closed() => return,
        }
    }
}

async fn one(docker: Docker, row: Row, options: LogOptions, to: mpsc::Sender<LogEntry>) {
    let mut lines = Box::pin(docker.logs(&row.id, options));
    while let Some(Ok(line)) = lines.next().await {
        let entry = LogEntry {
            service: row.service.clone(),
            replica: row.replica,
            error: line.stream == LogStream::Stderr,
            text: line.text,
        };
        if to.send(entry).await.is_err() {
            return;
        }
    }
    // What ended at once is not asked again at once.
    sleep(AGAIN).await;
}
