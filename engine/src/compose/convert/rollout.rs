//! What `x-rengine` and `update_config` say of how containers are replaced.

use serde::Deserialize;

use super::super::model::{UpdateConfig, UpdateOrder};
use super::{Converter, OWN, Result};
use crate::app::{Amount, Batches, Canary, Strategy, StrategyName};

/// What rengine takes from `x-rengine` of a service.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Own {
    strategy: Option<StrategyName>,
    canary: Option<OwnCanary>,
    rolling: Option<OwnRolling>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct OwnCanary {
    share: Option<Scalar>,
    #[serde(rename = "for")]
    time: Option<Scalar>,
    max_errors: Option<Scalar>,
    max_latency: Option<Scalar>,
    min_requests: Option<Scalar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct OwnRolling {
    max_surge: Option<Scalar>,
    max_unavailable: Option<Scalar>,
    min_ready: Option<Scalar>,
}

/// YAML's `10` and `10%` are not of one type.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(u64),
    Text(String),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Converter<'_> {
    /// How new containers take the places of old ones, and how many at a time. What `x-rengine` says
    /// goes before what is there for Swarm.
    pub(super) fn rollout(&self) -> Result<(Option<Strategy>, Option<Batches>)> {
        let own = match self.service.extensions.get(OWN) {
            None => Own::default(),
            Some(own) => Own::deserialize(own).map_err(|error| {
                self.error(&[OWN], format!("has an `{OWN}` that can't be: {error}"))
            })?,
        };
        let named = own.strategy;
        let only = |table: &str| {
            let what = format!("has `{table}` in `{OWN}`, which goes with `strategy: {table}`");
            self.error(&[OWN, table], what)
        };
        if own.canary.is_some() && named != Some(StrategyName::Canary) {
            return Err(only("canary"));
        }
        let alone = matches!(named, Some(StrategyName::Recreate | StrategyName::Canary));
        if own.rolling.is_some() && alone {
            return Err(only("rolling"));
        }
        let canary = self.canary(own.canary.unwrap_or_default())?;
        let batches = match (own.rolling, &self.service.deploy.update_config) {
            (Some(rolling), _) => Some(self.rolling(&rolling)?),
            (None, Some(config)) if !alone => of_swarm(config),
            (None, _) => None,
        };
        Ok((named.map(|name| name.with(canary)), batches))
    }

    fn canary(&self, own: OwnCanary) -> Result<Canary> {
        let mut canary = Canary::default();
        for (key, value) in [
            ("share", own.share),
            ("for", own.time),
            ("max-errors", own.max_errors),
            ("max-latency", own.max_latency),
            ("min-requests", own.min_requests),
        ] {
            if let Some(value) = value {
                let set = canary.set(key, &value.text());
                set.map_err(|why| self.unmeant(&[OWN, "canary", key], key, &why))?;
            }
        }
        Ok(canary)
    }

    fn rolling(&self, own: &OwnRolling) -> Result<Batches> {
        let mut batches = Batches::default();
        for (key, value) in [
            ("max-surge", &own.max_surge),
            ("max-unavailable", &own.max_unavailable),
            ("min-ready", &own.min_ready),
        ] {
            if let Some(value) = value {
                let set = batches.set(key, &value.text());
                set.map_err(|why| self.unmeant(&[OWN, "rolling", key], key, &why))?;
            }
        }
        // Who says that containers may be missing need not have more.
        if own.max_surge.is_none() && own.max_unavailable.is_some() {
            batches.max_surge = Amount::Count(0);
        }
        match batches.can_proceed() {
            true => Ok(batches),
            false => Err(self
                .error(
                    &[OWN, "rolling"],
                    "can replace no container: none more is allowed, and none less",
                )
                .help("give `max-surge` or `max-unavailable` at least 1")),
        }
    }

    fn unmeant(&self, path: &[&str], key: &str, why: &str) -> super::ComposeError {
        self.error(path, format!("has a `{key}` that can't be: {why}"))
    }
}

/// What Swarm's words come to. `None` for all at once.
fn of_swarm(config: &UpdateConfig) -> Option<Batches> {
    // As in Swarm, one after the other where nothing is said.
    let count = u32::try_from(config.parallelism.unwrap_or(1)).unwrap_or(u32::MAX);
    if count == 0 {
        return None;
    }
    // Without a word the new one comes first, unlike in Swarm: no request is lost then.
    let (max_surge, max_unavailable) = match config.order {
        Some(UpdateOrder::StopFirst) => (0, count),
        Some(UpdateOrder::StartFirst) | None => (count, 0),
    };
    let times = [config.delay, config.monitor];
    Some(Batches {
        max_surge: Amount::Count(max_surge),
        max_unavailable: Amount::Count(max_unavailable),
        min_ready: times.into_iter().flatten().max().unwrap_or_default(),
    })
}
