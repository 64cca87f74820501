//! `rengine history`, `rengine show` and `rengine diff`.

use clap::Args;

use super::error::CliError;
use super::{GlobalArgs, session};
use crate::app::Name;
use crate::deploy::{DeployError, find_release, releases};
use crate::docker::Docker;
use crate::release::{self, Record, ReleaseOutcome};
use crate::ui::{Ui, render_diff, render_history, render_release};

/// Which release.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its id, or as much of it as no other has [default: the one that runs]
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
}

/// Which releases.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The one [default: the one before the one that runs]
    #[arg(value_name = "A")]
    from: Option<String>,
    /// The other [default: the one that runs]
    #[arg(value_name = "B")]
    to: Option<String>,
}

pub async fn history(global: &GlobalArgs, ui: Ui) -> Result<(), CliError> {
    let (app, records, _) = load(global, ui).await?;
    if ui.is_json() {
        records.iter().for_each(|record| ui.json(record));
        return Ok(());
    }
    if records.is_empty() {
        ui.result(&format!("{app} has no releases yet"));
        return Ok(());
    }
    let running = release::running(&records).map(|record| record.release.as_str());
    ui.result(&render_history(&records, running));
    Ok(())
}

pub async fn show(global: &GlobalArgs, args: ShowArgs, ui: Ui) -> Result<(), CliError> {
    let (app, records, _) = load(global, ui).await?;
    let record = one(&records, &app, args.release.as_deref())?;
    match ui.is_json() {
        true => ui.json(record),
        false => ui.result(&render_release(record, ui.styles())),
    }
    Ok(())
}

pub async fn diff(global: &GlobalArgs, args: DiffArgs, ui: Ui) -> Result<(), CliError> {
    let (app, records, _) = load(global, ui).await?;
    let to = one(&records, &app, args.to.as_deref())?;
    let from = match &args.from {
        Some(from) => find_release(&records, &app, from)?,
        None => release::previous(&records, to).ok_or_else(|| DeployError::NothingToCompare {
            app: app.to_string(),
            release: to.release.clone(),
        })?,
    };
    let diff = release::diff(from, to);
    match ui.is_json() {
        true => ui.json(&diff),
        false => ui.result(&render_diff(&diff, ui.styles())),
    }
    Ok(())
}

/// The record of a release, or of the one that runs, and the daemon that keeps it.
pub async fn find(
    global: &GlobalArgs,
    release: Option<&str>,
    ui: Ui,
) -> Result<(Record, Docker), CliError> {
    let (app, records, docker) = load(global, ui).await?;
    Ok((one(&records, &app, release)?.clone(), docker))
}

async fn load(global: &GlobalArgs, ui: Ui) -> Result<(Name, Vec<Record>, Docker), CliError> {
    let manifest = session::load_app(global, ui).await?;
    let docker = session::connect(global, &manifest, ui).await?;
    let app = manifest.app.name;
    let mut records = releases(&docker, &app).await?;
    close(&docker, &app, &mut records).await?;
    Ok((app, records, docker))
}

/// A release that is being made while nobody has the lock is not being made.
async fn close(docker: &Docker, app: &Name, records: &mut [Record]) -> Result<(), DeployError> {
    let open = |record: &&mut Record| record.outcome == ReleaseOutcome::Running;
    let mut open = records.iter_mut().filter(open).peekable();
    if open.peek().is_some() {
        let lock = docker.find_lock(app).await?;
        if lock.is_none_or(|lock| lock.is_dead() || lock.is_silent()) {
            open.for_each(|record| record.outcome = ReleaseOutcome::Unfinished);
        }
    }
    Ok(())
}

fn one<'a>(
    records: &'a [Record],
    app: &Name,
    prefix: Option<&str>,
) -> Result<&'a Record, DeployError> {
    match prefix {
        Some(prefix) => find_release(records, app, prefix),
        None => release::running(records).ok_or_else(|| DeployError::NoReleases {
            app: app.to_string(),
        }),
    }
}
