//! plugins.toml as it is written.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Deserialize;
use toml::{Spanned, Value};

use super::{OnBad, OnError, Order};
use crate::app::StrategyName;
use crate::grants::{Grants, Variable};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    pub extends: Vec<Spanned<String>>,
    pub app: AppTable,
    pub docker: DockerTable,
    pub deploy: DeployTable,
    pub edge: EdgeTable,
    pub watch: WatchTable,
    pub plugins: IndexMap<Spanned<String>, PluginTable>,
    pub secrets: IndexMap<Spanned<Variable>, Spanned<SecretTable>>,
    pub registries: IndexMap<Spanned<String>, RegistryTable>,
    pub trust: Option<TrustTable>,
}

/// What a base may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaseFile {
    pub extends: Vec<Spanned<String>>,
    pub plugins: IndexMap<Spanned<String>, PluginTable>,
    pub trust: Option<TrustTable>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct AppTable {
    pub name: Option<Spanned<String>>,
    pub service: Option<Spanned<String>>,
    pub compose: Option<Spanned<String>>,
    pub build: Option<Spanned<Build>>,
    pub image: Option<Spanned<String>>,
    pub ports: Option<Vec<Spanned<Value>>>,
    pub env: IndexMap<String, Spanned<Value>>,
    pub env_file: Option<Spanned<OneOrMany>>,
    pub command: Option<Spanned<OneOrMany>>,
    pub entrypoint: Option<Spanned<OneOrMany>>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    pub hostname: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub memory: Option<Spanned<String>>,
    pub cpus: Option<Spanned<f64>>,
    pub pids: Option<u32>,
    pub restart: Option<Spanned<String>>,
    pub replicas: Option<Spanned<u32>>,
    pub strategy: Option<Spanned<StrategyName>>,
    pub canary: Option<Spanned<CanaryTable>>,
    pub rolling: Option<Spanned<RollingTable>>,
    pub volumes: Vec<Spanned<String>>,
    pub tmpfs: Vec<String>,
    pub read_only: bool,
    pub no_new_privileges: bool,
    pub privileged: bool,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub devices: Vec<Spanned<String>>,
    pub security_opt: Vec<String>,
    pub pid: Option<String>,
    pub ipc: Option<String>,
    pub network: Option<String>,
    pub init: bool,
    pub stop_signal: Option<String>,
    pub stop_timeout: Option<Spanned<String>>,
    pub health: Option<Spanned<Health>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Build {
    Context(String),
    Table(BuildTable),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct BuildTable {
    pub context: Option<String>,
    pub dockerfile: Option<String>,
    pub args: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub target: Option<String>,
    pub platform: Option<String>,
    pub cache_from: Vec<String>,
    pub no_cache: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Health {
    pub http: Option<String>,
    pub tcp: Option<u16>,
    pub command: Option<OneOrMany>,
    pub port: Option<u16>,
    pub status: Option<u16>,
    pub interval: Option<Spanned<String>>,
    pub timeout: Option<Spanned<String>>,
    pub retries: Option<u32>,
    pub start_period: Option<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct CanaryTable {
    pub share: Option<Spanned<String>>,
    #[serde(rename = "for")]
    pub time: Option<Spanned<String>>,
    pub max_errors: Option<Spanned<String>>,
    pub max_latency: Option<Spanned<String>>,
    pub min_requests: Option<Spanned<u64>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct RollingTable {
    pub max_surge: Option<Spanned<Value>>,
    pub max_unavailable: Option<Spanned<Value>>,
    pub min_ready: Option<Spanned<Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DockerTable {
    pub host: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeployTable {
    pub timeout: Option<Spanned<String>>,
    pub keep: Option<Spanned<u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EdgeTable {
    pub hold: Option<Spanned<String>>,
    pub drain: Option<Spanned<String>>,
    pub trust: Vec<Spanned<String>>,
    pub tls: Vec<Spanned<TlsTable>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct WatchTable {
    pub interval: Option<Spanned<String>>,
    pub restarts: Option<Spanned<u32>>,
    pub window: Option<Spanned<String>>,
    pub probation: Option<Spanned<String>>,
    pub bad_after: Option<Spanned<String>>,
    pub on_bad: OnBad,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsTable {
    pub port: Option<u16>,
    pub names: Vec<String>,
    pub certificate: Option<Spanned<String>>,
    pub key: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrustTable {
    pub require: Option<Spanned<bool>>,
    pub keys: Vec<Spanned<String>>,
    pub paths: IndexMap<Spanned<String>, Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryTable {
    pub mirrors: Vec<Spanned<String>>,
    pub ca: Option<Spanned<String>>,
    pub timeout: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct PluginTable {
    pub path: Option<Spanned<String>>,
    pub source: Option<Spanned<String>>,
    pub builtin: Option<Spanned<String>>,
    pub enabled: Option<Spanned<bool>>,
    pub required: Option<Spanned<bool>>,
    pub open: Option<Spanned<Vec<String>>>,
    pub order: Option<Spanned<Order>>,
    pub services: Option<Spanned<Vec<Spanned<String>>>>,
    pub config: IndexMap<Spanned<String>, Value>,
    pub grants: Option<Spanned<Grants>>,
    pub on_error: Option<Spanned<OnError>>,
    pub timeout: Option<Spanned<String>>,
    pub memory: Option<Spanned<String>>,
    pub limits: LimitsTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct LimitsTable {
    pub log: Option<Spanned<String>>,
    pub http: Option<Spanned<String>>,
    pub result: Option<Spanned<String>>,
    pub table_elements: Option<Spanned<u32>>,
    pub instances: Option<Spanned<u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretTable {
    pub file: Option<String>,
    pub env: Option<Variable>,
}
