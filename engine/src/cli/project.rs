//! Which Compose project a command is about.

use std::path::PathBuf;

use clap::Args;

use crate::compose::Options;

/// Which Compose project; before the command, as with Compose itself.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Compose")]
pub struct ProjectArgs {
    /// A Compose file; several are merged in this order; `-` is standard input
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

impl ProjectArgs {
    /// What to look for, in a folder that an absolute path names.
    pub fn options(&self, dir: PathBuf) -> Options {
        // What is not UTF-8 can be in no Compose file either.
        let env = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Options {
            dir,
            files: self.files.clone(),
            name: self.project_name.clone(),
            profiles: self.profile.clone(),
            env_files: self.env_files.clone(),
            env: env.collect(),
        }
    }
}
