//! What a later file says of a plugin, key by key: in the place of what was said before, or an error where a base
//! requires that.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use super::{Layers, Plugin, unvouched};
use crate::app::{ByteSize, Name};
use crate::grants::Grants;
use crate::manifest::plugin::{PluginPart, Said};
use crate::manifest::policy::Override;
use crate::manifest::{ManifestError, OnError, Order, PluginSource};
use crate::plugin::{DEFAULT_MEMORY, DEFAULT_TIMEOUT, Limits};

/// How much of a value is shown of what is said instead of another.
const SHOWN: usize = 120;

impl Layers<'_> {
    /// Takes what a later layer says of a plugin.
    pub(super) fn add(
        &self,
        plugin: &mut Plugin,
        layer: usize,
        part: PluginPart,
        overrides: &mut Vec<Override>,
    ) -> Result<(), ManifestError> {
        if let Some(base) = self.bases.get(layer) {
            // Otherwise it could put another component below what others grant.
            let what = format!("changes plugin `{}`, which another brings", part.name);
            unvouched(base, self.reader(layer), Some(part.span.clone()), &what)?;
            // What comes first says what is not said later, and whose signature counts: a project could have
            // a base of its own say that.
            let requires = part.required.as_ref().is_some_and(|said| said.value);
            let outside = plugin.outside.and_then(|outside| self.bases.get(outside));
            if let Some(outside) = outside.filter(|_| base.demanded && requires) {
                let message = format!(
                    "plugin `{}` is required by a base that whoever runs the deploys asks for, and the base {} \
                     says something of it before",
                    part.name, outside.facts.reference
                );
                let help = "take that one out of `extends`, or put it behind this one";
                let reader = self.reader(layer);
                return Err(reader.error(part.span, message, Some(help.to_owned())));
            }
        }
        let fixed_inside = plugin.required.is_some_and(|by| !self.is_outside(by));
        if self.is_outside(layer) && !fixed_inside {
            plugin.outside.get_or_insert(layer);
        }
        let mut put = Put {
            layers: self,
            overrides,
            name: &part.name,
            layer,
            base: plugin.by,
            required: plugin.required,
        };
        let (old, fixed) = (&mut plugin.said, &plugin.fixed);
        let place =
            |from: &Option<Said<PluginSource>>| from.as_ref().map(|from| from.value.clone());
        if part.from.is_some() && place(&part.from) != place(&old.from) {
            plugin.from = layer;
        }
        let key = match part.from.as_ref().map(|from| &from.value) {
            Some(PluginSource::File(_)) => "path",
            _ => "source",
        };
        put.put(key, &mut old.from, part.from, |_, _| false, source)?;
        let yes = |_: Option<&bool>, new: &bool| *new;
        put.put(
            "enabled",
            &mut old.enabled,
            part.enabled,
            yes,
            bool::to_string,
        )?;
        // Nobody but whoever requires it says that it is not required.
        if let Some(required) = part.required.as_ref().filter(|required| !required.value)
            && let Some(by) = plugin.required
        {
            return Err(put.refused(by, "required", required.span.clone()));
        }
        let never = |_: Option<&Order>, _: &Order| false;
        put.put("order", &mut old.order, part.order, never, order)?;
        put.put(
            "services",
            &mut old.services,
            part.services,
            |_, _| false,
            services,
        )?;
        let none = |old: Option<&_>, new: &Grants| new.listed().is_empty() && old.is_none();
        put.put("grants", &mut old.grants, part.grants, none, grants)?;
        let stricter = |_: Option<&OnError>, new: &OnError| *new == OnError::Fail;
        put.put(
            "on-error",
            &mut old.on_error,
            part.on_error,
            stricter,
            on_error,
        )?;
        let longer = |old: Option<&Duration>, new: &Duration| {
            *new >= old.copied().unwrap_or(DEFAULT_TIMEOUT)
        };
        put.put("timeout", &mut old.timeout, part.timeout, longer, time)?;
        let (limits, default) = (part.limits, Limits::default());
        let mut size = |key, slot: &mut Option<Said<ByteSize>>, new, default: ByteSize| {
            let more =
                |old: Option<&ByteSize>, new: &ByteSize| *new >= old.copied().unwrap_or(default);
            put.put(key, slot, new, more, ByteSize::to_string)
        };
        size("memory", &mut old.memory, part.memory, DEFAULT_MEMORY)?;
        size("limits.log", &mut old.limits.log, limits.log, default.log)?;
        size(
            "limits.http",
            &mut old.limits.http,
            limits.http,
            default.http,
        )?;
        size(
            "limits.result",
            &mut old.limits.result,
            limits.result,
            default.result,
        )?;
        let mut count = |key, slot: &mut Option<Said<usize>>, new, default: usize| {
            let more = |old: Option<&usize>, new: &usize| *new >= old.copied().unwrap_or(default);
            put.put(key, slot, new, more, usize::to_string)
        };
        let (elements, instances) = (default.table_elements, default.instances);
        let old_limits = &mut old.limits;
        count(
            "limits.table-elements",
            &mut old_limits.table_elements,
            limits.table_elements,
            elements,
        )?;
        count(
            "limits.instances",
            &mut old_limits.instances,
            limits.instances,
            instances,
        )?;
        let keys: BTreeSet<String> = part.config.keys().cloned().collect();
        for (key, value) in part.config {
            let mut slot = old.config.remove(&key);
            let open = |_: Option<&String>, _: &String| !fixed.contains(&key);
            put.put(
                &format!("config.{key}"),
                &mut slot,
                Some(value),
                open,
                String::clone,
            )?;
            old.config.extend(slot.map(|value| (key, value)));
        }
        old.required = part.required;
        old.open = part.open;
        self.require_keys(plugin, layer, keys)
    }
}

