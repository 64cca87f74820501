//! What a hook's resources reach through: implemented by who knows contexts and daemons.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::Change;
use crate::plan::observed::{ContainerStats, HistoryEntry, ImageFacts, PublishedPort};

/// The largest body of an HTTP request to a container, and of its answer.
pub const MAX_HTTP_BODY: usize = 1 << 20;

/// A build context as a plugin sees it. Errors are for the plugin, in words.
pub trait ContextAccess: Send + Sync {
    /// The files' paths, relative to the context, ignore file applied, sorted.
    fn files(&self) -> Result<Vec<String>, String>;
    /// True if there is such a file.
    fn has_file(&self, path: &str) -> bool;
    /// The contents of one, of at most `limit` bytes.
    fn read_file(&self, path: &str, limit: usize) -> Result<Vec<u8>, String>;
    /// The folder that it is, where there is one: what a plugin may read is mounted for it.
    fn folder(&self) -> Option<&Path> {
        None
    }
}

/// A context without files.
#[derive(Debug, Clone, Copy)]
pub struct NoContext;

impl ContextAccess for NoContext {
    fn files(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
    fn has_file(&self, _: &str) -> bool {
        false
    }
    fn read_file(&self, path: &str, _: usize) -> Result<Vec<u8>, String> {
        Err(format!("there is no file `{path}` in the build context"))
    }
}

/// A started container as a plugin sees it. Errors are for the plugin, in words.
pub trait ContainerAccess: Send + Sync {
    /// The daemon's id.
    fn id(&self) -> &str;
    /// The name.
    fn name(&self) -> &str;
    /// The image's id.
    fn image(&self) -> &str;
    /// The address on the daemon's network.
    fn address(&self) -> Option<IpAddr>;
    /// The published ports.
    fn ports(&self) -> &[PublishedPort];
    /// The labels.
    fn labels(&self) -> &BTreeMap<String, String>;
    /// What it is doing now.
    fn state(&self) -> BoxFuture<'_, Result<RunningState, String>>;
    /// What it uses now.
    fn stats(&self) -> BoxFuture<'_, Result<ContainerStats, String>>;
    /// The last lines of output.
    fn logs(&self, lines: u32) -> BoxFuture<'_, Result<Vec<String>, String>>;
    /// An HTTP exchange with the container.
    fn http(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, String>>;
    /// Opens a TCP connection and closes it.
    fn tcp_connect(&self, port: u16, timeout: Duration) -> BoxFuture<'_, Result<(), String>>;
    /// Runs a command and waits for it, at most `timeout`.
    fn exec(
        &self,
        command: Vec<String>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<ExecOutcome, String>>;
}

/// How a command in a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutcome {
    /// Its exit status.
    pub exit_code: i64,
    /// The beginning of what it printed.
    pub output: String,
}

/// What is kept for a plugin: values by key.
pub type Entries = BTreeMap<String, Vec<u8>>;

/// Where the state of an app's plugins is kept between deploys. Errors are in words.
pub trait StateAccess: Send + Sync {
    /// What is kept for a plugin; nothing, if nothing ever was.
    fn load<'a>(&'a self, plugin: &'a str) -> BoxFuture<'a, Result<Entries, String>>;
    /// Keeps this for a plugin, instead of what was kept.
    fn save<'a>(
        &'a self,
        plugin: &'a str,
        entries: &'a Entries,
    ) -> BoxFuture<'a, Result<(), String>>;
}

/// Finds the addresses of a host by its name.
pub trait Resolver: Send + Sync {
    /// Every address of `host`.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>>;
}

/// Asks the system, as all programs do.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A request of a plugin's to another host.
#[derive(Debug, Clone)]
pub struct OutgoingRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// Where it goes, as the plugin wrote it.
    pub url: String,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Answers what plugins send to other hosts, in the place of the network. What a plugin may not
/// send never comes here.
pub trait Answers: Send + Sync {
    /// The answer, or why there is none.
    fn answer(&self, request: OutgoingRequest) -> Result<HttpResponse, String>;
}

/// An HTTP request to a container.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
    /// The body, [`MAX_HTTP_BODY`] at most.
    pub body: Vec<u8>,
    /// The container port; the first published TCP port if `None`.
    pub port: Option<u16>,
    /// Time for the whole exchange.
    pub timeout: Duration,
}

/// An answer to it.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
    /// The body, [`MAX_HTTP_BODY`] at most.
    pub body: Vec<u8>,
}

/// What a container is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningState {
    /// True if its process is there.
    pub running: bool,
    /// When it was last started, in milliseconds since 1970.
    pub started_ms: Option<u64>,
    /// The status with which it ended; 0 if it has not.
    pub exit_code: i64,
    /// How often the restart policy started it again.
    pub restarts: u32,
    /// What the daemon's own health check says, where there is one.
    pub health: Option<String>,
}

/// An image as a plugin sees it. Errors are for the plugin, in words.
pub trait ImageAccess: Send + Sync {
    /// What it is.
    fn facts(&self) -> &ImageFacts;
    /// How it came to be, the newest step first.
    fn history(&self) -> BoxFuture<'_, Result<Vec<HistoryEntry>, String>>;
    /// Whether it may be given this name: not if that takes the name from an image that is not
    /// the service's own.
    fn may_tag<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<(), String>>;
}

/// A deploy that is over, as `post-deploy` is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedDeploy {
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// What was done, in order.
    pub steps: Vec<FinishedStep>,
    /// What plugins changed.
    pub changes: Vec<Change>,
    /// What runs now.
    pub services: Vec<FinishedService>,
}

/// How a deploy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What was wanted is there.
    Succeeded,
    /// It was there already.
    NothingToDo,
    /// A new container failed, and what ran before runs again.
    RolledBack,
    /// It could not be done; what ran before runs on.
    Failed,
    /// A person stopped it; what ran before runs on.
    Interrupted,
}

/// One step of a deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedStep {
    /// What was done, such as `build`.
    pub operation: &'static str,
    /// For which service.
    pub service: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// False for the one that failed.
    pub succeeded: bool,
}

/// A service that runs after a deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedService {
    /// Its name.
    pub name: String,
    /// Its container.
    pub container: String,
    /// Where it answers.
    pub addresses: Vec<String>,
}
