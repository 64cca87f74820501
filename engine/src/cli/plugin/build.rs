//! `rengine plugin build` and `rengine plugin bindings`.

use std::path::PathBuf;

use clap::Args;

use super::check;
use crate::author::{self, Build};
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::ui::Ui;

/// What to build.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Write the component here instead of plugin.wasm in the project's folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What to write bindings for.
#[derive(Debug, Args)]
pub struct BindingsArgs {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

pub async fn run(global: &GlobalArgs, args: BuildArgs, ui: Ui) -> Result<(), CliError> {
    let project = global.directory.join(&args.project);
    let output = args.output.map(|output| global.directory.join(output));
    let build = Build {
        dir: &project,
        output: output.as_deref(),
        path: std::env::var_os("PATH"),
        tell: &|command| ui.note(&format!("  $ {command}")),
    };
    let built = build.run()?;
    if ui.is_json() {
        ui.json(&built);
    } else {
        ui.result(&format!(
            "built {} from {}",
            built.component.display(),
            built.language
        ));
    }
    check::show(&built.component, ui).await
}

pub fn bindings(global: &GlobalArgs, args: BindingsArgs, ui: Ui) -> Result<(), CliError> {
    let files = author::write_bindings(&global.directory.join(&args.project))?;
    if ui.is_json() {
        ui.json(&serde_json::json!({ "event": "bindings", "files": files }));
        return Ok(());
    }
    if files.is_empty() {
        ui.result("nothing to write: the language's own tools make its bindings");
    }
    for file in files {
        ui.result(&file.display().to_string());
    }
    Ok(())
}
