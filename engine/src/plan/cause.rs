//! Why something is planned.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::app::{Name, Share};

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
    /// It was well, and is not any more.
    Unhealthy,
    /// The service has fewer containers now.
    Scaled,
    /// The service is not in the app any more.
    Orphan,
    /// Another release of rengine is there.
    NewRelease,
    /// The new containers get a part of the requests first, for a time.
    Canary {
        /// The part.
        share: Share,
        /// The time.
        #[serde(rename = "for", serialize_with = "duration")]
        time: Duration,
    },
    /// The service's containers are replaced a few at a time.
    InBatches,
    /// It is the next step for the new container.
    Next,
}

/// A time as people write it.
pub(super) fn duration<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_duration(*time))
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
            Self::Unhealthy => f.write_str("not healthy any more"),
            Self::Scaled => f.write_str("fewer containers"),
            Self::Orphan => f.write_str("its service is not in the app any more"),
            Self::NewRelease => f.write_str("a newer release of rengine"),
            Self::Canary { share, time } => {
                let time = humantime::format_duration(*time);
                write!(f, "{share} of the requests for {time}")
            }
            Self::InBatches => f.write_str("a few at a time"),
            Self::Next => Ok(()),
        }
    }
}
