//! The traits of the hooks, and the macro that exports them.

use crate::bindings;
use crate::{
    AppContext, AppModel, BuiltImage, ContainerSpec, Context, FinishedDeploy, ImageBuild, Result,
    RunningContainer, Status,
};

/// The hook `configure`: customises the whole app, before everything else.
///
/// Runs for `rengine plan` too. Changes take effect if it returns `Ok`; a refusal ends the deploy
/// with nothing touched.
pub trait Configure {
    /// Called once for each deploy.
    fn configure(ctx: &AppContext, app: &AppModel) -> Result;
}

/// The hook `pre-build`: customises how an image is built.
///
/// Runs for `rengine plan` too. Changes take effect if it returns `Ok`; a refusal ends the deploy
/// with nothing touched.
pub trait PreBuild {
    /// Called once for each service that is built.
    fn pre_build(ctx: &Context, build: &ImageBuild) -> Result;
}

/// The hook `pre-run`: customises how a container runs.
///
/// Runs for `rengine plan` too. Changes take effect if it returns `Ok`; a refusal ends the deploy
/// with nothing touched.
pub trait PreRun {
    /// Called once for each service.
    fn pre_run(ctx: &Context, spec: &ContainerSpec) -> Result;
}

/// The hook `post-build`: judges a built image, or gives it another name.
///
/// Called before a container is made from the image, whether it was built just now or by an
/// earlier deploy. A refusal ends the deploy, and the old release runs on.
pub trait PostBuild {
    /// Called once for each new container whose image is built.
    fn post_build(ctx: &Context, image: &BuiltImage) -> Result;
}

/// The hook `post-run`: acts on a container that has become healthy.
///
/// The old container still runs. A refusal removes the new one, and the old one goes on.
pub trait PostRun {
    /// Called once for each new container.
    fn post_run(ctx: &Context, container: &RunningContainer) -> Result;
}

/// The hook `health`: decides whether a started container is healthy.
pub trait Health {
    /// Called again and again, each time in a new instance, until it does not say
    /// [`Status::Starting`].
    fn health(ctx: &Context, container: &RunningContainer) -> Result<Status>;
}

/// The hook `pre-stop`: drains or deregisters a container that was in service.
///
/// A refusal is a warning: the container is stopped all the same.
pub trait PreStop {
    /// Called once for each container, before it is stopped.
    fn pre_stop(ctx: &Context, container: &RunningContainer) -> Result;
}

/// The hook `post-deploy`: tells others how a deploy ended.
///
/// A refusal is a warning: the deploy is over.
pub trait PostDeploy {
    /// Called once for each deploy, however it ended.
    fn post_deploy(ctx: &AppContext, deploy: &FinishedDeploy) -> Result;
}

impl<T: Configure> bindings::configure::exports::rengine::plugin::configure::Guest for T {
    fn run(ctx: AppContext, app: &AppModel) -> Result {
        T::configure(&ctx, app)
    }
}

impl<T: PostBuild> bindings::post_build::exports::rengine::plugin::post_build::Guest for T {
    fn run(ctx: Context, image: &BuiltImage) -> Result {
        T::post_build(&ctx, image)
    }
}

impl<T: PreStop> bindings::pre_stop::exports::rengine::plugin::pre_stop::Guest for T {
    fn run(ctx: Context, container: &RunningContainer) -> Result {
        T::pre_stop(&ctx, container)
    }
}

impl<T: PostDeploy> bindings::post_deploy::exports::rengine::plugin::post_deploy::Guest for T {
    fn run(ctx: AppContext, deploy: &FinishedDeploy) -> Result {
        T::post_deploy(&ctx, deploy)
    }
}

impl<T: PreBuild> bindings::pre_build::exports::rengine::plugin::pre_build::Guest for T {
    fn run(ctx: Context, build: &ImageBuild) -> Result {
        T::pre_build(&ctx, build)
    }
}

impl<T: PreRun> bindings::pre_run::exports::rengine::plugin::pre_run::Guest for T {
    fn run(ctx: Context, spec: &ContainerSpec) -> Result {
        T::pre_run(&ctx, spec)
    }
}

impl<T: PostRun> bindings::post_run::exports::rengine::plugin::post_run::Guest for T {
    fn run(ctx: Context, container: &RunningContainer) -> Result {
        T::post_run(&ctx, container)
    }
}

impl<T: Health> bindings::health::exports::rengine::plugin::health::Guest for T {
    fn check(ctx: Context, container: &RunningContainer) -> Result<Status> {
        T::health(&ctx, container)
    }
}

/// Exports a type's hooks, those that are listed and no others.
///
/// The names are `configure`, `pre_build`, `pre_run`, `post_build`, `health`, `post_run`,
/// `pre_stop` and `post_deploy`; the type must implement the trait of each. Use it once in a crate.
///
/// ```
/// # use rengine_plugin::{Context, ContainerSpec, ImageBuild, PreBuild, PreRun, Result};
/// struct Conventions;
///
/// impl PreBuild for Conventions {
///     fn pre_build(_: &Context, build: &ImageBuild) -> Result {
///         Ok(build.set_label("team", "web")?)
///     }
/// }
///
/// impl PreRun for Conventions {
///     fn pre_run(_: &Context, spec: &ContainerSpec) -> Result {
///         Ok(spec.set_env("TEAM", "web")?)
///     }
/// }
///
/// rengine_plugin::export!(Conventions: pre_build, pre_run);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($plugin:ident: $($hook:ident),+ $(,)?) => {
        $($crate::__export_hook!($plugin $hook);)+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_hook {
    ($plugin:ident configure) => {
        $crate::__export_hook!($plugin configure Configure);
    };
    ($plugin:ident pre_build) => {
        $crate::__export_hook!($plugin pre_build PreBuild);
    };
    ($plugin:ident post_build) => {
        $crate::__export_hook!($plugin post_build PostBuild);
    };
    ($plugin:ident pre_stop) => {
        $crate::__export_hook!($plugin pre_stop PreStop);
    };
    ($plugin:ident post_deploy) => {
        $crate::__export_hook!($plugin post_deploy PostDeploy);
    };
    ($plugin:ident pre_run) => {
        $crate::__export_hook!($plugin pre_run PreRun);
    };
    ($plugin:ident post_run) => {
        $crate::__export_hook!($plugin post_run PostRun);
    };
    ($plugin:ident health) => {
        $crate::__export_hook!($plugin health Health);
    };
    ($plugin:ident $other:ident) => {
        ::core::compile_error!(::core::concat!(
            "there is no hook `",
            ::core::stringify!($other),
            "`: there are configure, pre_build, pre_run, post_build, health, post_run, pre_stop ",
            "and post_deploy"
        ));
    };
    ($plugin:ident $hook:ident $trait:ident) => {
        // Here, so that a missing implementation is told in the trait's own name.
        const _: () = {
            const fn implements<T: $crate::$trait>() {}
            implements::<$plugin>()
        };
        // A component's exports have names that native linkers choke on when they make a cdylib.
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::$hook::export!($plugin with_types_in $crate::bindings::$hook);
    };
}
