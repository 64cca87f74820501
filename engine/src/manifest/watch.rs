//! `[watch]`.

use std::time::Duration;

use toml::Spanned;

use super::convert::Reader;
use super::raw::WatchTable;
use super::{ManifestError, OnBad, WatchSection};

/// How many restarts can be asked for: a container that needs more needs somebody to look at it.
const MAX_RESTARTS: u32 = 100;

impl Default for WatchSection {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            restarts: 3,
            window: Duration::from_secs(10 * 60),
            probation: None,
            bad_after: Duration::from_secs(10),
            on_bad: OnBad::default(),
        }
    }
}

impl Reader<'_> {
    pub(super) fn watch(&self, table: WatchTable) -> Result<WatchSection, ManifestError> {
        let default = WatchSection::default();
        let time = |text: Option<&Spanned<String>>, default: Duration| {
            self.duration(text).map(|time| time.unwrap_or(default))
        };
        Ok(WatchSection {
            interval: time(table.interval.as_ref(), default.interval)?,
            restarts: match table.restarts {
                Some(restarts) => self.restarts(&restarts)?,
                None => default.restarts,
            },
            window: time(table.window.as_ref(), default.window)?,
            probation: self.duration(table.probation.as_ref())?,
            bad_after: time(table.bad_after.as_ref(), default.bad_after)?,
            on_bad: table.on_bad,
        })
    }

    fn restarts(&self, restarts: &Spanned<u32>) -> Result<usize, ManifestError> {
        match *restarts.get_ref() {
            count @ 0..=MAX_RESTARTS => Ok(count as usize),
            count => {
                let message = format!("{count} restarts are too many: {MAX_RESTARTS} is the most");
                let help = "0 has an unhealthy container replaced at once";
                Err(self.error(restarts.span(), message, Some(help.to_owned())))
            }
        }
    }
}
