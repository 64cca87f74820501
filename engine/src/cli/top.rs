//! `rengine top`, `stats` and `events`: what goes on in an app.

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use serde::Serialize;

use super::error::CliError;
use super::{GlobalArgs, services, session};
use crate::app::ByteSize;
use crate::docker::Docker;
use crate::plan::observed::{ContainerStats, ObservedContainer};
use crate::ui::{Ui, columns, printable, table};

/// Time between two samples of what containers use.
const SAMPLE: Duration = Duration::from_secs(1);

/// Whose processes.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Whose use, and how often.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Show one sample, and end
    #[arg(long)]
    no_stream: bool,
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Which events.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Begin with what happened this long ago, such as 10m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
}

pub async fn top(global: &GlobalArgs, args: TopArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_app(global, ui).await?;
    let docker = session::connect(global, &manifest, ui).await?;
    let containers = services::containers(&manifest, &docker, &args.services).await?;
    for container in containers.iter().filter(|container| container.is_running()) {
        let processes = docker.top(&container.id).await?;
        if ui.is_json() {
            ui.json(&serde_json::json!({
                "container": container.name,
                "service": container.service,
                "titles": processes.titles,
                "processes": processes.rows,
            }));
            continue;
        }
        ui.result(&ui.styles().bold(&container.name));
        let rows = std::iter::once(processes.titles).chain(processes.rows);
        let safe = |row: Vec<String>| row.iter().map(|cell| printable(cell)).collect();
        ui.result(&columns(&rows.map(safe).collect::<Vec<_>>()));
    }
    Ok(())
}

/// What one container uses, as `--json` tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Use<'a> {
    container: &'a str,
    /// Of one CPU, in percent.
    cpu: f64,
    memory: u64,
    memory_limit: u64,
    received: u64,
    sent: u64,
    processes: u64,
}

pub async fn stats(global: &GlobalArgs, args: StatsArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_app(global, ui).await?;
    let docker = session::connect(global, &manifest, ui).await?;
    loop {
        let containers = services::containers(&manifest, &docker, &args.services).await?;
        let running: Vec<_> = containers
            .iter()
            .filter(|container| container.is_running())
            .collect();
        let before = sample(&docker, &running).await?;
        let begun = tokio::time::Instant::now();
        tokio::time::sleep(SAMPLE).await;
        let after = sample(&docker, &running).await?;
        let elapsed = begun.elapsed();
        let uses = running.iter().zip(before.iter().zip(&after));
        let uses: Vec<Use<'_>> = uses
            .filter_map(|(container, (before, after))| {
                let (before, after) = ((*before)?, (*after)?);
                let cpu = after.cpu_ns.saturating_sub(before.cpu_ns) as f64;
                Some(Use {
                    container: &container.name,
                    cpu: 100.0 * cpu / elapsed.as_nanos() as f64,
                    memory: after.memory,
                    memory_limit: after.memory_limit,
                    received: after.received,
                    sent: after.sent,
                    processes: after.processes,
                })
            })
            .collect();
        show(&uses, ui);
        if args.no_stream {
            return Ok(());
        }
    }
}

async fn sample(
    docker: &Docker,
    containers: &[&ObservedContainer],
) -> Result<Vec<Option<ContainerStats>>, CliError> {
    let stats = containers
        .iter()
        .map(|container| docker.stats(&container.id));
    Ok(try_join_all(stats).await?)
}

fn show(uses: &[Use<'_>], ui: Ui) {
    if ui.is_json() {
        uses.iter().for_each(|one| ui.json(one));
        return;
    }
    let head = [
        "CONTAINER",
        "CPU",
        "MEMORY",
        "LIMIT",
        "RECEIVED",
        "SENT",
        "PROCESSES",
    ];
    let rows = uses.iter().map(|one| {
        [
            one.container.to_owned(),
            format!("{:.1} %", one.cpu),
            ByteSize(one.memory).to_string(),
            ByteSize(one.memory_limit).to_string(),
            ByteSize(one.received).to_string(),
            ByteSize(one.sent).to_string(),
            one.processes.to_string(),
        ]
    });
    ui.result(&table(std::iter::once(head.map(str::to_owned)).chain(rows)));
}

pub async fn events(global: &GlobalArgs, args: EventsArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_app(global, ui).await?;
    let docker = session::connect(global, &manifest, ui).await?;
    let since = args
        .since
        .and_then(|ago| jiff::Timestamp::now().checked_sub(ago).ok());
    let events = docker.events(&manifest.app.name, since);
    let mut events = Box::pin(events);
    while let Some(event) = events.next().await {
        let event = event?;
        if ui.is_json() {
            ui.json(&event);
            continue;
        }
        let time = event.time.map(|time| time.to_string()).unwrap_or_default();
        let code = event.exit_code.map(|code| format!(" (exit code {code})"));
        ui.result(&format!(
            "{} {} {} {}{}",
            ui.styles().dim(time),
            event.kind,
            ui.styles().bold(printable(&event.name)),
            printable(&event.action),
            code.unwrap_or_default()
        ));
    }
    Ok(())
}
