//! The settings, and every default.

use std::fmt;

use rengine_plugin::config::Duration;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// What `config` in plugins.toml may say. README.md explains each.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The path that is asked for its health.
    pub path: String,
    /// The container port; the first published TCP port if `None`.
    pub port: Option<u16>,
    /// The statuses of a healthy answer.
    pub status: Statuses,
    /// A text that a healthy answer has in its body.
    pub body: Option<String>,
    /// Time for one exchange.
    pub timeout: Duration,
    /// Whether an answer that is not the expected one is final.
    pub strict: bool,
    /// The paths that are requested once, in order, before the container gets traffic.
    pub warm_up: Vec<String>,
    /// Whether the deploy fails with a request of the warm-up.
    pub warm_up_required: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            port: None,
            status: Statuses(vec![(200, 399)]),
            body: None,
            timeout: Duration(std::time::Duration::from_secs(5)),
            strict: false,
            warm_up: Vec::new(),
            warm_up_required: false,
        }
    }
}

/// HTTP statuses, as ranges of a first and a last one: `200`, `"200-399"`, or a list of such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(pub Vec<(u16, u16)>);

impl Statuses {
    /// True if a status is one of these.
    pub fn contains(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|&(first, last)| (first..=last).contains(&status))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" or ")?;
            }
            write!(f, "{first}")?;
            if last != first {
                write!(f, " to {last}")?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ranges;

        impl<'de> Visitor<'de> for Ranges {
            type Value = Statuses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status such as 200, a range such as \"200-399\", or a list of them")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Statuses, E> {
                match range(text) {
                    Some(range) => Ok(Statuses(vec![range])),
                    None => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Statuses, A::Error> {
                let mut ranges = Vec::new();
                while let Some(Statuses(more)) = items.next_element()? {
                    ranges.extend(more);
                }
                if ranges.is_empty() {
                    return Err(A::Error::custom("a list without a status is never met"));
                }
                Ok(Statuses(ranges))
            }
        }

        deserializer.deserialize_any(Ranges)
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let status = |text: &str| {
        let status = text.trim_ascii().parse().ok()?;
        (100..=599).contains(&status).then_some(status)
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (status(first)?, status(last)?),
        None => (status(text)?, status(text)?),
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use rengine_plugin::config::{Error, from_pairs};

    use super::*;

    fn statuses(text: &str) -> Result<Statuses, Error> {
        from_pairs::<Config, _, _>([("status", text)]).map(|config| config.status)
    }

    #[test]
    fn statuses_are_one_a_range_or_a_list() {
        assert_eq!(statuses("204"), Ok(Statuses(vec![(204, 204)])));
        assert_eq!(statuses("200-299"), Ok(Statuses(vec![(200, 299)])));
        let list = statuses(r#"[200, "300 - 302"]"#).unwrap();
        assert_eq!(list.to_string(), "200 or 300 to 302");
        assert!(list.contains(301) && !list.contains(201));
        for bad in [
            "ok",
            "99",
            "600",
            "300-200",
            "200-",
            "[]",
            "[[\"x\"]]",
            "{}",
        ] {
            let error = statuses(bad).unwrap_err().to_string();
            assert!(error.starts_with("config `status"), "{bad}: {error}");
        }
        assert_eq!(
            statuses("ok").unwrap_err().to_string(),
            "config `status`: expected a status such as 200, a range such as \"200-399\", or a list \
             of them, found `ok`"
        );
    }

    #[test]
    fn settings_are_read_as_plugins_toml_hands_them_over() {
        let config: Config = from_pairs([
            ("path", "/ready"),
            ("port", "9090"),
            ("timeout", "500ms"),
            ("warm-up", r#"["/", "/a"]"#),
            ("warm-up-required", "true"),
        ])
        .unwrap();
        let expected = Config {
            path: "/ready".to_owned(),
            port: Some(9090),
            timeout: Duration(std::time::Duration::from_millis(500)),
            warm_up: vec!["/".to_owned(), "/a".to_owned()],
            warm_up_required: true,
            ..Config::default()
        };
        assert_eq!(config, expected);
    }
}
