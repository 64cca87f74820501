//! The stored form of values: JSON that says all of them, and can be read again.
//!
//! It is not the form in which plans and labels show an app, which is made for people: there, a
//! mount is one text, and the contents of a file a digest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{Damage, Seal, Unseal};

/// A value that a record holds. `null` stands for what is not set, so that a record says only
/// what is, and one of an older version can be read where a setting is new.
pub trait Stored: Sized {
    fn store(&self, seal: &Seal) -> Value;
    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage>;
}

/// True for what a record leaves out.
pub fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The members of an object, of which there are none where it is not set.
pub fn members<'a>(
    value: &'a Value,
    known: &[&str],
) -> Result<Option<&'a serde_json::Map<String, Value>>, Damage> {
    match value {
        Value::Null => Ok(None),
        Value::Object(object) => {
            // What is not known here would be left out in silence.
            match object.keys().find(|key| !known.contains(&key.as_str())) {
                Some(key) => Err(Damage::Unknown(key.clone())),
                None => Ok(Some(object)),
            }
        }
        other => Err(Damage::expected("an object", other)),
    }
}

/// Stores a struct by its members. All of them have to be named: one that is new does not compile
/// until it is decided that it is stored.
macro_rules! stored_struct {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::release::stored::Stored for $type {
            fn store(&self, seal: &$crate::release::Seal) -> serde_json::Value {
                let Self { $($field),* } = self;
                let mut object = serde_json::Map::new();
                $(
                    let value = $crate::release::stored::Stored::store($field, seal);
                    if !$crate::release::stored::is_unset(&value) {
                        object.insert(stringify!($field).to_owned(), value);
                    }
                )*
                serde_json::Value::Object(object)
            }

            fn restore(
                value: &serde_json::Value,
                unseal: &$crate::release::Unseal<'_>,
            ) -> Result<Self, $crate::release::Damage> {
                let known = [$(stringify!($field)),*];
                let object = $crate::release::stored::members(value, &known)?;
                let member = |name: &str| {
                    let value = object.and_then(|object| object.get(name));
                    value.unwrap_or(&serde_json::Value::Null)
                };
                Ok(Self {
                    $($field: $crate::release::stored::Stored::restore(
                        member(stringify!($field)), unseal
                    )?),*
                })
            }
        }
    };
}
pub(super) use stored_struct;

