//! `rengine plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::CliError;
use super::{GlobalArgs, session};
use crate::app::ByteSize;
use crate::deploy::{DeployError, plugin_cache};
use crate::plugin::{Hook, Inspection, PluginHost, WIT_VERSION};
use crate::ui::{Ui, printable, table};

#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// List the app's plugins, in the order in which they run
    List,
    /// Show a component's hooks, its imports, and the grants that it may need
    Inspect(InspectArgs),
}

/// What to inspect.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The component
    #[arg(value_name = "FILE")]
    path: PathBuf,
}

pub async fn run(global: &GlobalArgs, command: PluginCommand, ui: Ui) -> Result<(), CliError> {
    match command {
        PluginCommand::List => list(global, ui).await,
        PluginCommand::Inspect(args) => inspect(global, args, ui).await,
    }
}

fn host() -> Result<PluginHost, CliError> {
    PluginHost::new(plugin_cache().as_deref())
        .map_err(|reason| DeployError::NoHost { reason }.into())
}

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

async fn list(global: &GlobalArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_manifest(global, ui)?;
    let mut rows = Vec::new();
    if !manifest.plugins.is_empty() {
        let host = host()?;
        for (name, entry) in &manifest.plugins {
            let inspection = host.inspect(&entry.path).await?;
            rows.push(Row {
                name: name.to_string(),
                path: entry.path.clone(),
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

async fn inspect(global: &GlobalArgs, args: InspectArgs, ui: Ui) -> Result<(), CliError> {
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
