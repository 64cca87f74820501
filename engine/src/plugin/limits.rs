//! The bounds of one call, and what tells when one is reached.

use std::time::Duration;

use wasmtime::{ResourceLimiter, Result};

use crate::app::ByteSize;

/// Time for one call of a hook, where plugins.toml does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Linear memory of one instance, where plugins.toml does not say. Python needs 15 MiB.
pub const DEFAULT_MEMORY: ByteSize = ByteSize::mib(128);
/// Log messages of one call, in bytes.
pub const MAX_LOG_BYTES: usize = 256 << 10;
/// Standard output and error of one call, in bytes each. What is beyond is dropped.
pub const MAX_STDIO_BYTES: usize = 64 << 10;
/// A text that a plugin hands to a setter, in bytes; a Dockerfile is the longest there is.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// A file of the build context that a plugin reads, in bytes.
pub const MAX_READ_BYTES: usize = 8 << 20;
/// All files that plugins generate for one build, in bytes.
pub const MAX_GENERATED_BYTES: usize = 64 << 20;
/// Setter calls of one call of a hook.
pub const MAX_CHANGES: usize = 20_000;
/// Names and values that one call of a hook hands to setters that collect them, in bytes.
pub const MAX_CHANGED_BYTES: usize = 16 << 20;
/// Elements of a list that a plugin hands to a setter.
pub const MAX_ELEMENTS: usize = 10_000;
/// Services of an app that plugins add to.
pub const MAX_SERVICES: usize = 100;
/// An image's name with its tag, in bytes: a name has 255 and a tag 128 at most.
pub const MAX_IMAGE_NAME_BYTES: usize = 512;
/// Names that a plugin gives to one image.
pub const MAX_TAGS: usize = 32;
/// Capabilities in a list; Linux has 41.
pub const MAX_CAPABILITIES: usize = 100;
/// What a plugin says to people in one answer, in bytes.
pub const MAX_REASON_BYTES: usize = 4 << 10;
/// Method, path and header fields of an HTTP request, in bytes.
pub const MAX_HTTP_HEAD_BYTES: usize = 64 << 10;
/// Handles that an instance holds at a time: WASI's resources, tasks, streams and the like.
pub const MAX_HANDLES: usize = 10_000;
/// Elements of all tables of an instance. StarlingMonkey, the largest seen, needs 7 688.
const MAX_TABLE_ELEMENTS: usize = 100_000;
/// Core instances in a component. Python, the largest seen, needs 14.
const MAX_INSTANCES: usize = 100;
/// Memories in a component. QuickJS needs 3.
const MAX_MEMORIES: usize = 16;
/// Tables in a component. QuickJS needs 3.
const MAX_TABLES: usize = 32;
/// Bytes that wasmtime copies out of a guest for one call of a host function.
pub const HOSTCALL_BYTES: usize = 72 << 20;
/// The stack of a guest.
pub const MAX_STACK: usize = 1 << 20;
/// How often a running guest gives way, so that its time limit can end it.
pub const EPOCH: Duration = Duration::from_millis(10);

/// A limit that a call ran into. Travels through wasmtime as the cause of the trap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Linear memory.
    #[error("it asked for {wanted} of memory, and may have {limit}")]
    Memory {
        /// What it would have had.
        wanted: ByteSize,
        /// What it may have.
        limit: ByteSize,
    },
    /// Elements of tables.
    #[error("it asked for a table of {wanted} elements, and may have {MAX_TABLE_ELEMENTS}")]
    Table {
        /// What it would have had.
        wanted: usize,
    },
    /// Log messages.
    #[error("it logged more than {} in one call", ByteSize(MAX_LOG_BYTES as u64))]
    Log,
    /// Setter calls.
    #[error("it made more than {MAX_CHANGES} changes in one call")]
    Changes,
    /// Bytes handed to setters.
    #[error(
        "its changes have more than {} of text in one call",
        ByteSize(MAX_CHANGED_BYTES as u64)
    )]
    ChangedBytes,
    /// Handles.
    #[error("it holds too many handles: {MAX_HANDLES} is the limit")]
    Handles,
}

/// Counts what one instance takes.
#[derive(Debug)]
pub struct Limiter {
    memory: ByteSize,
    memory_used: usize,
    table_used: usize,
    log_used: usize,
    changes: usize,
    changed_bytes: usize,
}

impl Limiter {
    pub fn new(memory: ByteSize) -> Self {
        Self {
            memory,
            memory_used: 0,
            table_used: 0,
            log_used: 0,
            changes: 0,
            changed_bytes: 0,
        }
    }

    /// The linear memory that the instance has.
    pub fn memory_used(&self) -> ByteSize {
        ByteSize(self.memory_used as u64)
    }

    /// Counts a log message.
    pub fn log(&mut self, bytes: usize) -> Result<()> {
        // A line has a cost beyond its text, so that empty messages end too.
        self.log_used = self.log_used.saturating_add(bytes).saturating_add(16);
        if self.log_used > MAX_LOG_BYTES {
            return Err(Exceeded::Log.into());
        }
        Ok(())
    }

    /// Counts a call of a setter.
    pub fn change(&mut self) -> Result<()> {
        self.changes += 1;
        if self.changes > MAX_CHANGES {
            return Err(Exceeded::Changes.into());
        }
        Ok(())
    }

    /// Counts what a setter adds to a collection. Each text has a limit of its own, and a guest
    /// that needs little memory for one could fill the host's with twenty thousand.
    pub fn collect(&mut self, bytes: usize) -> Result<()> {
        self.changed_bytes = self.changed_bytes.saturating_add(bytes);
        if self.changed_bytes > MAX_CHANGED_BYTES {
            return Err(Exceeded::ChangedBytes.into());
        }
        Ok(())
    }
}

impl ResourceLimiter for Limiter {
    // Refused growth is a trap and not -1: a guest that can't have memory can do nothing useful,
    // and its own way of dying tells nobody why.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        // Past its own maximum a memory does not grow whatever is said here.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        // The limit holds for all memories of the component together.
        let total = sum(self.memory_used, current, desired);
        if total as u64 > self.memory.0 {
            let wanted = ByteSize(total as u64);
            let limit = self.memory;
            return Err(Exceeded::Memory { wanted, limit }.into());
        }
        self.memory_used = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let total = sum(self.table_used, current, desired);
        if total > MAX_TABLE_ELEMENTS {
            return Err(Exceeded::Table { wanted: total }.into());
        }
        self.table_used = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

/// What is used once one part of it has grown. A 64-bit memory can ask for more than a number
/// holds, together with what others have.
fn sum(used: usize, current: usize, desired: usize) -> usize {
    used.saturating_sub(current).saturating_add(desired)
}
