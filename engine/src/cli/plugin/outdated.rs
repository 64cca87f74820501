//! `rengine plugin outdated`.

use serde::Serialize;

use super::Project;
use super::add::refused;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::registry::{Digest, Pick, Source, version};
use crate::ui::{Ui, table};

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    /// A plugin's name, or a base's place.
    #[serde(rename = "plugin")]
    name: String,
    kind: &'static str,
    locked: Option<String>,
    /// The newest that the source allows.
    allowed: Option<String>,
    /// The newest there is.
    newest: Option<String>,
    source: String,
    /// True if what is locked is the newest there is, under whatever name.
    #[serde(skip)]
    is_newest: bool,
}

pub async fn run(global: &GlobalArgs, ui: Ui) -> Result<(), CliError> {
    let project = Project::load(global, ui).await?;
    let lock = project.wanted.lock().map_err(refused)?;
    let registries = project.wanted.registries(&project.sources);
    let locked = |digest: &Digest, version: &Option<String>| (digest.clone(), version.clone());
    let mut asked = Vec::new();
    for base in project.wanted.bases() {
        let source: Source = base.source.parse().map_err(refused)?;
        let is = lock.base(&base.source);
        let is = is.map(|base| locked(&base.digest, &base.version));
        asked.push(("base", source.repository.to_string(), source, is));
    }
    for (name, source) in project.wanted.remote() {
        let is = lock.get(&name);
        let is = is.map(|plugin| locked(&plugin.digest, &plugin.version));
        asked.push(("plugin", name, source, is));
    }
    let rows = asked.iter().map(async |(kind, name, source, locked)| {
        let tags = registries.tags(&source.repository).await?;
        let newest = tags
            .iter()
            .filter_map(|tag| Some((version(tag)?, tag)))
            .filter(|(version, _)| version.pre.is_empty())
            .max();
        let (tag, digest, _) = registries.pick(&source.repository, &source.pick).await?;
        let locked_as = locked.as_ref().and_then(|(_, version)| version.clone());
        let moved = locked.as_ref().is_some_and(|(locked, _)| *locked != digest);
        let is_fixed = matches!(source.pick, Pick::Digest { .. });
        let allowed = tag.map(|tag| match moved && !is_fixed {
            true if locked_as.as_ref() == Some(&tag) => {
                format!("{tag}, which is another now")
            }
            _ => tag,
        });
        let newest = newest.map(|(_, tag)| tag.clone());
        // What is named by its digest may be the newest one without a word on its version.
        let is_newest = match &newest {
            Some(newest) if is_fixed && locked_as.as_ref() != Some(newest) => {
                let pick = Pick::Tag(newest.clone());
                registries.pick(&source.repository, &pick).await?.1 == digest
            }
            _ => false,
        };
        Ok(Row {
            is_newest,
            kind,
            name: name.clone(),
            locked: locked_as.clone(),
            allowed,
            newest,
            source: source.to_string(),
        })
    });
    let rows = futures_util::future::join_all(rows).await;
    let rows: Result<Vec<Row>, crate::registry::RegistryError> = rows.into_iter().collect();
    let mut rows = rows.map_err(refused)?;
    if ui.is_json() {
        rows.iter().for_each(|row| ui.json(row));
        return Ok(());
    }
    rows.retain(|row| row.locked != row.allowed || row.locked != row.newest);
    rows.retain(|row| !row.is_newest);
    if rows.is_empty() {
        ui.result("all plugins are up to date");
        return Ok(());
    }
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let lines = rows.into_iter().map(|row| {
        [
            row.name,
            or_none(row.locked),
            or_none(row.allowed),
            or_none(row.newest),
            row.source,
        ]
    });
    let head = ["NAME", "LOCKED", "ALLOWED", "NEWEST", "SOURCE"].map(str::to_owned);
    ui.result(&table(std::iter::once(head).chain(lines)));
    Ok(())
}
