//! `rengine plugin push`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use clap::Args;

use super::add::refused;
use super::sign::SignArgs;
use crate::app::ByteSize;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::deploy::git_revision;
use crate::manifest::Fragment;
use crate::registry::{
    Artifact, BaseArtifact, MAX_BASE_BYTES, MAX_COMPONENT_BYTES, Metadata, Pick, Reference,
    RegistryError, version,
};
use crate::ui::Ui;

/// What a file of metadata is called.
const METADATA: &str = "plugin.toml";

/// What to publish, and where.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The component; or a base, a file that ends in `.toml`
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Where it goes: HOST/PATH:VERSION
    #[arg(value_name = "REF")]
    reference: String,
    /// What it says of itself: name, description, license, source, readme, and why it needs
    /// grants [default: plugin.toml beside FILE, or here; none for a base]
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
    #[command(flatten)]
    sign: SignArgs,
    /// Publish something else under a version that is taken
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
    let pen = args.sign.pen(global)?;
    let is_base = path.extension().is_some_and(|end| end == "toml");
    let file = match is_base {
        true => base(global, &args.metadata, &path, repository.name(), &tag).await?,
        false => plugin(global, &args.metadata, &path, repository.name(), &tag).await?,
    };
    let registries = super::registries(global, ui)?;
    let taken = registries.pick(&repository, &Pick::Tag(tag.clone())).await;
    match taken {
        Ok((_, digest, there))
            if there != file.manifest && version(&tag).is_some() && !args.force =>
        {
            return Err(CliError::VersionTaken {
                reference: format!("{repository}:{tag}"),
                digest: digest.to_string(),
            });
        }
        Ok(_) | Err(RegistryError::NotFound { .. } | RegistryError::Denied { .. }) => {}
        Err(error) => return Err(refused(error)),
    }
    let blobs = [file.content.clone(), file.config];
    let digest = registries
        .push(&repository, &tag, &blobs, &file.manifest)
        .await;
    let digest = digest.map_err(refused)?;
    let signer = match &pen {
        Some(pen) => Some(pen.sign(&registries, &repository, &digest).await?),
        None => None,
    };
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "event": if is_base { "base-pushed" } else { "plugin-pushed" },
            "reference": format!("{repository}:{tag}"),
            "digest": digest,
            "signed-by": signer,
            "size": file.content.len(),
        }));
        return Ok(());
    }
    let size = ByteSize(file.content.len() as u64);
    ui.result(&format!("pushed {repository}:{tag}@{digest}, {size}"));
    if let Some(signer) = signer {
        ui.result(&format!("signed with the key {signer}"));
    }
    ui.note(&match is_base {
        true => {
            format!("use it with `extends = [\"oci://{repository}:{tag}\"]` in plugins.toml")
        }
        // What is no version, or one before it is done, nobody gets who does not name it.
        false if version(&tag).is_some_and(|version| version.pre.is_empty()) => {
            format!("use it with `rengine plugin add {repository}`")
        }
        false => format!("use it with `rengine plugin add {repository}:{tag}`"),
    });
    Ok(())
}

/// What goes to a registry.
struct Pushed {
    /// The component, or the text of the base.
    content: Bytes,
    config: Bytes,
    manifest: Bytes,
}

/// A file's bytes, and its time as RFC 3339 has it; or that it has more bytes than `limit`.
fn read(path: &Path, limit: u64) -> Result<Result<(Bytes, String), String>, CliError> {
    let facts = std::fs::metadata(path).map_err(|error| io(path, &error))?;
    if facts.len() > limit {
        let (size, limit) = (ByteSize(facts.len()), ByteSize(limit));
        return Ok(Err(format!("it has {size}, and {limit} is the limit")));
    }
    let bytes = std::fs::read(path).map_err(|error| io(path, &error))?;
    let made = facts.modified().unwrap_or_else(|_| SystemTime::now());
    let made = jiff::Timestamp::try_from(made).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let made = made.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Ok(Ok((bytes.into(), made)))
}

fn io(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Io {
        what: "reading",
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

async fn plugin(
    global: &GlobalArgs,
    given: &Option<PathBuf>,
    path: &Path,
    name: &str,
    tag: &str,
) -> Result<Pushed, CliError> {
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
    let (bytes, made) = read(path, MAX_COMPONENT_BYTES)?.map_err(not_plugin)?;
    let metadata = metadata(global, given, path).await?;
    let artifact = Artifact::new(bytes, &metadata, name, tag, &made);
    let artifact = artifact.map_err(not_plugin)?;
    Ok(Pushed {
        content: artifact.component,
        config: artifact.config,
        manifest: artifact.manifest,
    })
}

async fn base(
    global: &GlobalArgs,
    given: &Option<PathBuf>,
    path: &Path,
    name: &str,
    tag: &str,
) -> Result<Pushed, CliError> {
    let (bytes, made) = read(path, MAX_BASE_BYTES)?.map_err(|reason| {
        refused(RegistryError::NotBase {
            reference: path.display().to_string(),
            reason,
        })
    })?;
    // As those will read it who extend it.
    let file = path.file_name().unwrap_or(path.as_os_str());
    let fragment = Fragment::artifact(file.to_string_lossy().into_owned(), bytes.to_vec())?;
    let (plugins, required) = fragment.plugins()?;
    let mut metadata = match given {
        Some(file) => Metadata::load(&global.directory.join(file)).map_err(refused)?,
        None => Metadata::default(),
    };
    metadata.revision = revision(path).await;
    let names = (plugins.as_slice(), required.as_slice());
    let artifact = BaseArtifact::new(bytes, names, &metadata, name, tag, &made);
    Ok(Pushed {
        content: artifact.content,
        config: artifact.config,
        manifest: artifact.manifest,
    })
}

/// The revision of the project that a file is in.
async fn revision(file: &Path) -> Option<String> {
    let folder = file.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let revision = git_revision(folder.unwrap_or(Path::new("."))).await?;
    let dirty = if revision.dirty { "-dirty" } else { "" };
    Some(format!("{}{dirty}", revision.commit))
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
    metadata.revision = revision(path.as_deref().unwrap_or(component)).await;
    Ok(metadata)
}
