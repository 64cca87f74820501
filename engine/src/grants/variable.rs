//! Names of environment variables and secrets.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The name of an environment variable, or of a secret, which is one by default: letters, digits
/// and `_`, and no digit at the start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variable(String);

/// A text that is no name of a variable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{}` is no name of a variable: letters, digits and `_`, and no digit at the start",
    .0.escape_debug()
)]
pub struct ParseVariableError(String);

impl Variable {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Variable {
    type Err = ParseVariableError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        let starts = text.starts_with(|c: char| !c.is_ascii_digit());
        if starts && text.bytes().all(known) {
            return Ok(Self(text.to_owned()));
        }
        Err(ParseVariableError(text.to_owned()))
    }
}

impl std::borrow::Borrow<str> for Variable {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Variable {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        super::from_text(from, "the name of a variable")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_shells_can_set() {
        for good in ["A", "_", "WEBHOOK_TOKEN", "a1"] {
            assert!(good.parse::<Variable>().is_ok(), "{good}");
        }
        for bad in ["", "1A", "A-B", "A=B", "A B", "A\0", "Ä", "A\n"] {
            assert!(bad.parse::<Variable>().is_err(), "{bad:?}");
        }
    }
}
