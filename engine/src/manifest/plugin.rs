//! `[plugins.NAME]`: what one file says of one plugin. Files are put together in `manifest/merge.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use indexmap::IndexMap;
use toml::{Spanned, Value};

use super::convert::{Origin, Reader};
use super::raw::{LimitsTable, PluginTable, RegistryTable};
use super::{ManifestError, OnError, Order, PluginSource};
use crate::app::{App, ByteSize, Name};
use crate::grants::Grants;
use crate::plugin::{Limits, MAX_TABLE_ELEMENTS};
use crate::registry::{Reference, RegistrySettings, Source};
use std::time::Duration;

/// A value, and where a file says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Said<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<T> From<Spanned<T>> for Said<T> {
    fn from(spanned: Spanned<T>) -> Self {
        Self {
            span: spanned.span(),
            value: spanned.into_inner(),
        }
    }
}

/// What one file says of one plugin.
#[derive(Debug)]
pub struct PluginPart {
    pub name: Name,
    /// Where its name is.
    pub span: Range<usize>,
    pub enabled: Option<Said<bool>>,
    pub required: Option<Said<bool>>,
    pub open: BTreeSet<String>,
    pub order: Option<Said<Order>>,
    pub from: Option<Said<PluginSource>>,
    pub services: Option<Said<BTreeSet<Name>>>,
    pub config: BTreeMap<String, Said<String>>,
    pub grants: Option<Said<Grants>>,
    pub on_error: Option<Said<OnError>>,
    pub timeout: Option<Said<Duration>>,
    pub memory: Option<Said<ByteSize>>,
    pub limits: LimitsPart,
}

/// What one file says of a plugin's limits.
#[derive(Debug, Default)]
pub struct LimitsPart {
    pub log: Option<Said<ByteSize>>,
    pub http: Option<Said<ByteSize>>,
    pub result: Option<Said<ByteSize>>,
    pub table_elements: Option<Said<usize>>,
    pub instances: Option<Said<usize>>,
}

impl LimitsPart {
    /// All limits, with defaults for what is not said.
    pub fn limits(&self) -> Limits {
        fn or<T: Copy>(said: &Option<Said<T>>, default: T) -> T {
            said.as_ref().map_or(default, |said| said.value)
        }
        let default = Limits::default();
        Limits {
            log: or(&self.log, default.log),
            http: or(&self.http, default.http),
            result: or(&self.result, default.result),
            table_elements: or(&self.table_elements, default.table_elements),
            instances: or(&self.instances, default.instances),
        }
    }
}

