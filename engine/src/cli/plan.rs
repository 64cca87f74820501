//! `rengine plan`.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;

use super::error::CliError;
use super::{GlobalArgs, session};
use crate::deploy::{self, Event, Hooks, Options, SavedPlan, release_id};
use crate::ui::{Ui, render_plan};

/// What can be asked of a plan.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Plan to build and replace even what did not change
    #[arg(long)]
    rebuild: bool,
    /// Plan to remove containers of services that are not in the app any more
    #[arg(long)]
    remove_orphans: bool,
    /// Also write the plan to this file, which `rengine deploy FILE` carries out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    sources: session::SourceArgs,
}

pub async fn run(global: &GlobalArgs, args: PlanArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_manifest(global, args.sources, ui).await?;
    let reporter = ui.reporter();
    let plugins = Hooks::begin(&manifest, &args.sources.sources(&reporter));
    let docker = session::connect(global, &manifest, ui).await?;
    let options = Options {
        rebuild: args.rebuild,
        remove_orphans: args.remove_orphans,
    };
    let hooks = plugins.finish(&docker, &*reporter).await?;
    // The process ends when the plan is told. To let go of each plugin before that takes a tenth of
    // a plan with a hundred.
    std::mem::forget(hooks.clone());
    let release = release_id(SystemTime::now());
    let prepared = deploy::prepare(&manifest, &docker, hooks, &release, options, &reporter).await?;
    if let Some(path) = &args.out {
        let path = global.directory.join(path);
        let text = SavedPlan::of(&prepared, &manifest, options).to_text();
        std::fs::write(&path, text).map_err(|error| CliError::Io {
            what: "writing",
            path: path.clone(),
            reason: error.to_string(),
        })?;
        ui.note(&format!(
            "  {} written to {}: `rengine deploy` with it does this, or nothing",
            ui.styles().good("✔"),
            path.display()
        ));
    }
    let (mut plan, mut changes) = (prepared.plan, prepared.changes);
    if ui.is_json() {
        reporter.report(Event::Planned { plan, changes });
        return Ok(());
    }
    let redactor = manifest.redactor();
    deploy::clean_plan(&mut plan, &redactor);
    deploy::clean_changes(&mut changes, &redactor);
    let text = render_plan(&plan, &changes, ui.styles(), ui.verbosity());
    if plan.is_empty() {
        ui.result(&format!("{text}{}: nothing to do\n", plan.app));
    } else {
        ui.result(&format!("{}\n{text}", ui.styles().bold(&plan.app)));
    }
    Ok(())
}
