//! Puts the plugins of bases and of the project that extends them together.
//!
//! A plugin has one name in all files. Who comes later says more of it, or something else, as far as no base
//! before requires it as it is. Nothing else than plugins is put together: all other tables are the project's.

mod put;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use indexmap::IndexMap;
use toml::Spanned;

use super::base::Base;
use super::convert::Reader;
use super::plugin::PluginPart;
use super::policy::{Override, Policy};
use super::raw::PluginTable;
use super::{ManifestError, Order, PluginEntry};
use crate::app::{App, Name};
use crate::plugin::{DEFAULT_MEMORY, DEFAULT_TIMEOUT};
use crate::registry::Trust;

/// All files that say something of plugins: the bases, and then the project.
pub struct Layers<'a> {
    bases: &'a [Base],
    readers: Vec<Reader<'a>>,
    project: &'a Reader<'a>,
    parts: Vec<Vec<PluginPart>>,
    /// The base that wants signatures of all plugins.
    signed: Option<usize>,
}

/// A plugin as the files up to one say it.
struct Plugin {
    said: PluginPart,
    /// The layer that brings it.
    by: usize,
    /// The layer that says where its component is.
    from: usize,
    /// The base that requires it.
    required: Option<usize>,
    /// What that one says of its configuration.
    fixed: BTreeSet<String>,
    /// The first base that says something of it before it is required, and is not wanted by whoever runs the
    /// deploys.
    outside: Option<usize>,
}

/// What all files together say.
pub struct Merged {
    /// The plugins, in the order in which they run.
    pub plugins: IndexMap<Name, PluginEntry>,
    /// What comes from bases.
    pub policy: Policy,
    /// The layers that bring each of them and say where its component is, and the place of its name.
    places: Vec<(usize, usize, Range<usize>)>,
}

impl<'a> Layers<'a> {
    pub fn new(
        project: &'a Reader<'a>,
        tables: IndexMap<Spanned<String>, PluginTable>,
        bases: &'a [Base],
        app: &App,
    ) -> Result<Self, ManifestError> {
        let readers = bases.iter().map(|base| base.fragment.reader(project.env));
        let readers: Vec<Reader<'a>> = readers.collect();
        let (mut parts, mut signed) = (Vec::new(), None);
        for (index, (base, reader)) in bases.iter().zip(&readers).enumerate() {
            let file = reader.base()?;
            if let Some(trust) = &file.trust {
                if trust.require.is_some() {
                    signed.get_or_insert(index);
                }
                let keys = trust.keys.iter();
                let keys = keys.chain(trust.paths.values().flatten());
                unvouched(base, reader, keys.map(Spanned::span).next(), "trusts a key")?;
            }
            let read = |(name, table)| reader.plugin(&name, table, Some(app));
            let plugins: Vec<PluginPart> = file
                .plugins
                .into_iter()
                .map(read)
                .collect::<Result<_, _>>()?;
            for part in &plugins {
                let grants = part.grants.as_ref();
                let grants = grants.filter(|grants| !grants.value.listed().is_empty());
                let span = grants.map(|grants| grants.span.clone());
                unvouched(base, reader, span, "grants something")?;
            }
            parts.push(plugins);
        }
        let read = |(name, table)| project.plugin(&name, table, Some(app));
        parts.push(tables.into_iter().map(read).collect::<Result<_, _>>()?);
        Ok(Self {
            bases,
            readers,
            project,
            parts,
            signed,
        })
    }

