//! `strategy`, `[app.canary]` and `[app.rolling]`.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::{Spanned, Value};

use super::ManifestError;
use super::convert::Reader;
use super::raw::{AppTable, CanaryTable, RollingTable};
use crate::app::{App, Batches, Canary, Name, Service, Strategy, StrategyName};
use crate::compose::Project;

impl Reader<'_> {
    /// Where the strategies of services are written; `at` is the place of that of `[app]`.
    pub(super) fn strategies(
        &self,
        app: &App,
        project: Option<&Project>,
        at: Option<Range<usize>>,
    ) -> BTreeMap<Name, String> {
        let services = app.services.values();
        let named = services.filter(|service| service.strategy.is_some());
        let place = |service: &Service| match (project, &at) {
            (Some(project), _) => {
                let path = ["services", service.name.as_str(), "x-rengine", "strategy"];
                project.span(&path).place().to_string()
            }
            (None, at) => self.place(at.as_ref().map_or(0, |at| at.start)),
        };
        let places = named.map(|service| (service.name.clone(), place(service)));
        places.collect()
    }

    /// How many containers there are.
    pub(super) fn replicas(&self, table: &AppTable) -> Result<u32, ManifestError> {
        let Some(replicas) = &table.replicas else {
            return Ok(1);
        };
        match *replicas.get_ref() {
            0 => {
                let message = "a service has at least 1 container".to_owned();
                let help = "`rengine stop` stops it, and `rengine down` removes it".to_owned();
                Err(self.error(replicas.span(), message, Some(help)))
            }
            count => Ok(count),
        }
    }

    /// How new containers take the places of old ones, and how many at a time.
    pub(super) fn rollout(
        &self,
        table: &AppTable,
    ) -> Result<(Option<Strategy>, Option<Batches>), ManifestError> {
        let named = table.strategy.as_ref().map(|name| *name.get_ref());
        let only = |table: &str, strategy: &str, span| {
            let message = format!("`{table}` goes with `strategy = \"{strategy}\"`");
            self.error(span, message, None)
        };
        let canary = match &table.canary {
            Some(canary) if named != Some(StrategyName::Canary) => {
                return Err(only("canary", "canary", canary.span()));
            }
            Some(canary) => self.canary(canary.get_ref())?,
            None => Canary::default(),
        };
        let batches = match (&table.rolling, named) {
            (Some(rolling), Some(StrategyName::Recreate | StrategyName::Canary)) => {
                return Err(only("rolling", "rolling", rolling.span()));
            }
            (Some(rolling), _) => Some(self.rolling(rolling)?),
            (None, _) => None,
        };
        Ok((named.map(|name| name.with(canary)), batches))
    }

    fn canary(&self, table: &CanaryTable) -> Result<Canary, ManifestError> {
        let mut canary = Canary::default();
        for (key, text) in [
            ("share", &table.share),
            ("for", &table.time),
            ("max-errors", &table.max_errors),
            ("max-latency", &table.max_latency),
        ] {
            if let Some(text) = text {
                self.at(canary.set(key, text.get_ref()), text.span())?;
            }
        }
        if let Some(number) = &table.min_requests {
            let text = number.get_ref().to_string();
            self.at(canary.set("min-requests", &text), number.span())?;
        }
        Ok(canary)
    }

    fn rolling(&self, table: &Spanned<RollingTable>) -> Result<Batches, ManifestError> {
        let mut batches = Batches::default();
        let own = table.get_ref();
        for (key, value) in [
            ("max-surge", &own.max_surge),
            ("max-unavailable", &own.max_unavailable),
            ("min-ready", &own.min_ready),
        ] {
            let Some(value) = value else { continue };
            let text = match value.get_ref() {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            self.at(batches.set(key, &text), value.span())?;
        }
        // Who says that containers may be missing need not have more.
        if own.max_surge.is_none() && own.max_unavailable.is_some() {
            self.at(batches.set("max-surge", "0"), table.span())?;
        }
        if !batches.can_proceed() {
            let message = "with no container more and none less, none can be replaced".to_owned();
            let help = "give `max-surge` or `max-unavailable` at least 1".to_owned();
            return Err(self.error(table.span(), message, Some(help)));
        }
        Ok(batches)
    }
}
