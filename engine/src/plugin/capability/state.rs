//! `wasi:keyvalue/store`: values that are kept between deploys.

use wasmtime::component::{HasSelf, Linker, Resource};

use super::Gate;
use crate::grants::Grants;
use crate::plugin::Entries;
use crate::plugin::bindings::granted::wasi::keyvalue::store::{
    self, Error, Host, HostBucket, KeyResponse,
};
use crate::plugin::call::State;
use crate::plugin::limits::{MAX_STATE_BYTES, MAX_STATE_KEY_BYTES};
use crate::plugin::state::{Writes, size};

/// Importing it needs the grant.
pub const GATE: Gate = Gate {
    interface: "wasi:keyvalue/store",
    granted: Grants::keeps_state,
};

pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

/// The names of a plugin's one bucket.
const NAMES: [&str; 2] = ["", "default"];

/// A handle of the plugin's one bucket: what is in it belongs to the call.
pub struct Bucket;

/// The state as one call sees it. What it writes is kept if the call goes well.
#[derive(Debug, Default)]
pub struct OpenState {
    entries: Entries,
    writes: Writes,
}

type Handle = Resource<Bucket>;
type Answer<T> = wasmtime::Result<Result<T, Error>>;

fn other<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::Other(why.into()))
}

impl State {
    /// Hands what the call wrote to what is kept.
    pub fn keep_state(&mut self) {
        if let (Some(open), Some(state)) = (self.kept.take(), &self.settings.state) {
            state.write(open.writes);
        }
    }

    fn open_state(&mut self, this: &Handle) -> wasmtime::Result<&mut OpenState> {
        self.table.get(this)?;
        Ok(self.kept.get_or_insert_default())
    }
}

impl Host for State {
    async fn open(&mut self, identifier: String) -> Answer<Handle> {
        let Some(state) = &self.settings.state else {
            return Ok(Err(Error::AccessDenied));
        };
        if !NAMES.contains(&identifier.as_str()) {
            return Ok(Err(Error::NoSuchStore));
        }
        if self.kept.is_none() {
            match state.entries().await {
                Ok(entries) => {
                    let writes = Writes::new();
                    self.kept = Some(OpenState { entries, writes });
                }
                Err(why) => return Ok(other(format!("the state can't be read: {why}"))),
            }
        }
        Ok(Ok(self.table.push(Bucket)?))
    }
}

impl HostBucket for State {
    fn get(&mut self, this: Handle, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(Ok(self.open_state(&this)?.entries.get(&key).cloned()))
    }

    fn set(&mut self, this: Handle, key: String, value: Vec<u8>) -> Answer<()> {
        self.limiter.change()?;
        // What is kept is there for all who can look at the daemon.
        let redactor = &self.settings.redactor;
        if redactor.finds_any(&key) || redactor.finds_any(&String::from_utf8_lossy(&value)) {
            return Ok(other("a secret can't be kept in the state"));
        }
        let open = self.open_state(&this)?;
        if key.is_empty() || key.len() > MAX_STATE_KEY_BYTES {
            return Ok(other(format!(
                "a key has 1 to {MAX_STATE_KEY_BYTES} bytes, and this one {}",
                key.len()
            )));
        }
        let before = open
            .entries
            .get(&key)
            .map_or(0, |old| key.len() + old.len());
        let after = size(&open.entries) - before + key.len() + value.len();
        if after > MAX_STATE_BYTES {
            return Ok(other(format!(
                "keys and values would have {after} bytes, and {MAX_STATE_BYTES} is the limit"
            )));
        }
        open.entries.insert(key.clone(), value.clone());
        open.writes.insert(key, Some(value));
        Ok(Ok(()))
    }

    fn delete(&mut self, this: Handle, key: String) -> Answer<()> {
        self.limiter.change()?;
        let open = self.open_state(&this)?;
        if open.entries.remove(&key).is_some() {
            open.writes.insert(key, None);
        }
        Ok(Ok(()))
    }

    fn exists(&mut self, this: Handle, key: String) -> Answer<bool> {
        Ok(Ok(self.open_state(&this)?.entries.contains_key(&key)))
    }

    fn list_keys(&mut self, this: Handle, cursor: Option<u64>) -> Answer<KeyResponse> {
        // All there is fits into one answer, after which nothing comes.
        let open = self.open_state(&this)?;
        let keys = match cursor {
            None => open.entries.keys().cloned().collect(),
            Some(_) => Vec::new(),
        };
        Ok(Ok(KeyResponse { keys, cursor: None }))
    }

    fn drop(&mut self, this: Handle) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
