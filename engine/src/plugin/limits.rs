//! The bounds of one call, and what tells when one is reached.

use std::time::Duration;

use wasmtime::{ResourceLimiter, Result};

use crate::app::ByteSize;

/// Time for one call of a hook, where plugins.toml does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Linear memory of one instance, where plugins.toml does not say. Python needs 15 MiB.
pub const DEFAULT_MEMORY: ByteSize = ByteSize::mib(128);
/// Log messages of one call, where plugins.toml does not say.
pub const DEFAULT_LOG: ByteSize = ByteSize(256 << 10);
/// Requests and responses of outgoing HTTP in one call, where plugins.toml does not say.
pub const DEFAULT_HTTP: ByteSize = ByteSize::mib(8);
/// What one call hands to setters: texts, names, and files for a build; where plugins.toml does
/// not say.
pub const DEFAULT_RESULT: ByteSize = ByteSize::mib(64);
/// Elements of all tables of an instance, where plugins.toml does not say. StarlingMonkey, the
/// largest seen, needs 7 688.
pub const DEFAULT_TABLE_ELEMENTS: usize = 100_000;
/// Core instances in a component, where plugins.toml does not say. Python, the largest seen,
/// needs 14.
pub const DEFAULT_INSTANCES: usize = 100;
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
/// Elements of a list that a plugin hands to a setter.
pub const MAX_ELEMENTS: usize = 10_000;
/// Services of an app that plugins add to.
pub const MAX_SERVICES: usize = 100;
/// Networks of an app that plugins add to.
pub const MAX_NETWORKS: usize = 100;
/// Volumes of an app that plugins add to.
pub const MAX_VOLUMES: usize = 100;
/// Names of a service in one network.
pub const MAX_ALIASES: usize = 100;
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
/// HTTP requests of one call that go on at the same time.
pub const MAX_HTTP_REQUESTS: usize = 16;
/// Time to resolve a host's name and to connect to it.
pub const HTTP_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time until the head of an answer is there, and between two parts of its body.
pub const HTTP_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a command in a container, where the plugin does not say.
pub const EXEC_TIMEOUT: Duration = Duration::from_secs(10);
/// A key of the state that is kept for a plugin, in bytes.
pub const MAX_STATE_KEY_BYTES: usize = 256;
/// All keys and values of the state that is kept for a plugin, in bytes.
pub const MAX_STATE_BYTES: usize = 64 << 10;
/// Handles that an instance holds at a time: WASI's resources, tasks, streams and the like.
pub const MAX_HANDLES: usize = 10_000;
/// Tasks, streams and the like that an instance has at a time. A call of a function is two of them
/// while it goes on, from one component to another within a plugin, too; one that waits keeps a stack.
pub const MAX_TASKS: usize = 12;
/// Elements of all tables of an instance, whatever plugins.toml says.
pub const MAX_TABLE_ELEMENTS: usize = 1_000_000;
/// Memories in a component. QuickJS needs 3.
pub const MAX_MEMORIES: usize = 16;
/// Tables in a component. QuickJS needs 3.
const MAX_TABLES: usize = 32;
/// Bytes that wasmtime copies out of a guest for one call of a host function.
pub const HOSTCALL_BYTES: usize = 72 << 20;
/// The stack of a guest.
pub const MAX_STACK: usize = 1 << 20;
/// How often a running guest gives way, so that its time limit can end it.
pub const EPOCH: Duration = Duration::from_millis(10);

/// The bounds of one call that plugins.toml can set, beside its time and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Log messages.
    pub log: ByteSize,
    /// Requests and responses of outgoing HTTP, heads and bodies.
    pub http: ByteSize,
    /// What it hands to setters.
    pub result: ByteSize,
    /// Elements of all tables.
    pub table_elements: usize,
    /// Core instances.
    pub instances: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            log: DEFAULT_LOG,
            http: DEFAULT_HTTP,
            result: DEFAULT_RESULT,
            table_elements: DEFAULT_TABLE_ELEMENTS,
            instances: DEFAULT_INSTANCES,
        }
    }
}

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
    #[error("it asked for a table of {wanted} elements, and may have {limit}")]
    Table {
        /// What it would have had.
        wanted: usize,
        /// What it may have.
        limit: usize,
    },
    /// Log messages.
    #[error("it logged more than {limit} in one call")]
    Log {
        /// What it may log.
        limit: ByteSize,
    },
    /// Requests and responses of outgoing HTTP.
    #[error("its HTTP requests and their answers have more than {limit} in one call")]
    Http {
        /// What they may have.
        limit: ByteSize,
    },
    /// Setter calls.
    #[error("it made more than {MAX_CHANGES} changes in one call")]
    Changes,
    /// Bytes handed to setters.
    #[error("its changes have more than {limit} in one call")]
    Result {
        /// What they may have.
        limit: ByteSize,
    },
    /// Handles.
    #[error("it holds too many handles: {MAX_HANDLES} is the limit, and {MAX_TASKS} for tasks")]
    Handles,
}

impl Exceeded {
    /// Which key of plugins.toml sets the limit, and in which table of the plugin's; `None` where
    /// none does.
    pub(super) const fn setting(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Memory { .. } => Some(("memory", "")),
            Self::Table { .. } => Some(("table-elements", ".limits")),
            Self::Log { .. } => Some(("log", ".limits")),
            Self::Http { .. } => Some(("http", ".limits")),
            Self::Result { .. } => Some(("result", ".limits")),
            Self::Changes | Self::Handles => None,
        }
    }
}

/// Counts what one instance takes.
#[derive(Debug)]
pub struct Limiter {
    memory: ByteSize,
    limits: Limits,
    memory_used: usize,
    table_used: usize,
    log_used: u64,
    changes: usize,
    changed_bytes: u64,
}

impl Limiter {
    pub fn new(memory: ByteSize, limits: Limits) -> Self {
        Self {
            memory,
            limits,
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
        self.log_used = self
            .log_used
            .saturating_add(bytes as u64)
            .saturating_add(16);
        let limit = self.limits.log;
        if self.log_used > limit.0 {
            return Err(Exceeded::Log { limit }.into());
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
        self.changed_bytes = self.changed_bytes.saturating_add(bytes as u64);
        let limit = self.limits.result;
        if self.changed_bytes > limit.0 {
            return Err(Exceeded::Result { limit }.into());
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
        // The pool's own maximum is no table's, and to reach it is to reach the limit.
        let own = maximum.filter(|&maximum| maximum < MAX_TABLE_ELEMENTS);
        if own.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let total = sum(self.table_used, current, desired);
        let limit = self.limits.table_elements;
        if total > limit {
            let wanted = total;
            return Err(Exceeded::Table { wanted, limit }.into());
        }
        self.table_used = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
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
