//! `rengine push`.

use clap::Args;

use super::error::CliError;
use super::{GlobalArgs, interrupt, services, session};
use crate::app::{App, Name};
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
    let manifest = session::load_app(global, ui).await?;
    let app = &manifest.app;
    let known = |name: &&String| !app.services.contains_key(name.as_str());
    if let Some(unknown) = args.services.iter().find(known) {
        return Err(services::no_service(&manifest, unknown));
    }
    let wanted = wanted(app, &args);
    let named: Vec<(&Name, &String)> = app
        .services
        .values()
        .filter(|service| wanted.contains(&&service.name))
        .filter_map(|service| Some((&service.name, service.image.build()?)))
        .flat_map(|(name, build)| build.tags.iter().map(move |tag| (name, tag)))
        .collect();
    if named.is_empty() {
        return Err(CliError::NothingToPush {
            app: app.name.to_string(),
        });
    }
    let docker = session::connect(global, &manifest, ui).await?;
    let names: Vec<String> = named.iter().map(|(name, _)| name.to_string()).collect();
    let running = services::containers(&manifest, &docker, &names).await?;
    let mut pushes = Vec::new();
    for (service, reference) in named {
        let container = running.iter().find(|container| {
            container.service.as_ref() == Some(service) && !container.is_candidate()
        });
        let container = container.ok_or_else(|| CliError::NotDeployed {
            service: service.to_string(),
        })?;
        pushes.push(Push {
            service: service.to_string(),
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
fn wanted<'a>(app: &'a App, args: &PushArgs) -> Vec<&'a Name> {
    let asked = |name: &&Name| args.services.iter().any(|asked| asked == name.as_str());
    let mut wanted: Vec<&Name> = match args.services.is_empty() {
        true => app.services.keys().collect(),
        false => app.services.keys().filter(asked).collect(),
    };
    let mut next = 0;
    while args.include_deps && next < wanted.len() {
        let service = app.services.get(wanted[next]);
        for name in service.iter().flat_map(|service| service.depends_on.keys()) {
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
        next += 1;
    }
    wanted
}
