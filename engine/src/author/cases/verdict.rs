//! What is expected of a hook, and how it differs from what it did.

use std::collections::BTreeMap;

use super::Outcome;
use super::outcome::{change_line, log_line, request_line, status_line};
use super::snapshot::difference;
use crate::plugin::PluginError;

/// What a case expects. What is not said may be anything, but for a refusal or a failure: the
/// hook must end well where none is expected.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expected {
    /// All changes, as `rengine plan` shows them, in order of the fields.
    pub changes: Option<Vec<String>>,
    /// All names that the image gets.
    pub tags: Option<Vec<String>>,
    /// All requests to other hosts, each its method and address.
    pub requests: Option<Vec<String>>,
    /// All that is kept for it after the call.
    pub state: Option<BTreeMap<String, String>>,
    /// A part of the refusal's reason.
    pub refusal: Option<String>,
    /// A part of its hint.
    pub hint: Option<String>,
    /// Parts of messages, in order; there may be other messages between.
    pub log: Vec<String>,
    /// The status: a word, or the word with `: ` and a part of its reason.
    pub status: Option<String>,
    /// A part of the error of a hook that breaks or reaches a limit.
    pub error: Option<String>,
}

impl Expected {
    /// What is other than expected, in words and lines.
    pub fn compare(&self, outcome: &Outcome) -> Vec<String> {
        let mut failures = Vec::new();
        failures.extend(self.ending(outcome));
        // What a hook that did not end well changed does not count, and is not told.
        if outcome.error.is_none() {
            let made: Vec<_> = outcome.changes.iter().map(change_line).collect();
            failures.extend(list("changes", self.changes.as_deref(), &made));
            failures.extend(list("tags", self.tags.as_deref(), &outcome.tags));
        }
        let sent: Vec<_> = outcome.requests.iter().map(request_line).collect();
        failures.extend(list("requests", self.requests.as_deref(), &sent));
        if let Some(wanted) = &self.state {
            let lines = |state: &BTreeMap<String, String>| -> Vec<String> {
                let entries = state.iter();
                entries
                    .map(|(key, value)| format!("{key} = {value:?}"))
                    .collect()
            };
            failures.extend(list("state", Some(&lines(wanted)), &lines(&outcome.state)));
        }
        failures.extend(self.log(outcome));
        failures.extend(self.status(outcome));
        failures
    }

    fn ending(&self, outcome: &Outcome) -> Option<String> {
        let refusal = self.refusal.as_deref();
        let expects_refusal = refusal.is_some() || self.hint.is_some();
        match (&outcome.error, &self.error) {
            (Some(PluginError::Refused { refusal: said, .. }), None) if expects_refusal => {
                let hint = said.hint.as_deref();
                part("the refusal", refusal, &said.reason).or_else(|| match (&self.hint, hint) {
                    (Some(wanted), None) => Some(format!("the refusal has no hint\n-{wanted}\n")),
                    (wanted, said) => part("the hint", wanted.as_deref(), said.unwrap_or("")),
                })
            }
            (Some(PluginError::Refused { refusal: said, .. }), _) => Some(format!(
                "it refused\n+{}\n{}",
                said.reason,
                said.hint
                    .iter()
                    .map(|hint| format!("+hint: {hint}\n"))
                    .collect::<String>()
            )),
            (Some(error), Some(wanted)) => part("the error", Some(wanted), &error.to_string()),
            (Some(error), None) => Some(format!("it failed\n+{error}\n")),
            (None, Some(wanted)) => {
                Some(format!("it ended well, and not with an error\n-{wanted}\n"))
            }
            (None, None) if expects_refusal => Some(format!(
                "it did not refuse\n-{}\n",
                refusal.or(self.hint.as_deref()).unwrap_or_default()
            )),
            (None, None) => None,
        }
    }

    fn log(&self, outcome: &Outcome) -> Option<String> {
        let mut lines = outcome.log.iter().map(log_line);
        let missing = self
            .log
            .iter()
            .find(|wanted| !lines.any(|line| line.contains(*wanted)))?;
        let said: String = outcome
            .log
            .iter()
            .map(|record| format!(" {}\n", log_line(record)))
            .collect();
        Some(format!(
            "a message is missing, or out of order\n{said}-{missing}\n"
        ))
    }

    fn status(&self, outcome: &Outcome) -> Option<String> {
        let wanted = self.status.as_deref()?;
        let found = outcome.status.as_ref().map(status_line);
        let fits = found.as_deref().is_some_and(|found| {
            let (word, why) = found.split_once(": ").unwrap_or((found, ""));
            let (wanted, part) = wanted.split_once(": ").unwrap_or((wanted, ""));
            word == wanted && why.contains(part)
        });
        if fits {
            return None;
        }
        let found = found.map(|found| format!("+{found}\n")).unwrap_or_default();
        Some(format!("another status than expected\n-{wanted}\n{found}"))
    }
}

/// What was said, where it does not have the part that is wanted.
fn part(what: &str, wanted: Option<&str>, said: &str) -> Option<String> {
    let wanted = wanted.filter(|wanted| !said.contains(*wanted))?;
    Some(format!("{what} says something else\n-{wanted}\n+{said}\n"))
}

/// What is other in a list that is expected as a whole.
fn list(what: &str, wanted: Option<&[String]>, made: &[String]) -> Option<String> {
    let wanted = wanted.filter(|wanted| *wanted != made)?;
    let lines = |texts: &[String]| -> String {
        let lines = texts.iter().map(|text| format!("{text}\n"));
        lines.collect()
    };
    let difference = difference(&lines(wanted), &lines(made));
    Some(format!("other {what} than expected\n{difference}"))
}
