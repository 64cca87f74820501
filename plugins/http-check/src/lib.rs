//! Judges a container by an HTTP answer, and warms it up before it gets traffic.
//!
//! The hooks send requests; what an answer means is for [`judge`] and [`cold`] to say. README.md
//! has every setting.

#![warn(missing_docs)]

mod config;
mod verdict;

pub use config::{Config, Statuses};
pub use verdict::{cold, judge};

use rengine_plugin::{
    Context, Health, HttpRequest, HttpResponse, PostRun, Result, RunningContainer, Status,
    config as settings, info, refuse, warn,
};

/// The plugin.
pub struct HttpCheck;

impl Health for HttpCheck {
    fn health(_: &Context, container: &RunningContainer) -> Result<Status> {
        let config: Config = settings::load()?;
        let answer = get(&config, container, &config.path);
        Ok(judge(&config, &answer))
    }
}

impl PostRun for HttpCheck {
    fn post_run(_: &Context, container: &RunningContainer) -> Result {
        let config: Config = settings::load()?;
        for path in &config.warm_up {
            match cold(path, &get(&config, container, path)) {
                None => info!("warmed up {path}"),
                Some(why) if config.warm_up_required => {
                    refuse!("warm-up failed: {why}"; hint = "see the container's log")
                }
                Some(why) => warn!("warm-up failed: {why}"),
            }
        }
        Ok(())
    }
}

rengine_plugin::export!(HttpCheck: health, post_run);

fn get(
    config: &Config,
    container: &RunningContainer,
    path: &str,
) -> core::result::Result<HttpResponse, String> {
    let request = HttpRequest::get(path)
        .on_port(config.port)
        .within(config.timeout.0);
    container.http(&request)
}
