//! `rengine completions`.

use clap::Args;
use clap_complete::Shell;

/// Which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) {
    clap_complete::generate(
        args.shell,
        &mut super::command(),
        "rengine",
        &mut std::io::stdout().lock(),
    );
}