/// Stores an enum without fields by words.
macro_rules! stored_words {
    ($type:ty { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $crate::release::stored::Stored for $type {
            fn store(&self, _: &$crate::release::Seal) -> serde_json::Value {
                match self {
                    $(Self::$variant => serde_json::json!($word)),*
                }
            }

            fn restore(
                value: &serde_json::Value,
                _: &$crate::release::Unseal<'_>,
            ) -> Result<Self, $crate::release::Damage> {
                match value.as_str() {
                    $(Some($word) => Ok(Self::$variant),)*
                    Some(other) => Err($crate::release::Damage::Unknown(other.to_owned())),
                    None => Err($crate::release::Damage::expected("a word", value)),
                }
            }
        }
    };
}
pub(super) use stored_words;

/// Stores a number as it is.
macro_rules! stored_numbers {
    ($($type:ty),*) => {$(
        impl Stored for $type {
            fn store(&self, _: &Seal) -> Value {
                json!(*self)
            }

            fn restore(value: &Value, _: &Unseal<'_>) -> Result<Self, Damage> {
                let number = value.as_i64().and_then(|number| Self::try_from(number).ok());
                let large = || value.as_u64().and_then(|number| Self::try_from(number).ok());
                let number = number.or_else(large);
                number.ok_or_else(|| Damage::expected("a number", value))
            }
        }
    )*};
}
stored_numbers!(u8, u16, u32, u64, i16, i64);

/// Stores what has a text form that can be read again.
macro_rules! stored_texts {
    ($($type:ty),*) => {$(
        impl Stored for $type {
            fn store(&self, _: &Seal) -> Value {
                json!(self.to_string())
            }

            fn restore(value: &Value, _: &Unseal<'_>) -> Result<Self, Damage> {
                let text = value.as_str().and_then(|text| text.parse().ok());
                text.ok_or_else(|| Damage::expected("an address", value))
            }
        }
    )*};
}
stored_texts!(IpAddr, Ipv4Addr, Ipv6Addr);

impl Stored for bool {
    fn store(&self, _: &Seal) -> Value {
        json!(*self)
    }

    fn restore(value: &Value, _: &Unseal<'_>) -> Result<Self, Damage> {
        match value {
            Value::Null => Ok(false),
            Value::Bool(value) => Ok(*value),
            other => Err(Damage::expected("a truth value", other)),
        }
    }
}

impl Stored for String {
    fn store(&self, seal: &Seal) -> Value {
        seal.text(self)
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        unseal.text(value)
    }
}

impl Stored for Duration {
    fn store(&self, _: &Seal) -> Value {
        json!(humantime::format_duration(*self).to_string())
    }

    fn restore(value: &Value, _: &Unseal<'_>) -> Result<Self, Damage> {
        let text = value.as_str();
        let time = text.and_then(|text| humantime::parse_duration(text).ok());
        time.ok_or_else(|| Damage::expected("a time", value))
    }
}

/// The contents of a file: a text as it is, other bytes in Base64.
pub struct Contents(pub Vec<u8>);

impl Stored for Contents {
    fn store(&self, seal: &Seal) -> Value {
        match str::from_utf8(&self.0) {
            Ok(text) => seal.text(text),
            Err(_) => json!({ "base64": STANDARD.encode(&self.0) }),
        }
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        let encoded = value.get("base64").and_then(Value::as_str);
        match encoded {
            None => unseal.text(value).map(|text| Self(text.into_bytes())),
            Some(encoded) => match STANDARD.decode(encoded) {
                Ok(bytes) => Ok(Self(bytes)),
                Err(error) => Err(Damage::Damaged(error.to_string())),
            },
        }
    }
}

/// What is not set is `null`; what is set has its value in a list, since that may be empty.
impl<T: Stored> Stored for Option<T> {
    fn store(&self, seal: &Seal) -> Value {
        match self {
            None => Value::Null,
            Some(value) => match value.store(seal) {
                value if is_unset(&value) => json!([value]),
                // A list of one is taken for the above.
                Value::Array(items) => json!([Value::Array(items)]),
                value => value,
            },
        }
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        match value {
            Value::Null => Ok(None),
            Value::Array(items) => match &items[..] {
                [item] => T::restore(item, unseal).map(Some),
                _ => Err(Damage::expected("one value", value)),
            },
            value => T::restore(value, unseal).map(Some),
        }
    }
}

fn list(value: &Value) -> Result<&[Value], Damage> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        other => Err(Damage::expected("a list", other)),
    }
}

impl<T: Stored> Stored for Vec<T> {
    fn store(&self, seal: &Seal) -> Value {
        self.iter().map(|item| item.store(seal)).collect()
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        let items = list(value)?.iter();
        items.map(|item| T::restore(item, unseal)).collect()
    }
}

impl<T: Stored + Ord> Stored for BTreeSet<T> {
    fn store(&self, seal: &Seal) -> Value {
        self.iter().map(|item| item.store(seal)).collect()
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        Ok(Vec::restore(value, unseal)?.into_iter().collect())
    }
}

impl<A: Stored, B: Stored> Stored for (A, B) {
    fn store(&self, seal: &Seal) -> Value {
        json!([self.0.store(seal), self.1.store(seal)])
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        match list(value)? {
            [first, second] => Ok((A::restore(first, unseal)?, B::restore(second, unseal)?)),
            _ => Err(Damage::expected("a pair", value)),
        }
    }
}

/// Objects would do for keys that are texts, but have no order.
macro_rules! stored_maps {
    ($($map:ident: $bound:ident),*) => {$(
        impl<K: Stored + $bound + Eq, V: Stored> Stored for $map<K, V> {
            fn store(&self, seal: &Seal) -> Value {
                let pair = |(key, value): (&K, &V)| json!([key.store(seal), value.store(seal)]);
                self.iter().map(pair).collect()
            }

            fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
                Ok(Vec::<(K, V)>::restore(value, unseal)?.into_iter().collect())
            }
        }
    )*};
}
use std::hash::Hash;
stored_maps!(BTreeMap: Ord, IndexMap: Hash);
