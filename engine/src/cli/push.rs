//! `rengine push`.

use clap::Args;

use super::error::CliError;
use super::{GlobalArgs, config, interrupt, services, session};
use crate::compose::Project;
use crate::deploy::{self, Push};
use crate::ui::Ui;

/// What to push, and what to do about failures.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// Go on where an image can't be pushed
    #[arg(long)]
    ignore_push_failures: bool,
    /// Also those that these services depend on
    #[arg(long)]
    include_deps: bool,
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

pub async fn run(global: &GlobalArgs, args: PushArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = session::load_manifest(global, ui)?;
    let app = &manifest.app;
    let known = |name: &&String| !app.services.contains_key(name.as_str());
    if let Some(unknown) = args.services.iter().find(known) {
        return Err(services::no_service(&manifest, unknown));
    }
    // Where an app goes to stands in its Compose file: one of plugins.toml has no `image` beside
    // its `build`.
    let nothing = || CliError::NothingToPush {
        app: app.name.to_string(),
    };
    // The app could be loaded, so where there is no project, it is none of Compose.
    let Ok(project) = config::load(global) else {
        return Err(nothing());
    };
    let wanted = wanted(&project, &args);
    let named: Vec<(&String, &String)> = project
        .services
        .iter()
        .filter(|(name, service)| wanted.contains(name) && service.build.is_some())
        .filter_map(|(name, service)| Some((name, service.container.image.as_ref()?)))
        .collect();
    if named.is_empty() {
        return Err(nothing());
    }
    let docker = session::connect(global, &manifest, ui).await?;
    let names: Vec<String> = named.iter().map(|(name, _)| (*name).clone()).collect();
    let running = services::containers(&manifest, &docker, &names).await?;
    let mut pushes = Vec::new();
    for (service, reference) in named {
        let container = running.iter().find(|container| {
            let name = container.service.as_ref();
            name.is_some_and(|name| name.as_str() == service) && !container.is_candidate()
        });
        let container = container.ok_or_else(|| CliError::NotDeployed {
            service: service.clone(),
        })?;
        pushes.push(Push {
            service: service.clone(),
            image: container.image_id.clone(),
            reference: reference.clone(),
        });
    }
    let cancel = interrupt::on_signal(ui);
    let go_on = args.ignore_push_failures;
    deploy::push(&docker, &pushes, go_on, &ui.reporter(), &cancel).await?;
    Ok(())
}

/// The services that are meant.
fn wanted<'a>(project: &'a Project, args: &'a PushArgs) -> Vec<&'a String> {
    let mut wanted: Vec<&String> = match args.services.is_empty() {
        true => project.services.keys().collect(),
        false => args.services.iter().collect(),
    };
    let mut next = 0;
    while args.include_deps && next < wanted.len() {
        let service = project.services.get(wanted[next]);
        for name in service.iter().flat_map(|service| service.depends_on.keys()) {
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
        next += 1;
    }
    wanted
}
