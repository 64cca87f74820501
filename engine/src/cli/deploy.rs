//! `rengine deploy`.

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::wait::WaitArgs;
use super::{GlobalArgs, interrupt, session};
use crate::deploy::{self, Action, Hooks, Options, Request, SavedPlan};
use crate::docker::LockNews;
use crate::ui::{Ui, render_services};

/// What can be asked of a deploy.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Carry out this plan, which `rengine plan --out` wrote, or nothing if something has moved
    #[arg(value_name = "PLAN", conflicts_with_all = ["rebuild", "remove_orphans"])]
    plan: Option<PathBuf>,
    /// Build and replace even what did not change
    #[arg(long)]
    rebuild: bool,
    /// Remove containers of services that are not in the app any more
    #[arg(long)]
    remove_orphans: bool,
    /// Remove the app's lock first, whoever holds it: a deploy that goes on stops where it is
    #[arg(long)]
    break_lock: bool,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    sources: session::SourceArgs,
}

pub async fn run(global: &GlobalArgs, args: DeployArgs, ui: Ui) -> Result<(), CliError> {
    let path = args.plan.map(|path| global.directory.join(path));
    let saved = path.as_deref().map(SavedPlan::read).transpose()?;
    let manifest = session::load_manifest(global, args.sources, ui).await?;
    if let (Some(saved), Some(path)) = (&saved, &path) {
        saved.check_app(&manifest.app.name, path)?;
    }
    let cancel = interrupt::on_signal(ui);
    let reporter = ui.reporter();
    let plugins = Hooks::begin(&manifest, &args.sources.sources(&reporter));
    let docker = interrupt::unless(&cancel, session::connect(global, &manifest, ui)).await?;
    if args.break_lock
        && let Some(lock) = docker.break_lock(&manifest.app.name).await?
    {
        deploy::tell_lock(LockNews::TakenOver(lock.holder), &*reporter);
    }
    let options = Options {
        rebuild: args.rebuild,
        remove_orphans: args.remove_orphans,
    };
    let request = Request {
        action: match saved {
            Some(saved) => Action::Planned(Box::new(saved)),
            None => Action::Deploy(options),
        },
        wait: args.wait.wait(),
        asker: None,
    };
    let done = deploy::run(&manifest, &docker, plugins, request, &reporter, &cancel).await?;
    if !ui.is_json() {
        ui.result(&render_services(&done.services, ui.styles()));
    }
    Ok(())
}
