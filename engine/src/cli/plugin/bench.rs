//! `rengine plugin bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::app::ByteSize;
use crate::author::{self, Benchmark, Times};
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::ui::{Ui, printable, table};

/// What to measure.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The component, or the folder of a project that has been built
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    path: PathBuf,
    /// Give the hooks what this file of cases says, instead of what is built in
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
}

pub async fn run(global: &GlobalArgs, args: BenchArgs, ui: Ui) -> Result<(), CliError> {
    let component = author::component_of(&global.directory.join(&args.path))?;
    let cases = args.cases.map(|cases| global.directory.join(cases));
    let measured = Benchmark::run(&component, cases.as_deref()).await?;
    if ui.is_json() {
        ui.json(&measured);
        return Ok(());
    }
    let row = |what: &str, times: Times, remark: String| {
        [
            what.to_owned(),
            millis(times.median),
            millis(times.p95),
            times.n.to_string(),
            remark,
        ]
    };
    let memory = format!("{} of memory", ByteSize(measured.memory));
    let mut rows = vec![
        ["WHAT", "MEDIAN", "P95", "N", ""].map(str::to_owned),
        [
            "compile",
            &millis(measured.compile),
            "",
            "1",
            &format!("{}, once on a machine", ByteSize(measured.size)),
        ]
        .map(str::to_owned),
        row("load", measured.load, "from the cache".to_owned()),
        row("start", measured.start, memory),
    ];
    for hook in &measured.hooks {
        let remark = match hook.ok {
            true => printable(&hook.case),
            false => format!("{} (it refused or failed)", printable(&hook.case)),
        };
        rows.push(row(hook.hook.name(), hook.times, remark));
    }
    ui.result(&table(rows.into_iter()));
    ui.note("each call of a hook has an instance of its own: its times have `start` in them");
    Ok(())
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
