//! `[plugins.NAME]`.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use toml::{Spanned, Value};

use super::convert::Reader;
use super::raw::{LimitsTable, PluginTable, RegistryTable};
use super::{ManifestError, PluginEntry, PluginSource};
use crate::app::{App, ByteSize, Name};
use crate::plugin::{DEFAULT_MEMORY, DEFAULT_TIMEOUT, Limits, MAX_TABLE_ELEMENTS};
use crate::registry::{Reference, RegistrySettings, Source};

impl Reader<'_> {
    pub(super) fn plugin(
        &self,
        name: Spanned<String>,
        table: PluginTable,
        app: &App,
    ) -> Result<(Name, PluginEntry), ManifestError> {
        let parsed = self.name(&name)?;
        let from = self.plugin_source(&name, &table)?;
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
            from,
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

    fn plugin_source(
        &self,
        name: &Spanned<String>,
        table: &PluginTable,
    ) -> Result<PluginSource, ManifestError> {
        if let Some(used) = &table.builtin {
            let message = "plugins can't be loaded by `builtin` yet".to_owned();
            let help = "write `path = \"….wasm\"` or `source = \"oci://…\"`";
            return Err(self.error(used.span(), message, Some(help.into())));
        }
        match (&table.path, &table.source) {
            (Some(path), None) => Ok(PluginSource::File(self.dir.join(path.get_ref()))),
            (None, Some(source)) => match source.get_ref().parse::<Source>() {
                Ok(parsed) => Ok(PluginSource::Registry(parsed)),
                Err(error) => {
                    let help = error.help.clone();
                    Err(self.error(source.span(), error.to_string(), help))
                }
            },
            (Some(_), Some(source)) => {
                let message = format!(
                    "the plugin `{}` has a `path` and a `source`",
                    name.get_ref()
                );
                let help = "a plugin is a file here or in a registry: leave one out";
                Err(self.error(source.span(), message, Some(help.into())))
            }
            (None, None) => {
                let message = format!(
                    "the plugin `{}` has no `path` and no `source`",
                    name.get_ref()
                );
                let help = "add `path = \"….wasm\"`, the component's file, or \
                            `source = \"oci://HOST/PATH:VERSION\"`, its place in a registry";
                Err(self.error(name.span(), message, Some(help.into())))
            }
        }
    }

    /// Those of a file of which all else may be wrong.
    pub(super) fn registries_alone(
        &self,
    ) -> Result<BTreeMap<String, RegistrySettings>, ManifestError> {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Alone {
            registries: IndexMap<Spanned<String>, RegistryTable>,
        }
        let alone: Alone = self.parse()?;
        self.registries(alone.registries)
    }

    pub(super) fn registries(
        &self,
        tables: IndexMap<Spanned<String>, RegistryTable>,
    ) -> Result<BTreeMap<String, RegistrySettings>, ManifestError> {
        let host = |host: &Spanned<String>| {
            // What a reference can have as its host.
            let checked: Result<Reference, _> = format!("{}/x", host.get_ref()).parse();
            match checked {
                Ok(_) => Ok(host.get_ref().clone()),
                Err(_) => {
                    let message = format!("`{}` is no host of a registry", host.get_ref());
                    let help = "write it as sources do: `registry.example.com`, or with a port";
                    Err(self.error(host.span(), message, Some(help.into())))
                }
            }
        };
        let one = |(name, table): (Spanned<String>, RegistryTable)| {
            let ca = table.ca.as_ref();
            let ca = ca
                .map(|path| self.pem(path, "CERTIFICATE-----"))
                .transpose()?;
            let mirrors = table.mirrors.iter().map(host).collect::<Result<_, _>>()?;
            let timeout = self.duration(table.timeout.as_ref())?;
            let settings = RegistrySettings {
                mirrors,
                ca,
                timeout,
            };
            Ok((host(&name)?, settings))
        };
        tables.into_iter().map(one).collect()
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
