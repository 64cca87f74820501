//! `rengine plugin check`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::host;
use crate::author::{self, Verdict};
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::ui::{Ui, printable};

/// What to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The component, or the folder of a project that has been built
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    path: PathBuf,
}

pub async fn run(global: &GlobalArgs, args: CheckArgs, ui: Ui) -> Result<(), CliError> {
    show(&global.directory.join(&args.path), ui).await
}

/// Checks a component and shows what was found.
pub async fn show(path: &Path, ui: Ui) -> Result<(), CliError> {
    let findings = author::check(&host()?, path).await?;
    for finding in &findings {
        if ui.is_json() {
            ui.json(finding);
            continue;
        }
        let style = ui.styles();
        let sign = match finding.verdict {
            Verdict::Ok => style.good("✔"),
            Verdict::Note => style.dim("·"),
            Verdict::Warning => style.odd("!"),
            Verdict::Error => style.bad("✗"),
        };
        ui.result(&format!(
            "{sign} {:<9} {}",
            finding.what,
            printable(&finding.found)
        ));
        if let Some(help) = &finding.help {
            ui.result(&format!("            {} {help}", style.good("help:")));
        }
    }
    let bad = |verdict| verdict == Verdict::Error;
    match findings
        .iter()
        .filter(|finding| bad(finding.verdict))
        .count()
    {
        0 => Ok(()),
        count => Err(CliError::Unfit { count }),
    }
}
