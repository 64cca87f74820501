//! Carrying out a plan, under the app's lock.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::recorder::Recorder;
use super::recording::{Images, Recording, seal};
use super::run::Done;
use super::steps::Execution;
use super::summary::{of_observed, seen};
use super::{DeployError, Event, Outcome, Prepared, Reporter, git, take_lock};
use crate::docker::{Docker, DockerError, Wait};
use crate::manifest::Manifest;
use crate::plan::observed::Observed;
use crate::release::{self, GitRevision, Record};

/// What carrying out a plan needs beside it.
pub struct Attempt<'a> {
    pub manifest: &'a Manifest,
    pub docker: &'a Docker,
    /// Who is told, and remembers what the record of the release says.
    pub recorder: &'a Arc<Recorder>,
    pub cancel: &'a CancellationToken,
    /// How long to wait for the lock.
    pub wait: Wait,
}

impl Attempt<'_> {
    /// Carries out the plan under the app's lock. What fails is taken back: the new container is
    /// removed, and the one that ran before runs again.
    ///
    /// # Errors
    ///
    /// Whatever ended it; by then it is taken back as far as the daemon can be reached.
    pub async fn execute(&self, mut prepared: Prepared) -> Result<Done, DeployError> {
        let docker = self.docker;
        let reporter: Arc<dyn Reporter> = self.recorder.clone();
        let app = prepared.app.name.clone();
        let idle = prepared.plan.is_empty() && !prepared.pulls_again();
        if idle && !self.is_untidy(&prepared).await? {
            report_plan(&prepared, &reporter);
            return Ok(Done {
                outcome: Outcome::NothingToDo,
                services: seen(&prepared, docker),
            });
        }
        let command = match (&prepared.asker, &prepared.rollback) {
            (Some(asker), _) => asker.command,
            (None, Some(_)) => "rengine rollback",
            (None, None) => "rengine deploy",
        };
        let lock = tokio::select! {
            lock = take_lock(docker, &app, command, self.wait, &reporter) => lock?,
            () = self.cancel.cancelled() => return Err(DeployError::Interrupted),
        };
        let result = lock.guard(self.locked(&mut prepared, &reporter)).await;
        let released = lock.release().await;
        let services = result?;
        released?;
        let outcome = match prepared.plan.is_empty() {
            true => Outcome::NothingToDo,
            false => Outcome::Succeeded,
        };
        Ok(Done { outcome, services })
    }

    /// True if a deploy before this one was killed and left something, though nothing is to be done.
    async fn is_untidy(&self, prepared: &Prepared) -> Result<bool, DockerError> {
        let app = &prepared.app.name;
        let lock = match prepared.observed.locked {
            true => self.docker.find_lock(app).await?,
            false => None,
        };
        Ok(match lock {
            // Whoever deploys now clears up.
            Some(lock) => lock.is_dead() || lock.is_silent(),
            None => {
                let ledger = Ledger::load(self.docker, app, seal(self.manifest)).await?;
                ledger.is_untidy(self.manifest.deploy.keep, &prepared.observed)
            }
        })
    }

    async fn locked(
        &self,
        prepared: &mut Prepared,
        reporter: &Arc<dyn Reporter>,
    ) -> Result<Vec<super::ServiceSummary>, DeployError> {
        let (docker, cancel) = (self.docker, self.cancel);
        prepared.pull_again(docker, reporter, cancel).await?;
        let app = prepared.app.name.clone();
        let (refreshed, ledger, git) = tokio::join!(
            prepared.refresh(docker),
            Ledger::load(docker, &app, seal(self.manifest)),
            git::revision(&self.manifest.dir)
        );
        refreshed?;
        if let Some(saved) = &prepared.saved {
            saved.check(prepared, self.manifest)?;
        }
        let mut ledger = ledger?;
        ledger.close_left(prepared).await?;
        prepared.check_asker(&ledger.all())?;
        report_plan(prepared, reporter);
        if let Some(conflict) = prepared.plan.conflicts.first() {
            return Err(conflict.clone().into());
        }
        let observed = match prepared.plan.is_empty() {
            true => None,
            false => self.recorded(prepared, git, reporter, &mut ledger).await?,
        };
        // Read anew: what was done is what is kept from now on.
        let (ledger, observed) =
            tokio::try_join!(Ledger::load(docker, &app, seal(self.manifest)), async {
                match observed {
                    Some(observed) => Ok(observed),
                    None => docker.observe(&app, &[]).await,
                }
            })?;
        let keep = self.manifest.deploy.keep;
        ledger.clean(keep, prepared, &observed, &**reporter).await;
        Ok(of_observed(&observed, prepared, docker))
    }

    /// Does what the plan says, and writes down how it ended. Gives what there is then, if it was
    /// looked at.
    async fn recorded(
        &self,
        prepared: &Prepared,
        git: Option<GitRevision>,
        reporter: &Arc<dyn Reporter>,
        ledger: &mut Ledger<'_>,
    ) -> Result<Option<Observed>, DeployError> {
        let Self {
            manifest,
            docker,
            recorder,
            cancel,
            ..
        } = self;
        let recording = Recording::begin(manifest, prepared, git, ledger).await?;
        let execution = Execution::new(prepared, docker, manifest.deploy.timeout, reporter, cancel);
        let result = execution.run().await;
        let written = async {
            let observed = match &result {
                Ok(()) => Some(docker.observe(&prepared.app.name, &[]).await?),
                Err(_) => None,
            };
            let images = match &observed {
                Some(observed) => Images::Run(observed, docker),
                None => {
                    let services = prepared.app.services.keys();
                    let made = services
                        .filter_map(|name| Some((name.to_string(), execution.image(name)?)));
                    Images::Made(made.collect())
                }
            };
            recording
                .end(manifest, &result, recorder, images, ledger)
                .await?;
            Ok::<_, DockerError>(observed)
        };
        let observed = written.await.unwrap_or_else(|error| {
            reporter.report(Event::Warning {
                message: format!("how this release ended could not be recorded: {error}"),
                help: None,
            });
            None
        });
        result.map(|()| observed)
    }
}

impl Prepared {
    /// Sees whether the release runs that whoever asks on its own has seen, rather than one that came
    /// meanwhile. A person is not asked: they may mean whatever runs by now.
    ///
    /// # Errors
    ///
    /// If it is another.
    pub(super) fn check_asker(&self, records: &[Record]) -> Result<(), DeployError> {
        let running = release::running(records, &self.observed.serving());
        let runs = running.map_or("none", |record| record.release.as_str());
        match &self.asker {
            Some(asker) if asker.saw != runs => Err(DeployError::OtherRelease {
                saw: asker.saw.clone(),
                runs: runs.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

fn report_plan(prepared: &Prepared, reporter: &Arc<dyn Reporter>) {
    reporter.report(Event::Planned {
        plan: prepared.plan.clone(),
        changes: prepared.changes.clone(),
    });
}
