//! What wit-bindgen makes of `wit/`: the shared interfaces once, and for each hook a module with
//! its `Guest` trait and the macro that exports it.
//!
//! A hook has a module of its own because a component must export only what it implements: the
//! macro of a world carries the description of all that the world exports. The shared interfaces
//! are generated once and remapped everywhere else, so that all hooks speak of the same types.

#![allow(
    missing_docs,
    reason = "the comments are the WIT's, and not every case has one"
)]

mod imports {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "imports",
        generate_all,
        generate_unused_types: true,
        pub_export_macro: true,
        additional_derives: [PartialEq],
    });
}

pub use imports::{rengine, wasi};

/// What needs a grant to be imported. It is in a component only if the code calls it.
pub mod granted {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "granted-imports",
        generate_all,
        with: {
            "rengine:plugin/types@0.1.0": crate::bindings::rengine::plugin::types,
            "rengine:plugin/running@0.1.0": crate::bindings::rengine::plugin::running,
        },
    });
}

macro_rules! hook {
    ($module:ident, $world:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                generate_all,
                generate_unused_types: true,
                pub_export_macro: true,
                additional_derives: [PartialEq],
                with: {
                    "rengine:plugin/types@0.1.0": crate::bindings::rengine::plugin::types,
                    "rengine:plugin/build@0.1.0": crate::bindings::rengine::plugin::build,
                    "rengine:plugin/container@0.1.0": crate::bindings::rengine::plugin::container,
                    "rengine:plugin/app@0.1.0": crate::bindings::rengine::plugin::app,
                    "rengine:plugin/image@0.1.0": crate::bindings::rengine::plugin::image,
                    "rengine:plugin/running@0.1.0": crate::bindings::rengine::plugin::running,
                    "rengine:plugin/deployment@0.1.0": crate::bindings::rengine::plugin::deployment,
                    "wasi:config/store@0.2.0-rc.1": crate::bindings::wasi::config::store,
                    "wasi:logging/logging@0.1.0-draft": crate::bindings::wasi::logging::logging,
                },
            });
        }
    };
}

hook!(configure, "configure-plugin");
hook!(pre_build, "pre-build-plugin");
hook!(pre_run, "pre-run-plugin");
hook!(post_build, "post-build-plugin");
hook!(health, "health-plugin");
hook!(post_run, "post-run-plugin");
hook!(pre_stop, "pre-stop-plugin");
hook!(post_deploy, "post-deploy-plugin");
