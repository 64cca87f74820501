//! State: what is kept, and what is not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rengine::plugin::{Entries, PluginState, Settings, StateAccess};
use rengine::secrets::{Redactor, Secret};

use crate::lab::{Tried, assert_contains, host, pre_run, settings};

/// Keeps state in memory, by plugin.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Entries>>);

impl StateAccess for Memory {
    fn load<'a>(&'a self, plugin: &'a str) -> BoxFuture<'a, Result<Entries, String>> {
        let kept = self.0.lock().unwrap().get(plugin).cloned();
        async { Ok(kept.unwrap_or_default()) }.boxed()
    }

    fn save<'a>(
        &'a self,
        plugin: &'a str,
        entries: &'a Entries,
    ) -> BoxFuture<'a, Result<(), String>> {
        let mut all = self.0.lock().unwrap();
        all.insert(plugin.to_owned(), entries.clone());
        async { Ok(()) }.boxed()
    }
}

/// One deploy: calls a hook with each list of steps, and then keeps what was written.
async fn deploy(memory: &Arc<Memory>, calls: &[&[&[&str]]]) -> Vec<Tried> {
    let state = PluginState::new("probe", memory.clone());
    let mut tried = Vec::new();
    for steps in calls {
        let settings = Settings {
            state: Some(state.clone()),
            ..settings("", steps)
        };
        tried.push(pre_run(&host(), settings).await);
    }
    state.save().await.expect("it is kept");
    tried
}

#[tokio::test]
async fn what_is_written_is_there_in_the_next_deploy() {
    let memory = Arc::new(Memory::default());
    let set: &[&[&str]] = &[
        &["get", "a"],
        &["set", "a", "1"],
        &["set", "b", "2"],
        &["get", "a"],
    ];
    let seen: &[&[&str]] = &[&["get", "a"], &["delete", "b"], &["keys"]];
    let tried = deploy(&memory, &[set, seen]).await;
    let first = ["ok: (none)", "ok: done", "ok: done", "ok: 1"];
    assert_eq!(tried[0].lines, first);
    assert_eq!(tried[1].lines, ["ok: 1", "ok: done", "ok: a"]);

    let tried = deploy(&memory, &[&[&["get", "a"], &["get", "b"]]]).await;
    assert_eq!(tried[0].lines, ["ok: 1", "ok: (none)"]);
}

#[tokio::test]
async fn a_call_that_fails_or_refuses_keeps_nothing() {
    let memory = Arc::new(Memory::default());
    let refused: &[&[&str]] = &[&["set", "a", "1"], &["refuse", "no"]];
    let broken: &[&[&str]] = &[&["set", "b", "1"], &["panic", "no"]];
    let tried = deploy(&memory, &[refused, broken, &[&["keys"]]]).await;
    assert!(tried[0].result.is_err() && tried[1].result.is_err());
    assert_eq!(tried[2].lines, ["ok: "]);
}

/// Two deploys that began with the same state: neither takes back what the other wrote.
#[tokio::test]
async fn what_others_kept_meanwhile_stays() {
    let memory = Arc::new(Memory::default());
    let (one, other) = (
        PluginState::new("probe", memory.clone()),
        PluginState::new("probe", memory.clone()),
    );
    for (state, key) in [(&one, "one"), (&other, "other")] {
        let settings = Settings {
            state: Some(state.clone()),
            ..settings("", &[&["set", key, "1"]])
        };
        assert_eq!(pre_run(&host(), settings).await.line(), "ok: done");
    }
    assert!(memory.0.lock().unwrap().is_empty(), "calls keep nothing");
    one.save().await.expect("it is kept");
    other.save().await.expect("it is kept");
    let kept = memory.0.lock().unwrap()["probe"].clone();
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["one", "other"]);
}

#[tokio::test]
async fn keys_and_values_have_a_limit() {
    let memory = Arc::new(Memory::default());
    let long = "k".repeat(257);
    let steps: &[&[&str]] = &[
        &["fill", "a", "65536"],
        &["fill", "a", "65535"],
        &["set", "b", ""],
        &["fill", "a", "10"],
        &["set", &long, "x"],
        &["set", "", "x"],
        &["keys"],
    ];
    let tried = deploy(&memory, &[steps]).await;
    let lines = &tried[0].lines;
    assert_contains(&lines[0], "would have 65537 bytes, and 65536 is the limit");
    assert_eq!(lines[1], "ok: done");
    assert_contains(&lines[2], "would have 65537 bytes");
    assert_eq!(lines[3], "ok: done");
    assert_contains(&lines[4], "a key has 1 to 256 bytes");
    assert_contains(&lines[5], "a key has 1 to 256 bytes");
    assert_eq!(lines[6], "ok: a");
}

#[tokio::test]
async fn a_secret_is_not_kept() {
    let memory = Arc::new(Memory::default());
    let secret = Secret::new("hunter2".to_owned());
    let state = PluginState::new("probe", memory.clone());
    let settings = Settings {
        redactor: Redactor::new([&secret]),
        state: Some(state.clone()),
        ..settings("", &[&["set", "a", "my hunter2"], &["set", "hunter2", "x"]])
    };
    let tried = pre_run(&host(), settings).await;
    for line in &tried.lines {
        assert_contains(line, "a secret can't be kept");
    }
    assert!(!state.is_changed());
}
