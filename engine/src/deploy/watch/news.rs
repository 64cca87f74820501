//! What a watcher tells.

use jiff::Timestamp;
use serde::Serialize;

/// Something that a watcher saw or did. With `--json` it is an [`Event`](crate::deploy::Event) of the
/// name `watch`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WatchEvent {
    /// When, by this machine's clock.
    pub time: Timestamp,
    /// The service that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The container that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What.
    #[serde(flatten)]
    pub news: News,
}

/// What it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum News {
    /// The watch has begun, or goes on with another release.
    Watching {
        /// The release that runs; `None` if the app is not deployed.
        release: Option<String>,
        /// Its containers.
        containers: usize,
        /// For how many more seconds the release is taken back if it turns bad.
        #[serde(skip_serializing_if = "Option::is_none")]
        probation: Option<u64>,
    },
    /// A container failed its checks as often as it may.
    Unhealthy {
        /// What it failed with last.
        why: String,
    },
    /// A container that was unhealthy is well again.
    Healthy,
    /// A container's process ended.
    Ended {
        /// How.
        why: String,
    },
    /// A container ends again and again.
    CrashLoop {
        /// How often of late.
        times: usize,
    },
    /// The edge sends a container nothing new.
    Out,
    /// The edge sends it requests again.
    In,
    /// All containers of a service are unhealthy: the edge goes on sending them requests.
    AllUnhealthy,
    /// A container is restarted.
    Restarting {
        /// Which try it is of those that count, from 1.
        attempt: usize,
    },
    /// It was restarted; its checks say whether that helped.
    Restarted,
    /// A container is replaced by a new one.
    Replacing {
        /// Why a restart is not enough.
        why: String,
    },
    /// It was replaced.
    Replaced,
    /// What was to be done is not needed any more, as another has done it, or a release came.
    LeftAlone {
        /// Why.
        why: String,
    },
    /// What was to be done was not.
    Failed {
        /// Why.
        why: String,
    },
    /// Nothing more is done for a container, until a release changes it or it gets well by itself.
    GaveUp {
        /// Why.
        why: String,
    },
    /// The release turned bad, and nothing is done about it.
    Bad {
        /// How.
        why: String,
        /// Why nothing is done.
        left: String,
    },
    /// The release turned bad, and the one before it is brought back.
    RollingBack {
        /// How it turned bad.
        why: String,
        /// The release that is brought back.
        to: String,
    },
    /// The one before it is back.
    RolledBack {
        /// That release.
        to: String,
    },
    /// Somebody holds the app's lock: until it is given back, the watcher looks on.
    Yielding {
        /// Who.
        holder: String,
    },
    /// The lock was given back.
    Resuming,
    /// The daemon does not answer.
    DaemonLost {
        /// Why.
        why: String,
    },
    /// It does again.
    DaemonBack,
    /// The watch has ended.
    Stopped,
}

impl News {
    /// How much it matters.
    pub fn weight(&self) -> Weight {
        match self {
            Self::Watching { .. }
            | Self::In
            | Self::Restarting { .. }
            | Self::Restarted
            | Self::Replacing { .. }
            | Self::LeftAlone { .. }
            | Self::Yielding { .. }
            | Self::Resuming
            | Self::Stopped => Weight::Plain,
            Self::Healthy | Self::Replaced | Self::RolledBack { .. } | Self::DaemonBack => {
                Weight::Good
            }
            Self::Ended { .. } | Self::Out | Self::AllUnhealthy => Weight::Odd,
            Self::Unhealthy { .. }
            | Self::CrashLoop { .. }
            | Self::Failed { .. }
            | Self::GaveUp { .. }
            | Self::Bad { .. }
            | Self::RollingBack { .. }
            | Self::DaemonLost { .. } => Weight::Bad,
        }
    }
}

/// How much news matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// As things are.
    Plain,
    /// Better than before.
    Good,
    /// Worth a look.
    Odd,
    /// Worse than before.
    Bad,
}

