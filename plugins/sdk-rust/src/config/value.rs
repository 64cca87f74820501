//! What a setting can be, and how serde reads it.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::{Error, json};

/// A table's entries, in order.
pub type Table = Vec<(String, Value)>;

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A value as `wasi:config` hands it over: a scalar, or JSON for an array or a table.
    Text(String),
    /// A scalar in JSON. Its type is not kept: what it means is for the field's type to say, so
    /// that it makes no difference whether a setting is nested.
    Scalar(String),
    Null,
    Array(Vec<Value>),
    Table(Table),
}

impl fmt::Display for Value {
    /// What was found where something else was expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Scalar(text) => write!(f, "`{text}`"),
            Self::Null => f.write_str("nothing"),
            Self::Array(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

impl Value {
    fn scalar(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Scalar(text) => Some(text),
            Self::Null | Self::Array(_) | Self::Table(_) => None,
        }
    }

    /// With the JSON of an array or a table read. What looks like it and is none stays text.
    fn unpacked(self) -> Self {
        match self {
            Self::Text(text) if text.starts_with(['[', '{']) => {
                json::parse(&text).unwrap_or(Self::Scalar(text))
            }
            other => other,
        }
    }

    /// A whole number between two bounds, negative ones in two's complement. Not generic, so that
    /// the code is there once.
    fn integer(&self, min: i64, max: u64) -> Result<u64, Error> {
        let read = |text: &str| {
            if text.starts_with('-') {
                let number = text.parse().ok().filter(|number: &i64| *number >= min)?;
                Some(number as u64)
            } else {
                text.parse().ok().filter(|number: &u64| *number <= max)
            }
        };
        self.scalar()
            .and_then(read)
            .ok_or_else(|| Error::expected(&format!("a whole number from {min} to {max}"), self))
    }

    fn text(self, expected: &str) -> Result<String, Error> {
        match self {
            Self::Text(text) | Self::Scalar(text) => Ok(text),
            other => Err(Error::expected(expected, &other)),
        }
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = self.integer(<$type>::MIN as i64, <$type>::MAX as u64)?;
            visitor.$visit(number as $type)
        }
    )*};
}

impl<'de> Deserializer<'de> for Value {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.unpacked() {
            Self::Text(text) | Self::Scalar(text) => visitor.visit_string(text),
            Self::Null => visitor.visit_unit(),
            Self::Array(items) => visitor.visit_seq(Items::of(items)),
            Self::Table(entries) => visitor.visit_map(Entries::of(entries)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.scalar() {
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            _ => Err(Error::expected("true or false", &self)),
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = self.scalar().and_then(|text| text.parse().ok());
        match number {
            Some(number) => visitor.visit_f64(number),
            None => Err(Error::expected("a number", &self)),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text("text")?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            // A key that is not there is `None`; one that is there has a value.
            value => visitor.visit_some(value),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.unpacked() {
            Self::Array(items) => visitor.visit_seq(Items::of(items)),
            other => Err(Error::expected("a list", &other)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.unpacked() {
            Self::Table(entries) => visitor.visit_map(Entries::of(entries)),
            other => Err(Error::expected("a table", &other)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    /// A variant without data is its name, one with data a table of one entry.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.unpacked() {
            Self::Table(entries) if entries.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries::of(entries)))
            }
            other => {
                let name: StringDeserializer<Error> = other
                    .text("a name, or a table of one entry")?
                    .into_deserializer();
                visitor.visit_enum(name)
            }
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit unit_struct
    }
}

/// The entries of a table; errors learn their key.
struct Entries {
    rest: std::vec::IntoIter<(String, Value)>,
    current: Option<(String, Value)>,
}

impl Entries {
    fn of(entries: Table) -> Self {
        Self {
            rest: entries.into_iter(),
            current: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.current = self.rest.next();
        let Some((key, _)) = &self.current else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, Error> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((key, value)) = self.current.take() else {
            return Err(Error::new("a value was read before its key".to_owned()));
        };
        seed.deserialize(value)
            .map_err(|error| error.within_key(&key))
    }
}

/// The items of a list; errors learn their index.
struct Items {
    rest: std::iter::Enumerate<std::vec::IntoIter<Value>>,
}

impl Items {
    fn of(items: Vec<Value>) -> Self {
        Self {
            rest: items.into_iter().enumerate(),
        }
    }
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some((index, value)) = self.rest.next() else {
            return Ok(None);
        };
        seed.deserialize(value)
            .map(Some)
            .map_err(|error| error.within_item(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}
