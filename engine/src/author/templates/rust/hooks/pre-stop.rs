//! Before a container that was in service is stopped.

use rengine_plugin::{Context, HttpRequest, PreStop, Result, RunningContainer, info};

use crate::Plugin;

impl PreStop for Plugin {
    fn pre_stop(ctx: &Context, container: &RunningContainer) -> Result {
        let answer = container.http(&HttpRequest::get("/drain"))?;
        info!("told {} to drain: GET /drain answers {}", ctx.service, answer.status);
        Ok(())
    }
}
