//! `rengine deploy`.

use std::time::Instant;

use clap::Args;

use super::error::CliError;
use super::{GlobalArgs, interrupt, session};
use crate::deploy::{self, DeployError, Event, Options, Outcome};
use crate::ui::{Ui, render_services};

/// What can be asked of a deploy.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Build and replace even what did not change
    #[arg(long)]
    rebuild: bool,
    /// Remove containers of services that are not in the app any more
    #[arg(long)]
    remove_orphans: bool,
    /// Take over the app's lock from a deploy that is known to be dead
    #[arg(long)]
    break_lock: bool,
}

pub async fn run(global: &GlobalArgs, args: DeployArgs, ui: Ui) -> Result<(), CliError> {
    let started = Instant::now();
    let manifest = session::load_manifest(global, ui)?;
    let cancel = interrupt::on_signal(ui);
    let reporter = ui.reporter();
    let docker = session::connect(global, &manifest).await?;
    if args.break_lock {
        docker.break_lock(&manifest.app.name).await?;
    }
    let options = Options {
        rebuild: args.rebuild,
        remove_orphans: args.remove_orphans,
    };
    let prepare = deploy::prepare(&manifest, &docker, options, &reporter);
    let prepared = tokio::select! {
        prepared = prepare => prepared?,
        () = cancel.cancelled() => return Err(DeployError::Interrupted.into()),
    };
    let release = prepared.plan.release.clone();
    let deadline = manifest.deploy.timeout;
    let result = deploy::execute(prepared, &docker, deadline, &reporter, &cancel).await;
    let (outcome, services) = match &result {
        Ok(done) => (done.outcome, done.services.clone()),
        Err(_) => (Outcome::Failed, Vec::new()),
    };
    let text = render_services(&services, ui.styles());
    reporter.report(Event::Finished {
        outcome,
        release,
        took: started.elapsed(),
        services,
    });
    result?;
    if !ui.is_json() {
        ui.result(&text);
    }
    Ok(())
}
