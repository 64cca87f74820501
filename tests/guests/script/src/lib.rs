//! Makes the calls that a script says: any method of a specification, with any values. What the
//! host answers is left aside; what it made of the specification is for the fuzz target to judge.
//!
//! The script is the value of the variable or build argument `SCRIPT`, the last eight bits of each
//! character a byte.

mod app;
mod build;
mod container;
mod reader;

use reader::Reader;
use rengine_plugin::{
    AppContext, AppModel, Configure, ContainerSpec, Context, ImageBuild, PreBuild, PreRun, Result,
};

const SCRIPT: &str = "SCRIPT";

struct Script;

impl Configure for Script {
    fn configure(_: &AppContext, app: &AppModel) -> Result {
        let script = app
            .services()
            .iter()
            .find_map(|name| app.service(name)?.container().env_var(SCRIPT));
        let script = script.unwrap_or_default();
        let mut reader = Reader::new(&script);
        while !reader.is_at_end() {
            app::call(app, &mut reader);
        }
        Ok(())
    }
}

impl PreBuild for Script {
    fn pre_build(_: &Context, build: &ImageBuild) -> Result {
        let script = build.arg(SCRIPT).unwrap_or_default();
        let mut reader = Reader::new(&script);
        while !reader.is_at_end() {
            build::call(build, &mut reader);
        }
        Ok(())
    }
}

impl PreRun for Script {
    fn pre_run(_: &Context, spec: &ContainerSpec) -> Result {
        let script = spec.env_var(SCRIPT).unwrap_or_default();
        let mut reader = Reader::new(&script);
        while !reader.is_at_end() {
            container::call(spec, &mut reader);
        }
        Ok(())
    }
}

rengine_plugin::export!(Script: configure, pre_build, pre_run);
