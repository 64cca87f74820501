//! `rengine plugin`: a file for each command.

mod add;
mod bench;
mod build;
mod cache;
mod check;
mod fetch;
mod info;
mod inspect;
mod keygen;
mod list;
mod new;
mod outdated;
mod pull;
mod push;
mod remove;
mod search;
mod sign;
mod test;
mod tree;
mod update;
mod vendor;
mod verify;

pub use add::refused;
pub use sign::read_signing_key;
pub use verify::read as read_public_key;

use bytes::Bytes;
use clap::Subcommand;

use super::GlobalArgs;
use super::error::CliError;
use super::session::SourceArgs;
use crate::deploy::{DeployError, Sources, WantedPlugins, cache_folder};
use crate::manifest::{FILE_NAME, Manifest};
use crate::plugin::PluginHost;
use crate::registry::{Digest, Pick, Reference, Registries, Repository};
use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// List the app's plugins, in the order in which they run
    List,
    /// Take a plugin from a registry into plugins.toml and plugins.lock
    Add(add::AddArgs),
    /// Take plugins out of plugins.toml and plugins.lock
    Remove(remove::RemoveArgs),
    /// Lock newer versions, and show what changes with them
    Update(update::UpdateArgs),
    /// List plugins of which there are newer versions
    Outdated,
    /// Show each plugin with its source, its hooks and what it imports
    Tree,
    /// Download what plugins.lock names
    Fetch,
    /// Keep the plugins with the project, in plugins.vendor, for machines without a registry
    Vendor,
    /// Show the store of plugins, or make room in it
    Cache(cache::CacheArgs),
    /// Publish a component in a registry
    Push(push::PushArgs),
    /// Make a pair of keys to sign plugins with
    Keygen(keygen::KeygenArgs),
    /// Sign what is published
    Sign(sign::SignCommandArgs),
    /// Check who signed what is published
    Verify(verify::VerifyArgs),
    /// Download a component from a registry
    Pull(pull::PullArgs),
    /// Show what a registry says of a plugin, without downloading it
    Info(info::InfoArgs),
    /// List a registry's plugins
    Search(search::SearchArgs),
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
        PluginCommand::Add(args) => add::run(global, args, ui).await,
        PluginCommand::Remove(args) => remove::run(global, &args, ui),
        PluginCommand::Update(args) => update::run(global, args, ui).await,
        PluginCommand::Outdated => outdated::run(global, ui).await,
        PluginCommand::Tree => tree::run(global, ui).await,
        PluginCommand::Fetch => fetch::run(global, ui).await,
        PluginCommand::Vendor => vendor::run(global, ui).await,
        PluginCommand::Cache(args) => cache::run(&args, ui),
        PluginCommand::Push(args) => push::run(global, args, ui).await,
        PluginCommand::Keygen(args) => keygen::run(global, &args, ui),
        PluginCommand::Sign(args) => sign::run(global, args, ui).await,
        PluginCommand::Verify(args) => verify::run(global, args, ui).await,
        PluginCommand::Pull(args) => pull::run(global, args, ui).await,
        PluginCommand::Info(args) => info::run(global, args, ui).await,
        PluginCommand::Search(args) => search::run(global, args, ui).await,
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

/// What is known of an app's plugins, and how more is had.
struct Project {
    manifest: Manifest,
    wanted: WantedPlugins,
    sources: Sources,
}

impl Project {
    fn load(global: &GlobalArgs, sources: SourceArgs, ui: Ui) -> Result<Self, CliError> {
        let manifest = super::session::load_manifest(global, ui)?;
        Ok(Self {
            wanted: WantedPlugins::of(&manifest),
            sources: sources.sources(&ui.reporter()),
            manifest,
        })
    }

    /// plugins.toml, or where it would be.
    fn path(&self) -> std::path::PathBuf {
        let path = self.manifest.path.clone();
        path.unwrap_or_else(|| self.manifest.dir.join(FILE_NAME))
    }
}

/// Registries, as the folder's plugins.toml has them reached, if there is one.
pub fn registries(global: &GlobalArgs, ui: Ui) -> Result<Registries, CliError> {
    let sources = SourceArgs::default().sources(&ui.reporter());
    let path = global
        .directory
        .join(global.file.as_deref().unwrap_or(FILE_NAME.as_ref()));
    let settings = match path.exists() {
        true => crate::manifest::registries(&path)?,
        false => Default::default(),
    };
    Ok(sources.registries(settings))
}

/// What a reference on the command line stands for.
pub struct Published {
    pub repository: Repository,
    pub digest: Digest,
    pub manifest: Bytes,
}

/// Asks a registry what a reference stands for; one that does not say which, for `latest`.
pub async fn published(
    registries: &Registries,
    reference: Reference,
) -> Result<Published, CliError> {
    let repository = reference.repository;
    let pick = reference
        .pick
        .unwrap_or_else(|| Pick::Tag("latest".to_owned()));
    let found = registries.pick(&repository, &pick).await;
    let (_, digest, manifest) = found.map_err(refused)?;
    Ok(Published {
        repository,
        digest,
        manifest,
    })
}
