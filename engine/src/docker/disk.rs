//! The space that a daemon has left.

use super::Docker;
use crate::app::ByteSize;

impl Docker {
    /// Space that is left where the daemon keeps images and containers; `None` where the daemon
    /// is not on this machine, since its API does not tell.
    pub fn free_disk(&self) -> Option<ByteSize> {
        let root = self.facts().root_dir.as_deref();
        let facts = rustix::fs::statvfs(root.filter(|_| self.endpoint().is_local())?).ok()?;
        // What an ordinary user's files could take: some is kept for root.
        facts.f_bavail.checked_mul(facts.f_frsize).map(ByteSize)
    }
}
