//! Settings that can be turned off.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::value::Value;

/// A scalar setting that can be turned off with `false`: `memory = "256MiB"` or `memory = false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toggle<T> {
    /// It is turned off.
    Off,
    /// It has this value.
    On(T),
}

impl<T> Toggle<T> {
    /// The value, if it is not turned off.
    pub fn on(&self) -> Option<&T> {
        match self {
            Self::Off => None,
            Self::On(value) => Some(value),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Toggle<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "false" {
            return Ok(Self::Off);
        }
        T::deserialize(Value::Text(text))
            .map(Self::On)
            .map_err(|error| {
                D::Error::custom(format_args!("{} (`false` turns it off)", error.problem))
            })
    }
}
