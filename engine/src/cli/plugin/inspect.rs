//! `rengine plugin inspect`.

use std::path::PathBuf;

use clap::Args;

use super::host;
use crate::app::ByteSize;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::plugin::{Inspection, WIT_VERSION};
use crate::ui::{Ui, printable};

/// What to inspect.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The component
    #[arg(value_name = "FILE")]
    path: PathBuf,
}

pub async fn run(global: &GlobalArgs, args: InspectArgs, ui: Ui) -> Result<(), CliError> {
    let path = global.directory.join(&args.path);
    let inspection = host()?.inspect(&path).await?;
    if ui.is_json() {
        ui.json(&inspection);
        return Ok(());
    }
    ui.result(&render(&inspection, ui));
    Ok(())
}

fn render(inspection: &Inspection, ui: Ui) -> String {
    use std::fmt::Write;
    let style = ui.styles();
    let mut text = String::new();
    let size = ByteSize(inspection.size);
    let _ = writeln!(
        text,
        "{} {size}, sha256:{}",
        style.bold("file   "),
        inspection.digest
    );
    let hooks: Vec<_> = inspection.hooks.iter().map(|hook| hook.name()).collect();
    let hooks = match hooks.is_empty() {
        true => format!("none of rengine:plugin@{WIT_VERSION}: rengine can't use it"),
        false => hooks.join(", "),
    };
    let _ = writeln!(text, "{} {hooks}", style.bold("hooks  "));
    if !inspection.other_exports.is_empty() {
        let names = printable(&inspection.other_exports.join(", "));
        let _ = writeln!(text, "{} {names}", style.bold("also   "));
    }
    let _ = writeln!(text, "{}", style.bold("imports"));
    for import in &inspection.imports {
        let _ = writeln!(text, "  {}", printable(&import.name));
        for function in &import.functions {
            let _ = writeln!(text, "    {}", style.dim(printable(function)));
        }
    }
    let grants = inspection.possible_grants();
    if grants.is_empty() {
        let _ = writeln!(text, "{} none", style.bold("grants "));
    } else {
        let _ = writeln!(
            text,
            "{} it may need, by what it imports:",
            style.bold("grants ")
        );
        for (grant, method) in grants {
            let _ = writeln!(text, "  {grant}  {}", style.dim(format_args!("({method})")));
        }
    }
    text
}
