//! Carrying out what a watcher decided, under the app's lock.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::core::{Failure, Holder};
use super::edge::{RunningEdge, drained};
use super::slot::Facts;
use crate::deploy::{
    Action, Asker, DeployError, Hooks, Loading, RedactingReporter, Reporter, Request, lock_holder,
    run,
};
use crate::docker::{ContainerDetail, Docker, DockerError, LockHolder, Wait};
use crate::edge::DRAIN;
use crate::manifest::Manifest;

/// What this command is called where it leaves its name.
pub const COMMAND: &str = "rengine watch";

/// Reads the project as it is now: its secrets and certificates may be others than those of the day on which
/// the watch began.
pub type Reread = Arc<dyn Fn() -> BoxFuture<'static, Result<Manifest, DeployError>> + Send + Sync>;

/// What carrying something out needs.
#[derive(Clone)]
pub struct Hands {
    /// What the project said when the watch began.
    pub manifest: Arc<Manifest>,
    /// What it says now.
    pub reread: Reread,
    /// The daemon.
    pub docker: Docker,
    /// The plugins.
    pub hooks: Hooks,
    /// Who is told.
    pub reporter: Arc<dyn Reporter>,
    /// The app's edges.
    pub edges: Vec<RunningEdge>,
    /// Cancelled when what goes on is to be taken back.
    pub cancel: CancellationToken,
}

impl Hands {
    /// Restarts a container, when it has done what the edge has given it to do. `began` is when the
    /// process began that is not well.
    pub async fn restart(self, container: Facts, began: Option<Timestamp>) -> Result<(), Failure> {
        let app = &self.manifest.app.name;
        let mut holder = lock_holder(COMMAND);
        // Nobody asked for this: who wants to deploy waits a moment, rather than fail.
        holder.brief = true;
        let lock = self.docker.lock(app, &holder, Wait::No, &|_| {}).await;
        let lock = lock.map_err(|error| failure(&error.into()))?;
        let work = async {
            // Whoever had the lock before may have seen to it.
            let there = self.docker.inspect(&container.id).await?;
            if let Some(why) = moved(there.as_ref(), &container, began) {
                return Ok(Err(Failure::Moved(why)));
            }
            if let Some(target) = &container.target {
                let limit = self.manifest.edge.drain.unwrap_or(DRAIN);
                drained(&self.docker, &self.edges, target, limit.min(LONGEST_DRAIN)).await;
            }
            self.docker.restart(&container.id, None).await.map(Ok)
        };
        let done = lock.guard::<_, DockerError>(work).await;
        let released = lock.release().await;
        done.and_then(|done| released.map(|()| done))
            .map_err(|error| failure(&error.into()))?
    }

    /// Puts a new container in the place of one, as the record of the release has it: through the
    /// same gate and edge as a deploy.
    pub async fn replace(
        self,
        container: Facts,
        release: String,
        why: String,
    ) -> Result<(), Failure> {
        let reason = format!("{} was replaced: {why}", container.name);
        let action = Action::Replace {
            release: release.clone(),
            container: container.id,
        };
        self.deploy(action, release, reason).await
    }

    /// Brings back a release, from the one that turned bad.
    pub async fn roll_back(self, bad: String, to: String, why: String) -> Result<(), Failure> {
        self.deploy(Action::Rollback(Some(to)), bad, why).await
    }

    async fn deploy(self, action: Action, saw: String, reason: String) -> Result<(), Failure> {
        let request = Request {
            action,
            wait: Wait::No,
            asker: Some(Asker {
                command: COMMAND,
                reason,
                saw,
            }),
        };
        let manifest = self.present().await?;
        let Self {
            docker,
            hooks,
            reporter,
            cancel,
            ..
        } = self;
        // Nobody has seen to it yet that secrets which came later are not told.
        let redactor = manifest.redactor();
        let reporter: Arc<dyn Reporter> = Arc::new(RedactingReporter {
            inner: reporter,
            redactor: redactor.clone(),
        });
        let loaded = Loading::of(hooks);
        let done = run(&manifest, &docker, loaded, request, &reporter, &cancel).await;
        done.map(drop)
            .map_err(|error| failure(&error).redacted(&redactor))
    }

    /// The project as it is now.
    async fn present(&self) -> Result<Manifest, Failure> {
        let unread = |why: String| Failure::Unread(format!("the project can't be used: {why}"));
        let manifest = (self.reread)().await;
        let manifest = manifest.map_err(|error| unread(error.to_string()))?;
        let (is, was) = (&manifest.app.name, &self.manifest.app.name);
        match is == was {
            true => Ok(manifest),
            false => Err(unread(format!(
                "its app is called `{is}` by now, and not `{was}`"
            ))),
        }
    }
}

/// How long a container that is not well is given to end what it does, before it is restarted.
const LONGEST_DRAIN: Duration = Duration::from_secs(10);

/// Why a container is not to be restarted any more; `None` if it is.
fn moved(
    there: Option<&ContainerDetail>,
    container: &Facts,
    began: Option<Timestamp>,
) -> Option<String> {
    let Some(there) = there else {
        return Some("it was removed meanwhile".to_owned());
    };
    let other = began.is_some() && there.started_at != began;
    match (there.running, container.running) {
        (true, false) => Some("it was started meanwhile".to_owned()),
        (true, true) if other => Some("it was restarted meanwhile".to_owned()),
        // By whom is not known yet, and a person's stop is left as it is.
        (false, true) => Some("it ended meanwhile".to_owned()),
        _ => None,
    }
}

/// Who has the lock, for the core.
pub fn holder(holder: Option<&LockHolder>) -> Holder {
    Holder {
        who: holder.map_or_else(|| "by somebody".to_owned(), LockHolder::to_string),
        watch: holder.is_some_and(|holder| holder.command == COMMAND),
    }
}

fn failure(error: &DeployError) -> Failure {
    match error {
        DeployError::OtherRelease { .. } => Failure::Moved(error.to_string()),
        DeployError::Docker(inner) => match &**inner {
            DockerError::Locked { holder: had, .. } => Failure::Locked(holder(had.as_deref())),
            other => Failure::Other(other.to_string()),
        },
        other => Failure::Other(other.to_string()),
    }
}
