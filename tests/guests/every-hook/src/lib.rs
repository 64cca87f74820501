//! A plugin with every hook, for tests: each tells what it is handed, and does what its settings
//! ask for.

use rengine_plugin::{
    AppContext, AppModel, BuiltImage, Configure, ContainerSpec, Context, FinishedDeploy, Health,
    ImageBuild, PostBuild, PostDeploy, PostRun, PreBuild, PreRun, PreStop, Result,
    RunningContainer, Status, config, info, refuse,
};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    /// The hook that says no.
    refuse: String,
    /// The hook that does not come back.
    hang_in: String,
    /// A service that `configure` adds, of this image.
    add_service: String,
    /// A network that `configure` adds, and puts all services into.
    add_network: String,
    /// A service that `configure` removes.
    remove_service: String,
    /// A service that `configure` removes and adds anew, of this image.
    replace_service: [String; 2],
    /// Another name for the image.
    tag: String,
}

/// The settings, or the refusal that they ask for.
fn start(hook: &str) -> Result<Config> {
    let config: Config = config::load()?;
    if config.refuse == hook {
        refuse!("{hook} says no"; hint = "leave out `refuse`");
    }
    if config.hang_in == hook {
        // Whoever called it has given up long before.
        std::thread::sleep(std::time::Duration::from_secs(24 * 3600));
    }
    Ok(config)
}

struct EveryHook;

impl Configure for EveryHook {
    fn configure(ctx: &AppContext, app: &AppModel) -> Result {
        let config = start("configure")?;
        info!("configure {} has {}", ctx.app, app.services().join(", "));
        for name in app.services() {
            if let Some(service) = app.service(&name) {
                service.container().set_label("test.configured", "yes")?;
            }
        }
        if !config.add_service.is_empty() {
            let added = app.add_service("side", &config.add_service)?.container();
            let command = ["sh", "-c", "exec sleep 1000"].map(str::to_owned);
            added.set_command(Some(&command))?;
            added.set_stop_signal(Some("SIGKILL"))?;
        }
        if !config.remove_service.is_empty() {
            app.remove_service(&config.remove_service)?;
        }
        let [replaced, image] = &config.replace_service;
        if !replaced.is_empty() {
            app.remove_service(replaced)?;
            app.add_service(replaced, image)?;
        }
        if !config.add_network.is_empty() {
            let network = app.add_network(&config.add_network)?;
            network.set_label("test.added", "yes")?;
            network.set_internal(false)?;
            for name in app.services() {
                if let Some(service) = app.service(&name) {
                    service.join_network(&network.name(), &[format!("{name}-alias")])?;
                }
            }
            app.add_volume("unused")?.set_label("test.added", "yes")?;
            app.remove_volume("unused")?;
            let (networks, volumes) = (app.networks().join(", "), app.volumes().len());
            info!("configure has networks {networks} and {volumes} volumes");
        }
        Ok(())
    }
}

impl PreBuild for EveryHook {
    fn pre_build(ctx: &Context, build: &ImageBuild) -> Result {
        start("pre-build")?;
        info!("pre-build {} from {}", ctx.service, build.dockerfile_path());
        Ok(())
    }
}

impl PreRun for EveryHook {
    fn pre_run(ctx: &Context, spec: &ContainerSpec) -> Result {
        start("pre-run")?;
        let labels = spec.labels();
        let configured = labels.iter().any(|(name, _)| name == "test.configured");
        info!("pre-run {} configured {configured}", ctx.service);
        Ok(())
    }
}

impl PostBuild for EveryHook {
    fn post_build(ctx: &Context, image: &BuiltImage) -> Result {
        let config = start("post-build")?;
        info!(
            "post-build {} {}/{} layers {} history {} command {:?}",
            ctx.service,
            image.os(),
            image.architecture(),
            image.layers().len(),
            image.history().map_or(0, |history| history.len()),
            image.command().unwrap_or_default(),
        );
        if !config.tag.is_empty() {
            image.add_tag(&config.tag)?;
        }
        Ok(())
    }
}

impl Health for EveryHook {
    fn health(_: &Context, container: &RunningContainer) -> Result<Status> {
        start("health")?;
        Ok(match container.state() {
            Ok(state) if state.running => Status::Healthy,
            Ok(state) => Status::Unhealthy(format!("it ended with {}", state.exit_code)),
            Err(why) => Status::Starting(why),
        })
    }
}

impl PostRun for EveryHook {
    fn post_run(ctx: &Context, container: &RunningContainer) -> Result {
        start("post-run")?;
        let stats = container.stats()?;
        info!(
            "post-run {} processes {} memory {} of {}",
            ctx.service,
            stats.processes,
            stats.memory > 0,
            stats.memory_limit
        );
        Ok(())
    }
}

impl PreStop for EveryHook {
    fn pre_stop(ctx: &Context, container: &RunningContainer) -> Result {
        start("pre-stop")?;
        let running = container.state().is_ok_and(|state| state.running);
        info!("pre-stop {} running {running}", ctx.service);
        Ok(())
    }
}

impl PostDeploy for EveryHook {
    fn post_deploy(ctx: &AppContext, deploy: &FinishedDeploy) -> Result {
        start("post-deploy")?;
        let steps: Vec<String> = deploy
            .steps()
            .iter()
            .map(|step| match step.succeeded {
                true => step.operation.clone(),
                false => format!("{}!", step.operation),
            })
            .collect();
        let running: Vec<String> = deploy
            .services()
            .into_iter()
            .map(|service| service.name)
            .collect();
        info!(
            "post-deploy {} {:?} steps [{}] changes {} running [{}] error {:?}",
            ctx.app,
            deploy.outcome(),
            steps.join(" "),
            deploy.changes().len(),
            running.join(" "),
            deploy.error(),
        );
        Ok(())
    }
}

rengine_plugin::export!(
    EveryHook: configure, pre_build, pre_run, post_build, health, post_run, pre_stop, post_deploy
);
