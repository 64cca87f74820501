//! Volumes of an app.

use std::collections::BTreeMap;

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
