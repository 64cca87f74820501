//! Why a record can't be used.

/// Why a record can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It is not what rengine writes.
    #[error("its record is damaged: {0}")]
    Damaged(String),
    /// It has something in it that this version does not know.
    #[error("it was recorded by another version of rengine: `{0}` is not known here")]
    Unknown(String),
    /// A secret is needed that the project does not have now.
    #[error("it needs the secret `{secret}`, which the project does not have now")]
    NoSecret {
        /// Its name.
        secret: String,
    },
    /// A secret stands in it in a form that can't be made again.
    #[error("a secret is a part of `{text}` in a form that can't be made again")]
    Opaque {
        /// The text without the secret.
        text: String,
    },
    /// A file with a secret is needed that the project does not have now.
    #[error(
        "service `{service}` needs the secret file {path}, which the project does not have now"
    )]
    NoSecretFile {
        /// The service.
        service: String,
        /// The path in the container.
        path: String,
    },
}

impl Damage {
    pub(super) fn expected(what: &str, found: &serde_json::Value) -> Self {
        let kind = match found {
            serde_json::Value::Null => "nothing",
            serde_json::Value::Bool(_) => "a truth value",
            serde_json::Value::Number(_) => "a number",
            serde_json::Value::String(_) => "a text",
            serde_json::Value::Array(_) => "a list",
            serde_json::Value::Object(_) => "an object",
        };
        Self::Damaged(format!("{kind} stands where {what} should"))
    }

    /// What can be done about it.
    pub fn help(&self) -> String {
        match self {
            Self::Damaged(_) => "choose another release: `rengine history`".to_owned(),
            Self::Unknown(_) => {
                "use that version, or choose another release: `rengine history`".to_owned()
            }
            Self::NoSecret { secret } => format!(
                "records hold no secrets: grant `{secret}` to a plugin and say where its value is, \
                 in `[secrets]` of plugins.toml"
            ),
            Self::Opaque { .. } => {
                "records hold no secrets: check out that release's sources and run `rengine deploy`"
                    .to_owned()
            }
            Self::NoSecretFile { .. } => {
                "records hold no secrets: give the service that secret again in the Compose file"
                    .to_owned()
            }
        }
    }
}
