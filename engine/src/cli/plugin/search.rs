//! `rengine plugin search`.

use clap::Args;
use serde::Serialize;

use super::add::refused;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::registry::{Described, DescribedBase, Pick, Reference};
use crate::ui::{Ui, printable, table};

/// How many repositories are asked at the same time.
const AT_ONCE: usize = 8;

/// Where, and for what.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// The registry, and where in it: HOST or HOST/PATH
    #[arg(value_name = "WHERE")]
    place: String,
    /// Only those that have this in their path or their description
    #[arg(value_name = "TEXT")]
    text: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    kind: &'static str,
    reference: String,
    version: Option<String>,
    hooks: Vec<String>,
    description: Option<String>,
}

pub async fn run(global: &GlobalArgs, args: SearchArgs, ui: Ui) -> Result<(), CliError> {
    use futures_util::StreamExt;
    let (host, below) = args.place.split_once('/').unwrap_or((&args.place, ""));
    let registries = super::registries(global, ui)?;
    let names = registries.catalog(host).await.map_err(refused)?;
    let names = names.into_iter().filter(|name| name.starts_with(below));
    let text = args.text.map(|text| text.to_lowercase());
    let rows = futures_util::stream::iter(names)
        .map(|name| {
            let registries = registries.clone();
            async move {
                let reference: Reference = format!("{host}/{name}").parse().ok()?;
                let repository = reference.repository;
                // What is neither plugin nor base, or can't be seen, is not listed.
                let tags = registries.tags(&repository).await.ok()?;
                let newest = super::newest(&tags);
                let pick = Pick::Tag(newest.clone());
                let (_, _, manifest) = registries.pick(&repository, &pick).await.ok()?;
                let (kind, hooks, about) = match DescribedBase::of(&manifest, &repository).ok()? {
                    Some(base) => ("base", Vec::new(), base.about),
                    None => {
                        let plugin = Described::of(&manifest, &repository).ok()?;
                        ("plugin", plugin.hooks, plugin.about)
                    }
                };
                Some(Row {
                    kind,
                    reference: repository.to_string(),
                    version: Some(newest),
                    hooks,
                    description: about.description,
                })
            }
        })
        .buffered(AT_ONCE)
        .filter_map(async |row| row)
        .filter(|row| {
            let fits = text.as_ref().is_none_or(|text| {
                let description = row.description.as_deref().unwrap_or_default();
                row.reference.contains(text) || description.to_lowercase().contains(text)
            });
            async move { fits }
        });
    let rows: Vec<Row> = rows.collect().await;
    if ui.is_json() {
        rows.iter().for_each(|row| ui.json(row));
        return Ok(());
    }
    if rows.is_empty() {
        ui.result("no plugins or bases are there that fit, and that one may see");
        return Ok(());
    }
    let lines = rows.into_iter().map(|row| {
        [
            row.reference,
            row.kind.to_owned(),
            printable(&row.version.unwrap_or_default()),
            printable(&row.hooks.join(", ")),
            printable(&row.description.unwrap_or_default()),
        ]
    });
    let head = ["NAME", "KIND", "VERSION", "HOOKS", "DOES"].map(str::to_owned);
    ui.result(&table(std::iter::once(head).chain(lines)));
    Ok(())
}
