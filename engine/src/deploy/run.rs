//! One deploy from its start to its end, and who is told how it ended.

use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use super::execute::Attempt;
use super::hooks::Loading;
use super::ledger::releases;
use super::recorder::Recorder;
use super::rollback::prepare_rollback;
use super::summary::summaries;
use super::{
    DeployError, Event, Options, Outcome, Reporter, SavedPlan, ServiceSummary, clean_changes,
    prepare, release_id, state,
};
use crate::app::Name;
use crate::docker::{Docker, Wait};
use crate::manifest::Manifest;
use crate::plugin::{CallContext, FinishedDeploy, FinishedService};

/// A deploy that ended well.
#[derive(Debug)]
pub struct Done {
    /// Whether there was anything to do.
    pub outcome: Outcome,
    /// What runs now.
    pub services: Vec<ServiceSummary>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is to be done.
    pub action: Action,
    /// How long to wait for the app's lock, where another holds it.
    pub wait: Wait,
    /// Who asks, if not a person.
    pub asker: Option<Asker>,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Action {
    /// Deploy the app as it is written.
    Deploy(Options),
    /// Carry out the plan of a file, if it is still what would be done.
    Planned(Box<SavedPlan>),
    /// Bring back the release whose id begins so, or the one before the one that runs.
    Rollback(Option<String>),
    /// Put what is missing of a release back in place, and a new container in the place of one.
    Replace {
        /// The release's id.
        release: String,
        /// The container's id; one that is gone is replaced all the same.
        container: String,
    },
}

/// What asks for something on its own, and not because a person did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The command that it is.
    pub command: &'static str,
    /// Why it asks.
    pub reason: String,
    /// The release that it saw run. Should another run by the time that the lock is held, nothing is done.
    pub saw: String,
}

/// Deploys an app, or brings back a release of it: prepares, carries out, and lets `post-deploy` hooks know, however it ended.
///
/// # Errors
///
/// Whatever ended it; by then it is taken back as far as the daemon can be reached.
pub async fn run(
    manifest: &Manifest,
    docker: &Docker,
    plugins: Loading,
    request: Request,
    reporter: &Arc<dyn Reporter>,
    cancel: &CancellationToken,
) -> Result<Done, DeployError> {
    let started = Instant::now();
    let recorder = Arc::new(Recorder::new(reporter.clone()));
    let told: Arc<dyn Reporter> = recorder.clone();
    let release = match &request.action {
        Action::Planned(saved) => saved.release.clone(),
        _ => release_id(SystemTime::now()),
    };
    let hooks = tokio::select! {
        hooks = plugins.finish(docker, &*told) => hooks?,
        () = cancel.cancelled() => return Err(DeployError::Interrupted),
    };
    // Known once it is looked up.
    let target = OnceLock::new();
    let attempt = async {
        let hooks = hooks.clone();
        let prepare = async {
            match &request.action {
                Action::Deploy(options) => {
                    prepare(manifest, docker, hooks, &release, *options, &told).await
                }
                Action::Planned(saved) => {
                    let options = saved.options;
                    let prepared = prepare(manifest, docker, hooks, &release, options, &told);
                    let mut prepared = prepared.await?;
                    saved.check(&prepared, manifest)?;
                    prepared.saved = Some(SavedPlan::clone(saved));
                    Ok(prepared)
                }
                Action::Rollback(target) => {
                    let target = target.as_deref();
                    prepare_rollback(manifest, docker, hooks, &release, target, None, &told).await
                }
                Action::Replace {
                    release: target,
                    container,
                } => {
                    let (target, unwell) = (Some(target.as_str()), Some(container.as_str()));
                    prepare_rollback(manifest, docker, hooks, &release, target, unwell, &told).await
                }
            }
        };
        let mut prepared = tokio::select! {
            prepared = prepare => prepared?,
            () = cancel.cancelled() => return Err(DeployError::Interrupted),
        };
        prepared.asker.clone_from(&request.asker);
        if prepared.asker.is_some() && prepared.plan.is_empty() {
            // It would else be told as done, though another did it.
            let records = releases(docker, &manifest.app.name).await?;
            prepared.check_asker(&records)?;
        }
        let attempt = Attempt {
            manifest,
            docker,
            recorder: &recorder,
            cancel,
            wait: request.wait,
        };
        if let Some(record) = &prepared.rollback {
            let _ = target.set(record.release.clone());
        }
        attempt.execute(prepared).await
    };
    let result = attempt.await;
    let mut record = recorder.record();
    // A plugin is told what others changed, and not the secrets that those may read.
    let redactor = manifest.redactor();
    clean_changes(&mut record.changes, &redactor);
    let outcome = match &result {
        Ok(done) => done.outcome,
        Err(DeployError::Interrupted) => Outcome::Interrupted,
        Err(_) if record.rolled_back => Outcome::RolledBack,
        Err(_) => Outcome::Failed,
    };
    let services = match &result {
        Ok(done) => done.services.clone(),
        // Said as far as it is known: the daemon may be what failed.
        Err(_) => services_after_failure(manifest, docker).await,
    };
    let finished = FinishedDeploy {
        outcome,
        error: result
            .as_ref()
            .err()
            .map(|error| redactor.redact(&error.to_string()).into_owned()),
        took: started.elapsed(),
        steps: record.steps,
        changes: record.changes,
        services: services
            .iter()
            .cloned()
            .map(|service| FinishedService {
                name: service.service,
                container: service.container,
                addresses: service.addresses,
            })
            .collect(),
    };
    let context = CallContext {
        app: manifest.app.name.to_string(),
        service: String::new(),
        release: release.clone(),
        planning: false,
    };
    hooks
        .post_deploy(&context, Arc::new(finished), reporter)
        .await;
    state::save(&hooks, &manifest.app.name, docker, reporter).await;
    reporter.report(Event::Finished {
        outcome,
        release,
        rollback_to: target.into_inner(),
        took: started.elapsed(),
        services,
    });
    result
}

async fn services_after_failure(manifest: &Manifest, docker: &Docker) -> Vec<ServiceSummary> {
    let names: Vec<Name> = manifest.app.services.keys().cloned().collect();
    summaries(&manifest.app.name, &names, docker)
        .await
        .unwrap_or_default()
}
