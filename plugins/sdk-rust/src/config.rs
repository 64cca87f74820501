//! The plugin's settings from plugins.toml, as a type of its own.
//!
//! ```
//! use rengine_plugin::config::{self, ByteSize};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
//! struct Config {
//!     user: String,
//!     keep_caps: Vec<String>,
//!     memory: Option<ByteSize>,
//! }
//!
//! impl Default for Config {
//!     fn default() -> Self {
//!         Self { user: "65532".to_owned(), keep_caps: Vec::new(), memory: None }
//!     }
//! }
//!
//! // config = { memory = "256MiB", keep-caps = ["CHOWN"] }
//! let pairs = [("memory", "256MiB"), ("keep-caps", r#"["CHOWN"]"#)];
//! let config: Config = config::from_pairs(pairs)?;
//! assert_eq!(config.user, "65532");
//! assert_eq!(config.keep_caps, ["CHOWN"]);
//! assert_eq!(config.memory, Some(ByteSize(256 << 20)));
//! # Ok::<(), config::Error>(())
//! ```

mod json;
mod toggle;
mod units;
mod value;

use std::fmt;

use serde::de::{DeserializeOwned, Expected, Unexpected};

use crate::Refusal;
pub use toggle::Toggle;
pub use units::{ByteSize, Cpus, Duration};
use value::{Table, Value};

/// Reads the settings that plugins.toml gives to this plugin.
///
/// Outside of a component there are none to read; tests use [`from_pairs`].
///
/// # Errors
///
/// Where a value is not of its field's type, a field without a default is missing, or (with
/// `#[serde(deny_unknown_fields)]`) a key is unknown. With `?` it becomes a refusal.
pub fn load<T: DeserializeOwned>() -> Result<T, Error> {
    if !cfg!(target_arch = "wasm32") {
        return Err(Error::new(
            "there is none outside of rengine: use `from_pairs` in tests".to_owned(),
        ));
    }
    use crate::bindings::wasi::config::store;
    let pairs = store::get_all().map_err(|error| match error {
        store::Error::Upstream(why) | store::Error::Io(why) => Error::new(why),
    })?;
    from_pairs(pairs)
}

/// Reads settings as they come from `wasi:config`: every value is text.
///
/// Scalars are as TOML writes them (`10001`, `true`, `0.5`, `any text`), arrays and tables are
/// JSON. What a text means depends on the type that is asked for: `10001` can be a `u32` and a
/// `String`. A type that does not say what it wants, such as an untagged enum, gets arrays and
/// tables as such, and every scalar as a string.
///
/// # Errors
///
/// As for [`load`].
pub fn from_pairs<T, K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<T, Error>
where
    T: DeserializeOwned,
    K: Into<String>,
    V: Into<String>,
{
    let entries = pairs
        .into_iter()
        .map(|(key, value)| (key.into(), Value::Text(value.into())));
    T::deserialize(Value::Table(entries.collect::<Table>()))
}

/// Why the settings are not what the plugin can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Where: keys with `.` between them, and `[0]` for items. Empty for the settings as a whole.
    path: String,
    problem: String,
}

impl Error {
    fn new(problem: String) -> Self {
        Self {
            path: String::new(),
            problem,
        }
    }

    fn expected(expected: &str, found: &Value) -> Self {
        Self::new(format!("expected {expected}, found {found}"))
    }

    fn within_key(mut self, key: &str) -> Self {
        let dot = match self.path.chars().next() {
            None | Some('[') => "",
            Some(_) => ".",
        };
        self.path = format!("{key}{dot}{}", self.path);
        self
    }

    fn within_item(self, index: usize) -> Self {
        self.within_key(&format!("[{index}]"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("config")?;
        if !self.path.is_empty() {
            write!(f, " `{}`", self.path)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for Error {}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(error.to_string()).with_hint("correct `config` of this plugin in plugins.toml")
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self::new(problem.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {}", Found(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {found} items"))
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(format!("expected {}, found `{found}`", Names(known, "or")))
    }

    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        if known.is_empty() {
            return Self::new(format!("there is no key `{found}`, nor any other"));
        }
        let names = Names(known, "and");
        Self::new(format!("there is no key `{found}`, there are {names}"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("`{field}` is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("`{field}` is there twice"))
    }
}

/// What was found, in the words of settings. Serde's own words are Rust's, and bring the code that
/// writes floats into every plugin: 20 KB.
struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(value) => write!(f, "`{value}`"),
            Unexpected::Unsigned(number) => write!(f, "`{number}`"),
            Unexpected::Signed(number) => write!(f, "`{number}`"),
            Unexpected::Char(text) => write!(f, "`{text}`"),
            Unexpected::Str(text) => write!(f, "`{text}`"),
            Unexpected::Float(_) => f.write_str("a number"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("a table"),
            Unexpected::Unit | Unexpected::Option => f.write_str("nothing"),
            Unexpected::Other(what) => f.write_str(what),
            _ => f.write_str("something else"),
        }
    }
}

/// Names in a sentence: `` `a`, `b` or `c` ``.
struct Names(&'static [&'static str], &'static str);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(names, conjunction) = self;
        for (index, name) in names.iter().enumerate() {
            match index {
                0 => {}
                _ if index + 1 == names.len() => write!(f, " {conjunction} ")?,
                _ => f.write_str(", ")?,
            }
            write!(f, "`{name}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
