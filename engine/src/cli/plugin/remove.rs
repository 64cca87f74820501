//! `rengine plugin remove`.

use clap::Args;

use super::Project;
use super::add::refused;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::manifest::Edit;
use crate::ui::Ui;

/// Which plugins.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// Their names in plugins.toml
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

pub async fn run(global: &GlobalArgs, args: &RemoveArgs, ui: Ui) -> Result<(), CliError> {
    let project = Project::load(global, ui).await?;
    let mut edit = Edit::open(&project.path())?;
    for name in &args.names {
        project.own(name)?;
        edit.remove(name)?;
    }
    let old = project.wanted.lock().map_err(refused)?;
    let mut lock = old.clone();
    lock.retain(|name| !args.names.iter().any(|removed| removed == name));
    lock.set_bases(project.wanted.bases());
    edit.save()?;
    if lock != old {
        let kept = project.wanted.keep(&old, &lock, &*project.sources.reporter);
        kept.map_err(refused)?;
    }
    if ui.is_json() {
        ui.json(&serde_json::json!({"event": "plugins-removed", "plugins": args.names}));
        return Ok(());
    }
    let names = args.names.join(", ");
    ui.result(&format!(
        "removed {names} from {}",
        project.path().display()
    ));
    Ok(())
}
