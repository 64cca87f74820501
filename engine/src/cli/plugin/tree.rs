//! `rengine plugin tree`.

use super::Project;
use super::add::refused;
use crate::cli::error::CliError;
use crate::cli::{GlobalArgs, session};
use crate::manifest::PluginSource;
use crate::plugin::needed_grants;
use crate::ui::{Ui, printable};

pub async fn run(global: &GlobalArgs, ui: Ui) -> Result<(), CliError> {
    use std::fmt::Write;
    let project = Project::load(global, session::SourceArgs::default(), ui)?;
    let lock = project.wanted.lock().map_err(refused)?;
    let files = project.wanted.files(&project.sources).await?;
    let host = super::host()?;
    let style = ui.styles();
    let mut text = String::new();
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
        let mut lines: Vec<(&str, String)> = vec![("hooks", hooks.join(", "))];
        lines.extend(imports.into_iter().map(|import| ("imports", import)));
        lines.extend(grants.into_iter().map(|grant| ("needs", grant)));
        let last = lines.len().saturating_sub(1);
        for (index, (what, line)) in lines.into_iter().enumerate() {
            let branch = if index == last { "└─" } else { "├─" };
            let _ = writeln!(text, "{} {what} {}", style.dim(branch), printable(&line));
        }
    }
    if !ui.is_json() {
        let none = "no plugins: `rengine plugin add` takes one from a registry\n".to_owned();
        ui.result(if text.is_empty() { &none } else { &text });
    }
    Ok(())
}
