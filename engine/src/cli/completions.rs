//! `rengine completions`.

use clap::Args;
use clap_complete::Shell;

use crate::ui::Ui;

/// Which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, ui: Ui) {
    // Nobody may read them, which what generates them does not forgive.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "rengine", &mut text);
    ui.result(&String::from_utf8_lossy(&text));
}
