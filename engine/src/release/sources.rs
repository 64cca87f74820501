//! Where images and volumes come from, as records hold it.

use std::time::Duration;

use serde_json::{Value, json};

use super::model::variant;
use super::stored::{Stored, stored_struct};
use super::{Damage, Seal, Unseal};
use crate::app::{MountSource, PullPolicy, VolumesFrom, VolumesOwner};

stored_struct!(VolumesFrom { owner, read_only });

impl Stored for MountSource {
    fn store(&self, seal: &Seal) -> Value {
        match self {
            Self::Bind(path) => json!({ "bind": path.store(seal) }),
            Self::Volume(name) => json!({ "volume": name.store(seal) }),
            Self::Anonymous => json!({ "anonymous": null }),
        }
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        match variant(value)? {
            ("bind", value) => String::restore(value, unseal).map(Self::Bind),
            ("volume", value) => String::restore(value, unseal).map(Self::Volume),
            ("anonymous", _) => Ok(Self::Anonymous),
            (other, _) => Err(Damage::Unknown(other.to_owned())),
        }
    }
}

impl Stored for VolumesOwner {
    fn store(&self, seal: &Seal) -> Value {
        match self {
            Self::Service(name) => json!({ "service": name.store(seal) }),
            Self::Container(name) => json!({ "container": name.store(seal) }),
        }
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        match variant(value)? {
            ("service", value) => String::restore(value, unseal).map(Self::Service),
            ("container", value) => String::restore(value, unseal).map(Self::Container),
            (other, _) => Err(Damage::Unknown(other.to_owned())),
        }
    }
}

impl Stored for PullPolicy {
    fn store(&self, seal: &Seal) -> Value {
        match self {
            Self::Missing => json!("missing"),
            Self::Always => json!("always"),
            Self::Never => json!("never"),
            Self::Every(time) => json!({ "every": time.store(seal) }),
        }
    }

    fn restore(value: &Value, unseal: &Unseal<'_>) -> Result<Self, Damage> {
        match value.as_str() {
            Some("missing") => Ok(Self::Missing),
            Some("always") => Ok(Self::Always),
            Some("never") => Ok(Self::Never),
            Some(other) => Err(Damage::Unknown(other.to_owned())),
            None => match variant(value)? {
                ("every", time) => Duration::restore(time, unseal).map(Self::Every),
                (other, _) => Err(Damage::Unknown(other.to_owned())),
            },
        }
    }
}
