//! Where instances live: address space that is reserved once and used again and again.
//!
//! wasmtime's other way is to map memory and a stack for each instance and to unmap them after it,
//! which is more than half of what a call of a small plugin takes. ARCHITECTURE.md has the figures.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::Component;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::limits::{MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TASKS};

/// Calls that go on at the same time; more wait their turn.
const SLOTS: usize = 16;
/// Memories for each slot. Most components have one; one with more takes several slots.
const SLOT_MEMORIES: usize = 4;
/// Tables for each slot.
const SLOT_TABLES: usize = 8;
/// Stacks for each slot. A task that waits keeps its stack, and is two of [`MAX_TASKS`]; one more is
/// kept for the next task. They are what makes a pool slow to set up: each takes 5 µs.
const SLOT_STACKS: usize = MAX_TASKS / 2 + 1;
/// What of an instance's memory stays when it is gone, and is set back rather than mapped anew, in
/// bytes.
const MEMORY_KEPT: usize = 256 << 10;
/// The same of its tables.
const TABLE_KEPT: usize = 16 << 10;

/// The instances that there can be at a time.
#[derive(Debug, Clone)]
pub struct Pool {
    /// `None` where address space is scarce, and each instance is mapped by itself.
    slots: Option<Arc<Semaphore>>,
}

/// What an instance of one component takes of the pool.
#[derive(Debug, Clone)]
pub struct Room {
    pool: Pool,
    slots: u32,
}

/// Held while there is an instance.
pub type Slot = Option<OwnedSemaphorePermit>;

impl Pool {
    /// Makes an engine of `config` with a pool; or with none, if there is no address space for one,
    /// as under `ulimit -v`.
    pub fn engine(mut config: Config) -> wasmtime::Result<(Engine, Self)> {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling()));
        if let Ok(engine) = Engine::new(&config) {
            let slots = Some(Arc::new(Semaphore::new(SLOTS)));
            return Ok((engine, Self { slots }));
        }
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        Ok((Engine::new(&config)?, Self { slots: None }))
    }

    /// What an instance of a component takes.
    pub fn room(&self, component: &Component) -> Room {
        // Those that import modules, which none of ours do, don't say what they need.
        let slots = component.resources_required().map_or(SLOTS, |needed| {
            let memories = (needed.num_memories as usize).div_ceil(SLOT_MEMORIES);
            let tables = (needed.num_tables as usize).div_ceil(SLOT_TABLES);
            memories.max(tables).clamp(1, SLOTS)
        });
        Room {
            pool: self.clone(),
            slots: count(slots),
        }
    }
}

impl Room {
    /// Waits until it is free.
    pub async fn slot(&self) -> Slot {
        let slots = self.pool.slots.clone()?;
        // An error would mean that the semaphore is closed, which it never is.
        slots.acquire_many_owned(self.slots).await.ok()
    }
}

fn pooling() -> PoolingAllocationConfig {
    // What is no part of the pool. The store has limits of its own for it, which tell more.
    const UNBOUNDED: u32 = u32::MAX;
    const UNBOUNDED_BYTES: usize = isize::MAX as usize;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(count(SLOTS * SLOT_MEMORIES))
        .total_tables(count(SLOTS * SLOT_TABLES))
        .total_stacks(count(SLOTS * SLOT_STACKS))
        .table_elements(MAX_TABLE_ELEMENTS)
        .linear_memory_keep_resident(MEMORY_KEPT)
        .table_keep_resident(TABLE_KEPT)
        // Where Linux has it, from 6.7 on, only pages that were written to are set back.
        .pagemap_scan(Enabled::Auto)
        // wasmtime counts up to this whenever it lets go of a module.
        .max_memories_per_module(count(MAX_MEMORIES))
        .max_tables_per_module(UNBOUNDED)
        .total_core_instances(UNBOUNDED)
        .total_component_instances(UNBOUNDED)
        .max_core_instance_size(UNBOUNDED_BYTES)
        .max_component_instance_size(UNBOUNDED_BYTES);
    pool
}

/// A number of things in the pool, of which there are never that many.
fn count(things: usize) -> u32 {
    u32::try_from(things).unwrap_or(u32::MAX)
}
