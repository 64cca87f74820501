//! Builds a Go service into an image that holds its static binary and little else.
//!
//! The hook looks at the build context, [`dockerfile`] writes the text. README.md has every
//! setting.

#![warn(missing_docs)]

mod config;
mod dockerfile;
mod project;

pub use config::Config;
pub use dockerfile::dockerfile;
pub use project::{Project, go_version, package};

use rengine_plugin::{
    Context, ImageBuild, PreBuild, Result, config as settings, debug, ensure, info,
};

/// The plugin.
pub struct GoStatic;

impl PreBuild for GoStatic {
    fn pre_build(ctx: &Context, build: &ImageBuild) -> Result {
        let config: Config = settings::load()?;
        if !build.has_file("go.mod") {
            ensure!(
                !config.force,
                "{} has no go.mod in its build context", ctx.service;
                hint = "run `go mod init`, or list the services that are Go under `services` of \
                        this plugin in plugins.toml"
            );
            debug!("{} has no go.mod: left as it is", ctx.service);
            return Ok(());
        }
        if build.dockerfile().is_some() && !config.force {
            info!("{} has a Dockerfile of its own: left as it is", ctx.service);
            return Ok(());
        }
        let project = Project {
            files: build.files()?,
            // Without the grant the version stays unknown, which has a default.
            go_version: build
                .read_file("go.mod")
                .ok()
                .and_then(|text| go_version(&String::from_utf8_lossy(&text))),
            args: build.args().into_iter().map(|(name, _)| name).collect(),
        };
        build.set_dockerfile(&dockerfile(&config, &project)?)?;
        if build.target().is_some() {
            // It named a stage of the Dockerfile that was replaced.
            build.set_target(None)?;
        }
        Ok(())
    }
}

rengine_plugin::export!(GoStatic: pre_build);
