//! Carrying out what a watcher decided, under the app's lock.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::core::Failure;
use super::edge::drained;
use super::slot::Facts;
use crate::deploy::{
    Action, Asker, DeployError, Hooks, Loading, Reporter, Request, lock_holder, run,
};
use crate::docker::{Docker, DockerError, Wait};
use crate::edge::DRAIN;
use crate::manifest::Manifest;

/// What this command is called where it leaves its name.
pub const COMMAND: &str = "rengine watch";

/// What carrying something out needs.
#[derive(Clone)]
pub struct Hands {
    /// What the project says.
    pub manifest: Arc<Manifest>,
    /// The daemon.
    pub docker: Docker,
    /// The plugins.
    pub hooks: Hooks,
    /// Who is told.
    pub reporter: Arc<dyn Reporter>,
    /// The app's edges.
    pub edges: Vec<(String, String)>,
    /// Cancelled when what goes on is to be taken back.
    pub cancel: CancellationToken,
}

impl Hands {
    /// Restarts a container, when it has done what the edge has given it to do.
    pub async fn restart(self, container: Facts) -> Result<(), Failure> {
        let app = &self.manifest.app.name;
        let mut holder = lock_holder(COMMAND);
        // Nobody asked for this: who wants to deploy waits a moment, rather than fail.
        holder.brief = true;
        let lock = self.docker.lock(app, &holder, Wait::No, &|_| {}).await;
        let lock = lock.map_err(|error| failure(&error.into()))?;
        let work = async {
            if let Some(target) = &container.target {
                let limit = self.manifest.edge.drain.unwrap_or(DRAIN);
                drained(&self.docker, &self.edges, target, limit.min(LONGEST_DRAIN)).await;
            }
            self.docker.restart(&container.id, None).await
        };
        let done = lock.guard::<_, DockerError>(work).await;
        let released = lock.release().await;
        done.and(released).map_err(|error| failure(&error.into()))
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
            release,
            container: container.id,
        };
        self.deploy(action, reason).await
    }

    /// Brings back a release.
    pub async fn roll_back(self, to: String, why: String) -> Result<(), Failure> {
        self.deploy(Action::Rollback(Some(to)), why).await
    }

    async fn deploy(self, action: Action, reason: String) -> Result<(), Failure> {
        let request = Request {
            action,
            wait: Wait::No,
            asker: Some(Asker {
                command: COMMAND,
                reason,
            }),
        };
        let Self {
            manifest,
            docker,
            hooks,
            reporter,
            cancel,
            ..
        } = self;
        let loaded = Loading::of(hooks);
        let done = run(&manifest, &docker, loaded, request, &reporter, &cancel).await;
        done.map(drop).map_err(|error| failure(&error))
    }
}

/// How long a container that is not well is given to end what it does, before it is restarted.
const LONGEST_DRAIN: Duration = Duration::from_secs(10);

fn failure(error: &DeployError) -> Failure {
    match error {
        DeployError::Docker(inner) => match &**inner {
            DockerError::Locked { holder, .. } => Failure::Locked(match holder {
                Some(holder) => holder.to_string(),
                None => "by somebody".to_owned(),
            }),
            other => Failure::Other(other.to_string()),
        },
        other => Failure::Other(other.to_string()),
    }
}
