//! What is kept for a plugin between deploys, while a deploy goes on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::limits::MAX_STATE_BYTES;
use super::{Entries, StateAccess};

/// What was written: a value, or `None` where a key was deleted.
pub type Writes = BTreeMap<String, Option<Vec<u8>>>;

/// One plugin's state: read when a call first asks for it, and written by [`PluginState::save`],
/// which is for the end of a deploy, under the app's lock. Clones share it.
#[derive(Clone)]
pub struct PluginState(Arc<Inner>);

struct Inner {
    plugin: String,
    access: Arc<dyn StateAccess>,
    kept: OnceCell<Entries>,
    writes: Mutex<Writes>,
}

impl fmt::Debug for PluginState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginState({})", self.0.plugin)
    }
}

impl PluginState {
    /// The state of a plugin, where `access` keeps it.
    pub fn new(plugin: impl Into<String>, access: Arc<dyn StateAccess>) -> Self {
        Self(Arc::new(Inner {
            plugin: plugin.into(),
            access,
            kept: OnceCell::new(),
            writes: Mutex::default(),
        }))
    }

    /// What is kept, with what calls wrote since.
    pub(super) async fn entries(&self) -> Result<Entries, String> {
        let Inner {
            plugin,
            access,
            kept,
            ..
        } = &*self.0;
        let kept = kept.get_or_try_init(|| access.load(plugin)).await?;
        let mut entries = kept.clone();
        apply(&mut entries, &self.writes());
        Ok(entries)
    }

    /// Takes over what a call wrote.
    pub(super) fn write(&self, writes: Writes) {
        let mut all = self.0.writes.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(writes);
    }

    fn writes(&self) -> Writes {
        let writes = self.0.writes.lock();
        writes.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True if there is something to save.
    pub fn is_changed(&self) -> bool {
        !self.writes().is_empty()
    }

    /// Keeps what was written. It is read anew for that: who holds the app's lock sees what others
    /// kept meanwhile, and takes nothing of it back.
    ///
    /// # Errors
    ///
    /// In words, if it can't be read or kept, or is too large by now.
    pub async fn save(&self) -> Result<(), String> {
        let writes = self.writes();
        let Inner { plugin, access, .. } = &*self.0;
        let kept = access.load(plugin).await?;
        let mut entries = kept.clone();
        apply(&mut entries, &writes);
        if size(&entries) > MAX_STATE_BYTES {
            return Err(format!("it has more than {MAX_STATE_BYTES} bytes"));
        }
        if entries != kept {
            access.save(plugin, &entries).await?;
        }
        Ok(())
    }
}

fn apply(entries: &mut Entries, writes: &Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => drop(entries.insert(key.clone(), value.clone())),
            None => drop(entries.remove(key)),
        }
    }
}

/// The bytes of all keys and values.
pub fn size(entries: &Entries) -> usize {
    let bytes = entries.iter().map(|(key, value)| key.len() + value.len());
    bytes.sum()
}
