//! Before an image is built.

use rengine_plugin::{Context, ImageBuild, PreBuild, Result, config, info};

use crate::Plugin;
use crate::config::Config;

impl PreBuild for Plugin {
    fn pre_build(ctx: &Context, build: &ImageBuild) -> Result {
        let Config { team } = config::load()?;
        build.set_label("com.example.team", &team)?;
        info!("the image of {} belongs to {team}", ctx.service);
        Ok(())
    }
}
