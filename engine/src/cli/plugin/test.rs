//! `rengine plugin test`.

use std::path::PathBuf;

use clap::Args;

use super::host;
use crate::author::{self, CaseResult, SnapshotState};
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::ui::{Styles, Ui, printable};

/// What to test.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The component, or the folder of a project that has been built
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    path: PathBuf,
    /// The cases, instead of tests.toml beside the component
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Write the snapshots of the cases that have one, instead of comparing with them
    #[arg(long)]
    update: bool,
}

pub async fn run(global: &GlobalArgs, args: TestArgs, ui: Ui) -> Result<(), CliError> {
    let path = global.directory.join(&args.path);
    let file = match args.cases {
        Some(cases) => global.directory.join(cases),
        None => author::cases_of(&path),
    };
    let cases = author::load_cases(&file)?;
    let component = author::component_of(&path)?;
    let snapshots = author::snapshots_of(&file);
    let host = host()?;
    let mut failed = 0;
    for case in &cases {
        let result = case.run(&host, &component, &snapshots, args.update).await?;
        failed += usize::from(!result.passed());
        if ui.is_json() {
            ui.json(&result);
        } else {
            ui.result(&render(&result, ui.styles()));
        }
    }
    match failed {
        0 => {
            ui.note(&format!("{} cases passed", cases.len()));
            Ok(())
        }
        failed => Err(CliError::Cases {
            failed,
            count: cases.len(),
        }),
    }
}

/// A line for the case, and below it what was other than expected.
fn render(result: &CaseResult, style: Styles) -> String {
    let sign = match result.passed() {
        true => style.good("✔"),
        false => style.bad("✗"),
    };
    let mut text = format!("{sign} {}", printable(&result.name));
    if result.snapshot == Some(SnapshotState::Written) {
        text.push_str(&format!("  {}", style.dim("(snapshot written)")));
    }
    for failure in &result.failures {
        for line in printable(failure).lines() {
            let line = match line.chars().next() {
                Some('-') => style.bad(line),
                Some('+') => style.good(line),
                _ => line.to_owned(),
            };
            text.push_str(&format!("\n    {line}"));
        }
    }
    text
}
