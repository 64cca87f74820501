//! What a plan consists of.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::edge::EdgeSlot;
use super::{Cause, Conflict};
use crate::app::{Canary, Fields, Name};
use crate::edge::Routes;

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
    /// Makes and starts an edge, which owns ports of the host from then on.
    CreateEdge {
        /// Its name.
        container: String,
        /// The ports.
        slots: Vec<EdgeSlot>,
        /// The networks that it joins, by their names on the daemon.
        networks: Vec<String>,
    },
    /// Stops an edge whose ports containers get. It is started again if they fail.
    StopEdge {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
    },
    /// Starts an edge that is there.
    StartEdge {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
    },
    /// Has an edge join a network.
    JoinEdge {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
        /// The network's name.
        network: String,
    },
    /// Has an edge leave a network, which is made anew.
    LeaveEdge {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
        /// The network's name.
        network: String,
    },
    /// Replaces the program of an edge by this one, without a lost connection.
    UpgradeEdge {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
        /// The release that it is.
        from: String,
        /// The release that it becomes.
        to: String,
    },
    /// Tells edges who answers some of the requests from here on; it can be taken back.
    Shift {
        /// Those whose routes change.
        edges: Vec<EdgeRoutes>,
        /// What they are told if it is taken back.
        #[serde(skip)]
        back: Vec<EdgeRoutes>,
    },
    /// Compares new containers, which get a share of the requests, with the old ones.
    Judge {
        /// How, and for how long.
        canary: Canary,
        /// The edges that they are behind: name and id.
        edges: Vec<(String, String)>,
        /// The names under which edges find the new ones.
        new: Vec<String>,
        /// The same of the old ones.
        old: Vec<String>,
    },
    /// Watches new containers for a time before the next are replaced.
    Settle {
        /// The time.
        #[serde(rename = "for", serialize_with = "super::cause::duration")]
        time: Duration,
        /// Their numbers among the service's, from 1.
        replicas: Vec<u32>,
    },
    /// Tells edges who answers from here on: the new containers instead of the old ones.
    Route {
        /// Those whose routes change.
        edges: Vec<EdgeRoutes>,
    },
    /// Waits until those who answered before have ended what they do.
    Drain {
        /// The edges that they are behind: name, and id unless it is made before.
        edges: Vec<(String, Option<String>)>,
    },
    /// Removes an edge of which no port is wanted any more.
    RemoveEdge {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
    },
}

/// What an edge is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EdgeRoutes {
    /// Its name.
    pub container: String,
    /// Its id; `None` if it is made before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// All that it is to do.
    pub routes: Routes,
}

impl EdgeRoutes {
    /// Those who answer, and for what: `web:80`. Not those who only end what they began.
    fn services(&self) -> Vec<&str> {
        let names = self.routes.services.keys().map(String::as_str);
        let listeners = self.routes.listeners.iter();
        let heard = |name: &&str| listeners.clone().any(|listener| listener.service == *name);
        names.filter(heard).collect()
    }
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
            Self::CreateEdge { .. } => "edge",
            Self::StopEdge { .. } => "stop edge",
            Self::StartEdge { .. } => "start edge",
            Self::JoinEdge { .. } => "join edge",
            Self::LeaveEdge { .. } => "leave edge",
            Self::UpgradeEdge { .. } => "upgrade edge",
            Self::Shift { .. } => "shift",
            Self::Judge { .. } => "judge",
            Self::Settle { .. } => "settle",
            Self::Route { .. } => "route",
            Self::Drain { .. } => "drain",
            Self::RemoveEdge { .. } => "remove edge",
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
            | Self::Remove { container, .. }
            | Self::CreateEdge { container, .. }
            | Self::StopEdge { container, .. }
            | Self::StartEdge { container, .. }
            | Self::JoinEdge { container, .. }
            | Self::LeaveEdge { container, .. }
            | Self::UpgradeEdge { container, .. }
            | Self::RemoveEdge { container, .. } => Some(container),
            Self::Drain { edges } => Some(&edges.first()?.0),
            Self::Shift { edges, .. } => Some(&edges.first()?.container),
            Self::Route { edges } => edges.first()?.services().first().copied(),
            Self::Start { what } => match what {
                Start::Created => None,
                Start::Existing { container, .. } => Some(container),
            },
            Self::Build { .. }
            | Self::PostBuild { .. }
            | Self::Health
            | Self::Judge { .. }
            | Self::Settle { .. }
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
