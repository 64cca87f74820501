//! `rengine stop`, `start` and `restart`: containers as they are, without a deploy.

use std::time::{Duration, Instant};

use clap::Args;
use futures_util::future::join_all;

use super::error::CliError;
use super::wait::WaitArgs;
use super::{GlobalArgs, services, session};
use crate::deploy::take_lock;
use crate::docker::{Docker, DockerError, Wait};
use crate::plan::observed::ObservedContainer;
use crate::ui::{Ui, time};

/// Which containers to start.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Which containers to stop, and how.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Seconds until a container that goes on is killed [default: the container's own]
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

/// What is done with each container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Start,
    Stop,
    Restart,
}

impl Act {
    const fn done(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Stop => "stopped",
            Self::Restart => "restarted",
        }
    }

    const fn command(self) -> &'static str {
        match self {
            Self::Start => "rengine start",
            Self::Stop => "rengine stop",
            Self::Restart => "rengine restart",
        }
    }

    /// False for a container that is as it should be.
    fn concerns(self, container: &ObservedContainer) -> bool {
        match self {
            Self::Start => !container.is_running(),
            Self::Stop => container.is_running(),
            Self::Restart => true,
        }
    }
}

pub async fn start(global: &GlobalArgs, args: StartArgs, ui: Ui) -> Result<(), CliError> {
    run(
        global,
        Act::Start,
        &args.services,
        None,
        args.wait.wait(),
        ui,
    )
    .await
}

pub async fn stop(global: &GlobalArgs, args: StopArgs, ui: Ui) -> Result<(), CliError> {
    let wait = args.wait.wait();
    run(global, Act::Stop, &args.services, args.timeout, wait, ui).await
}

pub async fn restart(global: &GlobalArgs, args: StopArgs, ui: Ui) -> Result<(), CliError> {
    let wait = args.wait.wait();
    run(global, Act::Restart, &args.services, args.timeout, wait, ui).await
}

async fn run(
    global: &GlobalArgs,
    act: Act,
    services: &[String],
    timeout: Option<u32>,
    wait: Wait,
    ui: Ui,
) -> Result<(), CliError> {
    let manifest = session::load_app(global, ui).await?;
    let docker = session::connect(global, &manifest, ui).await?;
    // A deploy that goes on would be surprised.
    let app = &manifest.app.name;
    let lock = take_lock(&docker, app, act.command(), wait, &ui.reporter()).await?;
    let work = async {
        let containers = services::containers(&manifest, &docker, services).await?;
        let timeout = timeout.map(|seconds| Duration::from_secs(u64::from(seconds)));
        let concerned = containers
            .iter()
            .filter(|container| !container.is_candidate() && act.concerns(container));
        let done = join_all(concerned.map(|container| one(&docker, act, container, timeout, ui)));
        let mut count = 0;
        for result in done.await {
            result?;
            count += 1;
        }
        Ok::<_, CliError>(count)
    };
    let result = lock.guard(work).await;
    lock.release().await?;
    let count = result?;
    let word = act.done();
    if ui.is_json() {
        ui.json(&serde_json::json!({"event": word, "app": manifest.app.name, "containers": count}));
    } else if count == 0 {
        ui.result("nothing to do");
    }
    Ok(())
}

async fn one(
    docker: &Docker,
    act: Act,
    container: &ObservedContainer,
    timeout: Option<Duration>,
    ui: Ui,
) -> Result<(), DockerError> {
    let begun = Instant::now();
    match act {
        Act::Start => docker.start(&container.id).await?,
        Act::Stop => docker.stop(&container.id, timeout).await?,
        Act::Restart => docker.restart(&container.id, timeout).await?,
    }
    ui.note(&format!(
        "  {} {} {} {}",
        ui.styles().good("✔"),
        act.done(),
        container.name,
        ui.styles().dim(time(begun.elapsed()))
    ));
    Ok(())
}
