//! One call of a hook: a store with its limits, the call, and what came of it.

mod outcome;
mod state;

use std::sync::Arc;

use super::bindings::exports::rengine::plugin as exports;
use super::bindings::rengine::plugin::types;
use super::capability::Shared;
use super::capability::app::{AppResource, Contexts};
use super::capability::build::BuildResource;
use super::capability::container::SpecResource;
use super::capability::deployment::DeployResource;
use super::capability::image::ImageResource;
use super::capability::running::RunningResource;
use super::log::LogSink;
use super::{
    Change, ContainerAccess, ContextAccess, FinishedDeploy, Hook, ImageAccess, Plugin, PluginError,
    Refusal, change,
};
use crate::app::{App, ContainerSpec, ImageBuild};

use outcome::outcome;
pub use outcome::{bounded, exceeded, failure, limit_help};
pub use state::{State, store};

/// Where a hook runs.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The app's name.
    pub app: String,
    /// The service's name; empty in a hook for the whole app.
    pub service: String,
    /// The id of the release being made.
    pub release: String,
    /// True while nothing runs yet.
    pub planning: bool,
}

/// What a `health` hook makes of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthStatus {
    /// Not known yet; why.
    Starting(String),
    /// Good to go.
    Healthy,
    /// It will not become healthy; why.
    Unhealthy(String),
}

impl From<types::Refusal> for Refusal {
    fn from(refusal: types::Refusal) -> Self {
        Self {
            reason: bounded(refusal.reason),
            hint: refusal.hint.map(bounded),
        }
    }
}

/// Instantiates the plugin and calls one function of one hook, within its limits.
macro_rules! call {
    ($plugin:expr, $hook:expr, $context:expr, $sink:expr, $indices:expr, $call:ident,
     $resource:expr) => {
        call!(
            $plugin, $hook, $context, $sink, $indices, $call, $resource, wire
        )
    };
    ($plugin:expr, $hook:expr, $context:expr, $sink:expr, $indices:expr, $call:ident,
     $resource:expr, $wire:ident) => {
        call!(
            $plugin, $hook, $context, $sink, $indices, $call, $resource, $wire, None
        )
    };
    ($plugin:expr, $hook:expr, $context:expr, $sink:expr, $indices:expr, $call:ident,
     $resource:expr, $wire:ident, $folder:expr) => {{
        // Let go of after the store, which is gone when the outcome is there.
        let _slot = $plugin.slot().await;
        let state = State::new($plugin, $hook, &$context.service, $sink, $folder);
        let mut store = store($plugin.engine(), state);
        let context = $wire($context);
        let run = async {
            let resource = store.data_mut().table.push($resource)?;
            let instance = $plugin.pre().instantiate_async(&mut store).await?;
            let guest = $indices.load(&mut store, &instance)?;
            let borrowed = wasmtime::component::Resource::new_borrow(resource.rep());
            let answer = guest.$call(&mut store, &context, borrowed).await?;
            let resource = store.data_mut().table.delete(resource)?;
            if answer.is_ok() {
                store.data_mut().keep_state();
            }
            wasmtime::error::Ok((answer, resource))
        };
        let done = tokio::time::timeout($plugin.settings().timeout, run).await;
        outcome($plugin.settings(), $hook, $context, store, done)
    }};
}

impl Plugin {
    /// Calls `configure`, where the plugin has it. `app` changes only if all goes well.
    ///
    /// `contexts` are the build contexts of its services.
    pub async fn configure(
        &self,
        context: &CallContext,
        app: &mut App,
        contexts: Contexts,
        sink: LogSink,
    ) -> Result<Vec<Change>, PluginError> {
        let Some(indices) = &self.indices().configure else {
            return Ok(Vec::new());
        };
        let hook = Hook::Configure;
        let resource = AppResource::new(app.clone(), contexts, self.settings().grants.clone());
        let (answer, resource) = call!(
            self, hook, context, sink, indices, call_run, resource, wire_app
        )?;
        self.accept(hook, context, answer)?;
        let after = resource.into_app();
        let changes = change::between_apps(self.name(), hook, app, &after);
        *app = after;
        Ok(changes)
    }

    /// Calls `pre-build`, where the plugin has it. `build` changes only if all goes well.
    pub async fn pre_build(
        &self,
        context: &CallContext,
        build: &mut ImageBuild,
        files: Arc<dyn ContextAccess>,
        sink: LogSink,
    ) -> Result<Vec<Change>, PluginError> {
        let Some(indices) = &self.indices().pre_build else {
            return Ok(Vec::new());
        };
        let hook = Hook::PreBuild;
        let grants = self.settings().grants.clone();
        let readable = grants.reads_context().is_ok();
        let resource = BuildResource::new(Shared::new(build.clone()), files.clone(), grants);
        let folder = files.folder().filter(|_| readable);
        let (answer, resource) = call!(
            self, hook, context, sink, indices, call_run, resource, wire, folder
        )?;
        self.accept(hook, context, answer)?;
        let after = resource.into_build();
        let changes = change::between(self.name(), hook, &context.service, build, &after);
        *build = after;
        Ok(changes)
    }

