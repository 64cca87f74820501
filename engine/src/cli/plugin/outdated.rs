//! `rengine plugin outdated`.

use serde::Serialize;

use super::Project;
use super::add::refused;
use crate::cli::error::CliError;
use crate::cli::{GlobalArgs, session};
use crate::registry::{Pick, version};
use crate::ui::{Ui, table};

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    plugin: String,
    locked: Option<String>,
    /// The newest that the source allows.
    allowed: Option<String>,
    /// The newest there is.
    newest: Option<String>,
    source: String,
}

pub async fn run(global: &GlobalArgs, ui: Ui) -> Result<(), CliError> {
    let project = Project::load(global, session::SourceArgs::default(), ui)?;
    let lock = project.wanted.lock().map_err(refused)?;
    let registries = project.wanted.registries(&project.sources);
    let remote = project.wanted.remote();
    let rows = remote.iter().map(async |(name, source)| {
        let tags = registries.tags(&source.repository).await?;
        let newest = tags
            .iter()
            .filter_map(|tag| Some((version(tag)?, tag)))
            .filter(|(version, _)| version.pre.is_empty())
            .max();
        let locked = lock.get(name);
        let (tag, digest, _) = registries.pick(&source.repository, &source.pick).await?;
        let moved = locked.is_some_and(|locked| locked.digest != digest);
        let is_fixed = matches!(source.pick, Pick::Digest { .. });
        let allowed = tag.map(|tag| match moved && !is_fixed {
            true if locked.is_some_and(|locked| locked.version.as_ref() == Some(&tag)) => {
                format!("{tag}, which is another now")
            }
            _ => tag,
        });
        Ok(Row {
            plugin: name.clone(),
            locked: locked.and_then(|locked| locked.version.clone()),
            allowed,
            newest: newest.map(|(_, tag)| tag.clone()),
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
    if rows.is_empty() {
        ui.result("all plugins are up to date");
        return Ok(());
    }
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let lines = rows.into_iter().map(|row| {
        [
            row.plugin,
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
