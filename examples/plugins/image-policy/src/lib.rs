//! Says where images may come from: those that services run, and those that they are built on.

#![warn(missing_docs)]

mod bases;
mod policy;

pub use bases::bases;
pub use policy::Policy;

use rengine_plugin::{
    ContainerSpec, Context, ImageBuild, PreBuild, PreRun, Result, config, ensure,
};

/// The plugin.
pub struct ImagePolicy;

impl PreBuild for ImagePolicy {
    fn pre_build(_: &Context, build: &ImageBuild) -> Result {
        let policy: Policy = config::load()?;
        for base in bases(&build.dockerfile().unwrap_or_default(), &build.args()) {
            let from = format!("{}:{}", build.dockerfile_path(), base.line);
            ensure!(
                !base.image.contains('$'),
                "{from}: what `{}` stands for can't be told", base.image;
                hint = "give its ARG a default before the first FROM"
            );
            policy.check(&from, &base.image)?;
        }
        Ok(())
    }
}

impl PreRun for ImagePolicy {
    fn pre_run(ctx: &Context, spec: &ContainerSpec) -> Result {
        let policy: Policy = config::load()?;
        match spec.image() {
            Some(image) => policy.check(&format!("service {}", ctx.service), &image),
            None => Ok(()), // Built here: `pre-build` has seen its bases.
        }
    }
}

rengine_plugin::export!(ImagePolicy: pre_build, pre_run);
