//! `rengine plugin list`.

use std::path::PathBuf;

use serde::Serialize;

use super::host;
use crate::app::ByteSize;
use crate::cli::error::CliError;
use crate::cli::{GlobalArgs, session};
use crate::deploy::WantedPlugins;
use crate::plugin::Hook;
use crate::ui::{Ui, table};

/// One plugin, as `--json` tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    name: String,
    path: PathBuf,
    hooks: Vec<Hook>,
    size: u64,
    digest: String,
}

pub async fn run(
    global: &GlobalArgs,
    sources: session::SourceArgs,
    ui: Ui,
) -> Result<(), CliError> {
    let manifest = session::load_manifest(global, sources, ui).await?;
    let mut rows = Vec::new();
    if !manifest.plugins.is_empty() {
        let host = host()?;
        let sources = sources.sources(&ui.reporter());
        let files = WantedPlugins::of(&manifest).files(&sources).await?;
        for (name, file) in manifest.plugins.keys().zip(files) {
            let path = file.path;
            let inspection = host.inspect(&path).await?;
            rows.push(Row {
                name: name.to_string(),
                path,
                hooks: inspection.hooks,
                size: inspection.size,
                digest: inspection.digest,
            });
        }
    }
    if ui.is_json() {
        rows.iter().for_each(|row| ui.json(row));
        return Ok(());
    }
    if rows.is_empty() {
        ui.result("no plugins: add one under [plugins.NAME] in plugins.toml");
        return Ok(());
    }
    let lines = rows.iter().map(|row| {
        let hooks: Vec<_> = row.hooks.iter().map(|hook| hook.name()).collect();
        [
            row.name.clone(),
            hooks.join(", "),
            ByteSize(row.size).to_string(),
            row.digest[..12.min(row.digest.len())].to_owned(),
            row.path.display().to_string(),
        ]
    });
    let head = ["NAME", "HOOKS", "SIZE", "SHA256", "PATH"].map(str::to_owned);
    ui.result(&table(std::iter::once(head).chain(lines)));
    Ok(())
}
