//! `rengine plugin sign`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::add::refused;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::registry::{
    Digest, KeyError, Reference, Registries, Repository, SigningKey, signing_key,
};
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
    /// What signs, if that was asked for. It is had before anything is published: what nobody can sign is not.
    pub fn pen(&self, global: &GlobalArgs) -> Result<Option<Pen>, CliError> {
        let pen = |path: &PathBuf| Pen::open(global, path, self.expires);
        self.sign.as_ref().map(pen).transpose()
    }
}

/// What signs.
pub struct Pen {
    key: SigningKey,
    path: PathBuf,
    lasts: Option<Duration>,
}

impl Pen {
    fn open(global: &GlobalArgs, path: &Path, lasts: Option<Duration>) -> Result<Self, CliError> {
        Ok(Self {
            key: read_signing_key(global, path)?,
            path: path.to_owned(),
            lasts,
        })
    }

    /// Signs an artifact, and says with which key.
    pub async fn sign(
        &self,
        registries: &Registries,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<String, CliError> {
        let now = jiff::Timestamp::now();
        let signature = self.key.sign(repository, digest, now, self.lasts);
        let signature = signature.map_err(|reason| {
            refused(KeyError {
                path: self.path.clone(),
                reason,
            })
        })?;
        let pushed = registries
            .push_signature(repository, digest, &signature)
            .await;
        pushed.map_err(refused)?;
        Ok(self.key.public("").id())
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
    let pen = Pen::open(global, &args.key, args.expires)?;
    let reference: Reference = args.reference.parse().map_err(refused)?;
    if reference.pick.is_none() {
        return Err(CliError::Malformed {
            text: args.reference,
            what: "place of one artifact",
            help: "say which one to sign: HOST/PATH:1.2.3, or HOST/PATH@sha256:…",
        });
    }
    let registries = super::registries(global, ui)?;
    let super::Published {
        repository, digest, ..
    } = super::published(&registries, reference).await?;
    let signer = pen.sign(&registries, &repository, &digest).await?;
    match ui.is_json() {
        true => ui.json(&serde_json::json!({
            "event": "plugin-signed", "artifact": format!("{repository}@{digest}"), "signed-by": signer,
        })),
        false => ui.result(&format!("signed {repository}@{digest} with the key {signer}")),
    }
    Ok(())
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
