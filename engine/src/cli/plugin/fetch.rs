//! `rengine plugin fetch`.

use super::Project;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::cli::session::SourceArgs;
use crate::ui::Ui;

pub async fn run(global: &GlobalArgs, sources: SourceArgs, ui: Ui) -> Result<(), CliError> {
    let project = Project::load_with(global, sources, &|_| false, ui).await?;
    project.wanted.files(&project.sources).await?;
    let count = project.wanted.remote().len();
    let bases = project.wanted.bases().len();
    let (all, are) = (super::count(count, bases), super::are(count, bases));
    match ui.is_json() {
        true => ui.json(&serde_json::json!({"event": "plugins-fetched", "count": count})),
        false => ui.result(&format!("{all} {are} in the store")),
    }
    Ok(())
}
