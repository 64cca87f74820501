//! `rengine init`.

use clap::Args;

use super::GlobalArgs;
use super::error::CliError;
use crate::manifest;
use crate::ui::Ui;

/// What can be asked of a new file.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

pub fn run(global: &GlobalArgs, args: InitArgs, ui: Ui) -> Result<(), CliError> {
    let name = global
        .file
        .clone()
        .unwrap_or_else(|| manifest::FILE_NAME.into());
    let path = global.directory.join(name);
    if path.exists() && !args.force {
        return Err(CliError::Exists { path });
    }
    let file = manifest::init(&global.directory)?;
    std::fs::write(&path, &file.contents).map_err(|error| CliError::Io {
        what: "writing",
        path: path.clone(),
        reason: error.to_string(),
    })?;
    if ui.is_json() {
        ui.json(&serde_json::json!({"event": "init", "path": path}));
        return Ok(());
    }
    ui.result(&format!("wrote {}", path.display()));
    for note in &file.notes {
        ui.note(&format!("  {note}"));
    }
    ui.note("next: `rengine plan` shows what would be done, `rengine deploy` does it");
    Ok(())
}
