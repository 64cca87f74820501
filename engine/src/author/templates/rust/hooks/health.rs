//! While a container is to become healthy.

use rengine_plugin::{Context, Health, HttpRequest, Result, RunningContainer, Status};

use crate::Plugin;

impl Health for Plugin {
    fn health(_: &Context, container: &RunningContainer) -> Result<Status> {
        Ok(match container.http(&HttpRequest::get("/")) {
            Ok(answer) if answer.status < 500 => Status::Healthy,
            Ok(answer) => Status::Unhealthy(format!("GET / answers {}", answer.status)),
            // It may not listen yet: rengine asks again.
            Err(why) => Status::Starting(why),
        })
    }
}
