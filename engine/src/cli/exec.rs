//! `rengine exec`.

use clap::Args;

use super::error::CliError;
use super::{GlobalArgs, services, session, terminal};
use crate::app::Command;
use crate::ui::Ui;

/// What to run, and where.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// Do not wait for it
    #[arg(short, long)]
    detach: bool,
    /// No terminal, even where there is one
    #[arg(short = 'T', long = "no-tty")]
    no_tty: bool,
    /// Who runs it, as USER or UID:GID
    #[arg(short, long)]
    user: Option<String>,
    /// Where
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Set a variable: NAME=VALUE, or NAME for the value that is set here
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// With all capabilities
    #[arg(long)]
    privileged: bool,
    /// The number of the container, where the service has several
    #[arg(long, value_name = "N", default_value_t = 1)]
    index: u32,
    /// The service
    service: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

pub async fn run(global: &GlobalArgs, args: ExecArgs, ui: Ui) -> Result<(), CliError> {
    let env = args.env.iter().map(|text| terminal::variable(text));
    let command = Command {
        command: args.command,
        user: args.user,
        privileged: args.privileged,
        working_dir: args.workdir,
        env: env.collect::<Result<_, _>>()?,
    };
    let manifest = session::load_app(global, ui).await?;
    let docker = session::connect(global, &manifest, ui).await?;
    let container = services::running(&manifest, &docker, &args.service, args.index).await?;
    if args.detach {
        return Ok(docker.exec_detached(&container.id, &command).await?);
    }
    let wiring = terminal::wiring(args.no_tty, false);
    let connected = docker.exec_session(&container.id, &command, wiring).await?;
    let nothing = async { Ok(()) };
    match terminal::connect(connected, wiring, nothing, ui).await? {
        0 => Ok(()),
        code => Err(CliError::Ended { code }),
    }
}