impl Reader<'_> {
    /// Reads what this file says of a plugin. Services are those of `app`, where it is known.
    pub(super) fn plugin(
        &self,
        name: &Spanned<String>,
        table: PluginTable,
        app: Option<&App>,
    ) -> Result<PluginPart, ManifestError> {
        let parsed = self.name(name)?;
        self.only_in_bases(&table)?;
        let from = self.plugin_source(name, &table)?;
        let services = table.services.as_ref();
        Ok(PluginPart {
            name: parsed,
            span: name.span(),
            from,
            services: services
                .map(|services| self.services(services, app))
                .transpose()?,
            open: self.open(&table)?,
            enabled: table.enabled.map(Said::from),
            required: table.required.map(Said::from),
            order: table.order.map(Said::from),
            config: table
                .config
                .into_iter()
                .map(|(key, value)| {
                    let (span, value) = (key.span(), config_text(value));
                    (key.into_inner(), Said { value, span })
                })
                .collect(),
            grants: table.grants.map(Said::from),
            on_error: table.on_error.map(Said::from),
            timeout: self.said(table.timeout.as_ref(), |text| self.duration(Some(text)))?,
            memory: self.said(table.memory.as_ref(), |text| self.size(Some(text)))?,
            limits: self.limits_part(table.limits)?,
        })
    }

    /// What a project runs it can leave out again: there is nothing that it could require.
    fn only_in_bases(&self, table: &PluginTable) -> Result<(), ManifestError> {
        if self.origin != Origin::Project {
            return Ok(());
        }
        let keys = [
            ("required", table.required.as_ref().map(Spanned::span)),
            ("open", table.open.as_ref().map(Spanned::span)),
            ("order", table.order.as_ref().map(Spanned::span)),
        ];
        let used = keys.into_iter().find_map(|(key, span)| Some((key, span?)));
        match used {
            None => Ok(()),
            Some((key, span)) => {
                let message = format!("`{key}` is for bases, which others extend");
                let help = "a project runs what its plugins.toml says, in the order in which it \
                            stands there: take the line out";
                Err(self.error(span, message, Some(help.into())))
            }
        }
    }

    fn open(&self, table: &PluginTable) -> Result<BTreeSet<String>, ManifestError> {
        let Some(open) = &table.open else {
            return Ok(BTreeSet::new());
        };
        if !table
            .required
            .as_ref()
            .is_some_and(|required| *required.get_ref())
        {
            let message = "`open` goes with `required = true`".to_owned();
            let help = "all that is not required is open: take the line out";
            return Err(self.error(open.span(), message, Some(help.into())));
        }
        let unset = open
            .get_ref()
            .iter()
            .find(|key| !table.config.contains_key(key.as_str()));
        match unset {
            None => Ok(open.get_ref().iter().cloned().collect()),
            Some(key) => {
                let message = format!("`{key}` is open, and `config` does not set it");
                let help = "keys that a base does not set are open already";
                Err(self.error(open.span(), message, Some(help.into())))
            }
        }
    }

    fn services(
        &self,
        services: &Spanned<Vec<Spanned<String>>>,
        app: Option<&App>,
    ) -> Result<Said<BTreeSet<Name>>, ManifestError> {
        let mut named = BTreeSet::new();
        for service in services.get_ref() {
            let wanted = self.name(service)?;
            if let Some(app) = app.filter(|app| !app.services.contains_key(&wanted)) {
                let known: Vec<_> = app.services.keys().map(Name::as_str).collect();
                let message = format!("the app has no service `{wanted}`");
                let help = format!("its services: {}", known.join(", "));
                return Err(self.error(service.span(), message, Some(help)));
            }
            named.insert(wanted);
        }
        Ok(Said {
            value: named,
            span: services.span(),
        })
    }

    fn said<T>(
        &self,
        text: Option<&Spanned<String>>,
        read: impl Fn(&Spanned<String>) -> Result<Option<T>, ManifestError>,
    ) -> Result<Option<Said<T>>, ManifestError> {
        let Some(text) = text else { return Ok(None) };
        let span = text.span();
        Ok(read(text)?.map(|value| Said { value, span }))
    }

    fn plugin_source(
        &self,
        name: &Spanned<String>,
        table: &PluginTable,
    ) -> Result<Option<Said<PluginSource>>, ManifestError> {
        if let Some(used) = &table.builtin {
            let message = "plugins can't be loaded by `builtin` yet".to_owned();
            let help = "write `path = \"….wasm\"` or `source = \"oci://…\"`";
            return Err(self.error(used.span(), message, Some(help.into())));
        }
        match (&table.path, &table.source) {
            (Some(path), None) if self.origin == Origin::Artifact => {
                let message = "a base in a registry brings no files: its plugins are in one, too";
                let help =
                    "publish it with `rengine plugin push`, and write `source = \"oci://…\"`";
                Err(self.error(path.span(), message.into(), Some(help.into())))
            }
            (Some(path), None) => Ok(Some(Said {
                value: PluginSource::File(self.dir.join(path.get_ref())),
                span: path.span(),
            })),
            (None, Some(source)) => match source.get_ref().parse::<Source>() {
                Ok(parsed) => Ok(Some(Said {
                    value: PluginSource::Registry(parsed),
                    span: source.span(),
                })),
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
            (None, None) => Ok(None),
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
        Ok(self.limits_part(table)?.limits())
    }

    fn limits_part(&self, table: LimitsTable) -> Result<LimitsPart, ManifestError> {
        let size = |text: Option<&Spanned<String>>| self.said(text, |text| self.size(Some(text)));
        let count = |count: Option<Spanned<u32>>| {
            count.map(|count| Said {
                value: usize::try_from(*count.get_ref()).unwrap_or(usize::MAX),
                span: count.span(),
            })
        };
        let table_elements = count(table.table_elements);
        if let Some(elements) = &table_elements
            && elements.value > MAX_TABLE_ELEMENTS
        {
            return Err(self.error(
                elements.span.clone(),
                format!("{MAX_TABLE_ELEMENTS} elements of tables are the most there can be"),
                None,
            ));
        }
        Ok(LimitsPart {
            log: size(table.log.as_ref())?,
            http: size(table.http.as_ref())?,
            result: size(table.result.as_ref())?,
            table_elements,
            instances: count(table.instances),
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
