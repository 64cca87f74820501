//! The hooks there are.

use std::fmt;

/// The version of the package `rengine:plugin` that this host implements.
pub const WIT_VERSION: &str = "0.1.0";

/// A point in the lifecycle that a plugin can export; in the order in which they are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Before everything else, for the whole app.
    Configure,
    /// Before an image is built.
    PreBuild,
    /// Before a container is created.
    PreRun,
    /// Before a container is made from an image that was built.
    PostBuild,
    /// While a container is to become healthy.
    Health,
    /// After a container became healthy.
    PostRun,
    /// Before a container that was in service is stopped.
    PreStop,
    /// At the end of a deploy.
    PostDeploy,
}

impl Hook {
    /// Every hook, in the order of the lifecycle.
    pub const ALL: [Self; 8] = [
        Self::Configure,
        Self::PreBuild,
        Self::PreRun,
        Self::PostBuild,
        Self::Health,
        Self::PostRun,
        Self::PreStop,
        Self::PostDeploy,
    ];

    /// The name, which is also the interface's in WIT.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::PreBuild => "pre-build",
            Self::PreRun => "pre-run",
            Self::PostBuild => "post-build",
            Self::Health => "health",
            Self::PostRun => "post-run",
            Self::PreStop => "pre-stop",
            Self::PostDeploy => "post-deploy",
        }
    }

    /// True if it is called for the whole app, false if for each service.
    pub const fn is_for_the_app(self) -> bool {
        matches!(self, Self::Configure | Self::PostDeploy)
    }

    /// The interface's full name, with the version that this host implements.
    pub fn interface(self) -> String {
        format!("rengine:plugin/{}@{WIT_VERSION}", self.name())
    }

    /// The one function of the interface.
    pub const fn function(self) -> &'static str {
        match self {
            Self::Health => "check",
            _ => "run",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
