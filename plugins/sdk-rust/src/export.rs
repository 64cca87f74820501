//! The traits of the hooks, and the macro that exports them.

use crate::bindings;
use crate::{ContainerSpec, Context, ImageBuild, Result, RunningContainer, Status};

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
/// The names are `pre_build`, `pre_run`, `post_run` and `health`; the type must implement the
/// trait of each. Use it once in a crate.
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
    ($plugin:ident pre_build) => {
        $crate::__export_hook!($plugin pre_build PreBuild);
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
            "`: there are pre_build, pre_run, post_run and health"
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
