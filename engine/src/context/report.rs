//! What became of a context that is on its way to a builder.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::ContextError;

/// What is known of a transfer while somebody else has it. Clones are of the same transfer.
#[derive(Debug, Clone, Default)]
pub struct Report {
    sent: Arc<AtomicU64>,
    error: Arc<Mutex<Option<ContextError>>>,
}

impl Report {
    /// The bytes that were sent so far: of an archive all, otherwise those of files.
    pub fn bytes_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Why the transfer ended before its time. The transfer's own error is for the transport, which
    /// makes it unrecognisable; this is the one to show. The second call has none.
    pub fn take_error(&self) -> Option<ContextError> {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Notes that so many bytes more were sent.
    pub fn add(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Notes why the transfer ended. The first error counts: others follow from it.
    pub fn fail(&self, error: ContextError) {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }
}
