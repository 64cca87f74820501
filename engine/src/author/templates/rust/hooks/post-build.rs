//! Before a container is made from an image that was built.

use rengine_plugin::{BuiltImage, Context, PostBuild, Result, info, refuse};

use crate::Plugin;

impl PostBuild for Plugin {
    fn post_build(ctx: &Context, image: &BuiltImage) -> Result {
        let Some(user) = image.user() else {
            refuse!(
                "the image of {} runs as root", ctx.service;
                hint = "add a USER to its Dockerfile"
            );
        };
        info!("the image of {} runs as {user}", ctx.service);
        Ok(())
    }
}