    fn reader(&self, layer: usize) -> &Reader<'a> {
        self.readers.get(layer).unwrap_or(self.project)
    }

    /// Signatures are needed where a base says so; who waives them has to know.
    pub fn trust(
        &self,
        waived: Option<&Spanned<bool>>,
        trust: &mut Trust,
    ) -> Result<(), ManifestError> {
        let Some(base) = self.signed.and_then(|index| self.bases.get(index)) else {
            return Ok(());
        };
        if let Some(waived) = waived.filter(|require| !*require.get_ref()) {
            let reference = &base.facts.reference;
            let message = format!("the base {reference} wants each plugin signed");
            let help = "take the line out, and list the keys of those whose plugins may run here";
            return Err(self
                .project
                .error(waived.span(), message, Some(help.to_owned())));
        }
        trust.require = true;
        Ok(())
    }

    /// Puts all parts together.
    pub fn merge(&mut self) -> Result<Merged, ManifestError> {
        let parts = std::mem::take(&mut self.parts);
        let mut plugins: IndexMap<Name, Plugin> = IndexMap::new();
        let mut overrides = Vec::new();
        for (layer, part) in parts
            .into_iter()
            .enumerate()
            .flat_map(|(layer, parts)| parts.into_iter().map(move |part| (layer, part)))
        {
            match plugins.get_mut(&part.name) {
                Some(plugin) => {
                    self.add(plugin, layer, part, &mut overrides)?;
                }
                None => {
                    let mut plugin = Plugin {
                        by: layer,
                        from: layer,
                        required: None,
                        fixed: BTreeSet::new(),
                        outside: self.is_outside(layer).then_some(layer),
                        said: part,
                    };
                    self.require(&mut plugin, layer)?;
                    plugins.insert(plugin.said.name.clone(), plugin);
                }
            }
        }
        self.finish(plugins, overrides)
    }

    /// True for a base that nobody but the project wants.
    fn is_outside(&self, layer: usize) -> bool {
        self.bases.get(layer).is_some_and(|base| !base.demanded)
    }

    /// Takes note that a base requires a plugin, and of which keys of its configuration.
    fn require(&self, plugin: &mut Plugin, layer: usize) -> Result<(), ManifestError> {
        let keys = plugin.said.config.keys().cloned().collect();
        self.require_keys(plugin, layer, keys)
    }

    fn require_keys(
        &self,
        plugin: &mut Plugin,
        layer: usize,
        keys: BTreeSet<String>,
    ) -> Result<(), ManifestError> {
        let said = &mut plugin.said;
        let Some(required) = said.required.take().filter(|required| required.value) else {
            return Ok(());
        };
        // It may be another base that has not enabled it: this one's word is the place.
        if said.enabled.as_ref().is_some_and(|enabled| !enabled.value) {
            let message = format!("`{}` is required, and not enabled", said.name);
            let help = "say `enabled = true` beside it, or take out one of the two";
            let reader = self.reader(layer);
            return Err(reader.error(required.span, message, Some(help.to_owned())));
        }
        plugin.required.get_or_insert(layer);
        let open = std::mem::take(&mut said.open);
        plugin
            .fixed
            .extend(keys.into_iter().filter(|key| !open.contains(key)));
        Ok(())
    }

    fn finish(
        &self,
        merged: IndexMap<Name, Plugin>,
        overrides: Vec<Override>,
    ) -> Result<Merged, ManifestError> {
        let mut policy = Policy {
            bases: self.bases.iter().map(|base| base.facts.clone()).collect(),
            locked: (self.bases.iter())
                .filter_map(|base| base.locked.clone())
                .collect(),
            overrides,
            ..Policy::default()
        };
        let brought: Vec<_> = merged
            .values()
            .filter(|plugin| plugin.by < self.bases.len())
            .map(|plugin| plugin.said.name.to_string())
            .collect();
        let last = |plugin: &Plugin| {
            let order = plugin.said.order.as_ref();
            order.is_some_and(|order| order.value == Order::Last)
        };
        let (mut last, mut in_order): (Vec<_>, Vec<_>) =
            merged.into_values().partition(|plugin| last(plugin));
        // Bases lie around whoever extends them.
        last.sort_by_key(|plugin| std::cmp::Reverse(plugin.by));
        in_order.append(&mut last);
        let (mut plugins, mut places) = (IndexMap::new(), Vec::new());
        for plugin in in_order {
            let name = plugin.said.name.clone();
            if plugin.by < self.bases.len() {
                policy.brought.insert(name.clone(), plugin.by);
            }
            let place = (plugin.by, plugin.from, plugin.said.span.clone());
            let enabled = plugin.said.enabled.as_ref();
            let enabled = enabled.is_none_or(|enabled| enabled.value);
            if let Some(by) = plugin.required {
                policy.required.insert(name.clone(), by);
            }
            let entry = self.entry(plugin, &brought)?;
            if enabled {
                plugins.insert(name, entry);
                places.push(place);
            }
        }
        Ok(Merged {
            plugins,
            policy,
            places,
        })
    }

    fn entry(&self, plugin: Plugin, brought: &[String]) -> Result<PluginEntry, ManifestError> {
        let reader = self.reader(plugin.by);
        let said = plugin.said;
        let Some(from) = said.from else {
            let name = &said.name;
            let message = format!("the plugin `{name}` has no `path` and no `source`");
            let help = match brought.is_empty() {
                true => "add `path = \"….wasm\"`, the component's file, or \
                         `source = \"oci://HOST/PATH:VERSION\"`, its place in a registry"
                    .to_owned(),
                false => format!(
                    "add one of them; the plugins that bases bring: {}",
                    brought.join(", ")
                ),
            };
            return Err(reader.error(said.span, message, Some(help)));
        };
        let grants = said.grants.map(|grants| grants.value).unwrap_or_default();
        let services = said.services.map(|services| services.value);
        Ok(PluginEntry {
            from: from.value,
            services: services.filter(|services| !services.is_empty()),
            config: (said.config.into_iter())
                .map(|(key, said)| (key, said.value))
                .collect(),
            env: grants
                .env()
                .filter_map(|name| Some((name.to_string(), (reader.env)(name.as_str())?)))
                .collect(),
            grants,
            on_error: said.on_error.map(|said| said.value).unwrap_or_default(),
            timeout: said.timeout.map_or(DEFAULT_TIMEOUT, |said| said.value),
            memory: said.memory.map_or(DEFAULT_MEMORY, |said| said.value),
            limits: said.limits.limits(),
        })
    }
}

