//! How the new containers of a service take the places of the old ones.

use std::time::Duration;

use serde::Serialize;

use super::share::Share;
use super::text;

/// How a new release of a service takes the place of the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The new containers run beside the old ones until they are well; then requests go to them.
    Rolling,
    /// The old containers are stopped before the new ones start: for what has to be alone.
    Recreate,
    /// The new containers get a share of the requests first, and are judged by it.
    Canary(Canary),
}

/// The name of a [`Strategy`], as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrategyName {
    /// [`Strategy::Rolling`].
    Rolling,
    /// [`Strategy::Recreate`].
    Recreate,
    /// [`Strategy::Canary`].
    Canary,
}

impl<'de> serde::Deserialize<'de> for StrategyName {
    /// Of a word alone: what is said of a table helps those who put settings of a strategy there.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl serde::de::Visitor<'_> for Word {
            type Value = StrategyName;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(
                    "\"rolling\", \"recreate\" or \"canary\"; how it is done is said in `canary` or `rolling` beside it",
                )
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<StrategyName, E> {
                match word {
                    "rolling" => Ok(StrategyName::Rolling),
                    "recreate" => Ok(StrategyName::Recreate),
                    "canary" => Ok(StrategyName::Canary),
                    _ => Err(E::unknown_variant(word, &["rolling", "recreate", "canary"])),
                }
            }
        }

        deserializer.deserialize_str(Word)
    }
}

impl StrategyName {
    /// The strategy of this name; `canary` says how, where it is one.
    pub fn with(self, canary: Canary) -> Strategy {
        match self {
            Self::Rolling => Strategy::Rolling,
            Self::Recreate => Strategy::Recreate,
            Self::Canary => Strategy::Canary(canary),
        }
    }
}

/// How new containers are tried out, and what they may not do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Canary {
    /// Their part of new requests.
    pub share: Share,
    /// For how long.
    #[serde(rename = "for", serialize_with = "text::duration")]
    pub time: Duration,
    /// The part of their requests that may fail, unless more fail at the old ones.
    pub max_errors: Share,
    /// The time in which 95 of 100 answers have to begin, unless the old ones are slower; `None` for
    /// twice the time of the old ones.
    #[serde(serialize_with = "text::optional_duration")]
    pub max_latency: Option<Duration>,
    /// The requests that it takes to judge them.
    pub min_requests: u64,
}

impl Default for Canary {
    fn default() -> Self {
        Self {
            share: Share::percent(10),
            time: Duration::from_secs(120),
            max_errors: Share::percent(1),
            max_latency: None,
            min_requests: 100,
        }
    }
}

/// The longest time of a canary: the deploy, and its lock, lasts as long.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Canary {
    /// Takes over what is written under a key.
    ///
    /// # Errors
    ///
    /// Why it can't be meant.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
        match key {
            "share" => {
                let share = text.parse::<Share>().map_err(|error| error.to_string())?;
                if share == Share::default() || share == Share::percent(100) {
                    return Err(
                        "a canary gets more than nothing, and less than all: between 0.01% \
                                and 99.99% of the requests"
                            .to_owned(),
                    );
                }
                self.share = share;
            }
            "for" => self.time = time(text)?,
            "max-errors" => self.max_errors = text.parse().map_err(|error| format!("{error}"))?,
            "max-latency" => self.max_latency = Some(time(text)?),
            "min-requests" => self.min_requests = number(text)?.max(1),
            other => return Err(format!("a canary has no `{other}`")),
        }
        Ok(())
    }
}

/// How many containers are replaced at a time, where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Batches {
    /// How many may run beyond those that there are to be.
    pub max_surge: Amount,
    /// How many of those that there are to be may be missing.
    pub max_unavailable: Amount,
    /// How long new containers have to be healthy before the next old ones go.
    #[serde(serialize_with = "text::duration")]
    pub min_ready: Duration,
}

impl Default for Batches {
    fn default() -> Self {
        Self {
            max_surge: Amount::Count(1),
            max_unavailable: Amount::Count(0),
            min_ready: Duration::ZERO,
        }
    }
}

