//! `rengine plugin inspect`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

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

/// A component, as `--json` tells it: with the grants that it can't be loaded without, and those
/// that it may ask for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Inspected<'a> {
    #[serde(flatten)]
    inspection: &'a Inspection,
    needs: Vec<String>,
    may_need: Vec<&'static str>,
}

pub async fn run(global: &GlobalArgs, args: InspectArgs, ui: Ui) -> Result<(), CliError> {
    let path = global.directory.join(&args.path);
    let inspection = host()?.inspect(&path).await?;
    if ui.is_json() {
        ui.json(&Inspected {
            needs: inspection
                .needed_grants()
                .into_iter()
                .map(|(grant, _)| grant)
                .collect(),
            may_need: inspection
                .possible_grants()
                .into_iter()
                .map(|(grant, _)| grant)
                .collect(),
            inspection: &inspection,
        });
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
    let needed = inspection.needed_grants();
    let possible = inspection.possible_grants();
    if needed.is_empty() && possible.is_empty() {
        let _ = writeln!(text, "{} none", style.bold("grants "));
        return text;
    }
    let mut head = style.bold("grants ");
    if !needed.is_empty() {
        let _ = writeln!(text, "{head} it needs, by the interfaces it imports:");
        for (grant, interface) in needed {
            let why = style.dim(format_args!("({})", printable(interface)));
            let _ = writeln!(text, "  {grant}  {why}");
        }
        head = " ".repeat("grants ".len());
    }
    if !possible.is_empty() {
        let _ = writeln!(text, "{head} it may need, by the methods it imports:");
        for (grant, method) in possible {
            let _ = writeln!(text, "  {grant}  {}", style.dim(format_args!("({method})")));
        }
    }
    text
}