impl std::fmt::Display for News {
    /// In words, without who it is about.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Watching { release: None, .. } => f.write_str("not deployed: waiting for a release"),
            Self::Watching {
                release: Some(release),
                containers,
                probation,
            } => {
                let count = match containers {
                    1 => "1 container".to_owned(),
                    count => format!("{count} containers"),
                };
                write!(f, "watching release {release}, {count}")?;
                match probation {
                    Some(seconds) => {
                        let time = std::time::Duration::from_secs(*seconds);
                        let time = humantime::format_duration(time);
                        write!(f, ", on probation for {time} more")
                    }
                    None => Ok(()),
                }
            }
            Self::Unhealthy { why } => write!(f, "unhealthy: {why}"),
            Self::Healthy => f.write_str("healthy again"),
            Self::Ended { why } => write!(f, "ended: {why}"),
            Self::CrashLoop { times } => write!(f, "ends again and again: {times} times of late"),
            Self::Out => f.write_str("taken out of the edge"),
            Self::In => f.write_str("back in the edge"),
            Self::AllUnhealthy => f.write_str(
                "all containers are unhealthy: none is taken out of the edge, for that would help nobody",
            ),
            Self::Restarting { attempt } => write!(f, "restarting, try {attempt}"),
            Self::Restarted => f.write_str("restarted"),
            Self::Replacing { why } => write!(f, "replacing by a new container: {why}"),
            Self::Replaced => f.write_str("replaced"),
            Self::LeftAlone { why } => write!(f, "left alone: {why}"),
            Self::Failed { why } => write!(f, "that did not succeed: {why}"),
            Self::GaveUp { why } => write!(f, "GIVEN UP: {why}"),
            Self::Bad { why, left } => write!(f, "the release is bad: {why}; {left}"),
            Self::RollingBack { why, to } => {
                write!(f, "the release turned bad: {why}; rolling back to {to}")
            }
            Self::RolledBack { to } => write!(f, "rolled back to release {to}"),
            Self::Yielding { holder } => write!(f, "looking on while the app is locked {holder}"),
            Self::Resuming => f.write_str("the lock was given back: going on"),
            Self::DaemonLost { why } => write!(f, "the daemon does not answer: {why}"),
            Self::DaemonBack => f.write_str("the daemon answers again"),
            Self::Stopped => f.write_str("stopped watching; the app runs on"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind.
    fn all() -> Vec<News> {
        let why = || "why".to_owned();
        vec![
            News::Watching {
                release: Some("r1".to_owned()),
                containers: 1,
                probation: Some(60),
            },
            News::Unhealthy { why: why() },
            News::Healthy,
            News::Ended { why: why() },
            News::CrashLoop { times: 3 },
            News::Out,
            News::In,
            News::AllUnhealthy,
            News::Restarting { attempt: 1 },
            News::Restarted,
            News::Replacing { why: why() },
            News::Replaced,
            News::LeftAlone { why: why() },
            News::Failed { why: why() },
            News::GaveUp { why: why() },
            News::Bad {
                why: why(),
                left: why(),
            },
            News::RollingBack {
                why: why(),
                to: "r0".to_owned(),
            },
            News::RolledBack {
                to: "r0".to_owned(),
            },
            News::Yielding { holder: why() },
            News::Resuming,
            News::DaemonLost { why: why() },
            News::DaemonBack,
            News::Stopped,
        ]
    }

    #[test]
    fn the_reference_has_each_of_them() {
        let reference = include_str!("../../../JSON.md");
        let section = reference
            .split("\n## ")
            .find(|text| text.starts_with("A watch"));
        let section = section.expect("a section");
        for news in all() {
            let event = WatchEvent {
                time: Timestamp::UNIX_EPOCH,
                service: Some("web".to_owned()),
                container: Some("shop-web-1".to_owned()),
                news,
            };
            let json = serde_json::to_value(&event).expect("JSON");
            let object = json.as_object().expect("an object");
            let what = object["what"].as_str().expect("a text");
            for name in object.keys().map(String::as_str).chain([what]) {
                assert!(section.contains(&format!("`{name}`")), "{name} of {what}");
            }
        }
    }

    #[test]
    fn each_is_a_line() {
        for news in all() {
            let text = news.to_string();
            assert!(!text.is_empty() && !text.contains('\n'), "{text}");
        }
    }
}
