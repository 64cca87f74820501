//! Watching an app after its deploy: its health, the daemon's events, and what is done about them.
//!
//! | part | what it is |
//! | --- | --- |
//! | `core`, `slot`, `backoff` | what is decided; pure, with time as an argument |
//! | `spec` | what the record of the release says of what is to be watched |
//! | `checkup` | looking at one container again and again |
//! | `edge` | what the edge is asked to leave out |
//! | `act` | restarting, replacing, rolling back |
//! | `run` | all of it put together |
//! | `news`, `picture`, `stats`, `logs` | what others are told, and what they are shown |

mod act;
mod backoff;
mod checkup;
mod core;
mod edge;
mod logs;
mod news;
mod picture;
mod run;
mod slot;
mod spec;
mod stats;
#[cfg(test)]
mod tests;

pub use act::Reread;
pub use logs::{LogEntry, follow as follow_logs};
pub use news::{News, WatchEvent, Weight};
pub use picture::{Condition, Picture, Row};
pub use run::{Watch, WatchOptions};
pub use stats::{Stats, Traffic, follow as follow_stats};
