//! `rengine edge`: what runs in an edge's container, and what talks to it there.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::error::CliError;
use super::{GlobalArgs, session};
use crate::deploy::edge_image;
use crate::edge::{
    Beginning, ControlClient, Keeper, Routes, Worker, WorkerOptions, ask_for_upgrade,
};
use crate::ui::Ui;

/// Run the proxy that owns an app's ports, and talk to it
#[derive(Debug, Subcommand)]
pub enum EdgeCommand {
    /// Run an edge: the first process of its container
    Serve(ServeArgs),
    /// Proxy, and nothing else: what `serve` starts
    #[command(hide = true)]
    Worker(WorkerArgs),
    /// Ask the edge in this container, or tell it what to do
    #[command(subcommand)]
    Ctl(CtlCommand),
    /// Make the edge's image on the daemon, if it is not there
    Image,
}

/// Where, and what is told.
#[derive(Debug, Clone, Args)]
pub struct EdgeArgs {
    /// Where routes are kept, and where the sockets are
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
    /// Write no access log
    #[arg(long)]
    no_log: bool,
    /// Serve /metrics on this port, too
    #[arg(long, value_name = "PORT")]
    metrics_port: Option<u16>,
}

/// Where its folder is, in a container.
const FOLDER: &str = "/var/lib/rengine-edge";

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    edge: EdgeArgs,
    /// Go on with this worker, of the program that was before
    #[arg(long, hide = true, value_name = "PID")]
    adopt: Vec<u32>,
}

#[derive(Debug, Args)]
pub struct WorkerArgs {
    #[command(flatten)]
    edge: EdgeArgs,
    /// Take the sockets of the worker that runs
    #[arg(long)]
    take_over: bool,
}

#[derive(Debug, Subcommand)]
pub enum CtlCommand {
    /// Say which release runs, in which process
    Version(FolderArgs),
    /// Say what the routes are, and how targets are doing
    State(FolderArgs),
    /// Print what Prometheus reads
    Metrics(FolderArgs),
    /// Put other routes in place
    Apply(ApplyArgs),
    /// Take targets out for a time, and put all others back
    Out(OutArgs),
    /// Wait until targets that drain have nothing to do
    Drain(DrainArgs),
    /// Replace the process by one of another program, without losing a connection
    Upgrade(UpgradeArgs),
}

#[derive(Debug, Args)]
pub struct FolderArgs {
    /// The edge's folder
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    at: FolderArgs,
    /// Only if the routes are of this generation
    #[arg(long, value_name = "GENERATION")]
    replaces: Option<u64>,
    /// The routes as JSON, or `-` to read them
    routes: String,
}

#[derive(Debug, Args)]
pub struct DrainArgs {
    #[command(flatten)]
    at: FolderArgs,
    /// Only targets of this service
    #[arg(long)]
    service: Option<String>,
    /// Wait at most so long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

#[derive(Debug, Args)]
pub struct OutArgs {
    #[command(flatten)]
    at: FolderArgs,
    /// For so long, unless this is said again
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    time: Duration,
    /// The names under which the edge knows them, without their ports
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
}

#[derive(Debug, Args)]
pub struct UpgradeArgs {
    #[command(flatten)]
    at: FolderArgs,
    /// The words that start the other program; the same as now, if there are none
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<String>,
}

pub async fn run(global: &GlobalArgs, command: EdgeCommand, ui: Ui) -> Result<(), CliError> {
    match command {
        EdgeCommand::Serve(args) => serve(args).await,
        EdgeCommand::Worker(args) => worker(args, ui).await,
        EdgeCommand::Ctl(command) => ctl(command, ui).await,
        EdgeCommand::Image => {
            let manifest = session::load_app(global, ui).await?;
            let docker = session::connect(global, &manifest, ui).await?;
            ui.result(&edge_image(&docker).await?);
            Ok(())
        }
    }
}

async fn serve(args: ServeArgs) -> Result<(), CliError> {
    let mut arguments = Vec::new();
    if args.edge.no_log {
        arguments.push("--no-log".to_owned());
    }
    if let Some(port) = args.edge.metrics_port {
        arguments.extend(["--metrics-port".to_owned(), port.to_string()]);
    }
    let keeper = Keeper {
        folder: args.edge.folder,
        arguments,
        adopted: args.adopt,
    };
    Ok(keeper.run().await?)
}

async fn worker(args: WorkerArgs, ui: Ui) -> Result<(), CliError> {
    let options = WorkerOptions {
        folder: args.edge.folder,
        log: (!args.edge.no_log).then(|| ui.lines()),
        metrics_port: args.edge.metrics_port,
    };
    let beginning = match args.take_over {
        true => Beginning::TakeOver,
        false => Beginning::Fresh,
    };
    let stop = super::interrupt::terminated();
    Worker::start(options, beginning).await?.run(stop).await;
    Ok(())
}

async fn ctl(command: CtlCommand, ui: Ui) -> Result<(), CliError> {
    let to = |folder: &Path| ControlClient::new(folder);
    match command {
        CtlCommand::Version(at) => ui.json(&to(&at.folder).version().await?),
        CtlCommand::State(at) => ui.json(&to(&at.folder).state().await?),
        CtlCommand::Metrics(at) => ui.result(&to(&at.folder).metrics().await?),
        CtlCommand::Apply(args) => {
            let routes = match args.routes.as_str() {
                "-" => stdin()?,
                json => json.to_owned(),
            };
            let routes = Routes::parse(routes.as_bytes()).map_err(crate::edge::EdgeError::from)?;
            let generation = to(&args.at.folder).apply(&routes, args.replaces).await?;
            ui.json(&serde_json::json!({ "generation": generation }));
        }
        CtlCommand::Out(args) => {
            let client = to(&args.at.folder);
            ui.json(&client.take_out(&args.hosts, args.time).await?);
        }
        CtlCommand::Drain(args) => {
            let drained = to(&args.at.folder)
                .drain(args.service.as_deref(), args.timeout)
                .await?;
            ui.json(&drained);
        }
        CtlCommand::Upgrade(args) => {
            let program = (!args.program.is_empty()).then_some(args.program);
            let pid = ask_for_upgrade(&args.at.folder, program).await?;
            ui.json(&serde_json::json!({ "pid": pid }));
        }
    }
    Ok(())
}

fn stdin() -> Result<String, CliError> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map(|_| text).map_err(|error| CliError::Io {
        what: "reading",
        path: PathBuf::from("standard input"),
        reason: error.to_string(),
    })
}
