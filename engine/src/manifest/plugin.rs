//! `[plugins.NAME]`.

use toml::{Spanned, Value};

use super::convert::Reader;
use super::raw::{LimitsTable, PluginTable};
use super::{ManifestError, PluginEntry};
use crate::app::{App, ByteSize, Name};
use crate::plugin::{DEFAULT_MEMORY, DEFAULT_TIMEOUT, Limits, MAX_TABLE_ELEMENTS};

impl Reader<'_> {
    pub(super) fn plugin(
        &self,
        name: Spanned<String>,
        table: PluginTable,
        app: &App,
    ) -> Result<(Name, PluginEntry), ManifestError> {
        let parsed = self.name(&name)?;
        for (key, used) in [("source", &table.source), ("builtin", &table.builtin)] {
            if let Some(used) = used {
                let message = format!("plugins can't be loaded by `{key}` yet");
                let help = "put the component beside plugins.toml, and write `path = \"….wasm\"`";
                return Err(self.error(used.span(), message, Some(help.into())));
            }
        }
        let Some(path) = table.path else {
            let message = format!("the plugin `{parsed}` has no `path`");
            let help = "add `path = \"….wasm\"`, the component's file";
            return Err(self.error(name.span(), message, Some(help.into())));
        };
        let mut services = None;
        for service in table.services.iter().flatten() {
            let wanted = self.name(service)?;
            if !app.services.contains_key(&wanted) {
                let known: Vec<_> = app.services.keys().map(Name::as_str).collect();
                let message = format!("the app has no service `{wanted}`");
                let help = format!("its services: {}", known.join(", "));
                return Err(self.error(service.span(), message, Some(help)));
            }
            services
                .get_or_insert_with(std::collections::BTreeSet::new)
                .insert(wanted);
        }
        let entry = PluginEntry {
            path: self.dir.join(path),
            services,
            config: table
                .config
                .into_iter()
                .map(|(key, value)| (key, config_text(value)))
                .collect(),
            env: table
                .grants
                .env()
                .filter_map(|name| Some((name.to_string(), (self.env)(name.as_str())?)))
                .collect(),
            grants: table.grants,
            on_error: table.on_error,
            timeout: self
                .duration(table.timeout.as_ref())?
                .unwrap_or(DEFAULT_TIMEOUT),
            memory: self.size(table.memory.as_ref())?.unwrap_or(DEFAULT_MEMORY),
            limits: self.limits(table.limits)?,
        };
        Ok((parsed, entry))
    }

    pub(crate) fn limits(&self, table: LimitsTable) -> Result<Limits, ManifestError> {
        let default = Limits::default();
        let size = |text: Option<&Spanned<String>>, default: ByteSize| {
            self.size(text).map(|size| size.unwrap_or(default))
        };
        let count = |count: Option<u32>, default: usize| {
            count.map_or(default, |count| {
                usize::try_from(count).unwrap_or(usize::MAX)
            })
        };
        let table_elements = table.table_elements.as_ref();
        if let Some(elements) = table_elements
            && *elements.get_ref() as usize > MAX_TABLE_ELEMENTS
        {
            return Err(self.error(
                elements.span(),
                format!("{MAX_TABLE_ELEMENTS} elements of tables are the most there can be"),
                None,
            ));
        }
        Ok(Limits {
            log: size(table.log.as_ref(), default.log)?,
            http: size(table.http.as_ref(), default.http)?,
            result: size(table.result.as_ref(), default.result)?,
            table_elements: count(
                table_elements.map(|elements| *elements.get_ref()),
                default.table_elements,
            ),
            instances: count(table.instances, default.instances),
        })
    }
}

/// Scalars as text, arrays and tables as JSON: what `wasi:config` can carry.
pub(crate) fn config_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(_) | Value::Table(_) => serde_json::to_string(&value).unwrap_or_default(),
        other => other.to_string(),
    }
}
