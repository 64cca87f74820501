//! `rengine plugin sign`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::add::refused;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::registry::{Digest, KeyError, Registries, Repository, SigningKey, signing_key};
use crate::ui::Ui;

/// A signing key's text, for where it is in no file.
const VARIABLE: &str = "RENGINE_SIGNING_KEY";

/// How to sign what is published.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// Sign it with this private key, a file; `-` for the text of RENGINE_SIGNING_KEY
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// For how long the signature counts, such as 365d [default: for ever]
    #[arg(long, value_name = "TIME", requires = "sign", value_parser = humantime::parse_duration)]
    expires: Option<Duration>,
}

impl SignArgs {
    /// Signs, if that was asked for, and says with which key.
    pub async fn sign(
        &self,
        global: &GlobalArgs,
        registries: &Registries,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<String>, CliError> {
        let Some(key) = &self.sign else {
            return Ok(None);
        };
        let signer = sign(global, key, self.expires, registries, repository, digest);
        signer.await.map(Some)
    }
}

/// What to sign, and with which key.
#[derive(Debug, Args)]
pub struct SignCommandArgs {
    /// Where it is: HOST/PATH, and which: `:1.2` or `@sha256:…`
    #[arg(value_name = "REF")]
    reference: String,
    /// The private key, a file; `-` for the text of RENGINE_SIGNING_KEY
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// For how long the signature counts, such as 365d [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    expires: Option<Duration>,
}

pub async fn run(global: &GlobalArgs, args: SignCommandArgs, ui: Ui) -> Result<(), CliError> {
    let registries = super::registries(global, ui)?;
    let super::Published {
        repository, digest, ..
    } = super::published(&registries, args.reference.parse().map_err(refused)?).await?;
    let signer = sign(
        global,
        &args.key,
        args.expires,
        &registries,
        &repository,
        &digest,
    )
    .await?;
    match ui.is_json() {
        true => ui.json(&serde_json::json!({
            "event": "plugin-signed", "artifact": format!("{repository}@{digest}"), "signed-by": signer,
        })),
        false => ui.result(&format!("signed {repository}@{digest} with the key {signer}")),
    }
    Ok(())
}

async fn sign(
    global: &GlobalArgs,
    key: &Path,
    lasts: Option<Duration>,
    registries: &Registries,
    repository: &Repository,
    digest: &Digest,
) -> Result<String, CliError> {
    let signing = read_signing_key(global, key)?;
    let failed = |reason: String| {
        refused(KeyError {
            path: key.to_owned(),
            reason,
        })
    };
    let now = jiff::Timestamp::now();
    let signature = signing
        .sign(repository, digest, now, lasts)
        .map_err(failed)?;
    let pushed = registries
        .push_signature(repository, digest, &signature)
        .await;
    pushed.map_err(refused)?;
    Ok(signing.public("").id())
}

/// Reads a private key: a file, or for `-` the text of RENGINE_SIGNING_KEY.
pub fn read_signing_key(global: &GlobalArgs, key: &Path) -> Result<SigningKey, CliError> {
    let text = match key.as_os_str() == "-" {
        true => Some(std::env::var(VARIABLE).map_err(|_| {
            refused(KeyError {
                path: VARIABLE.into(),
                reason: "it is not set".to_owned(),
            })
        })?),
        false => None,
    };
    signing_key(&global.directory.join(key), text.as_deref()).map_err(refused)
}