    /// Calls `pre-run`, where the plugin has it. `spec` changes only if all goes well.
    ///
    /// `dockerfile` is the effective Dockerfile of an image that is built, `image` the name of
    /// one that is not.
    pub async fn pre_run(
        &self,
        context: &CallContext,
        spec: &mut ContainerSpec,
        dockerfile: Option<String>,
        image: Option<String>,
        sink: LogSink,
    ) -> Result<Vec<Change>, PluginError> {
        let Some(indices) = &self.indices().pre_run else {
            return Ok(Vec::new());
        };
        let hook = Hook::PreRun;
        let grants = self.settings().grants.clone();
        let resource = SpecResource::new(Shared::new(spec.clone()), dockerfile, image, grants);
        let (answer, resource) = call!(self, hook, context, sink, indices, call_run, resource)?;
        self.accept(hook, context, answer)?;
        let after = resource.into_spec();
        let changes = change::between(self.name(), hook, &context.service, spec, &after);
        *spec = after;
        Ok(changes)
    }

    /// Calls `post-build`, where the plugin has it; returns the names that it wants the image to
    /// have.
    pub async fn post_build(
        &self,
        context: &CallContext,
        image: Arc<dyn ImageAccess>,
        sink: LogSink,
    ) -> Result<Vec<String>, PluginError> {
        let Some(indices) = &self.indices().post_build else {
            return Ok(Vec::new());
        };
        let hook = Hook::PostBuild;
        let resource = ImageResource::new(image);
        let (answer, resource) = call!(self, hook, context, sink, indices, call_run, resource)?;
        self.accept(hook, context, answer)?;
        Ok(resource.into_tags())
    }

    /// Calls `pre-stop`, where the plugin has it.
    pub async fn pre_stop(
        &self,
        context: &CallContext,
        container: Arc<dyn ContainerAccess>,
        sink: LogSink,
    ) -> Result<(), PluginError> {
        let Some(indices) = &self.indices().pre_stop else {
            return Ok(());
        };
        let hook = Hook::PreStop;
        let resource = RunningResource(container);
        let (answer, _) = call!(self, hook, context, sink, indices, call_run, resource)?;
        self.accept(hook, context, answer)
    }

    /// Calls `post-deploy`, where the plugin has it.
    pub async fn post_deploy(
        &self,
        context: &CallContext,
        deploy: Arc<FinishedDeploy>,
        sink: LogSink,
    ) -> Result<(), PluginError> {
        let Some(indices) = &self.indices().post_deploy else {
            return Ok(());
        };
        let hook = Hook::PostDeploy;
        let resource = DeployResource(deploy);
        let (answer, _) = call!(
            self, hook, context, sink, indices, call_run, resource, wire_app
        )?;
        self.accept(hook, context, answer)
    }

    /// Calls `post-run`, where the plugin has it.
    pub async fn post_run(
        &self,
        context: &CallContext,
        container: Arc<dyn ContainerAccess>,
        sink: LogSink,
    ) -> Result<(), PluginError> {
        let Some(indices) = &self.indices().post_run else {
            return Ok(());
        };
        let resource = RunningResource(container);
        let hook = Hook::PostRun;
        let (answer, _) = call!(self, hook, context, sink, indices, call_run, resource)?;
        self.accept(hook, context, answer)
    }

    /// Calls `health`; `None` where the plugin does not have it.
    pub async fn health(
        &self,
        context: &CallContext,
        container: Arc<dyn ContainerAccess>,
        sink: LogSink,
    ) -> Result<Option<HealthStatus>, PluginError> {
        let Some(indices) = &self.indices().health else {
            return Ok(None);
        };
        let resource = RunningResource(container);
        let hook = Hook::Health;
        let (answer, _) = call!(self, hook, context, sink, indices, call_check, resource)?;
        let status = match self.accept(hook, context, answer)? {
            exports::health::Status::Starting(why) => HealthStatus::Starting(bounded(why)),
            exports::health::Status::Healthy => HealthStatus::Healthy,
            exports::health::Status::Unhealthy(why) => HealthStatus::Unhealthy(bounded(why)),
        };
        Ok(Some(status))
    }

    /// Turns a guest's own answer into ours.
    fn accept<T>(
        &self,
        hook: Hook,
        context: &CallContext,
        answer: Result<T, types::Refusal>,
    ) -> Result<T, PluginError> {
        answer.map_err(|mut refusal| {
            let redactor = &self.settings().redactor;
            // Before it is cut, so that no half of a secret is left.
            redactor.clean(&mut refusal.reason);
            if let Some(hint) = &mut refusal.hint {
                redactor.clean(hint);
            }
            let refusal = Refusal::from(refusal);
            PluginError::Refused {
                plugin: self.name().to_owned(),
                hook,
                service: context.service.clone(),
                help: refusal.hint.clone(),
                refusal,
            }
        })
    }
}

fn wire(context: &CallContext) -> types::Context {
    types::Context {
        app: context.app.clone(),
        service: context.service.clone(),
        release: context.release.clone(),
        planning: context.planning,
    }
}

fn wire_app(context: &CallContext) -> types::AppContext {
    types::AppContext {
        app: context.app.clone(),
        release: context.release.clone(),
        planning: context.planning,
    }
}
