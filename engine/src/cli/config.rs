//! `rengine config`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::GlobalArgs;
use super::error::CliError;
use crate::compose::{self, Options, Problem, Project};
use crate::ui::Ui;

/// What can be asked of a Compose project.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// How it is written; JSON is one document, not one event a line
    #[arg(long, value_enum, default_value_t = Format::Yaml, value_name = "FORMAT")]
    format: Format,
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

/// Which Compose project.
#[derive(Debug, Args)]
pub struct ProjectArgs {
    /// A Compose file; several are merged in this order
    #[arg(short = 'f', long = "compose-file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The project's name
    #[arg(short, long, value_name = "NAME")]
    project_name: Option<String>,
    /// Activate this profile; `*` is all of them
    #[arg(long, value_name = "NAME")]
    profile: Vec<String>,
    /// Read variables from this file instead of .env
    #[arg(long = "env-file", value_name = "FILE")]
    env_files: Vec<PathBuf>,
}

/// How a project is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

pub fn run(global: &GlobalArgs, args: ConfigArgs, ui: Ui) -> Result<(), CliError> {
    let project = load(global, &args.project)?;
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
    match args.format {
        _ if ui.is_json() => ui.json(&project.to_json()),
        Format::Yaml => ui.result(&project.to_yaml()),
        Format::Json => ui.result(&format!("{:#}\n", project.to_json())),
    }
    Ok(())
}

/// Reads the Compose project that the command line names.
pub fn load(global: &GlobalArgs, args: &ProjectArgs) -> Result<Project, CliError> {
    let directory = &global.directory;
    let dir = std::path::absolute(directory).map_err(|error| CliError::Io {
        what: "reading",
        path: directory.clone(),
        reason: error.to_string(),
    })?;
    // What is not UTF-8 can be in no Compose file either.
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let options = Options {
        dir: dir.components().collect(),
        files: args.files.clone(),
        name: args.project_name.clone(),
        profiles: args.profile.clone(),
        env_files: args.env_files.clone(),
        env: env.collect(),
    };
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
