//! From the app as it is written to the app as plugins make it.

use std::sync::Arc;

use super::access::{LazyContext, without_dockerfile};
use super::hooks::{Hooks, log_sink, or_warn};
use super::{DeployError, Reporter};
use crate::app::{App, ContainerSpec, ImageBuild, ImageSource, PortMapping, Protocol, Service};
use crate::docker::Docker;
use crate::dockerfile::Dockerfile;
use crate::plugin::{CallContext, Change, ContextAccess, Hook};

/// The app as plugins made it, with their changes.
pub struct Transformed {
    pub app: App,
    pub changes: Vec<Change>,
}

/// What the transformation needs beside the app.
pub struct Transform<'a> {
    pub hooks: &'a Hooks,
    pub docker: &'a Docker,
    pub reporter: &'a Arc<dyn Reporter>,
    pub release: &'a str,
    /// False if ports are to be taken from what the image exposes.
    pub ports_declared: bool,
}

impl Transform<'_> {
    /// Runs `configure`, and then `pre-build` and `pre-run` for every service.
    pub async fn run(&self, mut app: App) -> Result<Transformed, DeployError> {
        let written: Vec<_> = app.services.keys().cloned().collect();
        let mut changes = self.configure(&mut app).await?;
        let name = app.name.to_string();
        for service in app.services.values_mut() {
            let context = CallContext {
                app: name.clone(),
                service: service.name.to_string(),
                release: self.release.to_owned(),
                planning: true,
            };
            if let ImageSource::Build(build) = &mut service.image {
                changes.extend(self.pre_build(&context, &service.name, build).await?);
                if build.dockerfile.is_none() {
                    return Err(DeployError::NoDockerfile {
                        service: service.name.to_string(),
                        path: build.context.join(&build.dockerfile_path),
                        help: without_dockerfile(&build.context),
                    });
                }
            }
            // A service that a plugin added publishes what the plugin says.
            if !self.ports_declared && written.contains(&service.name) {
                self.publish_exposed(service).await?;
            }
            changes.extend(self.pre_run(&context, service).await?);
        }
        Ok(Transformed { app, changes })
    }

    async fn configure(&self, app: &mut App) -> Result<Vec<Change>, DeployError> {
        let mut changes = Vec::new();
        let context = CallContext {
            app: app.name.to_string(),
            service: String::new(),
            release: self.release.to_owned(),
            planning: true,
        };
        for (plugin, on_error) in self.hooks.for_app(Hook::Configure) {
            let contexts = app.services.iter().filter_map(|(name, service)| {
                let files = LazyContext::new(service.image.build()?);
                Some((name.clone(), Arc::new(files) as Arc<dyn ContextAccess>))
            });
            let contexts = contexts.collect();
            let sink = log_sink(self.reporter);
            let result = plugin.configure(&context, app, contexts, sink).await;
            changes.extend(or_warn(result, on_error, Vec::new(), &**self.reporter)?);
        }
        Ok(changes)
    }

    async fn pre_build(
        &self,
        context: &CallContext,
        service: &crate::app::Name,
        build: &mut ImageBuild,
    ) -> Result<Vec<Change>, DeployError> {
        let mut changes = Vec::new();
        let files = Arc::new(LazyContext::new(build));
        for (plugin, on_error) in self.hooks.having(Hook::PreBuild, service) {
            let sink = log_sink(self.reporter);
            let result = plugin.pre_build(context, build, files.clone(), sink).await;
            changes.extend(or_warn(result, on_error, Vec::new(), &**self.reporter)?);
        }
        Ok(changes)
    }

    async fn pre_run(
        &self,
        context: &CallContext,
        service: &mut Service,
    ) -> Result<Vec<Change>, DeployError> {
        let mut changes = Vec::new();
        let (dockerfile, image) = match &service.image {
            ImageSource::Build(build) => (build.dockerfile.clone(), None),
            ImageSource::Image(reference) => (None, Some(reference.clone())),
        };
        let spec = &mut service.container;
        for (plugin, on_error) in self.hooks.having(Hook::PreRun, &service.name) {
            let sink = log_sink(self.reporter);
            let result = plugin
                .pre_run(context, spec, dockerfile.clone(), image.clone(), sink)
                .await;
            changes.extend(or_warn(result, on_error, Vec::new(), &**self.reporter)?);
        }
        Ok(changes)
    }

    /// Publishes what the image exposes, each port under its own number.
    async fn publish_exposed(&self, service: &mut Service) -> Result<(), DeployError> {
        let mut exposed = Vec::new();
        match &service.image {
            ImageSource::Build(build) => {
                let text = build.dockerfile.as_deref().unwrap_or_default();
                let dockerfile = Dockerfile::parse(text);
                let target = build.target.as_deref();
                exposed.extend(dockerfile.exposed_ports(target, &build.args));
                // What the base image exposes, the image exposes too.
                // With several it is not known here which one the last stage builds on.
                if let [base] = &dockerfile.external_bases(target, &build.args)[..] {
                    exposed.extend(self.docker.image(base).await?.unwrap_or_default().exposed);
                }
            }
            ImageSource::Image(reference) => {
                exposed.extend(
                    self.docker
                        .image(reference)
                        .await?
                        .unwrap_or_default()
                        .exposed,
                );
            }
        }
        publish(&mut service.container, exposed);
        Ok(())
    }
}

fn publish(spec: &mut ContainerSpec, mut exposed: Vec<(u16, Protocol)>) {
    exposed.sort_unstable();
    exposed.dedup();
    spec.ports
        .extend(exposed.into_iter().map(|(port, protocol)| PortMapping {
            container_port: port,
            protocol,
            host_port: Some(port),
            host_port_last: None,
            host_address: None,
            app_protocol: None,
        }));
}
