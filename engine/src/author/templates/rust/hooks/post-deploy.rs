//! At the end of a deploy, however it ended.

use rengine_plugin::{AppContext, FinishedDeploy, PostDeploy, Result, info};

use crate::Plugin;

impl PostDeploy for Plugin {
    fn post_deploy(ctx: &AppContext, deploy: &FinishedDeploy) -> Result {
        match deploy.error() {
            Some(why) => info!("{} was not deployed: {why}", ctx.app),
            None => info!("{} is deployed: {} services run", ctx.app, deploy.services().len()),
        }
        Ok(())
    }
}
