//! The signs of life of who holds a lock.
//!
//! A container's labels can't be changed, and its name is what makes the lock one. So a sign of life
//! is a small volume beside it, and the next one takes its place: the daemon notes when each was made,
//! by its own clock, so the clocks of those who deploy play no part. A lock that is held for a few
//! seconds has none: the container's own time is the first.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::ListVolumesOptionsBuilder;
use jiff::Timestamp;
use tokio::time::timeout;

use super::held::{Ends, Seen};
use crate::app::Name;
use crate::docker::{Docker, DockerError};
use crate::plan::observed::label;

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The volume.
    pub volume: String,
    /// The id of the lock's container.
    pub lock: String,
    /// When it was made, by the daemon's clock.
    pub at: Option<Timestamp>,
}

impl Docker {
    /// The signs of life of whoever holds, or held, the app's lock.
    pub(super) async fn beats(&self, app: &Name) -> Result<Vec<Beat>, DockerError> {
        let filter = [format!("{}={app}", label::APP), label::BEAT.to_owned()];
        let filters = HashMap::from([("label", filter.to_vec())]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let listed = self.client().list_volumes(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list volumes", error))?;
        let volumes = listed.volumes.unwrap_or_default().into_iter();
        let beats = volumes.filter_map(|volume| {
            let own = volume.labels.get(label::APP)? == app.as_str();
            let lock = volume.labels.get(label::BEAT).filter(|_| own)?.clone();
            let at = volume.created_at.map(|at| at.unix_timestamp_nanos());
            Some(Beat {
                volume: volume.name,
                lock,
                at: at.and_then(|at| Timestamp::from_nanosecond(at).ok()),
            })
        });
        Ok(beats.collect())
    }

    /// Gives signs of life until it is to stop. Should the lock be gone, that is told; each time that it is there
    /// is noted in `seen`.
    pub(super) async fn beat(
        self,
        app: Name,
        lock: String,
        interval: Duration,
        Ends { stop, lost }: Ends,
        seen: Seen,
    ) {
        let short: String = lock.chars().take(12).collect();
        // Those that may be there; all but the last one are about to go.
        let mut made: Vec<String> = Vec::new();
        for number in 1_u64.. {
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = stop.cancelled() => break,
            }
            let name = format!("{app}_rengine-beat-{short}-{number}");
            let labels = HashMap::from([
                (label::APP.to_owned(), app.to_string()),
                (label::BEAT.to_owned(), lock.clone()),
            ]);
            let request = VolumeCreateRequest {
                name: Some(name.clone()),
                labels: Some(labels),
                ..VolumeCreateRequest::default()
            };
            // First noted, then done: what is not answered in time may come all the same.
            made.push(name);
            let create = timeout(interval, self.client().create_volume(request)).await;
            if matches!(create, Ok(Ok(_))) {
                while made.len() > 1 && self.take_away(&made[0], interval).await {
                    made.remove(0);
                }
            }
            // After it, so that who takes over and this one can't both miss each other. And whatever came of
            // it: a lock without signs of life is taken over.
            let there = timeout(interval, self.inspect(&lock)).await;
            if let Ok(Ok(there)) = there {
                match there {
                    Some(_) => seen.note(),
                    None => {
                        lost.cancel();
                        break;
                    }
                }
            }
        }
        for name in made {
            self.take_away(&name, interval).await;
        }
    }

    /// Removes a sign of life; false if that is not known to be done.
    async fn take_away(&self, name: &str, limit: Duration) -> bool {
        matches!(timeout(limit, self.remove_volume(name)).await, Ok(Ok(_)))
    }
}
