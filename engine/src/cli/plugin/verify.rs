//! `rengine plugin verify`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::add::refused;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::registry::{KeyError, PublicKey, Signature, Signer, Untrusted, verify};
use crate::ui::Ui;

/// What to verify, and by which keys.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Where it is: HOST/PATH, and which: `:1.2` or `@sha256:…`
    #[arg(value_name = "REF")]
    reference: String,
    /// A public key that counts; may be given several times
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
}

pub async fn run(global: &GlobalArgs, args: VerifyArgs, ui: Ui) -> Result<(), CliError> {
    let keys: Result<Vec<_>, _> = args.keys.iter().map(|path| read(global, path)).collect();
    let keys = keys?;
    let registries = super::registries(global, ui)?;
    let reference = args.reference.parse().map_err(refused)?;
    let published = super::published(&registries, reference).await?;
    let (repository, digest) = (&published.repository, &published.digest);
    let now = jiff::Timestamp::now();
    let check = |found: &[Signature]| -> Result<Vec<Signer>, Untrusted> {
        let signers = verify(found, &keys, repository, digest, now)?;
        Ok(signers.into_iter().map(PublicKey::signer).collect())
    };
    let signed = registries.signed(repository, digest, check).await;
    let signed = signed.map_err(refused)?;
    let (_, signers) = signed.map_err(|why| published.untrusted(why))?;
    let artifact = published.to_string();
    for signer in signers {
        match ui.is_json() {
            true => ui.json(&serde_json::json!({
                "event": "plugin-verified",
                "artifact": artifact,
                "key": signer.key,
                "fingerprint": signer.fingerprint,
            })),
            false => ui.result(&format!("{artifact} is signed by {signer}")),
        }
    }
    Ok(())
}

/// Reads a public key, which is called as the command line calls it.
pub fn read(global: &GlobalArgs, path: &Path) -> Result<PublicKey, CliError> {
    let place = global.directory.join(path);
    let text = std::fs::read(&place).map_err(|error| error.to_string());
    let key = text.and_then(|text| PublicKey::parse(&path.display().to_string(), &text));
    key.map_err(|reason| {
        refused(KeyError {
            path: place,
            reason,
        })
    })
}
