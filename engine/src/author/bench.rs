//! How fast a plugin is.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::cases::{Case, from_text};
use super::{AuthorError, check, micros};
use crate::app::ByteSize;
use crate::plugin::{Hook, PluginHost, Settings};

/// What hooks are given where there is no file of cases.
const GIVEN: &str = include_str!("bench.toml");
/// Calls before those that count, for caches of all kinds.
const WARM_UP: usize = 5;
/// Calls that are counted at most.
const CALLS: usize = 500;
/// Time in which no further call of a hook begins.
const BUDGET: Duration = Duration::from_secs(2);
/// Loads from the cache that are counted.
const LOADS: usize = 10;

/// What was measured of one component.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Benchmark {
    /// The file's size in bytes.
    pub size: u64,
    /// Loading it for the first time on a machine, which compiles it.
    #[serde(serialize_with = "micros", rename = "compile-us")]
    pub compile: Duration,
    /// Loading it with its compiled code in the cache.
    pub load: Times,
    /// Making an instance.
    pub start: Times,
    /// The linear memory of an instance, in bytes, before a hook is called.
    pub memory: u64,
    /// The hooks, each with a new instance for each call.
    pub hooks: Vec<HookTimes>,
}

/// The calls of one hook with what one case gives.
#[derive(Debug, Clone, Serialize)]
pub struct HookTimes {
    /// The hook.
    pub hook: Hook,
    /// The case.
    pub case: String,
    /// True if it ended well, false if it refused or failed.
    pub ok: bool,
    /// How long the calls took.
    #[serde(flatten)]
    pub times: Times,
}

/// What some measurements of the same come to.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Times {
    /// How many there were.
    pub n: usize,
    /// Half of them took no longer.
    #[serde(serialize_with = "micros", rename = "median-us")]
    pub median: Duration,
    /// 95 of 100 took no longer.
    #[serde(serialize_with = "micros", rename = "p95-us")]
    pub p95: Duration,
}

impl Times {
    /// Of one measurement at least.
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let index = (times.len() * percent).div_ceil(100).max(1) - 1;
            times.get(index).copied().unwrap_or_default()
        };
        Self {
            n: times.len(),
            median: at(50),
            p95: at(95),
        }
    }
}

impl Benchmark {
    /// Measures a component, with the cases of a file or with cases of its own.
    ///
    /// # Errors
    ///
    /// If the component can't be loaded, or the cases can't be read.
    pub async fn run(component: &Path, cases: Option<&Path>) -> Result<Self, AuthorError> {
        let scratch = tempfile::tempdir().map_err(AuthorError::io("making", component))?;
        // A cache of its own, so that the first load compiles whatever was loaded before.
        let host = PluginHost::new(Some(scratch.path()))
            .map_err(|reason| AuthorError::NoHost { reason })?;
        let inspection = host.inspect(component).await?;
        let settings = Settings {
            grants: check::imported(&inspection)?,
            ..check::settings(component)
        };
        let plugin = host.load(settings.clone()).await?;
        let (size, compile) = (plugin.size(), plugin.load_time());
        let mut loads = Vec::with_capacity(LOADS);
        for _ in 0..LOADS {
            let plugin = host.load(settings.clone()).await?;
            loads.push(plugin.load_time());
        }
        let mut starts = Vec::with_capacity(CALLS);
        let mut memory = ByteSize(0);
        let began = Instant::now();
        while starts.len() < CALLS && (starts.is_empty() || began.elapsed() < BUDGET) {
            let started = plugin.start().await;
            let started = started.map_err(|reason| AuthorError::NoStart { reason })?;
            starts.push(started.took);
            memory = started.memory;
        }
        let cases = match cases {
            Some(path) => super::load_cases(path)?,
            None => from_text(GIVEN)?
                .into_iter()
                .filter(|case| plugin.has(case.hook))
                .map(|case| Case {
                    grants: settings.grants.clone(),
                    ..case
                })
                .collect(),
        };
        let mut hooks = Vec::with_capacity(cases.len());
        for case in &cases {
            hooks.push(measure(&host, component, case).await?);
        }
        Ok(Self {
            size,
            compile,
            load: Times::of(loads),
            start: Times::of(starts),
            memory: memory.0,
            hooks,
        })
    }
}

async fn measure(
    host: &PluginHost,
    component: &Path,
    case: &Case,
) -> Result<HookTimes, AuthorError> {
    let plugin = case.load(host, component).await?;
    let mut ok = true;
    for _ in 0..WARM_UP {
        ok = case.call_on(&plugin).await.error.is_none();
    }
    let mut times = Vec::with_capacity(CALLS);
    let began = Instant::now();
    while times.len() < CALLS && (times.is_empty() || began.elapsed() < BUDGET) {
        times.push(case.call_on(&plugin).await.took);
    }
    Ok(HookTimes {
        hook: case.hook,
        case: case.name.clone(),
        ok,
        times: Times::of(times),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_sorted_list() {
        let times = |range: std::ops::RangeInclusive<u64>| {
            Times::of(range.rev().map(Duration::from_millis).collect())
        };
        let hundred = times(1..=100);
        assert_eq!(
            (
                hundred.n,
                hundred.median.as_millis(),
                hundred.p95.as_millis()
            ),
            (100, 50, 95)
        );
        let one = times(7..=7);
        assert_eq!(
            (one.n, one.median.as_millis(), one.p95.as_millis()),
            (1, 7, 7)
        );
    }

    #[test]
    fn every_hook_is_given_something() {
        let cases = from_text(GIVEN).expect("cases");
        let given: Vec<_> = cases.iter().map(|case| case.hook).collect();
        assert_eq!(given, Hook::ALL);
    }
}
