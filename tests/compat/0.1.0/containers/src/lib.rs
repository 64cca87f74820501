//! Calls everything of `rengine:plugin@0.1.0` that looks at an image, a container or a deploy, and
//! logs what it is told: `post-build`, `health`, `post-run`, `pre-stop` and `post-deploy`.

wit_bindgen::generate!({
    inline: "
        package compat:containers;

        world containers {
            include rengine:plugin/imports@0.1.0;
            export rengine:plugin/post-build@0.1.0;
            export rengine:plugin/health@0.1.0;
            export rengine:plugin/post-run@0.1.0;
            export rengine:plugin/pre-stop@0.1.0;
            export rengine:plugin/post-deploy@0.1.0;
        }
    ",
    path: "../wit",
    generate_all,
});

use exports::rengine::plugin::{health, post_build, post_deploy, post_run, pre_stop};
use rengine::plugin::deployment::FinishedDeploy;
use rengine::plugin::image::BuiltImage;
use rengine::plugin::running::{HttpRequest, RunningContainer};
use rengine::plugin::types::{AppContext, Context, Refusal};
use wasi::config::store;
use wasi::logging::logging::{Level, log};

struct Containers;

impl post_build::Guest for Containers {
    fn run(ctx: Context, image: &BuiltImage) -> Result<(), Refusal> {
        told("context", ctx);
        told("id", image.id());
        told("tags", image.tags());
        told("digest", image.digest());
        told("size", image.size());
        told("layers", image.layers());
        told("os", image.os());
        told("architecture", image.architecture());
        told("user", image.user());
        told("command", image.command());
        told("entrypoint", image.entrypoint());
        told("working-dir", image.working_dir());
        told("env", image.env());
        told("labels", image.labels());
        told("label", image.label("com.example.team"));
        told("exposed-ports", image.exposed_ports());
        told("has-health-check", image.has_health_check());
        told("history", image.history());
        told("add-tag", image.add_tag("shop-web:2026-11").is_ok());
        told("add-tag", image.add_tag("no name").is_ok());
        Ok(())
    }
}

impl health::Guest for Containers {
    fn check(ctx: Context, container: &RunningContainer) -> Result<health::Status, Refusal> {
        told("context", ctx);
        told("state", container.state());
        let mode = store::get("mode").ok().flatten();
        Ok(match mode.as_deref() {
            Some("starting") => health::Status::Starting("it warms up".to_owned()),
            Some("unhealthy") => health::Status::Unhealthy("it is broken".to_owned()),
            Some("refuse") => return Err(refusal("no health today")),
            _ => health::Status::Healthy,
        })
    }
}

impl post_run::Guest for Containers {
    fn run(ctx: Context, container: &RunningContainer) -> Result<(), Refusal> {
        told("context", ctx);
        told("id", container.id());
        told("name", container.name());
        told("image", container.image());
        told("address", container.address());
        told("ports", container.ports());
        told("labels", container.labels());
        told("state", container.state());
        told("stats", container.stats());
        told("logs", container.logs(2));
        let request = HttpRequest {
            method: "POST".to_owned(),
            path: "/warm?up=1".to_owned(),
            headers: vec![("x-warm".to_owned(), "up".to_owned())],
            body: b"hello".to_vec(),
            port: Some(80),
            timeout_ms: Some(250),
        };
        told("http", container.http(&request));
        told("tcp-connect", container.tcp_connect(80, Some(250)));
        told("tcp-connect", container.tcp_connect(81, None));
        Ok(())
    }
}

impl pre_stop::Guest for Containers {
    fn run(ctx: Context, container: &RunningContainer) -> Result<(), Refusal> {
        told("context", ctx);
        told("name", container.name());
        Err(refusal("it must not stop"))
    }
}

impl post_deploy::Guest for Containers {
    fn run(ctx: AppContext, deploy: &FinishedDeploy) -> Result<(), Refusal> {
        told("context", ctx);
        told("outcome", deploy.outcome());
        told("error", deploy.error());
        told("duration-ms", deploy.duration_ms());
        told("steps", deploy.steps());
        told("changes", deploy.changes());
        told("services", deploy.services());
        Ok(())
    }
}

fn refusal(reason: &str) -> Refusal {
    Refusal {
        reason: reason.to_owned(),
        hint: None,
    }
}

fn told(what: &str, value: impl std::fmt::Debug) {
    log(Level::Info, what, &format!("{value:?}"));
}

export!(Containers);