/// Puts what a layer says in the place of what was said before.
struct Put<'l, 'a> {
    layers: &'l Layers<'a>,
    overrides: &'l mut Vec<Override>,
    name: &'l Name,
    layer: usize,
    /// The layer that brings the plugin.
    base: usize,
    /// The base that requires it.
    required: Option<usize>,
}

impl Put<'_, '_> {
    /// `may` says whether it can be so where the plugin is required, `shown` how people see it.
    fn put<T: PartialEq>(
        &mut self,
        key: &str,
        slot: &mut Option<Said<T>>,
        new: Option<Said<T>>,
        may: impl Fn(Option<&T>, &T) -> bool,
        shown: impl Fn(&T) -> String,
    ) -> Result<(), ManifestError> {
        let Some(new) = new else { return Ok(()) };
        let old = slot.as_ref().map(|said| &said.value);
        if old == Some(&new.value) {
            return Ok(());
        }
        if let Some(by) = self.required
            && !may(old, &new.value)
        {
            return Err(self.refused(by, key, new.span));
        }
        let short = |value: &T| {
            let text = shown(value);
            match text.char_indices().nth(SHOWN) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        };
        let same = |one: &&Override| one.plugin == *self.name && one.key == key;
        let before = self.overrides.iter().rev().find(same);
        self.overrides.push(Override {
            plugin: self.name.clone(),
            key: key.to_owned(),
            base: before.map_or(self.base, |before| before.by),
            by: self.layer,
            at: self.layers.reader(self.layer).place(new.span.start),
            old: old.map(short),
            new: short(&new.value),
        });
        *slot = Some(new);
        Ok(())
    }

    fn refused(&self, by: usize, key: &str, span: Range<usize>) -> ManifestError {
        let base = self.layers.bases.get(by);
        let base = base.map_or("", |base| &base.facts.reference);
        let message = format!(
            "plugin `{}` is required by the base {base}: `{key}` can't be changed here",
            self.name
        );
        let help = match key {
            "enabled" => "a required plugin runs in each project that extends the base",
            "timeout" | "memory" => "it can be raised, and not lowered",
            key if key.starts_with("limits.") => "it can be raised, and not lowered",
            "on-error" => {
                "it can be `\"fail\"` in the place of `\"warn\"`, and not the other way round"
            }
            key if key.starts_with("config.") => {
                "the base sets this key, and does not list it under `open`; others can be set"
            }
            _ => "take the line out; what its base leaves open can be configured: see SHARING.md",
        };
        let reader = self.layers.reader(self.layer);
        reader.error(span, message, Some(help.to_owned()))
    }
}

fn source(from: &PluginSource) -> String {
    match from {
        PluginSource::File(path) => path.display().to_string(),
        PluginSource::Registry(source) => source.to_string(),
    }
}

fn services(names: &BTreeSet<Name>) -> String {
    let names: Vec<_> = names.iter().map(Name::as_str).collect();
    names.join(", ")
}

fn grants(grants: &Grants) -> String {
    grants.listed().join(", ")
}

fn order(order: &Order) -> String {
    match order {
        Order::First => "first".to_owned(),
        Order::Last => "last".to_owned(),
    }
}

fn on_error(on_error: &OnError) -> String {
    match on_error {
        OnError::Fail => "fail".to_owned(),
        OnError::Warn => "warn".to_owned(),
    }
}

fn time(time: &Duration) -> String {
    humantime::format_duration(*time).to_string()
}
