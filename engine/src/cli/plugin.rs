//! `rengine plugin`: a file for each command.

mod bench;
mod build;
mod check;
mod inspect;
mod list;
mod new;
mod test;

use clap::Subcommand;

use super::GlobalArgs;
use super::error::CliError;
use crate::deploy::{DeployError, cache_folder};
use crate::plugin::PluginHost;
use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// List the app's plugins, in the order in which they run
    List,
    /// Show a component's hooks, its imports, and the grants that it may need
    Inspect(inspect::InspectArgs),
    /// Write a new project, which builds as it is
    New(new::NewArgs),
    /// Build a project with its language's toolchain, and check the component
    Build(build::BuildArgs),
    /// Write the generated bindings of a project in C, Go or TypeScript, for editors
    Bindings(build::BindingsArgs),
    /// Check that a component can be used
    Check(check::CheckArgs),
    /// Run a component's hooks against the cases of a file; no daemon is needed
    Test(test::TestArgs),
    /// Measure how long a component's hooks take, and what an instance of it costs
    Bench(bench::BenchArgs),
}

pub async fn run(global: &GlobalArgs, command: PluginCommand, ui: Ui) -> Result<(), CliError> {
    match command {
        PluginCommand::List => list::run(global, ui).await,
        PluginCommand::Inspect(args) => inspect::run(global, args, ui).await,
        PluginCommand::New(args) => new::run(global, args, ui),
        PluginCommand::Build(args) => build::run(global, args, ui).await,
        PluginCommand::Bindings(args) => build::bindings(global, args, ui),
        PluginCommand::Check(args) => check::run(global, args, ui).await,
        PluginCommand::Test(args) => test::run(global, args, ui).await,
        PluginCommand::Bench(args) => bench::run(global, args, ui).await,
    }
}

fn host() -> Result<PluginHost, CliError> {
    PluginHost::new(cache_folder().as_deref())
        .map_err(|reason| DeployError::NoHost { reason }.into())
}
