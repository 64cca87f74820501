//! The lock that a deploy holds, in the daemon itself.
//!
//! It is a container that is never started. A name is unique in a daemon, so creating the
//! container is what takes the lock, atomically and across all clients; and a lock is removed by
//! its id, so two who find the same dead holder can't remove each other's new lock.
//!
//! A holder on this machine that is dead is known by its process. One on another machine is known by
//! its silence: the daemon's clock says how long ago its last sign of life was, and since that clock
//! may have jumped, it is then watched for two more by this machine's steady one. Should it have
//! been cut off, and come back, it finds its lock gone and does nothing more.

mod beat;
mod held;
mod holder;
mod image;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use jiff::Timestamp;

use super::error::status;
use super::{Docker, DockerError};
use crate::app::Name;
use crate::plan::observed::label;
use beat::Beat;
pub use held::Lock;
pub use holder::LockHolder;
use image::IMAGE;

/// How often a lock that vanishes while it is looked at is tried again: one that is being made has its
/// name already, and can't be seen yet.
const ATTEMPTS: usize = 40;
/// Time between two of these tries.
const VANISHED: Duration = Duration::from_millis(50);
/// Time between two looks at a lock that is waited for.
const POLL: Duration = Duration::from_millis(500);

/// How long a lock that is held for moments only is waited for, whatever was asked.
const BRIEF: Duration = Duration::from_secs(60);

/// How long to wait for a lock that another holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    #[default]
    No,
    /// At most so long.
    AtMost(Duration),
    /// Until it is there.
    Forever,
}

impl Wait {
    fn is_over(self, begun: Instant) -> bool {
        match self {
            Self::No => true,
            Self::AtMost(time) => begun.elapsed() >= time,
            Self::Forever => false,
        }
    }
}

/// A lock as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockState {
    id: String,
    /// Who holds it, where that can be read.
    pub holder: Option<LockHolder>,
    /// How long ago its last sign of life was, by the daemon's clock; below zero where that
    /// clock was set back. `None` for a holder that gives none.
    pub silence: Option<jiff::SignedDuration>,
}

impl LockState {
    /// True if the holder is known to be no more: it ran on this machine.
    pub fn is_dead(&self) -> bool {
        self.holder.as_ref().is_some_and(LockHolder::is_dead)
    }

    /// True if there was no sign of life for too long, or if nobody can say for how long.
    pub fn is_silent(&self) -> bool {
        let lease = self.holder.as_ref().and_then(LockHolder::lease);
        let (Some(lease), Some(silence)) = (lease, self.silence) else {
            return false;
        };
        // Times of volumes are in whole seconds.
        let slack = jiff::SignedDuration::from_secs(1);
        silence < -slack || silence.unsigned_abs() > lease
    }
}

/// What is told of a lock that is not free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockNews {
    /// It is waited for.
    Waiting(Option<LockHolder>),
    /// Its holder seems to be no more, and is watched for so long.
    Watching(Option<LockHolder>, Duration),
    /// It was taken from a holder that is no more.
    TakenOver(Option<LockHolder>),
}

