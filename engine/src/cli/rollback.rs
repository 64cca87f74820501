//! `rengine rollback`.

use clap::Args;

use super::error::CliError;
use super::wait::WaitArgs;
use super::{GlobalArgs, interrupt, session};
use crate::deploy::{self, Action, Hooks, Request};
use crate::ui::{Ui, render_services};

/// Where to go back to.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The release's id, or as much of it as no other has [default: the last that succeeded before
    /// the one that runs]
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    sources: session::SourceArgs,
}

pub async fn run(global: &GlobalArgs, args: RollbackArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_manifest(global, args.sources, ui).await?;
    let cancel = interrupt::on_signal(ui);
    let reporter = ui.reporter();
    let plugins = Hooks::begin(&manifest, &args.sources.sources(&reporter));
    let docker = interrupt::unless(&cancel, session::connect(global, &manifest, ui)).await?;
    let request = Request {
        wait: args.wait.wait(),
        asker: None,
        action: Action::Rollback(args.release),
    };
    let done = deploy::run(&manifest, &docker, plugins, request, &reporter, &cancel).await?;
    if !ui.is_json() {
        ui.result(&render_services(&done.services, ui.styles()));
    }
    Ok(())
}
