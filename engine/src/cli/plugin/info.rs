//! `rengine plugin info`.

use clap::Args;
use serde::Serialize;

use super::add::refused;
use crate::app::ByteSize;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::registry::{Described, Digest, Pick, Reference, version};
use crate::ui::{Styles, Ui, printable};

/// Which plugin.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Where it is: HOST/PATH, and which: `:1.2`, `:^1.2` or `@sha256:…` [default: the newest version]
    #[arg(value_name = "REF")]
    reference: String,
}

#[derive(Debug, Serialize)]
struct Info {
    reference: String,
    digest: Digest,
    #[serde(flatten)]
    described: Described,
    versions: Vec<String>,
}

pub async fn run(global: &GlobalArgs, args: InfoArgs, ui: Ui) -> Result<(), CliError> {
    let reference: Reference = args.reference.parse().map_err(refused)?;
    let repository = reference.repository;
    let registries = super::registries(global, ui)?;
    let mut tags = registries.tags(&repository).await.map_err(refused)?;
    // Versions before all else, the newest first.
    tags.sort_by_cached_key(|tag| std::cmp::Reverse((version(tag), tag.clone())));
    let newest = tags
        .iter()
        .find(|tag| version(tag).is_some_and(|version| version.pre.is_empty()));
    let newest = newest.or(tags.first()).cloned();
    let pick = reference.pick.or_else(|| newest.map(Pick::Tag));
    let pick = pick.unwrap_or_else(|| Pick::Tag("latest".to_owned()));
    let (_, digest, manifest) = registries.pick(&repository, &pick).await.map_err(refused)?;
    let mut described = Described::of(&manifest, &repository).map_err(refused)?;
    let completed = registries.complete(&repository, &mut described).await;
    completed.map_err(refused)?;
    let info = Info {
        described,
        reference: repository.to_string(),
        digest,
        versions: tags,
    };
    match ui.is_json() {
        true => ui.json(&info),
        false => ui.result(&render(&info, ui.styles())),
    }
    Ok(())
}

fn render(info: &Info, style: Styles) -> String {
    use std::fmt::Write;
    let described = &info.described;
    let mut text = String::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(
                text,
                "{} {}",
                style.bold(format!("{name:<11}")),
                printable(&value)
            );
        }
    };
    let shown: Vec<_> = info.versions.iter().take(10).map(String::as_str).collect();
    let more = match info.versions.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    line("plugin", described.title.clone());
    line("version", described.version.clone());
    line("does", described.description.clone());
    line("hooks", Some(described.hooks.join(", ")));
    line(
        "interface",
        described
            .wit
            .as_ref()
            .map(|wit| format!("rengine:plugin@{wit}")),
    );
    line("licence", described.license.clone());
    line("source", described.source.clone());
    line("revision", described.revision.clone());
    line("made", described.created.clone());
    line("size", Some(ByteSize(described.size).to_string()));
    line(
        "artifact",
        Some(format!("{}@{}", info.reference, info.digest)),
    );
    line("component", Some(described.component.to_string()));
    line("versions", Some(format!("{}{more}", shown.join(", "))));
    if !described.grants.is_empty() {
        let _ = writeln!(
            text,
            "{} as its author says:",
            style.bold(format!("{:<11}", "grants"))
        );
        for (grant, reason) in &described.grants {
            let _ = writeln!(text, "  {}  {}", printable(grant), printable(reason));
        }
    }
    if let Some(readme) = &described.readme {
        let _ = write!(text, "\n{}", printable(readme));
    }
    text
}
