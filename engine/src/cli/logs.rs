//! `rengine logs`.

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::SelectAll;
use serde::Serialize;

use super::error::CliError;
use super::{GlobalArgs, services, session};
use crate::docker::{LogOptions, LogStream};
use crate::ui::{Ui, printable};

/// What can be asked of logs.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Go on as new lines come
    #[arg(short, long)]
    follow: bool,
    /// Show this many of the last lines of each container
    #[arg(short = 'n', long, value_name = "N")]
    tail: Option<u32>,
    /// Show the time of each line
    #[arg(short, long)]
    timestamps: bool,
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// One line, as `--json` tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    container: &'a str,
    stream: LogStream,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<jiff::Timestamp>,
    text: &'a str,
}

pub async fn run(global: &GlobalArgs, args: LogsArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_app(global, ui).await?;
    let docker = session::connect(global, &manifest, ui).await?;
    let containers = services::containers(&manifest, &docker, &args.services).await?;
    if containers.is_empty() {
        ui.note(&format!("{} has no containers", manifest.app.name));
    }
    let mut lines = SelectAll::new();
    for container in &containers {
        let options = LogOptions {
            tail: args.tail,
            follow: args.follow,
            timestamps: args.timestamps,
            ..Default::default()
        };
        let name = container.name.as_str();
        lines.push(
            docker
                .logs(&container.id, options)
                .map(move |line| (name, line))
                .boxed(),
        );
    }
    while let Some((container, line)) = lines.next().await {
        let line = line?;
        if ui.is_json() {
            ui.json(&Line {
                container,
                stream: line.stream,
                time: line.time,
                text: &line.text,
            });
            continue;
        }
        let time = line
            .time
            .map_or_else(String::new, |time| format!("{time} "));
        let who = match containers.len() {
            1 => String::new(),
            _ => format!("{} | ", ui.styles().bold(container)),
        };
        ui.result(&format!(
            "{who}{}{}",
            ui.styles().dim(time),
            printable(&line.text)
        ));
    }
    Ok(())
}
