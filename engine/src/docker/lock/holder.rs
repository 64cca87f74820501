//! Who holds a lock, and how to tell whether that is still so.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LockHolder {
    /// The user's name.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The host's start, by the id that Linux gives it: after a restart no process is the same.
    pub boot_id: String,
    /// When the process started, in Linux's clock ticks since the host did: another process may
    /// have its number by now.
    pub pid_start: Option<u64>,
    /// Where the number counts, as Linux names it (`pid:[…]`): containers have numbers of their
    /// own.
    #[serde(default)]
    pub pid_namespace: String,
    /// When the lock was taken.
    pub since: Timestamp,
    /// What is being done.
    pub command: String,
    /// What others are told, where a person holds the lock: then no process needs to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Milliseconds without a sign of life after which the holder may be gone; `None` if it gives
    /// none, as a person, or an older version of rengine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    /// True if it is held for moments only, by what nobody asked for: others wait for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub brief: bool,
}

/// Time without a sign of life after which a holder may be gone.
const LEASE: Duration = Duration::from_secs(30);
/// How many signs of life a holder gives in that time.
const SIGNS: u32 = 6;

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user,
            host,
            pid,
            since,
            command,
            message,
            ..
        } = self;
        let since = since.strftime("%F %T UTC");
        match message {
            Some(message) => write!(f, "by {user} on {host} since {since}: {message}"),
            None => write!(
                f,
                "by {user} on {host} (`{command}`, process {pid}) since {since}"
            ),
        }
    }
}

impl LockHolder {
    /// This process, as the holder of a lock.
    pub fn this_process(user: String, command: String, since: Timestamp) -> Self {
        let pid = std::process::id();
        Self {
            user,
            host: read("/proc/sys/kernel/hostname"),
            pid,
            boot_id: read("/proc/sys/kernel/random/boot_id"),
            pid_start: process_start(pid),
            pid_namespace: pid_namespace(),
            since,
            command,
            message: None,
            lease_ms: u64::try_from(LEASE.as_millis()).ok(),
            brief: false,
        }
    }

    /// A person, who holds a lock until it is released.
    pub fn person(user: String, message: String, since: Timestamp) -> Self {
        Self {
            user,
            host: read("/proc/sys/kernel/hostname"),
            pid: 0,
            boot_id: String::new(),
            pid_start: None,
            pid_namespace: String::new(),
            since,
            command: "rengine lock hold".to_owned(),
            message: Some(message),
            lease_ms: None,
            brief: false,
        }
    }

    /// True if this very process holds it.
    pub fn is_this_process(&self) -> bool {
        self.message.is_none()
            && self.pid == std::process::id()
            && self.pid_start == process_start(self.pid)
            && self.pid_namespace == pid_namespace()
            && self.boot_id == read("/proc/sys/kernel/random/boot_id")
    }

    /// True if the same person holds it, from the same machine, and no process.
    pub fn is_of(&self, other: &Self) -> bool {
        self.message.is_some() && self.user == other.user && self.host == other.host
    }

    /// Time without a sign of life after which the holder may be gone.
    pub(super) fn lease(&self) -> Option<Duration> {
        self.lease_ms.map(Duration::from_millis)
    }

    /// Time between two signs of life.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.lease().map(|lease| lease / SIGNS)
    }

    /// True if the holder is known to be no more: it ran where this process runs, and is gone.
    pub fn is_dead(&self) -> bool {
        let here = !self.boot_id.is_empty()
            && self.boot_id == read("/proc/sys/kernel/random/boot_id")
            && self.host == read("/proc/sys/kernel/hostname")
            && self.pid_namespace == pid_namespace();
        let Some(began) = self.pid_start.filter(|_| here) else {
            return false;
        };
        match process(self.pid) {
            Process::Began(at) => at != began,
            Process::Ended => true,
            // Its silence tells.
            Process::Hidden => false,
        }
    }
}

/// What a file of the kernel says; nothing on systems without it, where no holder is ever known
/// to be dead.
fn read(path: &str) -> String {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn pid_namespace() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().into_owned()
}

/// What is known of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    /// It began at this time, in Linux's clock ticks since the host did.
    Began(u64),
    /// There is none of this number, or it has ended.
    Ended,
    /// There may be one: `/proc` may hide what is another user's (`hidepid`, `ProtectProc=`).
    Hidden,
}

fn process(pid: u32) -> Process {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    process_of(stat.ok().as_deref(), || {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        pid.map_or(Err(Errno::SRCH), test_kill_process)
    })
}

/// What is known of a process by its `/proc/PID/stat`, and by what becomes of a signal to it where that can't be
/// read.
fn process_of(stat: Option<&str>, signal: impl FnOnce() -> Result<(), Errno>) -> Process {
    match (stat, stat.and_then(began)) {
        (_, Some(began)) => began,
        // It may be that of one that ended in the middle of reading it.
        (_, None) if signal() == Err(Errno::SRCH) => Process::Ended,
        _ => Process::Hidden,
    }
}

/// The 22nd field of `/proc/PID/stat`. The second is the program's name in parentheses, which may
/// have blanks and parentheses itself.
fn began(stat: &str) -> Option<Process> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    // A process that has ended, and waits for its parent to notice, holds nothing any more.
    if matches!(fields.next()?, "Z" | "X") {
        return Some(Process::Ended);
    }
    fields.nth(18)?.parse().ok().map(Process::Began)
}

fn process_start(pid: u32) -> Option<u64> {
    match process(pid) {
        Process::Began(at) => Some(at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let this =
            LockHolder::this_process("me".to_owned(), "deploy".to_owned(), Timestamp::UNIX_EPOCH);
        assert!(!this.is_dead());
        assert!(
            LockHolder {
                pid_start: Some(1),
                ..this.clone()
            }
            .is_dead(),
            "another process has its number"
        );
        assert!(
            LockHolder {
                pid: u32::MAX,
                ..this.clone()
            }
            .is_dead(),
            "no such process"
        );
        let elsewhere = LockHolder {
            host: "elsewhere".to_owned(),
            pid_start: Some(1),
            ..this.clone()
        };
        assert!(!elsewhere.is_dead(), "nobody can know");
        let before = LockHolder {
            boot_id: "before".to_owned(),
            pid_start: Some(1),
            ..this
        };
        assert!(!before.is_dead());
    }

    #[test]
    fn a_process_that_is_hidden_may_live() {
        let stat = |state: &str| {
            let rest = "1 ".repeat(18);
            format!("7 (a) b) {state} {rest}77 0 0")
        };
        let of = |stat: Option<&str>, signal| process_of(stat, || signal);
        assert_eq!(of(Some(&stat("S")), Ok(())), Process::Began(77));
        assert_eq!(of(Some(&stat("Z")), Ok(())), Process::Ended);
        // /proc has no such process: there is none, or it is not shown to this user.
        assert_eq!(of(None, Err(Errno::SRCH)), Process::Ended);
        assert_eq!(of(None, Err(Errno::PERM)), Process::Hidden);
        assert_eq!(of(None, Ok(())), Process::Hidden);
        assert_eq!(of(Some(""), Ok(())), Process::Hidden);
        assert_eq!(
            process(u32::MAX),
            Process::Ended,
            "no process has this number"
        );
    }

    #[test]
    fn a_holder_can_be_read_again() {
        let holder =
            LockHolder::this_process("me".to_owned(), "deploy".to_owned(), Timestamp::UNIX_EPOCH);
        let text = serde_json::to_string(&holder).expect("text");
        assert_eq!(
            serde_json::from_str::<LockHolder>(&text).expect("a holder"),
            holder
        );
    }
}
