//! Before a container is created.

use rengine_plugin::{ContainerSpec, Context, PreRun, Result, ensure, info};

use crate::Plugin;

impl PreRun for Plugin {
    fn pre_run(ctx: &Context, spec: &ContainerSpec) -> Result {
        ensure!(
            spec.memory().is_some(),
            "{} may use all memory of the host", ctx.service;
            hint = "give it a `memory` limit in plugins.toml"
        );
        spec.set_no_new_privileges(true)?;
        info!("{} can't gain privileges", ctx.service);
        Ok(())
    }
}
