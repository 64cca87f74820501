//! What one instance of a plugin costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::{self, State};
use super::{Hook, Plugin};
use crate::app::ByteSize;

/// What making an instance took.
#[derive(Debug, Clone, Copy)]
pub struct Started {
    /// Time.
    pub took: Duration,
    /// Linear memory, of all memories that it has.
    pub memory: ByteSize,
}

impl Plugin {
    /// Makes an instance, and lets go of it.
    ///
    /// # Errors
    ///
    /// If none can be made, in words.
    pub async fn start(&self) -> Result<Started, String> {
        let hook = self.hooks().first().copied().unwrap_or(Hook::PreBuild);
        let _slot = self.slot().await;
        let state = State::new(self, hook, "", Arc::new(|_| {}), None);
        let mut store = call::store(self.engine(), state);
        let started = Instant::now();
        let instance = self.pre().instantiate_async(&mut store);
        match tokio::time::timeout(self.settings().timeout, instance).await {
            Ok(Ok(_)) => Ok(Started {
                took: started.elapsed(),
                memory: store.data().limiter.memory_used(),
            }),
            Ok(Err(error)) => Err(call::failure(
                &error,
                &String::from_utf8_lossy(&store.data().printed()),
            )),
            Err(_) => Err("it takes longer than its limit".to_owned()),
        }
    }
}
