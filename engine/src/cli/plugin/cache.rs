//! `rengine plugin cache`.

use std::time::{Duration, SystemTime};

use clap::Args;

use super::add::refused;
use crate::app::ByteSize;
use crate::cli::error::CliError;
use crate::deploy::store;
use crate::ui::{Ui, table};

/// What to do with the store.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// Remove what was not used for a while
    #[arg(long)]
    prune: bool,
    /// How long not to have been used is a while, such as 30d; 0s for all
    #[arg(long, value_name = "TIME", default_value = "30d", requires = "prune", value_parser = humantime::parse_duration)]
    unused_for: Duration,
}

pub fn run(args: &CacheArgs, ui: Ui) -> Result<(), CliError> {
    let store = store().map_err(refused)?;
    if args.prune {
        let now = SystemTime::now();
        let young = |used: SystemTime| {
            now.duration_since(used)
                .is_ok_and(|age| age < args.unused_for)
        };
        let (count, bytes) = store.prune(&|kept| young(kept.used)).map_err(refused)?;
        match ui.is_json() {
            true => {
                ui.json(&serde_json::json!({"event": "pruned", "files": count, "bytes": bytes}))
            }
            false => ui.result(&format!("removed {count} files, {}", ByteSize(bytes))),
        }
        return Ok(());
    }
    let kept = store.list().map_err(refused)?;
    let used =
        |time: SystemTime| jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    if ui.is_json() {
        for blob in &kept {
            ui.json(&serde_json::json!({
                "digest": blob.digest, "bytes": blob.bytes, "used": used(blob.used).to_string(),
            }));
        }
        return Ok(());
    }
    let total: u64 = kept.iter().map(|blob| blob.bytes).sum();
    let lines = kept.iter().map(|blob| {
        [
            blob.digest.to_string(),
            ByteSize(blob.bytes).to_string(),
            used(blob.used).strftime("%Y-%m-%d").to_string(),
        ]
    });
    let head = ["DIGEST", "SIZE", "USED"].map(str::to_owned);
    ui.result(&table(std::iter::once(head).chain(lines)));
    ui.note(&format!("{} files, {}", kept.len(), ByteSize(total)));
    Ok(())
}
