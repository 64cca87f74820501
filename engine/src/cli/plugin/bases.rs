//! What other versions of bases change.

use serde::Serialize;

use super::Project;
use crate::cli::GlobalArgs;
use crate::manifest::{Manifest, OnError, PluginSource};
use crate::plugin::{DEFAULT_MEMORY, DEFAULT_TIMEOUT, Limits};
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

/// Something that holds of a project, or did.
#[derive(Debug, Clone, Serialize)]
struct Fact {
    #[serde(skip)]
    plugin: String,
    what: String,
    /// True if it lets somebody do something, or has less checked.
    asks: bool,
    /// True if its end does.
    #[serde(skip)]
    guards: bool,
    /// True for what holds where nobody says otherwise: it is told where something else held before.
    #[serde(skip)]
    usual: bool,
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
        let (new, gone) = compare(
            before.as_ref().map(|before| &before.manifest),
            &project.manifest,
        );
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
            new,
            gone,
        }
    }

    /// True if they let somebody do what could not be done before.
    pub fn asks_for_more(&self) -> bool {
        self.new.iter().chain(&self.gone).any(|fact| fact.asks)
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
            let sign = match fact.asks {
                true => style.odd("!"),
                false => style.dim("-"),
            };
            ui.note(&format!("  {sign} no longer: {}", printable(&fact.what)));
        }
    }
}

/// What holds now and did not, and what does not hold any more.
fn compare(before: Option<&Manifest>, after: &Manifest) -> (Vec<Fact>, Vec<Fact>) {
    let names = |manifest: &Manifest| -> Vec<String> {
        manifest.plugins.keys().map(ToString::to_string).collect()
    };
    let (old, new) = (before.map_or_else(Vec::new, names), names(after));
    let mut was = before.map_or_else(Vec::new, facts);
    let mut is = facts(after);
    // Who comes last sees what the others did.
    let order = |of: &[String], also: &[String]| {
        let both = of.iter().filter(|name| also.contains(name));
        let both: Vec<_> = both.map(String::as_str).collect();
        Fact {
            plugin: String::new(),
            what: format!("plugins run in this order: {}", both.join(", ")),
            asks: true,
            guards: false,
            usual: false,
        }
    };
    was.push(order(&old, &new));
    is.push(order(&new, &old));
    let minus = |all: &[Fact], but: &[Fact], others: &[String]| -> Vec<Fact> {
        let left = all.iter().filter(|fact| {
            let told = !fact.usual || others.contains(&fact.plugin);
            told && !but.iter().any(|other| other.what == fact.what)
        });
        left.cloned().collect()
    };
    let mut gone = minus(&was, &is, &new);
    for fact in &mut gone {
        fact.asks = fact.guards;
    }
    (minus(&is, &was, &old), gone)
}

/// What can be said of the plugins of a project.
fn facts(manifest: &Manifest) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (name, entry) in &manifest.plugins {
        let mut say = |asks: bool, guards: bool, usual: bool, what: String| {
            facts.push(Fact {
                plugin: name.to_string(),
                what: format!("plugin {name} {what}"),
                asks,
                guards,
                usual,
            });
        };
        let from = match &entry.from {
            PluginSource::File(path) => path.display().to_string(),
            PluginSource::Registry(source) => source.to_string(),
        };
        say(true, true, false, format!("is {from}"));
        for grant in entry.grants.listed() {
            say(true, false, false, format!("is granted {grant}"));
        }
        if let Some(base) = manifest.policy.requirer(name.as_str()) {
            say(
                false,
                true,
                false,
                format!("is required by {}", base.reference),
            );
        }
        let (what, asks) = match entry.on_error {
            OnError::Fail => ("ends the deploy where it refuses or fails", false),
            OnError::Warn => ("only warns where it refuses or fails", true),
        };
        say(asks, false, !asks, what.to_owned());
        match &entry.services {
            None => say(false, false, true, "is for all services".to_owned()),
            Some(services) => {
                let services: Vec<_> = services.iter().map(ToString::to_string).collect();
                let what = format!("is for these services alone: {}", services.join(", "));
                say(true, false, false, what);
            }
        }
        // Where it is stopped sooner it may check less, and later it may do more.
        let (limits, usual) = (&entry.limits, Limits::default());
        let time = humantime::format_duration(entry.timeout);
        let is_usual = entry.timeout == DEFAULT_TIMEOUT;
        say(true, false, is_usual, format!("has the timeout {time}"));
        let sizes = [
            ("memory", entry.memory, DEFAULT_MEMORY),
            ("log", limits.log, usual.log),
            ("http", limits.http, usual.http),
            ("result", limits.result, usual.result),
        ];
        for (what, size, usual) in sizes {
            say(
                true,
                false,
                size == usual,
                format!("has the limit {what} = {size}"),
            );
        }
        let counts = [
            (
                "table-elements",
                limits.table_elements,
                usual.table_elements,
            ),
            ("instances", limits.instances, usual.instances),
        ];
        for (what, count, usual) in counts {
            say(
                true,
                false,
                count == usual,
                format!("has the limit {what} = {count}"),
            );
        }
        for (key, value) in &entry.config {
            say(false, false, false, format!("has config.{key} = {value:?}"));
        }
        let trust = manifest.trust.of(name.as_str());
        let paths = trust.outer.iter().chain([&trust.paths]).flatten();
        let keys = trust.keys.iter().chain(paths.flat_map(|(_, keys)| keys));
        for key in keys {
            say(
                true,
                false,
                false,
                format!("may be signed by the key {}", key.id()),
            );
        }
        if !trust.require {
            say(true, false, false, "needs no signature".to_owned());
        }
    }
    facts
}
