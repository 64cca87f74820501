//! What rengine's plugin `harden` decides for a container of which nothing is said, as a plugin
//! for Extism: a specification in JSON goes in, and the changes come out.

use std::collections::BTreeMap;

use extism_pdk::{FnResult, Json, plugin_fn};
use serde::{Deserialize, Serialize};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Spec {
    user: Option<String>,
    read_only_root: bool,
    tmpfs: BTreeMap<String, String>,
    no_new_privileges: bool,
    cap_drop: Vec<String>,
    memory: Option<u64>,
    cpus: Option<f64>,
    pids_limit: Option<u32>,
    privileged: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Change {
    User(&'static str),
    ReadOnlyRoot,
    Tmpfs(&'static str, &'static str),
    NoNewPrivileges,
    CapDrop([&'static str; 1]),
    Memory(u64),
    Cpus(f64),
    PidsLimit(u32),
}

const TMPFS_OPTIONS: &str = "mode=1777,size=64m,noexec,nosuid,nodev";

/// Decides what to change.
#[plugin_fn]
pub fn pre_run(Json(spec): Json<Spec>) -> FnResult<Json<Vec<Change>>> {
    if spec.privileged {
        return Err(extism_pdk::Error::msg("the container is privileged").into());
    }
    let mut changes = Vec::new();
    if spec.user.is_none() {
        changes.push(Change::User("65532:65532"));
    }
    if !spec.read_only_root {
        changes.push(Change::ReadOnlyRoot);
    }
    for path in ["/tmp", "/run"] {
        if !spec.tmpfs.contains_key(path) {
            changes.push(Change::Tmpfs(path, TMPFS_OPTIONS));
        }
    }
    if !spec.no_new_privileges {
        changes.push(Change::NoNewPrivileges);
    }
    if !spec.cap_drop.iter().any(|name| name == "ALL") {
        changes.push(Change::CapDrop(["ALL"]));
    }
    if spec.memory.is_none() {
        changes.push(Change::Memory(256 << 20));
    }
    if spec.cpus.is_none() {
        changes.push(Change::Cpus(1.0));
    }
    if spec.pids_limit.is_none() {
        changes.push(Change::PidsLimit(256));
    }
    Ok(Json(changes))
}
