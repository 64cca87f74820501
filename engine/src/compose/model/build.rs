//! How a service's image is built.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::container::{Ulimit, hosts};
use super::mount::FileMount;
use super::text::{is_default, size};
use crate::app::ByteSize;

/// `build`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// An absolute path, or a URL that the builder fetches.
    #[serde(default)]
    pub context: String,
    /// Relative to the context; `Dockerfile` where nothing else is said, but with an inline one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dockerfile: Option<String>,
    /// The Dockerfile's text.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dockerfile_inline: Option<String>,
    /// Rights beyond those of every build.
    #[serde(default, skip_serializing_if = "is_default")]
    pub entitlements: Vec<String>,
    /// Build arguments; `None` where the environment does not have the variable.
    #[serde(default, skip_serializing_if = "is_default")]
    pub args: BTreeMap<String, Option<String>>,
    /// SSH agents or keys, by id; `None` for the agent of the environment.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ssh: BTreeMap<String, Option<String>>,
    /// Labels of the image.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Where layers may come from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache_from: Vec<String>,
    /// Where layers are to go.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache_to: Vec<String>,
    /// True if cached layers must not be used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_cache: bool,
    /// Stages for which cached layers must not be used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_cache_filter: Vec<String>,
    /// More contexts by name: paths or URLs, `docker-image://…` or `service:…`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub additional_contexts: BTreeMap<String, String>,
    /// The network of `RUN`: `default`, `none`, `host` or a name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub network: Option<String>,
    /// Which provenance attestation is made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub provenance: Option<String>,
    /// Which bill of materials is made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sbom: Option<String>,
    /// True if bases are pulled even where they are there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pull: bool,
    /// The stage to build; the last one if `None`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: Option<String>,
    /// The size of `/dev/shm`.
    #[serde(default, with = "size", skip_serializing_if = "is_default")]
    pub shm_size: Option<ByteSize>,
    /// Hosts that `RUN` knows.
    #[serde(default, with = "hosts", skip_serializing_if = "is_default")]
    pub extra_hosts: IndexMap<String, Vec<String>>,
    /// How containers of Windows are kept apart.
    #[serde(default, skip_serializing_if = "is_default")]
    pub isolation: Option<String>,
    /// True if `RUN` has full access to the host.
    #[serde(default, skip_serializing_if = "is_default")]
    pub privileged: bool,
    /// Secrets that `RUN --mount=type=secret` finds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub secrets: Vec<FileMount>,
    /// More tags of the image.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tags: Vec<String>,
    /// Limits of `RUN`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ulimits: BTreeMap<String, Ulimit>,
    /// The platforms to build for; the service's own, or the daemon's, if there are none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub platforms: Vec<String>,
}
