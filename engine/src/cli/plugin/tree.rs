//! `rengine plugin tree`.

use super::Project;
use super::add::refused;
use crate::app::Name;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::cli::session::SourceArgs;
use crate::deploy::policy_record;
use crate::manifest::PluginSource;
use crate::plugin::needed_grants;
use crate::release::{OverrideRecord, PolicyRecord};
use crate::ui::{Styles, Ui, printable, render_base, render_override};

pub async fn run(global: &GlobalArgs, sources: SourceArgs, ui: Ui) -> Result<(), CliError> {
    use std::fmt::Write;
    let project = Project::load_with(global, sources, &|_| false, ui).await?;
    let files = project.wanted.files(&project.sources).await?;
    // What was new is locked by now.
    let lock = project.wanted.lock().map_err(refused)?;
    let host = super::host()?;
    let style = ui.styles();
    let mut text = String::new();
    let policy = &project.manifest.policy;
    let record = policy_record(policy).unwrap_or_default();
    for (index, base) in record.bases.iter().enumerate() {
        let named = |names: &indexmap::IndexMap<Name, usize>| -> Vec<String> {
            let names = names.iter().filter(|(_, by)| **by == index);
            names.map(|(name, _)| name.to_string()).collect()
        };
        let (brings, requires) = (named(&policy.brought), named(&policy.required));
        if ui.is_json() {
            let mut value = serde_json::json!(base);
            value["event"] = "base".into();
            value["brings"] = brings.into();
            value["requires"] = requires.into();
            ui.json(&value);
            continue;
        }
        let at = policy.bases.get(index).map_or("", |base| &base.at);
        let lines = [
            ("extended", format!("at {at}")),
            ("brings", brings.join(", ")),
            ("requires", requires.join(", ")),
        ];
        let _ = writeln!(text, "base {}", render_base(base, style));
        branches(
            &mut text,
            lines.into_iter().filter(|(_, line)| !line.is_empty()),
            style,
        );
    }
    for ((name, entry), file) in project.manifest.plugins.iter().zip(files) {
        let inspection = host.inspect(&file.path).await?;
        let (place, version) = match &entry.from {
            PluginSource::File(path) => (path.display().to_string(), None),
            PluginSource::Registry(source) => {
                let locked = lock.get(name.as_str());
                (
                    source.to_string(),
                    locked.and_then(|locked| locked.version.clone()),
                )
            }
        };
        let imports: Vec<_> = inspection
            .imports
            .iter()
            .map(|import| import.name.clone())
            .collect();
        let grants = needed_grants(&imports);
        let hooks: Vec<_> = inspection.hooks.iter().map(|hook| hook.name()).collect();
        if ui.is_json() {
            ui.json(&serde_json::json!({
                "plugin": name, "source": place, "version": version, "component": format!("sha256:{}", inspection.digest),
                "hooks": hooks, "imports": imports, "grants": grants,
                "base": policy.bringer(name.as_str()).map(|base| &base.reference),
                "required-by": policy.requirer(name.as_str()).map(|base| &base.reference),
                "overrides": overrides(&record, name.as_str()).collect::<Vec<_>>(),
            }));
            continue;
        }
        let version = version.map_or_else(String::new, |version| format!(" {version}"));
        let _ = writeln!(
            text,
            "{}{} {}",
            style.plugin(name),
            printable(&version),
            style.dim(printable(&place))
        );
        let mut lines: Vec<(&str, String)> = Vec::new();
        if let Some(base) = policy.requirer(name.as_str()) {
            lines.push(("required", format!("by the base {}", base.reference)));
        } else if let Some(base) = policy.bringer(name.as_str()) {
            lines.push(("from", format!("the base {}", base.reference)));
        }
        let overrides = overrides(&record, name.as_str());
        lines.extend(overrides.map(|one| ("override", render_override(one, style))));
        lines.push(("hooks", hooks.join(", ")));
        lines.extend(imports.into_iter().map(|import| ("imports", import)));
        lines.extend(grants.into_iter().map(|grant| ("needs", grant)));
        branches(&mut text, lines.into_iter(), style);
    }
    let runs = |name: &Name| project.manifest.plugins.contains_key(name);
    for (name, _) in policy.brought.iter().filter(|(name, _)| !runs(name)) {
        if ui.is_json() {
            ui.json(&serde_json::json!({
                "plugin": name, "enabled": false,
                "base": policy.bringer(name.as_str()).map(|base| &base.reference),
                "overrides": overrides(&record, name.as_str()).collect::<Vec<_>>(),
            }));
            continue;
        }
        let _ = writeln!(text, "{} {}", style.plugin(name), style.odd("left out"));
        let base = policy
            .bringer(name.as_str())
            .map_or("", |base| &base.reference);
        let mut lines = vec![("from", format!("the base {base}"))];
        let overrides = overrides(&record, name.as_str());
        lines.extend(overrides.map(|one| ("override", render_override(one, style))));
        branches(&mut text, lines.into_iter(), style);
    }
    if !ui.is_json() {
        let none = "no plugins: `rengine plugin add` takes one from a registry\n".to_owned();
        ui.result(if text.is_empty() { &none } else { &text });
    }
    Ok(())
}

/// What is said of a plugin in its base's stead.
fn overrides<'a>(
    record: &'a PolicyRecord,
    plugin: &'a str,
) -> impl Iterator<Item = &'a OverrideRecord> {
    let overrides = record.overrides.iter();
    overrides.filter(move |one| one.plugin == plugin)
}

/// What hangs below a line.
fn branches<'a>(text: &mut String, lines: impl Iterator<Item = (&'a str, String)>, style: Styles) {
    use std::fmt::Write;
    let mut lines = lines.peekable();
    while let Some((what, line)) = lines.next() {
        let branch = if lines.peek().is_none() {
            "└─"
        } else {
            "├─"
        };
        let line = match what {
            // Its parts are printable, and have colours.
            "override" => line,
            _ => printable(&line),
        };
        let _ = writeln!(text, "{} {what} {line}", style.dim(branch));
    }
}
