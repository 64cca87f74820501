//! `rengine provenance`.

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::plugin::{read_signing_key, refused};
use super::{GlobalArgs, history};
use crate::release::{PAYLOAD_TYPE, provenance};
use crate::ui::Ui;

/// Of which release, and whether to sign it.
#[derive(Debug, Args)]
pub struct ProvenanceArgs {
    /// Its id, or as much of it as no other has [default: the one that runs]
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    /// Sign it with this private key, a file; `-` for the text of RENGINE_SIGNING_KEY
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
}

pub async fn run(global: &GlobalArgs, args: ProvenanceArgs, ui: Ui) -> Result<(), CliError> {
    // A key that can't be used is told before anything is asked.
    let key = args.sign.as_deref();
    let key = key.map(|key| read_signing_key(global, key)).transpose()?;
    let record = history::find(global, args.release.as_deref(), ui).await?;
    let statement = provenance(&record);
    let Some(key) = key else {
        match ui.is_json() {
            true => ui.json(&statement),
            false => ui.result(&format!("{statement:#}")),
        }
        return Ok(());
    };
    let text = statement.to_string();
    let envelope = key.envelope(PAYLOAD_TYPE, text.as_bytes());
    ui.json(&envelope.map_err(|reason| {
        refused(crate::registry::KeyError {
            path: args.sign.unwrap_or_default(),
            reason,
        })
    })?);
    Ok(())
}
