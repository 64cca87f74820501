//! What a hook did.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Case, Given};
use crate::plugin::{Change, HealthStatus, LogRecord, LogSink, Plugin, PluginError};

/// What came of one call of a hook.
#[derive(Debug)]
pub struct Outcome {
    /// What it changed.
    pub changes: Vec<Change>,
    /// What it makes of the container's health.
    pub status: Option<HealthStatus>,
    /// What it logged.
    pub log: Vec<LogRecord>,
    /// Its refusal, or how it broke.
    pub error: Option<PluginError>,
    /// How long the call took.
    pub took: Duration,
}

/// Calls the hook of a case.
pub async fn of(plugin: &Plugin, case: &Case) -> Outcome {
    let log: Arc<Mutex<Vec<LogRecord>>> = Arc::default();
    let sink: LogSink = {
        let log = log.clone();
        Arc::new(move |record| {
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(record);
        })
    };
    let context = &case.context;
    let started = Instant::now();
    let result = match &case.given {
        Given::Build { build, files } => {
            let mut build = build.clone();
            let made = plugin.pre_build(context, &mut build, files.clone(), sink);
            made.await.map(|changes| (changes, None))
        }
        Given::Container {
            spec,
            dockerfile,
            image,
        } => {
            let mut spec = spec.clone();
            let (dockerfile, image) = (dockerfile.clone(), image.clone());
            let made = plugin.pre_run(context, &mut spec, dockerfile, image, sink);
            made.await.map(|changes| (changes, None))
        }
        Given::Started(container) => {
            let made = plugin.post_run(context, container.clone(), sink);
            made.await.map(|()| (Vec::new(), None))
        }
        Given::Starting(container) => {
            let made = plugin.health(context, container.clone(), sink);
            made.await.map(|status| (Vec::new(), status))
        }
    };
    let took = started.elapsed();
    let log = std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner));
    let (changes, status, error) = match result {
        Ok((changes, status)) => (changes, status, None),
        Err(error) => (Vec::new(), None, Some(error)),
    };
    Outcome {
        changes,
        status,
        log,
        error,
        took,
    }
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
        for record in &self.log {
            writeln!(f, "log     {}", log_line(record))?;
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

/// A change as `rengine plan` shows it: `user (none) → "10001"`.
pub fn change_line(change: &Change) -> String {
    let value = |value: &Option<String>| match value {
        None => "(none)".to_owned(),
        Some(text) if is_long(text) => format!("({} lines)", text.lines().count()),
        Some(text) if text.starts_with("[\"") => text.clone(),
        Some(text) => format!("\"{text}\""),
    };
    format!(
        "{} {} → {}",
        change.field,
        value(&change.old),
        value(&change.new)
    )
}

/// A message with its level: `info: …`.
pub fn log_line(record: &LogRecord) -> String {
    let level = format!("{:?}", record.level).to_lowercase();
    match record.context.is_empty() {
        true => format!("{level}: {}", record.message),
        false => format!("{level}: {}: {}", record.context, record.message),
    }
}

/// A status with its reason: `starting: …`.
pub fn status_line(status: &HealthStatus) -> String {
    match status {
        HealthStatus::Starting(why) => format!("starting: {why}"),
        HealthStatus::Healthy => "healthy".to_owned(),
        HealthStatus::Unhealthy(why) => format!("unhealthy: {why}"),
    }
}
