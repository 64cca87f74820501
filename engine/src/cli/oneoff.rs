//! `rengine run`.

use std::time::SystemTime;

use clap::Args;

use super::error::CliError;
use super::{GlobalArgs, interrupt, services, session, terminal};
use crate::deploy::{self, Hooks, OneOff, Options, release_id};
use crate::ui::Ui;

/// What to run, and how its container differs from the service's.
#[derive(Debug, Args)]
pub struct RunArgs {
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
    /// Run this in the place of the image's entrypoint
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Publish the service's ports
    #[arg(short = 'P', long)]
    service_ports: bool,
    /// The container's name
    #[arg(long)]
    name: Option<String>,
    /// The service
    service: String,
    /// The command and its arguments; the service's own if there is none
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    #[command(flatten)]
    sources: session::SourceArgs,
}

pub async fn run(global: &GlobalArgs, args: RunArgs, ui: Ui) -> Result<(), CliError> {
    let env = args.env.iter().map(|text| terminal::variable(text));
    let env = env.collect::<Result<Vec<_>, _>>()?;
    let manifest = session::load_manifest(global, args.sources, ui).await?;
    let Some(service) = manifest.app.services.get(args.service.as_str()) else {
        return Err(services::no_service(&manifest, &args.service));
    };
    let service = service.name.clone();
    let reporter = ui.reporter();
    let plugins = Hooks::begin(&manifest, &args.sources.sources(&reporter));
    let docker = session::connect(global, &manifest, ui).await?;
    let hooks = plugins.finish(&docker, &*reporter).await?;
    let release = release_id(SystemTime::now());
    let options = Options::default();
    let prepared = deploy::prepare(&manifest, &docker, hooks, &release, options, &reporter).await?;
    let wiring = terminal::wiring(args.no_tty, false);
    let wanted = OneOff {
        name: args
            .name
            .unwrap_or_else(|| format!("{}-{service}-run-{release}", manifest.app.name)),
        service,
        command: (!args.command.is_empty()).then_some(args.command),
        entrypoint: args.entrypoint.map(|program| vec![program]),
        user: args.user,
        working_dir: args.workdir,
        env,
        ports: args.service_ports,
        tty: wiring.tty,
        stdin: wiring.stdin,
    };
    let cancel = interrupt::on_signal(ui);
    let id = deploy::create_one_off(&prepared, &docker, &wanted, &reporter, &cancel).await?;
    let ran = async {
        // Connected before it is started, so that nothing of it is missed.
        let connected = docker.attach(&id, wiring).await?;
        let begin = async { Ok(docker.start(&id).await?) };
        terminal::connect(connected, wiring, begin, ui).await
    };
    let ended = tokio::select! {
        ended = ran => ended,
        () = cancel.cancelled() => Err(deploy::DeployError::Interrupted.into()),
    };
    let removed = docker.remove(&id, true).await;
    let code = ended?;
    removed?;
    match code {
        0 => Ok(()),
        code => Err(CliError::Ended { code }),
    }
}
