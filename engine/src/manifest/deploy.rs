//! `[deploy]`.

use toml::Spanned;

use super::convert::Reader;
use super::raw::DeployTable;
use super::{DEFAULT_DEPLOY_TIMEOUT, DEFAULT_KEEP, DeploySection, MAX_KEEP, ManifestError};

impl Reader<'_> {
    pub(super) fn deploy(&self, table: &DeployTable) -> Result<DeploySection, ManifestError> {
        let timeout = self.duration(table.timeout.as_ref())?;
        Ok(DeploySection {
            timeout: timeout.unwrap_or(DEFAULT_DEPLOY_TIMEOUT),
            keep: match &table.keep {
                Some(keep) => self.keep(keep)?,
                None => DEFAULT_KEEP,
            },
        })
    }

    fn keep(&self, keep: &Spanned<u32>) -> Result<usize, ManifestError> {
        match *keep.get_ref() {
            count @ 1..=MAX_KEEP => Ok(count as usize),
            count => {
                let message = format!("{count} releases can't be kept: 1 to {MAX_KEEP} can");
                let help = (count == 0).then(|| "the release that runs is always kept".to_owned());
                Err(self.error(keep.span(), message, help))
            }
        }
    }
}
