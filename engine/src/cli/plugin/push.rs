//! `rengine plugin push`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;

use super::add::refused;
use super::sign::SignArgs;
use crate::app::ByteSize;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::deploy::git_revision;
use crate::registry::{
    Artifact, MAX_COMPONENT_BYTES, Metadata, Pick, Reference, RegistryError, version,
};
use crate::ui::Ui;

/// What a file of metadata is called.
const METADATA: &str = "plugin.toml";

/// What to publish, and where.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The component
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Where it goes: HOST/PATH:VERSION
    #[arg(value_name = "REF")]
    reference: String,
    /// What it says of itself: name, description, license, source, readme, and why it needs
    /// grants [default: plugin.toml beside FILE, or here]
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
    #[command(flatten)]
    sign: SignArgs,
    /// Publish another component under a version that is taken
    #[arg(long)]
    force: bool,
}

pub async fn run(global: &GlobalArgs, args: PushArgs, ui: Ui) -> Result<(), CliError> {
    let path = global.directory.join(&args.path);
    let reference: Reference = args.reference.parse().map_err(refused)?;
    let Some(Pick::Tag(tag)) = reference.pick else {
        return Err(CliError::Malformed {
            text: args.reference,
            what: "place for one version",
            help: "name it: HOST/PATH:1.2.3",
        });
    };
    let repository = reference.repository;
    let io = |error: std::io::Error| CliError::Io {
        what: "reading",
        path: path.clone(),
        reason: error.to_string(),
    };
    let facts = std::fs::metadata(&path).map_err(io)?;
    let not_plugin = |reason: String| {
        refused(RegistryError::NotPlugin {
            reference: path.display().to_string(),
            reason,
            help:
                "`rengine plugin build` makes a component of a project, and `rengine plugin check` \
                   says whether it can be used"
                    .to_owned(),
        })
    };
    if facts.len() > MAX_COMPONENT_BYTES {
        let limit = ByteSize(MAX_COMPONENT_BYTES);
        return Err(not_plugin(format!(
            "it has {}, and {limit} is the limit",
            ByteSize(facts.len())
        )));
    }
    let bytes = std::fs::read(&path).map_err(io)?;
    let metadata = metadata(global, &args.metadata, &path).await?;
    let made = facts.modified().unwrap_or_else(|_| SystemTime::now());
    let made = jiff::Timestamp::try_from(made).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let made = made.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let artifact = Artifact::new(bytes.into(), &metadata, repository.name(), &tag, &made);
    let artifact = artifact.map_err(not_plugin)?;
    let registries = super::registries(global, ui)?;
    let taken = registries.pick(&repository, &Pick::Tag(tag.clone())).await;
    match taken {
        Ok((_, digest, there))
            if there != artifact.manifest && version(&tag).is_some() && !args.force =>
        {
            return Err(CliError::VersionTaken {
                reference: format!("{repository}:{tag}"),
                digest: digest.to_string(),
            });
        }
        Ok(_) | Err(RegistryError::NotFound { .. } | RegistryError::Denied { .. }) => {}
        Err(error) => return Err(refused(error)),
    }
    let blobs = [artifact.component.clone(), artifact.config.clone()];
    let digest = registries
        .push(&repository, &tag, &blobs, &artifact.manifest)
        .await;
    let digest = digest.map_err(refused)?;
    let signer = args
        .sign
        .sign(global, &registries, &repository, &digest)
        .await?;
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "event": "plugin-pushed",
            "reference": format!("{repository}:{tag}"),
            "digest": digest,
            "signed-by": signer,
            "size": artifact.component.len(),
        }));
        return Ok(());
    }
    let size = ByteSize(artifact.component.len() as u64);
    ui.result(&format!("pushed {repository}:{tag}@{digest}, {size}"));
    if let Some(signer) = signer {
        ui.result(&format!("signed with the key {signer}"));
    }
    ui.note(&format!("use it with `rengine plugin add {repository}`"));
    Ok(())
}

async fn metadata(
    global: &GlobalArgs,
    given: &Option<PathBuf>,
    component: &Path,
) -> Result<Metadata, CliError> {
    let beside = component.with_file_name(METADATA);
    let here = global.directory.join(METADATA);
    let path = match given {
        Some(path) => Some(global.directory.join(path)),
        None => [beside, here].into_iter().find(|path| path.exists()),
    };
    let mut metadata = match &path {
        Some(path) => Metadata::load(path).map_err(refused)?,
        None => Metadata::default(),
    };
    let folder = path.as_deref().unwrap_or(component).parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let revision = git_revision(folder.unwrap_or(Path::new("."))).await;
    metadata.revision = revision.map(|revision| {
        let dirty = if revision.dirty { "-dirty" } else { "" };
        format!("{}{dirty}", revision.commit)
    });
    Ok(metadata)
}
