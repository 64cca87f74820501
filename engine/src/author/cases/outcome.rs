//! What a hook did.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Case, Given, Loaded};
use crate::plugin::{
    Change, HealthStatus, Hook, LogRecord, LogSink, OutgoingRequest, Plugin, PluginError,
};

/// What came of one call of a hook.
#[derive(Debug)]
pub struct Outcome {
    /// What it changed.
    pub changes: Vec<Change>,
    /// The names that it gives to the image.
    pub tags: Vec<String>,
    /// What it makes of the container's health.
    pub status: Option<HealthStatus>,
    /// What it logged.
    pub log: Vec<LogRecord>,
    /// What it sent to other hosts.
    pub requests: Vec<OutgoingRequest>,
    /// What is kept for it after the call.
    pub state: BTreeMap<String, String>,
    /// Its refusal, or how it broke.
    pub error: Option<PluginError>,
    /// How long the call took.
    pub took: Duration,
}

/// Calls the hook of a case.
pub async fn of(loaded: &Loaded, case: &Case) -> Outcome {
    let log: Arc<Mutex<Vec<LogRecord>>> = Arc::default();
    let sink: LogSink = {
        let log = log.clone();
        Arc::new(move |record| {
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(record);
        })
    };
    let started = Instant::now();
    let result = call(&loaded.plugin, case, sink).await;
    let took = started.elapsed();
    let log = std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner));
    let (did, error) = match result {
        Ok(did) => (did, None),
        Err(error) => (Did::default(), Some(error)),
    };
    let state = loaded.around.state().await;
    Outcome {
        changes: did.changes,
        tags: did.tags,
        status: did.status,
        log,
        requests: loaded.around.requests(),
        // The limit of what is kept is looked at where it is written, too.
        state: state.unwrap_or_default(),
        error,
        took,
    }
}

/// What a hook that ends well can leave.
#[derive(Default)]
struct Did {
    changes: Vec<Change>,
    tags: Vec<String>,
    status: Option<HealthStatus>,
}

async fn call(plugin: &Plugin, case: &Case, sink: LogSink) -> Result<Did, PluginError> {
    let context = &case.context;
    let mut did = Did::default();
    match &case.given {
        Given::App { app, contexts } => {
            let mut app = app.clone();
            let made = plugin.configure(context, &mut app, contexts.clone(), sink);
            did.changes = made.await?;
        }
        Given::Build { build, files } => {
            let mut build = build.clone();
            let made = plugin.pre_build(context, &mut build, files.clone(), sink);
            did.changes = made.await?;
        }
        Given::Container {
            spec,
            dockerfile,
            image,
        } => {
            let mut spec = spec.clone();
            let (dockerfile, image) = (dockerfile.clone(), image.clone());
            let made = plugin.pre_run(context, &mut spec, dockerfile, image, sink);
            did.changes = made.await?;
        }
        Given::Image(image) => {
            did.tags = plugin.post_build(context, image.clone(), sink).await?;
        }
        Given::Running(container) => {
            let container = container.clone();
            match case.hook {
                Hook::Health => did.status = plugin.health(context, container, sink).await?,
                Hook::PreStop => plugin.pre_stop(context, container, sink).await?,
                _ => plugin.post_run(context, container, sink).await?,
            }
        }
        Given::Deploy(deploy) => plugin.post_deploy(context, deploy.clone(), sink).await?,
    }
    Ok(did)
}

impl fmt::Display for Outcome {
    /// As a snapshot has it: nothing that differs from run to run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(f, "change  {}", change_line(change))?;
            // A longer text in full, as a Dockerfile is what some plugins are about.
            if let Some(text) = change.new.as_deref().filter(|text| is_long(text)) {
                for line in text.lines() {
                    writeln!(f, "      | {line}")?;
                }
            }
        }
        for tag in &self.tags {
            writeln!(f, "tag     {tag}")?;
        }
        for record in &self.log {
            writeln!(f, "log     {}", log_line(record))?;
        }
        for request in &self.requests {
            writeln!(f, "request {}", request_line(request))?;
            for line in String::from_utf8_lossy(&request.body).lines() {
                writeln!(f, "      | {line}")?;
            }
        }
        for (key, value) in &self.state {
            writeln!(f, "state   {key} = {value:?}")?;
        }
        if let Some(status) = &self.status {
            writeln!(f, "status  {}", status_line(status))?;
        }
        match &self.error {
            None => writeln!(f, "result  ok"),
            Some(PluginError::Refused { refusal, .. }) => {
                writeln!(f, "refusal {}", refusal.reason)?;
                match &refusal.hint {
                    Some(hint) => writeln!(f, "hint    {hint}"),
                    None => Ok(()),
                }
            }
            Some(error) => writeln!(f, "error   {error}"),
        }
    }
}

fn is_long(text: &str) -> bool {
    text.lines().count() > 1
}

/// A change as `rengine plan` shows it: `user (none) → "10001"`, after its service where the hook
/// is for the whole app.
pub fn change_line(change: &Change) -> String {
    let value = |value: &Option<String>| match value {
        None => "(none)".to_owned(),
        Some(text) if is_long(text) => format!("({} lines)", text.lines().count()),
        Some(text) if text.starts_with("[\"") => text.clone(),
        Some(text) => format!("\"{text}\""),
    };
    let line = format!(
        "{} {} → {}",
        change.field,
        value(&change.old),
        value(&change.new)
    );
    match change.hook.is_for_the_app() {
        true => format!("{}: {line}", change.service),
        false => line,
    }
}

/// A message with its level: `info: …`.
pub fn log_line(record: &LogRecord) -> String {
    let level = format!("{:?}", record.level).to_lowercase();
    match record.context.is_empty() {
        true => format!("{level}: {}", record.message),
        false => format!("{level}: {}: {}", record.context, record.message),
    }
}

/// A request's method and address.
pub fn request_line(request: &OutgoingRequest) -> String {
    format!("{} {}", request.method, request.url)
}

/// A status with its reason: `starting: …`.
pub fn status_line(status: &HealthStatus) -> String {
    match status {
        HealthStatus::Starting(why) => format!("starting: {why}"),
        HealthStatus::Healthy => "healthy".to_owned(),
        HealthStatus::Unhealthy(why) => format!("unhealthy: {why}"),
    }
}
