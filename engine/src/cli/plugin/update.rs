//! `rengine plugin update`.

use clap::Args;
use serde::Serialize;

use super::Project;
use super::add::refused;
use super::bases::BasesNews;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::cli::session::SourceArgs;
use crate::plugin::needed_grants;
use crate::registry::{Locked, Resolved, SCHEME, Source};
use crate::ui::{Styles, Ui, printable};

/// Which plugins.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Their names in plugins.toml, or the places of bases in registries [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take what asks for more than before without a question
    #[arg(short, long)]
    yes: bool,
}

/// What changes with another version of a plugin.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event", rename = "plugin-update")]
pub struct News {
    plugin: String,
    from: Option<String>,
    to: String,
    digest: String,
    new_hooks: Vec<String>,
    gone_hooks: Vec<String>,
    new_imports: Vec<String>,
    gone_imports: Vec<String>,
    /// Grants that it can't be loaded without, and could before.
    new_grants: Vec<String>,
    /// What its author says that grants are for.
    reasons: std::collections::BTreeMap<String, String>,
}

impl News {
    /// True if it asks for more than it did.
    fn asks_for_more(&self) -> bool {
        !self.new_imports.is_empty() || !self.new_hooks.is_empty() || !self.new_grants.is_empty()
    }
}

pub async fn run(global: &GlobalArgs, args: UpdateArgs, ui: Ui) -> Result<(), CliError> {
    let named =
        |source: &Source| args.names.is_empty() || args.names.iter().any(|name| is(name, source));
    let project = Project::load_with(global, SourceArgs::default(), &named, ui).await?;
    let remote = project.wanted.remote();
    let bases: Vec<Source> = (project.wanted.bases().iter())
        .filter_map(|base| base.source.parse().ok())
        .collect();
    for name in &args.names {
        let is_plugin = remote.iter().any(|(known, _)| known == name);
        if !is_plugin && !bases.iter().any(|base| is(name, base)) {
            let known = remote.iter().map(|(name, _)| name.clone());
            let known: Vec<_> = known.chain(bases.iter().map(Source::to_string)).collect();
            return Err(CliError::NoPlugin {
                name: name.clone(),
                known: match known.is_empty() {
                    true => "there are none".to_owned(),
                    false => known.join(", "),
                },
            });
        }
    }
    let old = project.wanted.lock().map_err(refused)?;
    let resolver = project.wanted.resolver(&project.sources).map_err(refused)?;
    let anew = |name: &str| args.names.is_empty() || args.names.iter().any(|wanted| wanted == name);
    let mut resolution = resolver
        .resolve(&remote, &old, &anew)
        .await
        .map_err(refused)?;
    resolution.lock.set_bases(project.wanted.bases());
    let bases = BasesNews::of(global, &project, &old, ui).await;
    let changed = resolution
        .plugins
        .iter()
        .filter(|plugin| old.get(&plugin.name) != Some(&plugin.locked));
    let news: Vec<_> = changed
        .map(|plugin| news(plugin, old.get(&plugin.name)))
        .collect();
    if resolution.lock == old {
        if !ui.is_json() {
            ui.result("all plugins are up to date");
        }
        return Ok(());
    }
    bases.show(ui);
    if args.dry_run {
        show(&news, ui);
        return Ok(());
    }
    show(&news, ui);
    let asks = bases.asks_for_more() || news.iter().any(News::asks_for_more);
    if asks && !agreed(args.yes, "update", ui)? {
        return Ok(());
    }
    let kept = project
        .wanted
        .keep(&old, &resolution.lock, &*project.sources.reporter);
    kept.map_err(refused)?;
    if !ui.is_json() {
        ui.result(&format!("wrote {}", project.wanted.lock_path().display()));
    }
    Ok(())
}

/// True if a base is meant by that: its source, or its place.
fn is(name: &str, base: &Source) -> bool {
    let place = base.repository.to_string();
    name == base.to_string() || name.strip_prefix(SCHEME).unwrap_or(name) == place
}

/// What changes with a plugin that was locked as `old`, if it was.
pub(super) fn news(new: &Resolved, old: Option<&Locked>) -> News {
    let none = Vec::new();
    let minus = |all: &[String], but: &[String]| -> Vec<String> {
        let left = all.iter().filter(|name| !but.contains(name));
        left.cloned().collect()
    };
    let (hooks, imports) = old.map_or((&none, &none), |old| (&old.hooks, &old.imports));
    let locked = &new.locked;
    let grants = minus(&needed_grants(&locked.imports), &needed_grants(imports));
    // Another version of an interface gives nothing new.
    let names = |imports: &[String]| -> Vec<String> {
        let names = imports
            .iter()
            .map(|name| name.split('@').next().unwrap_or(name).to_owned());
        names.collect()
    };
    let (old_names, new_names) = (names(imports), names(&locked.imports));
    let version = |locked: &Locked| {
        let digest = locked.digest.short().to_owned();
        locked.version.clone().unwrap_or(digest)
    };
    News {
        plugin: new.name.clone(),
        from: old.map(version),
        to: version(locked),
        digest: locked.digest.to_string(),
        new_hooks: minus(&locked.hooks, hooks),
        gone_hooks: minus(hooks, &locked.hooks),
        new_imports: minus(&new_names, &old_names),
        gone_imports: minus(&old_names, &new_names),
        new_grants: grants,
        reasons: new.described.grants.clone(),
    }
}

/// Shows what changes, and asks whether it may where more is asked for than before.
pub(super) fn agree(
    news: &[News],
    yes: bool,
    what: &'static str,
    ui: Ui,
) -> Result<bool, CliError> {
    show(news, ui);
    match news.iter().any(News::asks_for_more) {
        true => agreed(yes, what, ui),
        false => Ok(true),
    }
}

/// Asks whether what asks for more may be done.
fn agreed(yes: bool, what: &'static str, ui: Ui) -> Result<bool, CliError> {
    if yes {
        return Ok(true);
    }
    match ui.confirm(&format!("{what} it?")) {
        Some(true) => Ok(true),
        Some(false) => {
            ui.note("nothing was changed");
            Ok(false)
        }
        None => Err(CliError::Unasked { what }),
    }
}

fn show(news: &[News], ui: Ui) {
    for one in news {
        match ui.is_json() {
            true => ui.json(one),
            false => ui.note(&render(one, ui.styles())),
        }
    }
}

fn render(news: &News, style: Styles) -> String {
    use std::fmt::Write;
    let from = match &news.from {
        Some(from) if *from == news.to => format!("{from}, which is another now"),
        Some(from) => format!("{} → {}", printable(from), style.bold(printable(&news.to))),
        None => style.bold(printable(&news.to)),
    };
    let mut text = format!("{} {from}", style.plugin(&news.plugin));
    let mut line = |sign: &str, what: &str, names: &[String]| {
        if !names.is_empty() {
            let names = printable(&names.join(", "));
            let _ = write!(text, "\n  {sign} {what} {names}");
        }
    };
    let (plus, minus) = (style.good("+"), style.dim("-"));
    line(&plus, "hooks", &news.new_hooks);
    line(&minus, "hooks", &news.gone_hooks);
    line(&plus, "imports", &news.new_imports);
    line(&minus, "imports", &news.gone_imports);
    let needed = style.odd("!");
    line(&needed, "needs grants", &news.new_grants);
    for (grant, reason) in &news.reasons {
        let reason = printable(&format!("{grant}: {reason}"));
        let _ = write!(text, "\n    {} {reason}", style.dim("its author says"));
    }
    text
}
