//! What a plan consists of.

use std::fmt;

use serde::Serialize;

use super::Conflict;
use crate::app::{Fields, Name};

/// The operations of one deploy, in an order in which they can be carried out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// The app.
    pub app: Name,
    /// The id of the release that it would make.
    pub release: String,
    /// The operations. Empty: nothing to do.
    pub operations: Vec<Operation>,
    /// Containers of services that are not in the app any more, which are left alone.
    pub orphans: Vec<String>,
    /// What is not as it should be, and left so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// With one of these a deploy can't succeed, and is not begun.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
}

impl Plan {
    /// True if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One step; at most one call of the daemon that changes something.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Operation {
    /// The service that it is for; `None` for what belongs to no service of the app any more.
    pub service: Option<Name>,
    /// What is done.
    #[serde(flatten)]
    pub kind: OperationKind,
    /// Why.
    pub cause: Cause,
    /// The number of its container among the service's, from 1; 0 where it is for all of them.
    #[serde(skip_serializing_if = "is_zero")]
    pub replica: u32,
    /// The places of the operations in the plan that have to be done before.
    pub after: Vec<usize>,
    /// The plugins whose changes are part of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<String>,
}

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "operation")]
pub enum OperationKind {
    /// Makes a network.
    CreateNetwork {
        /// The app's name for it.
        key: String,
        /// Its name on the daemon.
        network: String,
        /// What it is made from; goes on it as labels.
        #[serde(skip)]
        inputs: Fields,
    },
    /// Removes a network.
    RemoveNetwork {
        /// Its id.
        id: String,
        /// Its name.
        network: String,
    },
    /// Makes a volume.
    CreateVolume {
        /// Its name on the daemon.
        volume: String,
        /// What it is made from; goes on it as labels.
        #[serde(skip)]
        inputs: Fields,
    },
    /// Gets an image from its registry.
    Pull {
        /// The image's name.
        reference: String,
    },
    /// Builds the service's image.
    Build {
        /// What it is built from; goes on the image as labels.
        #[serde(skip)]
        inputs: Fields,
        /// The base images that the daemon has now: reference and id.
        #[serde(skip)]
        bases: std::collections::BTreeMap<String, String>,
    },
    /// Lets plugins judge the built image before a container is made from it.
    PostBuild {
        /// The image's id; `None` for the one that is built before.
        #[serde(skip_serializing_if = "Option::is_none")]
        image: Option<String>,
    },
    /// Gives the service's image the names that were asked for.
    Tag {
        /// The image's id; `None` for the one that is built before.
        #[serde(skip_serializing_if = "Option::is_none")]
        image: Option<String>,
        /// The names.
        tags: Vec<String>,
    },
    /// Makes the new container, under a name that marks it as not yet proven.
    Create {
        /// The container's final name.
        container: String,
        /// The id of its image; `None` for the one that is pulled or built before.
        #[serde(skip_serializing_if = "Option::is_none")]
        image: Option<String>,
        /// What it is made from; goes on the container as labels.
        #[serde(skip)]
        inputs: Fields,
    },
    /// Stops a container that is replaced. It is started again if the new one fails.
    Stop {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
    },
    /// Starts a container.
    Start {
        /// Which.
        #[serde(flatten)]
        what: Start,
    },
    /// Waits until the started container is healthy.
    Health,
    /// Waits until the started container has ended, with success.
    Complete,
    /// Waits until a container that was there before is healthy.
    Await {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
    },
    /// Stops a container that stays, and starts it again.
    Restart {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
    },
    /// Gives a container that was there before another name.
    Rename {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
        /// Its name from then on.
        to: String,
    },
    /// Lets plugins act on the healthy container.
    PostRun,
    /// Gives the new container its final name: from here on it is the service's.
    Commit {
        /// The name.
        container: String,
    },
    /// Removes a container.
    Remove {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
    },
}

