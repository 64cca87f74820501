//! What goes wrong where a plugin reaches beyond its hook's resources.

use core::fmt;

use crate::Refusal;

/// Why what was asked for could not be done, in rengine's words; `?` makes a [`Refusal`] of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub(crate) String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Error {}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(error.0)
    }
}
