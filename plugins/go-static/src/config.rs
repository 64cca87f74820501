//! The settings, and every default.

use serde::Deserialize;

/// What `config` in plugins.toml may say. README.md explains each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The image that builds; `golang:` and the version that go.mod asks for if `None`.
    pub image: Option<String>,
    /// The image that the binary is put into.
    pub base: String,
    /// The main package's folder; found if `None`.
    pub package: Option<String>,
    /// The port that the service listens on.
    pub port: u16,
    /// Flags for the linker.
    pub ldflags: String,
    /// Whether a Dockerfile that is there is replaced.
    pub force: bool,
    /// Whether downloads and compiled packages are kept between builds, which needs BuildKit.
    pub cache_mounts: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            image: None,
            base: "scratch".to_owned(),
            package: None,
            port: 8080,
            // Neither the symbol table nor DWARF: panics keep their stack traces without them.
            ldflags: "-s -w".to_owned(),
            force: false,
            cache_mounts: false,
        }
    }
}
