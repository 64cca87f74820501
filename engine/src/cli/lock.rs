//! `rengine lock`.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::CliError;
use super::wait::WaitArgs;
use super::{GlobalArgs, session};
use crate::deploy::{lock_person, tell_lock};
use crate::docker::{LockHolder, LockState};
use crate::ui::Ui;

/// What to do with the lock: without any of these, show who holds it.
#[derive(Debug, Args)]
pub struct LockArgs {
    #[command(subcommand)]
    command: Option<LockCommand>,
}

#[derive(Debug, Subcommand)]
enum LockCommand {
    /// Keep everybody from deploying the app, until it is released
    Hold(HoldArgs),
    /// Release a lock that you hold
    Release(ReleaseArgs),
}

#[derive(Debug, Args)]
struct HoldArgs {
    /// Why; whoever wants to deploy is told
    #[arg(short, long, value_name = "TEXT")]
    message: String,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Args)]
struct ReleaseArgs {
    /// Also one that another holds, or a deploy: a deploy that goes on stops where it is
    #[arg(long)]
    force: bool,
}

/// The lock, as `--json` shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown<'a> {
    app: &'a str,
    held: bool,
    /// True if the holder is no more, or gave no sign of life for too long: the next deploy
    /// takes it over.
    gone: bool,
    holder: Option<&'a LockHolder>,
}

pub async fn run(global: &GlobalArgs, args: LockArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_app(global, ui).await?;
    let docker = session::connect(global, &manifest, ui).await?;
    let app = &manifest.app.name;
    match args.command {
        None => {
            let state = docker.find_lock(app).await?;
            show(app.as_str(), state.as_ref(), ui);
        }
        Some(LockCommand::Hold(args)) => {
            let reporter = ui.reporter();
            let tell = |news| tell_lock(news, &*reporter);
            let holder = lock_person(args.message);
            let lock = docker.lock(app, &holder, args.wait.wait(), &tell).await?;
            lock.keep();
            let state = docker.find_lock(app).await?;
            show(app.as_str(), state.as_ref(), ui);
        }
        Some(LockCommand::Release(args)) => {
            let Some(state) = docker.find_lock(app).await? else {
                show(app.as_str(), None, ui);
                return Ok(());
            };
            let me = lock_person(String::new());
            let own = state
                .holder
                .as_ref()
                .is_some_and(|holder| holder.is_of(&me));
            if !own && !args.force && !state.is_dead() {
                return Err(CliError::NotYourLock {
                    app: app.to_string(),
                    holder: holder(&state),
                });
            }
            docker.remove_found_lock(app, &state).await?;
            show(app.as_str(), None, ui);
        }
    }
    Ok(())
}

fn holder(state: &LockState) -> String {
    let holder = state.holder.as_ref();
    holder.map_or_else(|| "by somebody else".to_owned(), ToString::to_string)
}

fn show(app: &str, state: Option<&LockState>, ui: Ui) {
    let gone = state.is_some_and(|state| state.is_dead() || state.is_silent());
    if ui.is_json() {
        ui.json(&Shown {
            app,
            held: state.is_some(),
            gone,
            holder: state.and_then(|state| state.holder.as_ref()),
        });
        return;
    }
    match state {
        None => ui.result(&format!("{app} is not locked")),
        Some(state) => {
            let gone = match gone {
                true => "; it gives no sign of life, and the next deploy takes the lock over",
                false => "",
            };
            ui.result(&format!("{app} is locked {}{gone}", holder(state)));
        }
    }
}
