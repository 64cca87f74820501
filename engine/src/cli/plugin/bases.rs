//! What other versions of bases change.

use serde::Serialize;

use super::Project;
use crate::cli::GlobalArgs;
use crate::manifest::{Manifest, PluginSource};
use crate::registry::Lock;
use crate::ui::{Ui, printable};

/// What changes with other versions of bases.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event", rename = "bases-update")]
pub struct BasesNews {
    bases: Vec<BaseNews>,
    /// What holds with them, and did not before.
    new: Vec<Fact>,
    /// What does not hold any more.
    gone: Vec<Fact>,
}

#[derive(Debug, Serialize)]
struct BaseNews {
    base: String,
    from: Option<String>,
    to: String,
    digest: String,
}

/// Something that holds of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Fact {
    what: String,
    /// True if it lets somebody do something.
    asks: bool,
}

impl BasesNews {
    /// Compares a project, whose bases were asked for anew, with what is locked.
    pub async fn of(global: &GlobalArgs, project: &Project, old: &Lock, ui: Ui) -> Self {
        let wanted = project.wanted.bases();
        let changed: Vec<_> = wanted
            .iter()
            .filter(|base| old.base(&base.source) != Some(base))
            .collect();
        let gone = old
            .bases
            .iter()
            .any(|base| !wanted.iter().any(|known| known.source == base.source));
        if changed.is_empty() && !gone {
            return Self::default();
        }
        // Where a base was not locked, nobody has agreed to what it says.
        let known = changed.iter().all(|base| old.base(&base.source).is_some());
        let before = match known {
            true => Project::load(global, ui).await.ok(),
            false => None,
        };
        let before = before.map_or_else(Vec::new, |before| facts(&before.manifest));
        let after = facts(&project.manifest);
        let minus = |all: &[Fact], but: &[Fact]| -> Vec<Fact> {
            let left = all.iter().filter(|fact| !but.contains(fact));
            left.cloned().collect()
        };
        let bases = changed.into_iter().map(|base| {
            let short = base.digest.short().to_owned();
            BaseNews {
                base: base.source.clone(),
                from: old.base(&base.source).map(|old| {
                    let short = old.digest.short().to_owned();
                    old.version.clone().unwrap_or(short)
                }),
                to: base.version.clone().unwrap_or(short),
                digest: base.digest.to_string(),
            }
        });
        Self {
            bases: bases.collect(),
            new: minus(&after, &before),
            gone: minus(&before, &after),
        }
    }

    /// True if they let somebody do what could not be done before.
    pub fn asks_for_more(&self) -> bool {
        self.new.iter().any(|fact| fact.asks)
    }

    /// Shows it, if there is something.
    pub fn show(&self, ui: Ui) {
        if self.bases.is_empty() && self.gone.is_empty() {
            return;
        }
        if ui.is_json() {
            ui.json(self);
            return;
        }
        let style = ui.styles();
        for base in &self.bases {
            let to = style.bold(printable(&base.to));
            let versions = match &base.from {
                Some(from) if *from == base.to => format!("{to}, which is another now"),
                Some(from) => format!("{} → {to}", printable(from)),
                None => to,
            };
            ui.note(&format!("base {} {versions}", printable(&base.base)));
        }
        for fact in &self.new {
            let sign = match fact.asks {
                true => style.odd("!"),
                false => style.good("+"),
            };
            ui.note(&format!("  {sign} {}", printable(&fact.what)));
        }
        for fact in &self.gone {
            ui.note(&format!("  {} {}", style.dim("-"), printable(&fact.what)));
        }
    }
}

/// What can be said of the plugins of a project.
fn facts(manifest: &Manifest) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |asks: bool, what: String| facts.push(Fact { what, asks });
    for (name, entry) in &manifest.plugins {
        let from = match &entry.from {
            PluginSource::File(path) => path.display().to_string(),
            PluginSource::Registry(source) => source.to_string(),
        };
        add(true, format!("plugin {name} is {from}"));
        for grant in entry.grants.listed() {
            add(true, format!("plugin {name} is granted {grant}"));
        }
        if let Some(base) = manifest.policy.requirer(name.as_str()) {
            add(
                false,
                format!("plugin {name} is required by {}", base.reference),
            );
        }
        for (key, value) in &entry.config {
            add(false, format!("plugin {name} has config.{key} = {value:?}"));
        }
        let trust = manifest.trust.of(name.as_str());
        let paths = trust.outer.iter().chain([&trust.paths]).flatten();
        let keys = trust.keys.iter().chain(paths.flat_map(|(_, keys)| keys));
        for key in keys {
            add(
                true,
                format!("plugin {name} may be signed by the key {}", key.id()),
            );
        }
        if !trust.require {
            add(true, format!("plugin {name} needs no signature"));
        }
    }
    facts
}
