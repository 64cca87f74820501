//! How values of the model are written in canonical form, and read from it.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

use super::super::values;
use crate::app::ByteSize;

/// `skip_serializing_if` for what is not asked for.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

pub fn yes() -> bool {
    true
}

/// Durations as `1m30s`.
pub mod duration {
    use super::*;

    pub fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.serialize_str(&values::format_duration(*value)),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let wrong = || D::Error::custom(format!("`{text}` is no duration"));
        values::parse_duration(&text).ok_or_else(wrong).map(Some)
    }
}

/// Sizes as a text that is a number of bytes, since JSON's numbers have 53 bits.
pub mod size {
    use super::*;

    pub fn serialize<S: Serializer>(value: &Option<ByteSize>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(ByteSize(bytes)) => to.collect_str(bytes),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ByteSize>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(ByteSize))
    }
}

/// The same where there always is one.
pub mod some_size {
    use super::*;

    pub fn serialize<S: Serializer>(value: &ByteSize, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&value.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ByteSize, D::Error> {
        u64::deserialize(from).map(ByteSize)
    }
}

/// Sizes of which -1 is no limit, as `None` inside.
pub mod limit {
    use super::*;

    pub fn serialize<S: Serializer>(value: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(bytes) => to.collect_str(bytes),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        Option::<i64>::deserialize(from)
    }
}

/// A number of microseconds, which may be written as a duration.
pub mod microseconds {
    use super::*;

    pub fn serialize<S: Serializer>(value: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.serialize_i64(*value),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let duration = || i64::try_from(values::parse_duration(&text)?.as_micros()).ok();
        let value = values::int(&text).or_else(duration);
        let wrong = || D::Error::custom(format!("`{text}` is no number of microseconds"));
        value.ok_or_else(wrong).map(Some)
    }
}

/// A type that is written as a text in both directions.
macro_rules! as_text {
    ($($type:ty),* $(,)?) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(super) use as_text;
