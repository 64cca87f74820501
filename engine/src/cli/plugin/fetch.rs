//! `rengine plugin fetch`.

use super::Project;
use crate::cli::error::CliError;
use crate::cli::{GlobalArgs, session};
use crate::ui::Ui;

pub async fn run(global: &GlobalArgs, ui: Ui) -> Result<(), CliError> {
    let project = Project::load(global, session::SourceArgs::default(), ui)?;
    project.wanted.files(&project.sources).await?;
    let count = project.wanted.remote().len();
    match ui.is_json() {
        true => ui.json(&serde_json::json!({"event": "plugins-fetched", "count": count})),
        false => ui.result(&format!("{count} plugins are in the store")),
    }
    Ok(())
}