impl Docker {
    /// Takes an app's lock, or says who holds it. The lock of a holder that is no more is taken
    /// over. What is worth telling meanwhile goes to `tell`.
    pub async fn lock(
        &self,
        app: &Name,
        holder: &LockHolder,
        wait: Wait,
        tell: &(dyn Fn(LockNews) + Sync),
    ) -> Result<Lock, DockerError> {
        let begun = Instant::now();
        let mut told = None;
        let mut vanished = 0;
        loop {
            if let Some(id) = self.create_lock(app, holder).await? {
                return Ok(self.held(app, id, holder));
            }
            let Some(state) = self.find_lock(app).await? else {
                vanished += 1;
                if vanished >= ATTEMPTS && wait.is_over(begun) {
                    return Err(locked(app, None));
                }
                tokio::time::sleep(VANISHED).await;
                continue;
            };
            if state.is_dead()
                || (state.is_silent() && self.stays_silent(app, &state, tell).await?)
            {
                self.remove_lock(app, &state.id).await?;
                tell(LockNews::TakenOver(state.holder));
                continue;
            }
            let brief = state.holder.as_ref().is_some_and(|holder| holder.brief);
            if wait.is_over(begun) && !(brief && begun.elapsed() < BRIEF) {
                return Err(locked(app, state.holder));
            }
            if told.as_ref() != Some(&state.id) {
                told = Some(state.id);
                tell(LockNews::Waiting(state.holder));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// An app's lock; `None` if nobody holds it.
    pub async fn find_lock(&self, app: &Name) -> Result<Option<LockState>, DockerError> {
        let name = container_name(app);
        let found = match self.client().inspect_container(&name, None).await {
            Ok(found) => found,
            Err(error) if status(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(self.error(format!("inspect the container {name}"), error)),
        };
        let labels = found.config.and_then(|config| config.labels);
        let text = labels.and_then(|mut labels| labels.remove(label::LOCK));
        let holder: Option<LockHolder> = text.and_then(|text| serde_json::from_str(&text).ok());
        let id = found.id.unwrap_or_default();
        let created = found.created.map(|at| at.unix_timestamp_nanos());
        let created = created.and_then(|at| Timestamp::from_nanosecond(at).ok());
        let silence = match holder.as_ref().and_then(LockHolder::lease) {
            None => None,
            Some(_) => {
                let (beats, info) = tokio::join!(self.beats(app), self.client().info());
                let info = info.map_err(|error| self.error("say what time it is", error))?;
                let now = info.system_time.and_then(|text| text.parse().ok());
                let beats = beats?.into_iter();
                let beats = beats.filter(|beat| beat.lock == id);
                let last = beats.filter_map(|beat| beat.at).chain(created).max();
                let since = |(now, last): (Timestamp, Timestamp)| now.duration_since(last);
                now.zip(last).map(since)
            }
        };
        Ok(Some(LockState {
            id,
            holder,
            silence,
        }))
    }

    /// Removes an app's lock, whoever holds it; gives what was known of it.
    pub async fn break_lock(&self, app: &Name) -> Result<Option<LockState>, DockerError> {
        let found = self.find_lock(app).await?;
        if let Some(state) = &found {
            self.remove_lock(app, &state.id).await?;
        }
        Ok(found)
    }

    /// Removes this lock, and no other.
    pub async fn remove_found_lock(&self, app: &Name, lock: &LockState) -> Result<(), DockerError> {
        self.remove_lock(app, &lock.id).await
    }

    /// True if a holder gives no sign of life for the time of two.
    async fn stays_silent(
        &self,
        app: &Name,
        state: &LockState,
        tell: &(dyn Fn(LockNews) + Sync),
    ) -> Result<bool, DockerError> {
        let interval = state.holder.as_ref().and_then(LockHolder::interval);
        let interval = interval.unwrap_or(POLL);
        let time = interval * 5 / 2;
        tell(LockNews::Watching(state.holder.clone(), time));
        let of_this = |beats: Vec<Beat>| -> Vec<String> {
            let beats = beats.into_iter().filter(|beat| beat.lock == state.id);
            beats.map(|beat| beat.volume).collect()
        };
        let first = of_this(self.beats(app).await?);
        let begun = Instant::now();
        while begun.elapsed() < time {
            tokio::time::sleep(interval.min(POLL)).await;
            let same = async {
                let there = self.inspect(&state.id).await?.is_some();
                Ok::<_, DockerError>(there && of_this(self.beats(app).await?) == first)
            };
            if !same.await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Creates the container that is the lock; `None` if there is one.
    async fn create_lock(
        &self,
        app: &Name,
        holder: &LockHolder,
    ) -> Result<Option<String>, DockerError> {
        let name = container_name(app);
        let text = serde_json::to_string(holder).unwrap_or_default();
        let labels = HashMap::from([
            (label::LOCK.to_owned(), text),
            (label::APP.to_owned(), app.to_string()),
        ]);
        let body = ContainerCreateBody {
            image: Some(IMAGE.to_owned()),
            // Never run, but no container can be without one.
            cmd: Some(vec!["lock".to_owned()]),
            labels: Some(labels),
            ..ContainerCreateBody::default()
        };
        let created = match self.create(&name, body.clone()).await {
            Err(DockerError::NoSuchImage { .. }) => {
                self.make_lock_image().await?;
                self.create(&name, body).await
            }
            created => created,
        };
        match created {
            Ok(id) => Ok(Some(id)),
            Err(DockerError::NameTaken { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a lock by its container's id. Its signs of life go first: a lock without any is as
    /// old as its container, and is found by the next one if this ends in between.
    async fn remove_lock(&self, app: &Name, id: &str) -> Result<(), DockerError> {
        for beat in self.beats(app).await? {
            if beat.lock == id {
                self.remove_volume(&beat.volume).await?;
            }
        }
        self.remove(id, true).await
    }
}

fn locked(app: &Name, holder: Option<LockHolder>) -> DockerError {
    DockerError::Locked {
        app: app.to_string(),
        holder: holder.map(Box::new),
    }
}

fn container_name(app: &Name) -> String {
    format!("rengine-lock-{app}")
}
