//! `rengine plugin pull`.

use std::path::PathBuf;

use clap::Args;

use super::add::refused;
use crate::app::ByteSize;
use crate::cli::error::CliError;
use crate::cli::{GlobalArgs, file::replace, session};
use crate::deploy::store;
use crate::registry::{Described, DescribedBase, Signature, StoreError};
use crate::ui::Ui;

/// What to download, and where to.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// Where it is: HOST/PATH, and which: `:1.2`, `:^1.2` or `@sha256:…` [default: the newest version]
    #[arg(value_name = "REF")]
    reference: String,
    /// The file to write [default: the last part of the path, and .wasm; .toml for a base]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

pub async fn run(global: &GlobalArgs, args: PullArgs, ui: Ui) -> Result<(), CliError> {
    let registries = super::registries(global, ui)?;
    let reference = args.reference.parse().map_err(refused)?;
    let published = super::published(&registries, reference).await?;
    let (repository, digest) = (&published.repository, &published.digest);
    let base = DescribedBase::of(&published.manifest, repository).map_err(refused)?;
    let (content, size, end) = match base {
        Some(base) => (base.content, base.size, "toml"),
        None => {
            let plugin = Described::of(&published.manifest, repository).map_err(refused)?;
            (plugin.component, plugin.size, "wasm")
        }
    };
    let given = args.output.is_some();
    let output = args
        .output
        .unwrap_or_else(|| format!("{}.{end}", repository.name()).into());
    let path = global.directory.join(output);
    // What an artifact is called is for others to say: it could be called `plugins`.
    if !given && !args.force && path.symlink_metadata().is_ok() {
        return Err(CliError::PullExists { path });
    }
    // A file that is named with `path` is asked for no signature any more.
    let trust = session::draft(global)?.fragment().head()?.trust;
    if let Some(trust) = trust.filter(|trust| trust.require) {
        let check = |found: &[Signature]| trust.check(found, repository, digest);
        let signed = registries.signed(repository, digest, check).await;
        let signed = signed.map_err(refused)?;
        signed.map_err(|why| published.untrusted(why))?;
    }
    let store = store().map_err(refused)?;
    let fetched = registries.fetch(repository, &content, size, &store);
    fetched.await.map_err(refused)?;
    let bytes = store.read(&content).map_err(refused)?.ok_or_else(|| {
        refused(StoreError {
            path: PathBuf::from(content.to_string()),
            reason: "it was removed or changed meanwhile: try again".to_owned(),
        })
    })?;
    replace(&path, &bytes).map_err(|error| CliError::Io {
        what: "writing",
        path: path.clone(),
        reason: error.to_string(),
    })?;
    if ui.is_json() {
        let (event, what) = match end {
            "toml" => ("base-pulled", "content"),
            _ => ("plugin-pulled", "component"),
        };
        ui.json(&serde_json::json!({
            "event": event, "path": path, "digest": digest, what: content, "size": size,
        }));
        return Ok(());
    }
    let size = ByteSize(size);
    ui.result(&format!("{} is {published}, {size}", path.display()));
    Ok(())
}