/// What nobody vouches for may say which plugins run, and nothing that lets them out of their sandbox.
fn unvouched(
    base: &Base,
    reader: &Reader<'_>,
    span: Option<Range<usize>>,
    what: &str,
) -> Result<(), ManifestError> {
    match span.filter(|_| !base.vouched) {
        None => Ok(()),
        Some(span) => {
            let message = format!("this base {what}, and nobody vouches for it");
            let help = format!(
                "have it signed, with its key under `[trust]` in plugins.toml; or name it by its digest: \
                 {} is {}",
                base.facts.reference, base.facts.digest
            );
            Err(reader.error(span, message, Some(help)))
        }
    }
}

impl Merged {
    /// The plugins with their places, for what is wrong with a secret that one is granted.
    pub fn granted<'x>(
        &'x self,
        layers: &'x Layers<'_>,
    ) -> impl Iterator<Item = (&'x Name, &'x PluginEntry, (&'x Reader<'x>, Range<usize>))> {
        let places = self.plugins.iter().zip(&self.places);
        places.map(|((name, entry), (by, _, span))| {
            let reader: &Reader<'x> = layers.reader(*by);
            (name, entry, (reader, span.clone()))
        })
    }

    /// Whose word counts for plugins that bases bring.
    pub fn trusted(&self, layers: &Layers<'_>, project: &Trust) -> BTreeMap<String, Trust> {
        let places = self.plugins.keys().zip(&self.places);
        let trusted = places.filter_map(|(name, (_, from, _))| {
            let base = layers.bases.get(*from)?;
            let require = project.require || base.trust.require;
            let trust = Trust {
                require,
                ..base.trust.clone()
            };
            Some((name.to_string(), trust))
        });
        trusted.collect()
    }
}
