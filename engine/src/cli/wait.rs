//! `--wait`, for every command that takes the app's lock.

use std::time::Duration;

use clap::Args;

use crate::docker::Wait;

/// What to do where another holds the lock.
#[derive(Debug, Clone, Args)]
pub struct WaitArgs {
    /// Wait where another deploy holds the app's lock, at most so long if a time is given
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "forever",
        value_parser = parse
    )]
    wait: Option<Wait>,
}

impl WaitArgs {
    pub fn wait(&self) -> Wait {
        self.wait.unwrap_or_default()
    }
}

fn parse(text: &str) -> Result<Wait, String> {
    if text == "forever" {
        return Ok(Wait::Forever);
    }
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Ok(Wait::No),
        Ok(time) => Ok(Wait::AtMost(time)),
        Err(error) => Err(format!("{error}: write a number with a unit, such as 5m")),
    }
}
