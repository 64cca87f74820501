//! What rengine takes from `x-rengine` at the top of Compose files.

use serde::Deserialize;

use super::convert::OWN;
use super::error::{ComposeError, Problem};
use super::model::Project;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Own {
    keep: Option<u32>,
}

impl Project {
    /// How many releases are to be kept, at most `most`; `None` if the files do not say.
    ///
    /// # Errors
    ///
    /// If `x-rengine` at the top has anything else, or a number that can't be.
    pub fn keep(&self, most: u32) -> Result<Option<usize>, ComposeError> {
        let Some(own) = self.extensions.get(OWN) else {
            return Ok(None);
        };
        let span = || self.span(&[OWN]);
        let own = Own::deserialize(own).map_err(|error| {
            let message = format!("`{OWN}` can't be that at the top: {error}");
            let help = "services have their own, such as `strategy`";
            Problem::new(span(), message, Some(help.to_owned()))
        })?;
        match own.keep {
            Some(keep) if !(1..=most).contains(&keep) => {
                let span = self.span(&[OWN, "keep"]);
                let message = format!("{keep} releases can't be kept: 1 to {most} can");
                Err(Problem::new(span, message, None).into())
            }
            keep => Ok(keep.and_then(|keep| usize::try_from(keep).ok())),
        }
    }
}