impl Batches {
    /// Takes over what is written under a key.
    ///
    /// # Errors
    ///
    /// Why it can't be meant.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
        match key {
            "max-surge" => self.max_surge = Amount::parse(text)?,
            "max-unavailable" => self.max_unavailable = Amount::parse(text)?,
            "min-ready" => self.min_ready = time(text)?,
            other => return Err(format!("a rolling update has no `{other}`")),
        }
        Ok(())
    }

    /// False if nothing could ever be replaced.
    pub fn can_proceed(&self) -> bool {
        !(self.max_surge.is_zero() && self.max_unavailable.is_zero())
    }

    /// How many of so many containers may be too many, and how many too few. One can always be
    /// replaced: as in Kubernetes, parts of the first are rounded up and of the second down.
    pub fn of(&self, replicas: usize) -> (usize, usize) {
        let surge = self.max_surge.of(replicas, usize::div_ceil);
        let unavailable = self.max_unavailable.of(replicas, |all, part| all / part);
        match (surge, unavailable.min(replicas)) {
            (0, 0) => (1, 0),
            both => both,
        }
    }
}

/// A number of containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", untagged)]
pub enum Amount {
    /// So many.
    Count(u32),
    /// A part of those that there are to be.
    Part(Share),
}

impl Amount {
    /// From `2` or `25%`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.parse::<u32>() {
            Ok(count) => Ok(Self::Count(count)),
            Err(_) => text.parse().map(Self::Part).map_err(|_| {
                format!("`{text}` is no number of containers: write it like `1` or `25%`")
            }),
        }
    }

    fn is_zero(self) -> bool {
        matches!(self, Self::Count(0)) || self == Self::Part(Share::default())
    }

    fn of(self, replicas: usize, divide: fn(usize, usize) -> usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::Part(share) => divide(
                replicas.saturating_mul(usize::from(share.points())),
                usize::from(Share::WHOLE),
            ),
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Part(share) => write!(f, "{share}"),
        }
    }
}

fn time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time > LONGEST => Err("a day is the longest that it can be".to_owned()),
        Ok(time) if time > Duration::ZERO => Ok(time),
        Ok(_) => Err("a time must be longer than 0".to_owned()),
        Err(error) => Err(format!(
            "`{text}` is not a time: {error}; write a number with a unit, such as 10s or 1m 30s"
        )),
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no number of requests"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_containers_are_rounded_so_that_one_can_go() {
        let batches = |surge: &str, unavailable: &str| {
            let mut batches = Batches::default();
            batches.set("max-surge", surge).expect(surge);
            batches.set("max-unavailable", unavailable).expect("one");
            batches
        };
        for (surge, unavailable, replicas, of) in [
            ("1", "0", 3, (1, 0)),
            ("25%", "25%", 10, (3, 2)),
            ("25%", "25%", 1, (1, 0)),
            ("0", "10%", 3, (1, 0)),
            ("0", "5", 3, (0, 3)),
            ("100%", "0%", 4, (4, 0)),
        ] {
            let batches = batches(surge, unavailable);
            assert_eq!(batches.of(replicas), of, "{surge} {unavailable} {replicas}");
            assert!(batches.can_proceed());
        }
        assert!(!batches("0", "0%").can_proceed());
    }

    #[test]
    fn what_can_not_be_meant_is_told() {
        for (key, text, words) in [
            ("share", "10", "`10` is no share"),
            ("share", "0%", "more than nothing"),
            ("share", "100%", "less than all"),
            ("for", "2", "`2` is not a time"),
            ("for", "0s", "longer than 0"),
            ("for", "2days", "a day is the longest"),
            ("max-errors", "a", "`a` is no share"),
            ("min-requests", "-1", "no number of requests"),
        ] {
            let error = Canary::default().set(key, text).expect_err(text);
            assert!(error.contains(words), "{error}");
        }
        let error = Batches::default().set("max-surge", "half");
        assert!(error.expect_err("half").contains("`1` or `25%`"));
    }
}
