//! `rengine history`, `rengine show` and `rengine diff`.

use clap::Args;

use super::error::CliError;
use super::{GlobalArgs, session};
use crate::app::Name;
use crate::deploy::{DeployError, find_release, releases};
use crate::docker::{Docker, DockerError};
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

/// What is known of an app's releases.
struct Known {
    app: Name,
    records: Vec<Record>,
    /// The id of the one that runs.
    running: Option<String>,
    /// The daemon that keeps them.
    docker: Docker,
}

pub async fn history(global: &GlobalArgs, ui: Ui) -> Result<(), CliError> {
    let known = Known::load(global, ui).await?;
    if ui.is_json() {
        known.records.iter().for_each(|record| ui.json(record));
        return Ok(());
    }
    if known.records.is_empty() {
        ui.result(&format!("{} has no releases yet", known.app));
        return Ok(());
    }
    ui.result(&render_history(&known.records, known.running.as_deref()));
    Ok(())
}

pub async fn show(global: &GlobalArgs, args: ShowArgs, ui: Ui) -> Result<(), CliError> {
    let known = Known::load(global, ui).await?;
    let record = known.one(args.release.as_deref())?;
    match ui.is_json() {
        true => ui.json(record),
        false => ui.result(&render_release(record, ui.styles())),
    }
    Ok(())
}

pub async fn diff(global: &GlobalArgs, args: DiffArgs, ui: Ui) -> Result<(), CliError> {
    let known = Known::load(global, ui).await?;
    let Known { app, records, .. } = &known;
    let to = known.one(args.to.as_deref())?;
    let from = match &args.from {
        Some(from) => find_release(records, app, from)?,
        None => release::previous(records, to).ok_or_else(|| DeployError::NothingToCompare {
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
    let known = Known::load(global, ui).await?;
    let record = known.one(release)?.clone();
    Ok((record, known.docker))
}

impl Known {
    async fn load(global: &GlobalArgs, ui: Ui) -> Result<Self, CliError> {
        let manifest = session::load_app(global, ui).await?;
        let docker = session::connect(global, &manifest, ui).await?;
        let app = manifest.app.name;
        let mut records = releases(&docker, &app).await?;
        let (observed, made) =
            tokio::try_join!(docker.observe(&app, &[]), is_made(&docker, &app, &records))?;
        if !made {
            release::close(&mut records);
        }
        let running = release::running(&records, &observed.serving());
        Ok(Self {
            running: running.map(|record| record.release.clone()),
            app,
            records,
            docker,
        })
    }

    /// A release, or the one that runs.
    fn one(&self, prefix: Option<&str>) -> Result<&Record, DeployError> {
        let prefix = prefix.or(self.running.as_deref());
        let prefix = prefix.ok_or_else(|| DeployError::NoReleases {
            app: self.app.to_string(),
        })?;
        find_release(&self.records, &self.app, prefix)
    }
}

/// False if no release is being made: one that says so while nobody has the lock is not.
async fn is_made(docker: &Docker, app: &Name, records: &[Record]) -> Result<bool, DockerError> {
    let mut records = records.iter();
    if !records.any(|record| record.outcome == ReleaseOutcome::Running) {
        return Ok(false);
    }
    let lock = docker.find_lock(app).await?;
    Ok(lock.is_some_and(|lock| !lock.is_dead() && !lock.is_silent()))
}
