//! `rengine down`.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use clap::Args;

use super::error::CliError;
use super::wait::WaitArgs;
use super::{GlobalArgs, session};
use crate::deploy::{DeployError, Event, Hooks, take_lock};
use crate::docker::DockerError;
use crate::plugin::CallContext;
use crate::ui::{Ui, time};

/// What can be asked of taking an app down.
#[derive(Debug, Args)]
pub struct DownArgs {
    /// Also remove the images that were built for the app
    #[arg(long)]
    images: bool,
    /// Also remove this volume of the app, with the data in it; can be given several times
    #[arg(long = "volume", value_name = "NAME")]
    volumes: Vec<String>,
    /// Also forget the app's releases: nothing can be rolled back to then
    #[arg(long)]
    history: bool,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    sources: session::SourceArgs,
}

pub async fn run(global: &GlobalArgs, args: DownArgs, ui: Ui) -> Result<(), CliError> {
    let manifest = match session::load_undemanded(global, args.sources, ui).await {
        // What can't be had is no reason to leave the app running.
        Err(CliError::Deploy(DeployError::Base { .. })) => session::load_app(global, ui).await?,
        loaded => loaded?,
    };
    let docker = session::connect(global, &manifest, ui).await?;
    let app = &manifest.app.name;
    let reporter = ui.reporter();
    let wait = args.wait.wait();
    let lock = take_lock(&docker, app, "rengine down", wait, &reporter).await?;
    // What can't be loaded can't be asked, and is no reason to leave the app running.
    let hooks = match Hooks::load(&manifest, &docker, &args.sources.sources(&reporter)).await {
        Ok(hooks) => hooks,
        Err(error) => {
            reporter.report(Event::Warning {
                message: format!("going on without plugins: {error}"),
                help: None,
            });
            Hooks::default()
        }
    };
    let work = async {
        let observed = docker.observe(app, &[]).await?;
        let mut removed = 0;
        let mut left: VecDeque<_> = observed.containers.iter().collect();
        // How many could not be removed one after the other, as others share their namespaces.
        let mut in_vain = 0;
        while let Some(container) = left.pop_front() {
            let started = Instant::now();
            if let Some(service) = &container.service {
                let context = CallContext {
                    app: app.to_string(),
                    service: service.to_string(),
                    release: container.release.clone(),
                    planning: false,
                };
                let id = &container.id;
                hooks
                    .pre_stop(&docker, &context, service, id, &reporter)
                    .await;
            }
            docker.stop(&container.id, None).await?;
            match docker.remove_at_once(&container.id, true).await {
                Err(DockerError::Shared { .. }) if in_vain < left.len() => {
                    in_vain += 1;
                    left.push_back(container);
                    continue;
                }
                removed => removed?,
            }
            in_vain = 0;
            ui.note(&format!(
                "  {} removed {} {}",
                ui.styles().good("✔"),
                container.name,
                ui.styles().dim(time(started.elapsed()))
            ));
            removed += 1;
        }
        for edge in &observed.edges {
            docker.stop(&edge.id, None).await?;
            docker.remove(&edge.id, true).await?;
            ui.note(&format!(
                "  {} removed {}",
                ui.styles().good("✔"),
                edge.name
            ));
            removed += 1;
        }
        for (id, name) in docker.one_offs(app).await? {
            docker.remove(&id, true).await?;
            ui.note(&format!("  {} removed {name}", ui.styles().good("✔")));
        }
        let networks = docker.networks(app, &BTreeSet::new()).await?;
        // Of those that Compose made, only Compose knows who else is in them.
        for network in networks.iter().filter(|network| !network.inputs.is_empty()) {
            docker.remove_network(&network.id, &network.name).await?;
            ui.note(&format!(
                "  {} removed network {}",
                ui.styles().good("✔"),
                network.name
            ));
        }
        for volume in &args.volumes {
            let volumes = &manifest.app.volumes;
            let own = volumes.get(volume).map(|volume| volume.name.clone());
            let name = own.unwrap_or_else(|| format!("{app}_{volume}"));
            if !docker.remove_volume(&name).await? {
                return Err(CliError::NoVolume {
                    volume: volume.clone(),
                    name,
                });
            }
            ui.note(&format!(
                "  {} removed volume {name}",
                ui.styles().good("✔")
            ));
        }
        if args.history {
            for record in docker.records(app).await? {
                docker.remove_record(&record).await?;
            }
        }
        if args.images {
            for image in &observed.images {
                // The daemon removes no image by its id that has names of several repositories.
                for name in &image.tags {
                    docker.remove_image(name).await?;
                }
                docker.remove_image(&image.id).await?;
                ui.note(&format!(
                    "  {} removed image {}",
                    ui.styles().good("✔"),
                    image.id
                ));
            }
        }
        Ok::<_, CliError>(removed)
    };
    let result = lock.guard(work).await;
    lock.release().await?;
    let removed = result?;
    if ui.is_json() {
        ui.json(&serde_json::json!({"event": "down", "app": app, "containers": removed}));
    } else if removed == 0 {
        ui.result(&format!("{app} is not deployed"));
    } else {
        let kept = match args.volumes.is_empty() {
            true => "; its volumes are kept",
            false => "",
        };
        ui.result(&format!("{app} is down{kept}"));
    }
    Ok(())
}
