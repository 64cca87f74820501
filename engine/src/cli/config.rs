//! `rengine config`.

use std::time::SystemTime;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::error::CliError;
use super::{GlobalArgs, session};
use crate::compose::{self, Problem, Project};
use crate::deploy::{self, Hooks, release_id};
use crate::ui::{Ui, policy_comments};

/// An extension of a Compose file, which others leave alone: what bases require of the app's plugins, and what is
/// said in their stead. In YAML it is comments.
const POLICY: &str = "x-rengine-policy";

/// What can be asked of a Compose project.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// How it is written; JSON is one document, not one event a line
    #[arg(long, value_enum, default_value_t = Format::Yaml, value_name = "FORMAT")]
    format: Format,
    /// Show the app as its plugins leave it, which is what a deploy deploys; with the bases of plugins.toml, and what
    /// it changes of them
    #[arg(long, conflicts_with = "part")]
    with_plugins: bool,
    #[command(flatten)]
    sources: session::SourceArgs,
    /// Print only the names of the services
    #[arg(long, group = "part")]
    services: bool,
    /// Print only the names of the volumes
    #[arg(long, group = "part")]
    volumes: bool,
    /// Print only the names of the networks
    #[arg(long, group = "part")]
    networks: bool,
    /// Print only the images that services run
    #[arg(long, group = "part")]
    images: bool,
    /// Print only the names of the profiles
    #[arg(long, group = "part")]
    profiles: bool,
}

/// How a project is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

pub async fn run(global: &GlobalArgs, args: ConfigArgs, ui: Ui) -> Result<(), CliError> {
    if args.with_plugins {
        return with_plugins(global, args.format, args.sources, ui).await;
    }
    let project = load(global)?;
    for problem in project.warnings.iter().chain(&project.refused) {
        ui.note(&told(problem));
    }
    if global.quiet {
        return Ok(());
    }
    let names = names(&args, &project);
    if let Some(names) = names {
        match args.format {
            Format::Yaml if !ui.is_json() => {
                let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
                ui.result(&lines);
            }
            _ => ui.json(&names),
        }
        return Ok(());
    }
    let (json, yaml) = (|| project.to_json(), || project.to_yaml());
    show(args.format, ui, json, yaml);
    Ok(())
}

fn show(format: Format, ui: Ui, json: impl Fn() -> Value, yaml: impl Fn() -> String) {
    match format {
        _ if ui.is_json() => ui.json(&json()),
        Format::Yaml => ui.result(&yaml()),
        Format::Json => ui.result(&format!("{:#}\n", json())),
    }
}

/// The app as a deploy would have it. What plugins may ask of a daemon, they ask here, too.
async fn with_plugins(
    global: &GlobalArgs,
    format: Format,
    sources: session::SourceArgs,
    ui: Ui,
) -> Result<(), CliError> {
    let manifest = session::load_undemanded(global, sources, ui).await?;
    let reporter = ui.reporter();
    let plugins = Hooks::begin(&manifest, &sources.sources(&reporter));
    let docker = session::connect(global, &manifest, ui).await?;
    let hooks = plugins.finish(&docker, &*reporter).await?;
    for warning in &manifest.warnings {
        ui.note(&format!("warning: {warning}"));
    }
    let release = release_id(SystemTime::now());
    let (app, _) = deploy::effective(&manifest, &docker, &hooks, &release, &reporter).await?;
    let written = compose::write(&app, manifest.project.as_ref());
    for lost in &written.lost {
        ui.note(&format!("warning: a Compose file can't have {lost}"));
    }
    if global.quiet {
        return Ok(());
    }
    let policy = deploy::policy_record(&manifest.policy);
    let json = || {
        let mut json = written.to_json();
        if let (Some(policy), Some(file)) = (&policy, json.as_object_mut()) {
            file.insert(POLICY.to_owned(), serde_json::json!(policy));
        }
        json
    };
    let comments = policy.as_ref().map(policy_comments).unwrap_or_default();
    let yaml = || format!("{comments}{}", written.to_yaml());
    show(format, ui, json, yaml);
    Ok(())
}

/// Reads the Compose project that the command line names.
pub fn load(global: &GlobalArgs) -> Result<Project, CliError> {
    let directory = &global.directory;
    let dir = std::path::absolute(directory).map_err(|error| CliError::Io {
        what: "reading",
        path: directory.clone(),
        reason: error.to_string(),
    })?;
    let options = global.project.options(dir.components().collect());
    Ok(compose::load(&options)?)
}

fn told(problem: &Problem) -> String {
    let Problem { place, message, .. } = problem;
    match &problem.help {
        Some(help) => format!("warning: {place}: {message}: {help}"),
        None => format!("warning: {place}: {message}"),
    }
}

/// The names of the part that is asked for, if one is.
fn names(args: &ConfigArgs, project: &Project) -> Option<Vec<String>> {
    let mut names: Vec<String> = if args.services {
        project.services.keys().cloned().collect()
    } else if args.volumes {
        project.volumes.keys().cloned().collect()
    } else if args.networks {
        project.networks.keys().cloned().collect()
    } else if args.profiles {
        project.profiles.iter().cloned().collect()
    } else if args.images {
        let image = |(name, service): (&String, &compose::model::Service)| {
            let built = || format!("{}-{name}", project.name);
            service.container.image.clone().unwrap_or_else(built)
        };
        project.services.iter().map(image).collect()
    } else {
        return None;
    };
    names.sort();
    names.dedup();
    Some(names)
}
