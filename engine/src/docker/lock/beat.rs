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
use tokio_util::sync::CancellationToken;

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

    /// Gives signs of life until `stop`. Should the lock be gone, `lost` is told.
    pub(super) async fn beat(
        self,
        app: Name,
        lock: String,
        interval: Duration,
        stop: CancellationToken,
        lost: CancellationToken,
    ) {
        let short: String = lock.chars().take(12).collect();
        let mut last = None;
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
            // A daemon that does not answer now may do so in time.
            if self.client().create_volume(request).await.is_err() {
                continue;
            }
            if let Some(before) = last.replace(name) {
                let _ = self.remove_volume(&before).await;
            }
            // After it, so that who takes over and this one can't both miss each other.
            if matches!(self.inspect(&lock).await, Ok(None)) {
                lost.cancel();
                break;
            }
        }
        if let Some(last) = last {
            let _ = self.remove_volume(&last).await;
        }
    }
}
