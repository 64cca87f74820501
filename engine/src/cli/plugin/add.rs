//! `rengine plugin add`.

use clap::Args;

use super::Project;
use super::update::{agree, news};
use crate::app::Name;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::deploy::DeployError;
use crate::manifest::Edit;
use crate::registry::{Lock, Pick, Reference, RegistryError, Resolution, Source, version};
use crate::ui::Ui;

/// Which plugin.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Where it is: HOST/PATH, and which: `:1.2`, `:^1.2` or `@sha256:…` [default: the newest
    /// version, and those compatible with it]
    #[arg(value_name = "REF")]
    reference: String,
    /// Its name in plugins.toml [default: the last part of the path]
    #[arg(long)]
    name: Option<String>,
    /// Take it without a question
    #[arg(short, long)]
    yes: bool,
}

pub async fn run(global: &GlobalArgs, args: AddArgs, ui: Ui) -> Result<(), CliError> {
    let project = Project::load(global, ui).await?;
    let reference: Reference = args.reference.parse().map_err(refused)?;
    let name = args
        .name
        .unwrap_or_else(|| reference.repository.name().to_owned());
    let name = Name::parse(&name).map_err(|error| CliError::Malformed {
        text: format!("{name} ({error})"),
        what: "name of a plugin",
        help: "names have small letters, digits and `-`: choose one with `--name`",
    })?;
    project.own(name.as_str())?;
    let mut edit = Edit::open(&project.path())?;
    let registries = project.wanted.registries(&project.sources);
    let pick = match reference.pick {
        Some(pick) => pick,
        None => newest(
            &registries
                .tags(&reference.repository)
                .await
                .map_err(refused)?,
        ),
    };
    let source = Source {
        repository: reference.repository,
        pick,
    };
    edit.add(name.as_str(), &source.to_string())?;
    let old = project.wanted.lock().map_err(refused)?;
    let resolver = project.wanted.resolver(&project.sources).map_err(refused)?;
    let one = [(name.to_string(), source)];
    let resolved = resolver.resolve(&one, &Lock::default(), &|_| true).await;
    let Resolution { plugins, .. } = resolved.map_err(refused)?;
    let news: Vec<_> = plugins.iter().map(|plugin| news(plugin, None)).collect();
    if !agree(&news, args.yes, "add", ui)? {
        return Ok(());
    }
    let mut lock = old.clone();
    lock.set_bases(project.wanted.bases());
    for plugin in plugins {
        lock.set(plugin.locked);
    }
    edit.save()?;
    let kept = project.wanted.keep(&old, &lock, &*project.sources.reporter);
    kept.map_err(refused)?;
    // plugins.toml has one more now.
    let project = Project::load(global, ui).await?;
    project.wanted.warn_of_trust(&*project.sources.reporter);
    if !ui.is_json() {
        ui.result(&format!("added `{name}` to {}", project.path().display()));
    }
    Ok(())
}

/// The newest version and what is compatible with it; where there are none, the one tag that is meant.
fn newest(tags: &[String]) -> Pick {
    let tag = super::newest(tags);
    let newest = version(&tag).filter(|version| version.pre.is_empty());
    let range = newest.and_then(|newest| {
        let range = format!("^{}.{}.{}", newest.major, newest.minor, newest.patch);
        semver::VersionReq::parse(&range).ok()
    });
    range.map_or_else(|| Pick::Tag(tag), Pick::Range)
}

pub fn refused(error: impl Into<RegistryError>) -> CliError {
    DeployError::from(error.into()).into()
}
