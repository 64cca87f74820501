//! The resource `finished-deploy`.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::plugin::bindings::rengine::plugin::deployment::{
    Change, Host, HostFinishedDeploy, Outcome, RunningService, Step,
};
use crate::plugin::call::State;
use crate::plugin::{FinishedDeploy, access};

/// A deploy that is over, in the hands of a plugin.
pub struct DeployResource(pub Arc<FinishedDeploy>);

type Handle = Resource<DeployResource>;

impl Host for State {}

impl HostFinishedDeploy for State {
    fn outcome(&mut self, this: Handle) -> wasmtime::Result<Outcome> {
        Ok(match self.table.get(&this)?.0.outcome {
            access::Outcome::Succeeded => Outcome::Succeeded,
            access::Outcome::NothingToDo => Outcome::NothingToDo,
            access::Outcome::RolledBack => Outcome::RolledBack,
            access::Outcome::Failed => Outcome::Failed,
            access::Outcome::Interrupted => Outcome::Interrupted,
        })
    }

    fn error(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&this)?.0.error.clone())
    }

    fn duration_ms(&mut self, this: Handle) -> wasmtime::Result<u64> {
        Ok(millis(self.table.get(&this)?.0.took))
    }

    fn steps(&mut self, this: Handle) -> wasmtime::Result<Vec<Step>> {
        let steps = self.table.get(&this)?.0.steps.iter().map(|step| Step {
            operation: step.operation.to_owned(),
            service: step.service.clone(),
            duration_ms: millis(step.took),
            succeeded: step.succeeded,
        });
        Ok(steps.collect())
    }

    fn changes(&mut self, this: Handle) -> wasmtime::Result<Vec<Change>> {
        let changes = self.table.get(&this)?.0.changes.iter();
        let changes = changes.cloned().map(|change| Change {
            plugin: change.plugin,
            hook: change.hook.to_string(),
            service: change.service,
            field: change.field,
            old: change.old,
            new: change.new,
        });
        Ok(changes.collect())
    }

    fn services(&mut self, this: Handle) -> wasmtime::Result<Vec<RunningService>> {
        let services = self.table.get(&this)?.0.services.iter();
        let services = services.map(|service| RunningService {
            name: service.name.clone(),
            container: service.container.clone(),
            addresses: service.addresses.clone(),
        });
        Ok(services.collect())
    }

    fn drop(&mut self, this: Handle) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
