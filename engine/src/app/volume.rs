//! Volumes of an app.

use std::collections::BTreeMap;

use std::fmt;

use serde::Serialize;

/// A volume that containers of the app mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Volume {
    /// Its name on the daemon.
    #[serde(skip)]
    pub name: String,
    /// True if it is not the app's: it has to be there, and is left alone.
    #[serde(skip)]
    pub external: bool,
    /// The driver; the daemon's default, `local`, if `None`.
    pub driver: Option<String>,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A container whose volumes another one has, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumesFrom {
    /// Which one.
    pub owner: VolumesOwner,
    /// True if they can only be read.
    pub read_only: bool,
}

/// Whose volumes they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumesOwner {
    /// Those of a service of the app.
    Service(String),
    /// Those of a container, by its name or id.
    Container(String),
}

impl fmt::Display for VolumesFrom {
    /// As Compose writes it: `db`, `db:ro`, `container:other:ro`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            VolumesOwner::Service(name) => f.write_str(name)?,
            VolumesOwner::Container(name) => write!(f, "container:{name}")?,
        }
        f.write_str(if self.read_only { ":ro" } else { "" })
    }
}
