//! `rengine plugin`: a file for each command.

mod add;
mod bases;
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
use super::session::{self, SourceArgs};
use crate::deploy::{Anew, DeployError, Sources, WantedPlugins, cache_folder, gather};
use crate::manifest::{FILE_NAME, Manifest};
use crate::plugin::PluginHost;
use crate::registry::{
    DescribedBase, Digest, Part, Pick, Reference, Registries, RegistryError, Repository, SCHEME,
    Untrusted, version,
};
use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// List the app's plugins, in the order in which they run
    List(SourceArgs),
    /// Take a plugin from a registry into plugins.toml and plugins.lock
    Add(add::AddArgs),
    /// Take plugins out of plugins.toml and plugins.lock
    Remove(remove::RemoveArgs),
    /// Lock newer versions, and show what changes with them
    Update(update::UpdateArgs),
    /// List plugins and bases of which there are newer versions
    Outdated,
    /// Show each plugin with its source, its hooks and what it imports
    Tree(SourceArgs),
    /// Download what plugins.lock names
    Fetch(SourceArgs),
    /// Keep the plugins with the project, in plugins.vendor, for machines without a registry
    Vendor(SourceArgs),
    /// Show the store of plugins, or make room in it
    Cache(cache::CacheArgs),
    /// Publish a component, or a base, in a registry
    Push(push::PushArgs),
    /// Make a pair of keys to sign plugins with
    Keygen(keygen::KeygenArgs),
    /// Sign what is published
    Sign(sign::SignCommandArgs),
    /// Check who signed what is published
    Verify(verify::VerifyArgs),
    /// Download a component, or the text of a base, from a registry
    Pull(pull::PullArgs),
    /// Show what a registry says of a plugin or a base, without downloading it
    Info(info::InfoArgs),
    /// List a registry's plugins and bases
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
        PluginCommand::List(sources) => list::run(global, sources, ui).await,
        PluginCommand::Add(args) => add::run(global, args, ui).await,
        PluginCommand::Remove(args) => remove::run(global, &args, ui).await,
        PluginCommand::Update(args) => update::run(global, args, ui).await,
        PluginCommand::Outdated => outdated::run(global, ui).await,
        PluginCommand::Tree(sources) => tree::run(global, sources, ui).await,
        PluginCommand::Fetch(sources) => fetch::run(global, sources, ui).await,
        PluginCommand::Vendor(sources) => vendor::run(global, sources, ui).await,
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
    async fn load(global: &GlobalArgs, ui: Ui) -> Result<Self, CliError> {
        Self::load_with(global, SourceArgs::default(), &|_| false, ui).await
    }

    /// The same, where the bases that `anew` names are asked for anew, and no more is asked or changed than
    /// `sources` lets.
    async fn load_with(
        global: &GlobalArgs,
        sources: SourceArgs,
        anew: Anew<'_>,
        ui: Ui,
    ) -> Result<Self, CliError> {
        let draft = session::draft(global)?;
        // What is kept here has to do for deploys, too.
        let with = Sources {
            demands: session::signed_demands()?,
            ..sources.sources(&ui.reporter())
        };
        let bases = gather(&draft, &with, anew).await?;
        let manifest = session::finish(global, &draft, &bases, ui)?;
        Ok(Self {
            wanted: WantedPlugins::of(&manifest),
            // Reporters hide the secrets that are known when they are made.
            sources: sources.sources(&ui.reporter()),
            manifest,
        })
    }

    /// An error if a base brings a plugin of this name: then it is not the project's to add or remove.
    fn own(&self, name: &str) -> Result<(), CliError> {
        let policy = &self.manifest.policy;
        let name = name.to_owned();
        if let Some(base) = policy.requirer(&name) {
            return Err(CliError::Required {
                name,
                base: base.reference.clone(),
                at: base.at.clone(),
            });
        }
        match policy.bringer(&name) {
            None => Ok(()),
            Some(base) => Err(CliError::Brought {
                base: base.reference.clone(),
                name,
            }),
        }
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

impl Published {
    /// What it is called in errors.
    fn part(&self) -> Part {
        match DescribedBase::of(&self.manifest, &self.repository) {
            Ok(Some(_)) => Part::Base(format!("{SCHEME}{}", self.repository)),
            _ => Part::Plugin(self.repository.name().to_owned()),
        }
    }

    /// An error if nobody whose word counts vouches for it.
    fn untrusted(&self, why: Untrusted) -> CliError {
        refused(RegistryError::Untrusted {
            part: self.part(),
            artifact: self.to_string(),
            why: Box::new(why),
            help: "who publishes it signs it with `rengine plugin push --sign`, or `rengine plugin sign`"
                .to_owned(),
        })
    }
}

impl std::fmt::Display for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

/// Asks a registry what a reference stands for; one that does not say which, for the newest version.
pub async fn published(
    registries: &Registries,
    reference: Reference,
) -> Result<Published, CliError> {
    let repository = reference.repository;
    let pick = match reference.pick {
        Some(pick) => pick,
        None => {
            let tags = registries.tags(&repository).await.map_err(refused)?;
            Pick::Tag(newest(&tags))
        }
    };
    let found = registries.pick(&repository, &pick).await;
    let (_, digest, manifest) = found.map_err(refused)?;
    Ok(Published {
        repository,
        digest,
        manifest,
    })
}

/// The tag that is meant where none is named: the newest version; without one `latest`, if it is there, or the
/// newest before a version.
fn newest(tags: &[String]) -> String {
    const LATEST: &str = "latest";
    let versions = tags.iter().filter_map(|tag| Some((version(tag)?, tag)));
    let (before, done): (Vec<_>, Vec<_>) =
        versions.partition(|(version, _)| !version.pre.is_empty());
    let latest = tags.iter().find(|tag| *tag == LATEST);
    let highest = |versions: Vec<_>| {
        let highest = versions.into_iter().max();
        highest.map(|(_, tag): (semver::Version, &String)| tag)
    };
    let found = highest(done).or(latest).or_else(|| highest(before));
    found.cloned().unwrap_or_else(|| LATEST.to_owned())
}

/// How many plugins and bases there are, in words.
fn count(plugins: usize, bases: usize) -> String {
    let of = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    match bases {
        0 => of(plugins, "plugin"),
        bases => format!("{} and {}", of(plugins, "plugin"), of(bases, "base")),
    }
}

/// Whether one thing is somewhere, or several are.
fn are(plugins: usize, bases: usize) -> &'static str {
    match plugins + bases {
        1 => "is",
        _ => "are",
    }
}
