//! The command line: one file for each command, which parses, calls the library and hands what
//! comes back to the UI.

mod completions;
mod config;
mod control;
mod demands;
mod deploy;
mod doctor;
mod down;
mod edge;
mod error;
mod exec;
mod file;
mod history;
mod init;
mod interrupt;
mod lock;
mod logs;
mod oneoff;
mod plan;
mod plugin;
mod project;
mod provenance;
mod push;
mod rollback;
mod services;
mod session;
mod status;
mod terminal;
mod top;
mod wait;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode as ProcessExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::deploy::ExitCode;
use crate::ui::{Ui, Verbosity};
use error::CliError;

/// Builds an app's images and runs its containers, with sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(
    name = "rengine",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Work in this folder
    #[arg(
        short = 'C',
        long = "directory",
        global = true,
        value_name = "DIR",
        default_value = "."
    )]
    directory: PathBuf,
    /// Read this file instead of plugins.toml
    #[arg(long, global = true, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The daemon, such as unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host
    #[arg(short = 'H', long, global = true, value_name = "URL")]
    host: Option<String>,
    /// Write one JSON object a line to standard output
    #[arg(long, global = true)]
    json: bool,
    /// Say more: every step, and everything that plugins changed and logged
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Say only results, warnings and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(flatten)]
    project: project::ProjectArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build and run the app, and take it back if it is not healthy
    Deploy(deploy::DeployArgs),
    /// Show what deploy would do, and which plugin changed what
    Plan(plan::PlanArgs),
    /// Bring back an earlier release, without a build
    Rollback(rollback::RollbackArgs),
    /// Show the app's releases: when, by whom, how they ended
    History,
    /// Show one release: its images, its containers, what plugins changed
    Show(history::ShowArgs),
    /// Show what differs between two releases
    Diff(history::DiffArgs),
    /// Print how a release came to be, as an in-toto statement
    Provenance(provenance::ProvenanceArgs),
    /// Show who holds the app's lock, hold it, or release it
    Lock(lock::LockArgs),
    /// Show the app's containers
    Status,
    /// Show what the app's containers write
    Logs(logs::LogsArgs),
    /// Run a command in a running container
    Exec(exec::ExecArgs),
    /// Run a command in a new container of a service, and remove it after
    Run(oneoff::RunArgs),
    /// Start containers that are stopped
    Start(control::StartArgs),
    /// Stop containers, and leave them there
    Stop(control::StopArgs),
    /// Stop containers and start them again
    Restart(control::StopArgs),
    /// Show the processes in the app's containers
    Top(top::TopArgs),
    /// Show what the app's containers use
    Stats(top::StatsArgs),
    /// Show what happens to the app on the daemon
    Events(top::EventsArgs),
    /// Keep the app healthy: restart or replace what is not, and take back a release that turns bad
    Watch(watch::WatchArgs),
    /// Stop and remove the app's containers
    Down(down::DownArgs),
    /// Send the images of the running release to their registry
    Push(push::PushArgs),
    /// Check the Compose files, and show what they come to
    Config(config::ConfigArgs),
    /// Write a commented plugins.toml for the folder
    Init(init::InitArgs),
    /// List and inspect plugins, and write your own
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Check the daemon, and say how to mend what is wrong
    Doctor,
    /// Run the proxy that owns an app's ports, and talk to it
    #[command(subcommand, hide = true)]
    Edge(edge::EdgeCommand),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// Parses the command line, runs the command, and says how it ended.
pub fn main() -> ProcessExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are no errors; clap's own code for a wrong usage is ours, too.
            let _ = error.print();
            let code = if error.use_stderr() {
                ExitCode::BadInput
            } else {
                ExitCode::Done
            };
            return ProcessExitCode::from(code as u8);
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let verbosity = match (cli.global.verbose, cli.global.quiet) {
        (true, _) => Verbosity::Verbose,
        (_, true) => Verbosity::Quiet,
        _ => Verbosity::Normal,
    };
    let ui = Ui::new(cli.global.json, verbosity);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.error(&CliError::Io {
                what: "starting",
                path: PathBuf::from("rengine"),
                reason: error.to_string(),
            });
            return ProcessExitCode::from(ExitCode::Failed as u8);
        }
    };
    let result = runtime.block_on(run(cli, ui));
    // A task that sits in a call of the system must not hold up the end.
    runtime.shutdown_background();
    match result {
        Ok(()) => match ui.lost() {
            None => ProcessExitCode::SUCCESS,
            Some(reason) => {
                ui.error(&CliError::Io {
                    what: "writing",
                    path: PathBuf::from("standard output"),
                    reason: reason.to_owned(),
                });
                ProcessExitCode::from(ExitCode::Failed as u8)
            }
        },
        // A process that was run for somebody has said all there is to say.
        Err(CliError::Ended { code }) => {
            ProcessExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
        }
        Err(error) => {
            ui.error(&error);
            ProcessExitCode::from(error.exit_code() as u8)
        }
    }
}

/// The command as clap knows it, with the exit codes in its help.
pub fn command() -> clap::Command {
    let codes: String = ExitCode::ALL
        .iter()
        .map(|(code, meaning)| format!("  {:<4} {meaning}\n", *code as u8))
        .collect();
    Cli::command().after_help(format!("Exit codes:\n{codes}"))
}

async fn run(cli: Cli, ui: Ui) -> Result<(), CliError> {
    let global = &cli.global;
    match cli.command {
        Command::Deploy(args) => deploy::run(global, args, ui).await,
        Command::Plan(args) => plan::run(global, args, ui).await,
        Command::Rollback(args) => rollback::run(global, args, ui).await,
        Command::History => history::history(global, ui).await,
        Command::Show(args) => history::show(global, args, ui).await,
        Command::Diff(args) => history::diff(global, args, ui).await,
        Command::Provenance(args) => provenance::run(global, args, ui).await,
        Command::Lock(args) => lock::run(global, args, ui).await,
        Command::Status => status::run(global, ui).await,
        Command::Logs(args) => logs::run(global, args, ui).await,
        Command::Exec(args) => exec::run(global, args, ui).await,
        Command::Run(args) => oneoff::run(global, args, ui).await,
        Command::Start(args) => control::start(global, args, ui).await,
        Command::Stop(args) => control::stop(global, args, ui).await,
        Command::Restart(args) => control::restart(global, args, ui).await,
        Command::Top(args) => top::top(global, args, ui).await,
        Command::Stats(args) => top::stats(global, args, ui).await,
        Command::Events(args) => top::events(global, args, ui).await,
        Command::Watch(args) => watch::run(global, args, ui).await,
        Command::Down(args) => down::run(global, args, ui).await,
        Command::Push(args) => push::run(global, args, ui).await,
        Command::Config(args) => config::run(global, args, ui).await,
        Command::Init(args) => init::run(global, args, ui),
        Command::Plugin(command) => plugin::run(global, command, ui).await,
        Command::Doctor => doctor::run(global, ui).await,
        Command::Edge(command) => edge::run(global, command, ui).await,
        Command::Completions(args) => {
            completions::run(&args, ui);
            Ok(())
        }
    }
}
