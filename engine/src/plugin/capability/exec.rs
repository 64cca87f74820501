//! `rengine:plugin/exec`: commands in running containers.

use std::time::Duration;

use wasmtime::component::{HasSelf, Linker, Resource};

use super::Gate;
use super::running::RunningResource;
use crate::grants::Grants;
use crate::plugin::bindings::granted::rengine::plugin::exec::{self, ExecOutcome, Host};
use crate::plugin::call::State;
use crate::plugin::limits::EXEC_TIMEOUT;

/// Importing it needs the grant.
pub const GATE: Gate = Gate {
    interface: "rengine:plugin/exec",
    granted: Grants::runs_commands,
};

pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    exec::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl Host for State {
    async fn run(
        &mut self,
        container: Resource<RunningResource>,
        command: Vec<String>,
        millis: Option<u32>,
    ) -> wasmtime::Result<Result<ExecOutcome, String>> {
        if let Err(denied) = self.settings.grants.runs_commands() {
            return Ok(Err(denied.to_string()));
        }
        let checked = match command.first() {
            Some(program) => super::texts("the command", &command)
                .and_then(|()| super::line("the program", program)),
            None => super::invalid("a command needs a program"),
        };
        if let Err(why) = checked {
            return Ok(Err(why.into_text()));
        }
        let timeout = millis.map_or(EXEC_TIMEOUT, |millis| {
            Duration::from_millis(u64::from(millis))
        });
        let container = self.table.get(&container)?.0.clone();
        let ended = container.exec(command, timeout).await;
        Ok(ended.map(|ended| ExecOutcome {
            exit_code: ended.exit_code,
            output: ended.output,
        }))
    }
}
