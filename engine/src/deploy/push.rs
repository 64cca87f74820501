//! The images of the running release, sent to a registry.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::output::{channel, transfer, with_output};
use super::{DeployError, Event, Reporter};
use crate::docker::Docker;

/// An image to be pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The service that runs on it.
    pub service: String,
    /// Its id.
    pub image: String,
    /// The name that it gets, which names the registry.
    pub reference: String,
}

/// Gives each image its name and pushes it, one after the other: a registry is seldom faster for
/// several. With `go_on`, one that fails is a warning.
///
/// # Errors
///
/// If the daemon or a registry refuses, or the person who waits stops it.
pub async fn push(
    docker: &Docker,
    pushes: &[Push],
    go_on: bool,
    reporter: &Arc<dyn Reporter>,
    cancel: &CancellationToken,
) -> Result<(), DeployError> {
    for (step, push) in pushes.iter().enumerate() {
        reporter.report(Event::StepStarted {
            step,
            operation: "push",
            service: Some(push.service.clone()),
            object: Some(push.reference.clone()),
        });
        let begun = Instant::now();
        let (events, output) = channel(reporter, step, transfer());
        let work = async {
            docker.tag(&push.image, &push.reference).await?;
            docker.push(&push.reference, events).await
        };
        let pushed = tokio::select! {
            pushed = with_output(work, output) => pushed.map_err(DeployError::from),
            () = cancel.cancelled() => Err(DeployError::Interrupted),
        };
        let took = begun.elapsed();
        match pushed {
            Ok(()) => reporter.report(Event::StepFinished {
                step,
                took,
                detail: None,
            }),
            Err(error) => {
                reporter.report(Event::StepFailed { step, took });
                if !go_on || matches!(error, DeployError::Interrupted) {
                    return Err(error);
                }
                reporter.report(Event::Warning {
                    message: error.to_string(),
                    help: None,
                });
            }
        }
    }
    Ok(())
}
