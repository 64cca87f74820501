//! `rengine plugin pull`.

use std::path::PathBuf;

use clap::Args;

use super::add::refused;
use crate::app::ByteSize;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::deploy::store;
use crate::registry::Described;
use crate::ui::Ui;

/// What to download, and where to.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// Where it is: HOST/PATH, and which: `:1.2`, `:^1.2` or `@sha256:…` [default: `latest`]
    #[arg(value_name = "REF")]
    reference: String,
    /// The file to write [default: the last part of the path, and .wasm]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub async fn run(global: &GlobalArgs, args: PullArgs, ui: Ui) -> Result<(), CliError> {
    let registries = super::registries(global, ui)?;
    let super::Published {
        repository,
        digest,
        manifest,
    } = super::published(&registries, args.reference.parse().map_err(refused)?).await?;
    let described = Described::of(&manifest, &repository).map_err(refused)?;
    let store = store().map_err(refused)?;
    let fetched = registries.fetch(&repository, &described.component, described.size, &store);
    fetched.await.map_err(refused)?;
    let output = args
        .output
        .unwrap_or_else(|| format!("{}.wasm", repository.name()).into());
    let path = global.directory.join(output);
    let bytes = store
        .read(&described.component)
        .map_err(refused)?
        .unwrap_or_default();
    std::fs::write(&path, &bytes).map_err(|error| CliError::Io {
        what: "writing",
        path: path.clone(),
        reason: error.to_string(),
    })?;
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "event": "plugin-pulled", "path": path, "digest": digest,
            "component": described.component, "size": described.size,
        }));
        return Ok(());
    }
    let size = ByteSize(described.size);
    ui.result(&format!(
        "{} is {repository}@{digest}, {size}",
        path.display()
    ));
    Ok(())
}
