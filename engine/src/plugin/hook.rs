//! The hooks there are.

use std::fmt;

/// The version of the package `rengine:plugin` that this host implements.
pub const WIT_VERSION: &str = "0.1.0";

/// A point in the lifecycle that a plugin can export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Before an image is built.
    PreBuild,
    /// Before a container is created.
    PreRun,
    /// After a container became healthy.
    PostRun,
    /// While a container is to become healthy.
    Health,
}

impl Hook {
    /// Every hook, in the order of the lifecycle.
    pub const ALL: [Self; 4] = [Self::PreBuild, Self::PreRun, Self::Health, Self::PostRun];

    /// The name, which is also the interface's in WIT.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreBuild => "pre-build",
            Self::PreRun => "pre-run",
            Self::PostRun => "post-run",
            Self::Health => "health",
        }
    }

    /// The interface's full name, with the version that this host implements.
    pub fn interface(self) -> String {
        format!("rengine:plugin/{}@{WIT_VERSION}", self.name())
    }

    /// The one function of the interface.
    pub const fn function(self) -> &'static str {
        match self {
            Self::Health => "check",
            Self::PreBuild | Self::PreRun | Self::PostRun => "run",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