impl OperationKind {
    /// The name for people.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CreateNetwork { .. } => "network",
            Self::RemoveNetwork { .. } => "remove network",
            Self::CreateVolume { .. } => "volume",
            Self::Complete => "complete",
            Self::Await { .. } => "await",
            Self::Restart { .. } => "restart",
            Self::Rename { .. } => "rename",
            Self::Pull { .. } => "pull",
            Self::Build { .. } => "build",
            Self::PostBuild { .. } => "post-build",
            Self::Tag { .. } => "tag",
            Self::Create { .. } => "create",
            Self::Stop { .. } => "stop",
            Self::Start { .. } => "start",
            Self::Health => "health",
            Self::PostRun => "post-run",
            Self::Commit { .. } => "commit",
            Self::Remove { .. } => "remove",
        }
    }

    /// What it acts on, for people.
    pub fn object(&self) -> Option<&str> {
        match self {
            Self::Pull { reference } => Some(reference),
            Self::Tag { tags, .. } => tags.first().map(String::as_str),
            Self::CreateNetwork { network, .. } | Self::RemoveNetwork { network, .. } => {
                Some(network)
            }
            Self::CreateVolume { volume, .. } => Some(volume),
            Self::Await { container, .. }
            | Self::Restart { container, .. }
            | Self::Rename { container, .. }
            | Self::Create { container, .. }
            | Self::Stop { container, .. }
            | Self::Commit { container }
            | Self::Remove { container, .. } => Some(container),
            Self::Start { what } => match what {
                Start::Created => None,
                Start::Existing { container, .. } => Some(container),
            },
            Self::Build { .. }
            | Self::PostBuild { .. }
            | Self::Health
            | Self::Complete
            | Self::PostRun => None,
        }
    }
}

/// The container that is started.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Start {
    /// The one that was just created.
    Created,
    /// One that is there.
    Existing {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
    },
}

/// Why an operation is needed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Cause {
    /// The daemon has no image for the service.
    NoImage,
    /// The image was asked to be built again.
    Asked,
    /// What the image or container is made from changed.
    Changed {
        /// Where old and new differ; empty if the old values are not known.
        differences: Vec<Difference>,
    },
    /// A base image of the Dockerfile is another one now.
    BaseChanged {
        /// The base image's name.
        reference: String,
    },
    /// The service has no container.
    NoContainer,
    /// The container's image was, or is to be, replaced.
    NewImage,
    /// The container is there but does not run.
    NotRunning,
    /// The new container takes its place.
    Replaced,
    /// A deploy before this one did not finish.
    Unfinished,
    /// The daemon does not have it.
    Missing,
    /// A network that it is in is made anew.
    NetworkChanged {
        /// The app's name for it.
        network: String,
    },
    /// A service that it depends on has a new container.
    DependencyReplaced {
        /// That service.
        service: Name,
    },
    /// Its health check has not gone well yet, and others wait for that.
    NotHealthy,
    /// The service has fewer containers now.
    Scaled,
    /// The service is not in the app any more.
    Orphan,
    /// It is the next step for the new container.
    Next,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name.
    pub field: String,
    /// Its value on the daemon.
    pub old: Option<String>,
    /// Its value in the app.
    pub new: Option<String>,
    /// The plugins that set it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<String>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoImage => f.write_str("no image yet"),
            Self::Asked => f.write_str("asked for"),
            Self::Changed { differences } if differences.is_empty() => f.write_str("changed"),
            Self::Changed { differences } => {
                let names: Vec<_> = differences.iter().map(|d| d.field.as_str()).collect();
                write!(f, "changed: {}", names.join(", "))
            }
            Self::BaseChanged { reference } => write!(f, "base image {reference} changed"),
            Self::NoContainer => f.write_str("no container yet"),
            Self::NewImage => f.write_str("new image"),
            Self::NotRunning => f.write_str("not running"),
            Self::Replaced => f.write_str("replaced"),
            Self::Unfinished => f.write_str("left by an unfinished deploy"),
            Self::Missing => f.write_str("not there yet"),
            Self::NetworkChanged { network } => write!(f, "network {network} changed"),
            Self::DependencyReplaced { service } => write!(f, "{service} is replaced"),
            Self::NotHealthy => f.write_str("not healthy yet"),
            Self::Scaled => f.write_str("fewer containers"),
            Self::Orphan => f.write_str("its service is not in the app any more"),
            Self::Next => Ok(()),
        }
    }
}

impl fmt::Display for Plan {
    /// One line an operation: what, for which service, on what, why, by which plugins.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for operation in &self.operations {
            writeln!(f, "{operation}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(service) = &self.service {
            write!(f, " {service}")?;
        }
        if self.replica > 1 {
            write!(f, " #{}", self.replica)?;
        }
        if let Some(object) = self.kind.object() {
            write!(f, " {object}")?;
        }
        let cause = self.cause.to_string();
        if !cause.is_empty() {
            write!(f, " ({cause})")?;
        }
        if !self.plugins.is_empty() {
            write!(f, " by {}", self.plugins.join(", "))?;
        }
        Ok(())
    }
}
