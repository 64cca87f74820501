//! The `rengine` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    rengine::cli::main()
}
