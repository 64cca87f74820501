//! When a new container is healthy, before the old one is removed.

use rengine_plugin::{Context, HttpRequest, PostRun, Result, RunningContainer, info};

use crate::Plugin;

impl PostRun for Plugin {
    fn post_run(ctx: &Context, container: &RunningContainer) -> Result {
        let answer = container.http(&HttpRequest::get("/"))?;
        info!("warmed up {}: GET / answers {}", ctx.service, answer.status);
        Ok(())
    }
}
