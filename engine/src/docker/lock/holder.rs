//! Who holds a lock, and how to tell whether that is still so.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
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
        here && self.pid_start.is_some() && process_start(self.pid) != self.pid_start
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

/// The 22nd field of `/proc/PID/stat`. The second is the program's name in parentheses, which may
/// have blanks and parentheses itself.
fn process_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    // A process that has ended, and waits for its parent to notice, holds nothing any more.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
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
