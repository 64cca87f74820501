//! What a worker does that another one has taken over from: for as long as it has clients it follows the routes, and
//! it is asked, too, when targets are to end what they do.
//!
//! Whoever holds a connection to it may go on for long, by a websocket or one request after the other. Without this
//! their requests would go where they went when it was taken over from, to containers that are stopped by now.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tokio::time::{sleep, timeout};

use super::control::{self, Drained};
use super::defaults::FOLLOW;
use super::worker::{Inner, KEPT, Kept};
use super::{ControlClient, EdgeError};

const PREFIX: &str = "leaving-";
const SUFFIX: &str = ".sock";
/// Time for a worker's answer, beside that in which it waits itself.
const ANSWER: Duration = Duration::from_secs(2);

/// The name of this process's socket, once it leaves.
fn own_socket() -> String {
    format!("{PREFIX}{}{SUFFIX}", std::process::id())
}

/// Follows the routes that are kept until all is over, and answers the worker that accepts.
pub fn follow(inner: &Arc<Inner>) -> Result<(), EdgeError> {
    control::serve_leaving(inner, &own_socket())?;
    let inner = inner.clone();
    tokio::spawn(inner.over.clone().run_until_cancelled_owned(async move {
        let file = inner.folder.join(KEPT);
        // Each is a new file, which takes the place of the one before.
        let number = || {
            let metadata = std::fs::metadata(&file).ok()?;
            Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
        };
        let mut seen = None;
        loop {
            let now = number();
            if now != seen {
                catch_up(&inner).await;
                seen = now;
            }
            sleep(FOLLOW).await;
        }
    }));
    Ok(())
}

/// Puts the routes in place that are kept, where they came after the ones that hold. What can't be read changes nothing.
pub async fn catch_up(inner: &Inner) {
    let _changing = inner.changing.lock().await;
    let Ok(kept) = Kept::read(&inner.folder) else {
        return;
    };
    let tables = &inner.shared.tables;
    let now = tables.now();
    if kept.generation > now.generation {
        tables.put(now.next(kept.generation, kept.routes));
    }
}

/// Takes away what this process answered at.
pub fn end(folder: &Path) {
    let _ = std::fs::remove_file(folder.join(own_socket()));
}

/// Has workers that leave wait until their targets have ended what they do, at most so long. Gives what is left. One
/// that lives and does not answer may have something left.
pub async fn drained(folder: &Path, service: Option<&str>, limit: Duration) -> Drained {
    let asked = sockets(folder).into_iter().map(|(pid, socket)| async move {
        let client = ControlClient::at(socket.clone());
        let answer = timeout(limit + ANSWER, client.drain(service, limit)).await;
        match answer {
            Ok(Ok(drained)) => Some(drained),
            // It took its socket away, as it does first of all when nobody is connected to it any more.
            _ if !socket.exists() => None,
            _ if has_ended(pid) => {
                // Nobody else will answer there.
                let _ = std::fs::remove_file(socket);
                None
            }
            _ => Some(Drained {
                drained: false,
                outstanding: BTreeMap::new(),
            }),
        }
    });
    let answers = join_all(asked).await;
    let mut all = Drained {
        drained: true,
        outstanding: BTreeMap::new(),
    };
    for answer in answers.into_iter().flatten() {
        all.drained &= answer.drained;
        for (target, outstanding) in answer.outstanding {
            *all.outstanding.entry(target).or_default() += outstanding;
        }
    }
    all
}

/// The sockets of workers that leave, or have left, with their processes.
fn sockets(folder: &Path) -> Vec<(Pid, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let own = entries.filter_map(|entry| {
        let name = entry.file_name();
        let pid = name.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        Some((Pid::from_raw(pid.parse().ok()?)?, entry.path()))
    });
    own.collect()
}

fn has_ended(pid: Pid) -> bool {
    test_kill_process(pid) == Err(Errno::SRCH)
}
