//! `rengine watch`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::error::CliError;
use super::{GlobalArgs, interrupt, session};
use crate::deploy::{
    Hooks, Loading, Picture, Reporter, Reread, Stats, Watch, WatchOptions, follow_logs,
    follow_stats,
};
use crate::docker::Docker;
use crate::manifest::OnBad;
use crate::ui::{Live, Ui};

/// Lines of logs that wait to be shown.
const LOG_LINES: usize = 1000;

/// How to watch.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Take a release back that turns bad within this time after its deploy
    #[arg(long, value_name = "TIME", value_parser = time)]
    rollback_within: Option<Duration>,
    /// Only look on: change nothing, and call no plugin
    #[arg(long, conflicts_with = "rollback_within")]
    view_only: bool,
    /// Write lines also on a terminal
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    sources: session::SourceArgs,
}

fn time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time > Duration::ZERO => Ok(time),
        Ok(_) => Err("a time must be longer than 0".to_owned()),
        Err(error) => Err(format!("{error}: write a number with a unit, such as 10m")),
    }
}

pub async fn run(global: &GlobalArgs, args: WatchArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_manifest(global, args.sources, ui).await?;
    let plugins = match args.view_only {
        true => Loading::of(Hooks::default()),
        false => Hooks::begin(&manifest, &args.sources.sources(&ui.reporter())),
    };
    let docker = session::connect(global, &manifest, ui).await?;
    let app = manifest.app.name.to_string();
    let mut settings = manifest.watch.clone();
    if let Some(time) = args.rollback_within {
        (settings.probation, settings.on_bad) = (Some(time), OnBad::Rollback);
    }
    let hooks = plugins.finish(&docker, &*ui.reporter()).await?;
    let stop = interrupt::on_stop(ui);
    let (pictures, seen) = watch::channel(Picture::default());
    let (to, events) = mpsc::unbounded_channel();
    let live = ui.can_show() && !args.plain;
    let reporter = match live {
        true => ui.live_reporter(to),
        false => ui.reporter(),
    };
    let watch = Watch {
        manifest: Arc::new(manifest),
        reread: reread(global, args.sources, &reporter),
        docker: docker.clone(),
        hooks,
        reporter,
        options: WatchOptions {
            settings,
            look_only: args.view_only,
        },
        pictures,
    };
    if !live {
        return Ok(watch.run(&stop).await?);
    }
    let show = |stats, logs| Live {
        app,
        look_only: args.view_only,
        colour: ui.styles().coloured(),
        pictures: seen.clone(),
        stats,
        events,
        logs,
    };
    shown(watch, &docker, seen.clone(), show, &stop).await
}

/// Reads the project as it is when the watch does something.
fn reread(
    global: &GlobalArgs,
    sources: session::SourceArgs,
    reporter: &Arc<dyn Reporter>,
) -> Reread {
    let (global, sources) = (global.clone(), sources.sources(reporter));
    Arc::new(move || {
        let (global, sources) = (global.clone(), sources.clone());
        Box::pin(async move { session::load_again(&global, &sources).await })
    })
}

/// Watches and shows that, until either ends.
async fn shown(
    watch: Watch,
    docker: &Docker,
    pictures: watch::Receiver<Picture>,
    show: impl FnOnce(watch::Receiver<Stats>, mpsc::Receiver<crate::deploy::LogEntry>) -> Live,
    stop: &CancellationToken,
) -> Result<(), CliError> {
    let (to_stats, stats) = watch::channel(Stats::default());
    let (to_logs, logs) = mpsc::channel(LOG_LINES);
    let view = show(stats, logs);
    let watching = async {
        let ended = watch.run(stop).await;
        stop.cancel();
        ended
    };
    let viewing = async {
        let ended = view.run(stop).await;
        stop.cancel();
        ended
    };
    let followed = async {
        tokio::join!(
            follow_stats(docker.clone(), pictures.clone(), to_stats),
            follow_logs(docker.clone(), pictures, to_logs)
        )
    };
    let followed = stop.run_until_cancelled(followed);
    let (watched, viewed, _) = tokio::join!(watching, viewing, followed);
    watched?;
    viewed.map_err(|error| CliError::Io {
        what: "drawing on",
        path: PathBuf::from("the terminal"),
        reason: error.to_string(),
    })
}
